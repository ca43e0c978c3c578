//! A configuration file, and environment variables over it: `FILE \0 NAME=VALUE \0 NAME=VALUE ...`.

use std::fmt::Write;

use dactyl_config::{ConfigError, KEYS, Loaded, Loader, Origin};

use crate::{assert_line, assert_told};

/// What the format is made of.
pub const WORDS: &[&[u8]] = &[
    b"[server]",
    b"[letters]",
    b"[tls]",
    b"\n",
    b" = ",
    b"\"",
    b"'''",
    b"\"\"\"",
    b"[",
    b"]",
    b"#",
    b"\\",
    b"1e999",
    b"nan",
    b"-inf",
    b"true",
    b"1979-05-27",
    b"0x7FFFFFFFFFFFFFFF",
    b"server.listen",
    b"listen",
    b"127.0.0.1:0",
    b"[::1]:8080",
    b"allowed_origins",
    b"https://a.example",
    b"trusted_proxies",
    b"10.0.0.0/8",
    b"max_sessions",
    b"proxy_protocol",
    b"\0DACTYL_SERVER__LISTEN=",
    b"\0DACTYL_LETTERS__LABELS=A,B",
    b"\0DACTYL_FEEDBACK__MIN_CHANGE=",
    b"\0DACTYL_SERVER_LISTEN=",
];

/// Inputs of the right form.
pub fn seeds() -> Vec<Vec<u8>> {
    [
        include_str!("../../../config/default.toml"),
        include_str!("../../../deploy/dactyl.toml"),
        "[server]\nlisten = \"[::1]:0\"\nmax_sessions = 3\nallowed_origins = [\"null\", 'https://a.example:8443']\n",
        "[server]\ntrusted_proxies = [\"10.0.0.0/8\"]\nproxy_protocol = true\n\0DACTYL_SERVER__MAX_FPS=31",
        "feedback.min_change = 0.25\nfeedback.clock = \"server\"\0DACTYL_LETTERS__LABELS=[\"A\", \"B\"]",
        "[log]\nlevel = \"\"\"info,\na::b=debug # \\\"quoted\\\" \\u00e4\"\"\"\n\0DACTYL_LOG__FORMAT=json\0DACTYL_LOG_LEVEL=info",
    ]
    .map(|text| text.as_bytes().to_vec())
    .to_vec()
}

/// Checks one file with variables. Gives whether something of it was accepted.
///
/// # Panics
/// Where something does not hold.
pub fn check(input: &[u8]) -> bool {
    let text = String::from_utf8_lossy(input);
    let mut parts = text.split('\0');
    let file = parts.next().unwrap_or_default();
    let variables = parts.map(|part| part.split_once('=').unwrap_or((part, "")));
    let variables = variables.map(|(name, value)| (name.into(), value.into()));
    match Loader::new().text("fuzz.toml", file).environment(variables).load() {
        Ok(loaded) => {
            let written = written(&loaded);
            let again = Loader::new().text("again.toml", written.as_str()).load();
            let again = again.unwrap_or_else(|error| panic!("{error}\n{written}"));
            assert_eq!(again.config, loaded.config, "written and read again: {written}");
            true
        }
        Err(error) => {
            assert_told(&error.to_string());
            let origin = match &error {
                ConfigError::Syntax { origin, .. }
                | ConfigError::UnknownKey { origin, .. }
                | ConfigError::OutOfRange { origin, .. }
                | ConfigError::Contradiction { origin, .. } => origin,
                ConfigError::Read { .. } => panic!("no file is read: {error}"),
            };
            match origin {
                Origin::File { line, .. } => assert_line(*line, file),
                // A default may contradict what was set.
                Origin::Environment(_) | Origin::BuiltIn => {}
                Origin::Flag(_) => panic!("nobody set a flag: {error}"),
            }
            false
        }
    }
}

/// The values in force as a configuration file.
fn written(loaded: &Loaded) -> String {
    let mut text = String::new();
    for key in KEYS.iter() {
        let value = loaded.value(key).expect("every key has a value");
        writeln!(text, "{} = {value}", key.path).expect("memory");
    }
    text
}
