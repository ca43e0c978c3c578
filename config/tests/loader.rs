//! What the loader takes, refuses and says.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{ffi::OsString, fs, path::PathBuf};

use dactyl_config::{Config, KEYS, Loader, Origin, Values};
use proptest::prelude::*;

struct Dir(tempfile::TempDir);

impl Dir {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.0.path().join(name);
        fs::write(&path, text).unwrap();
        path
    }
}

fn refused(text: &str) -> String {
    let dir = Dir::new();
    let path = dir.file("mine.toml", text);
    let message = Loader::new().file(&path).load().unwrap_err().to_string();
    message.replace(dir.0.path().to_str().unwrap(), "DIR")
}

fn variable(name: &str, text: &str) -> [(OsString, OsString); 1] {
    [(name.into(), text.into())]
}

#[test]
fn nothing_laid_over_gives_the_built_in_values() {
    let loaded = Loader::new().load().unwrap();
    assert_eq!(loaded.config, Config::builtin());
    assert!(KEYS.iter().all(|key| loaded.origin(key.path) == Origin::BuiltIn));
    assert!(KEYS.iter().all(|key| loaded.value(key).is_some()));
}

#[test]
fn later_layers_win_and_say_where_they_are() {
    let dir = Dir::new();
    let first = dir.file("a.toml", "[server]\nmax_sessions = 3\nmax_fps = 30\n");
    let second = dir.file("b.toml", "# mine\n\n[server]\nmax_sessions = 4\n[feedback]\nmin_change = 1\n");
    let loaded = Loader::new()
        .file(&first)
        .file(&second)
        .environment(variable("DACTYL_SERVER__MAX_FPS", "31"))
        .flag("--listen", "server.listen", "0.0.0.0:1")
        .load()
        .unwrap();
    assert_eq!(loaded.config.server.max_sessions, 4);
    assert_eq!(loaded.origin("server.max_sessions"), Origin::File { path: second.clone(), line: 4 });
    assert_eq!(loaded.config.server.max_fps, 31);
    assert_eq!(loaded.origin("server.max_fps"), Origin::Environment("DACTYL_SERVER__MAX_FPS".to_owned()));
    assert_eq!(loaded.config.server.listen, "0.0.0.0:1");
    assert_eq!(loaded.origin("server.listen"), Origin::Flag("--listen".to_owned()));
    assert_eq!(loaded.config.feedback.min_change, 1.0);
    assert_eq!(loaded.files, [first, second]);
}

#[test]
fn a_file_is_not_overwritten_by_a_flag_that_was_not_given() {
    let dir = Dir::new();
    let path = dir.file("a.toml", "[server]\nlisten = \"127.0.0.1:9\"\n");
    assert_eq!(Loader::new().file(path).load().unwrap().config.server.listen, "127.0.0.1:9");
}

#[test]
fn an_unknown_key_is_refused_with_its_line_and_the_nearest_known_one() {
    assert_eq!(
        refused("[feedback]\nmin_change = 0.1\nmin_intervall_ms = 10\n"),
        "DIR/mine.toml:3: unknown key feedback.min_intervall_ms; the nearest known key is feedback.min_interval_ms"
    );
    assert_eq!(
        refused("[feedbak]\nmin_change = 0.1\n"),
        "DIR/mine.toml:1: unknown key feedbak.min_change; the nearest known key is feedback.min_change"
    );
    assert_eq!(
        refused("listen = 'a:1'\n"),
        "DIR/mine.toml:1: unknown key listen; the nearest known key is server.listen"
    );
    assert_eq!(
        refused("[server.listen]\nx = 1\n"),
        "DIR/mine.toml:1: server.listen = { x = 1 } is refused: it must be a text"
    );
}

#[test]
fn a_value_out_of_range_is_refused_with_its_line_and_the_range() {
    assert_eq!(
        refused("[server]\n\nmax_sessions = 0\n"),
        "DIR/mine.toml:3: server.max_sessions = 0 is refused: it must be a whole number from 1 to 10000"
    );
    assert_eq!(
        refused("[feedback]\nmin_change = 1.5"),
        "DIR/mine.toml:2: feedback.min_change = 1.5 is refused: it must be a number from 0.0 to 1.0"
    );
    assert_eq!(
        refused("[feedback]\nmin_change = nan"),
        "DIR/mine.toml:2: feedback.min_change = nan is refused: it must be a number from 0.0 to 1.0"
    );
    assert_eq!(
        refused("[holistic]\nparts = ['pose', 'feet']"),
        "DIR/mine.toml:2: holistic.parts = [\"pose\", \"feet\"] is refused: it must be a list of \"pose\", \"hands\", \
         \"face\""
    );
    assert_eq!(
        refused("[log]\nformat = 'xml'"),
        "DIR/mine.toml:2: log.format = \"xml\" is refused: it must be one of \"text\", \"json\""
    );
    assert_eq!(
        refused("[server]\nmax_fps = '30'"),
        "DIR/mine.toml:2: server.max_fps = \"30\" is refused: it must be a whole number from 1 to 1000"
    );
}

#[test]
fn values_that_contradict_each_other_are_refused() {
    assert_eq!(
        refused("[tls]\ncertificate = 'chain.pem'"),
        "DIR/mine.toml:2: tls.certificate is refused: it needs a tls.key"
    );
    assert_eq!(
        refused("[tls]\nkey = 'key.pem'"),
        "DIR/mine.toml:2: tls.key is refused: it needs a tls.certificate"
    );
    assert_eq!(
        refused("[server]\nping_timeout_s = 5"),
        "DIR/mine.toml:2: server.ping_timeout_s is refused: it must be more than server.ping_interval_s, which is 5"
    );
    assert_eq!(
        refused("[server]\ntransport_max_bytes = 65536"),
        "DIR/mine.toml:2: server.transport_max_bytes is refused: it must be at least server.max_message_bytes, which \
         is 2097152"
    );
    assert_eq!(
        refused("[holistic]\nparts = ['hands']"),
        "DIR/mine.toml:2: holistic.parts is refused: hands and face are found through the pose; add \"pose\""
    );
    assert_eq!(
        refused("[server]\nlisten = '8080'"),
        "DIR/mine.toml:2: server.listen is refused: \"8080\" is not host:port with a port from 0 to 65535"
    );
    for key in ["listen", "agent_listen"] {
        assert_eq!(
            refused(&format!("[admin]\n{key} = ':8081'")),
            format!(
                "DIR/mine.toml:2: admin.{key} is refused: \":8081\" is not host:port with a port from 0 to 65535"
            )
        );
    }
    assert_eq!(
        refused("[server]\nproxy_protocol = true"),
        "DIR/mine.toml:2: server.proxy_protocol is refused: it needs server.trusted_proxies, from whom alone it is taken"
    );
}

#[test]
fn allowed_origins_that_can_match_no_page_are_refused() {
    let load = |text: &str| Loader::new().flag("--set", "server.allowed_origins", text).load();
    for allowed in [
        "https://learn.example.org",
        "https://Learn.example.org:444/",
        "capacitor://localhost",
        "file://",
        "null",
    ] {
        load(allowed).unwrap();
    }
    for never in [
        "learn.example.org",
        "*",
        "https://*.example.org",
        "https://learn.example.org/practice",
        "https://learn.example.org:",
        "https://",
        "http:///",
        "file:",
        "file:///index.html",
        "NULL",
    ] {
        assert_eq!(
            load(&format!("https://a.example, {never}")).unwrap_err().to_string(),
            format!(
                "flag --set: server.allowed_origins is refused: {never:?} is the origin of no page; write \
                 scheme://host, scheme://host:port, file:// or null"
            )
        );
    }
}

#[test]
fn a_file_that_is_not_toml_is_refused_with_its_line() {
    let message = refused("[server]\nmax_fps = = 3\n");
    assert!(message.starts_with("DIR/mine.toml:2: not TOML: "), "{message}");
    let missing = Loader::new().file("/nowhere/at/all.toml").load().unwrap_err().to_string();
    assert!(
        missing.starts_with("/nowhere/at/all.toml: the configuration file cannot be read: "),
        "{missing}"
    );
}

#[test]
fn environment_variables_are_read_by_the_kind_of_their_key() {
    let load = |name: &str, text: &str| Loader::new().environment(variable(name, text)).load();
    let config = |name: &str, text: &str| load(name, text).unwrap().config;
    assert_eq!(config("DACTYL_HOLISTIC__PARTS", "pose, hands").holistic.parts.len(), 2);
    assert_eq!(config("DACTYL_HOLISTIC__PARTS", "[\"pose\"]").holistic.parts.len(), 1);
    assert_eq!(config("DACTYL_FEEDBACK__MIN_CHANGE", "0").feedback.min_change, 0.0);
    assert!(!config("DACTYL_FEEDBACK__ON_RESET", "false").feedback.on_reset);
    assert_eq!(config("DACTYL_PIPELINE__NAME", "42").pipeline.name, "42");
    assert!(config("DACTYL_SERVER__ALLOWED_ORIGINS", "").server.allowed_origins.is_empty());
    assert_eq!(config("DACTYL_HOME", "/somewhere"), Config::builtin());
    assert_eq!(
        load("DACTYL_SERVER__MAX_SESSION", "3").unwrap_err().to_string(),
        "environment variable DACTYL_SERVER__MAX_SESSION: unknown key server.max_session; the nearest known key is \
         server.max_sessions"
    );
    assert_eq!(
        load("DACTYL_SERVER__MAX_SESSIONS", "many").unwrap_err().to_string(),
        "environment variable DACTYL_SERVER__MAX_SESSIONS: server.max_sessions = \"many\" is refused: it must be a \
         whole number from 1 to 10000"
    );
}

#[test]
fn a_variable_with_one_underscore_is_told_of_and_never_refused() {
    for (name, meant) in [
        ("DACTYL_SERVER_LISTEN", "DACTYL_SERVER__LISTEN"),
        ("DACTYL_SERVER_MAX_SESSIONS", "DACTYL_SERVER__MAX_SESSIONS"),
        ("DACTYL_TLS_KEY", "DACTYL_TLS__KEY"),
        ("dactyl_smoothing__history", "DACTYL_SMOOTHING__HISTORY"),
    ] {
        let loaded = Loader::new().environment(variable(name, "7")).load().unwrap();
        assert_eq!(loaded.config, Config::builtin(), "{name}");
        let told: Vec<String> = loaded.misspelt.iter().map(ToString::to_string).collect();
        assert_eq!(told, [format!("the environment variable {name} sets nothing; write {meant}")]);
    }
    for name in ["DACTYL_CONFIG", "DACTYL_HOME", "DACTYL_LISTEN", "DACTYL_SERVER", "SERVER_LISTEN", "DACTYL_"]
    {
        let loaded = Loader::new().environment(variable(name, "7")).load().unwrap();
        assert_eq!((loaded.config, loaded.misspelt), (Config::builtin(), Vec::new()), "{name}");
    }
    for key in KEYS.iter() {
        let loaded = Loader::new().environment(variable(&key.variable().replacen("__", "_", 1), "7")).load();
        assert_eq!(loaded.unwrap().misspelt[0].meant, key.variable());
    }
}

/// What a cluster puts into every container for a service of these names.
#[test]
fn the_variables_of_kubernetes_services_are_passed_over() {
    for service in
        ["DACTYL", "DACTYL_SERVER", "DACTYL_TLS", "DACTYL__SERVER", "DACTYL_SERVER__EU", "DACTYL_LOG__LEVEL"]
    {
        for (suffix, value) in [
            ("SERVICE_HOST", "10.0.0.11"),
            ("SERVICE_PORT", "8080"),
            ("SERVICE_PORT_HTTP", "8080"),
            ("PORT", "tcp://10.0.0.11:8080"),
            ("PORT_8080_TCP", "tcp://10.0.0.11:8080"),
            ("PORT_8080_TCP_PROTO", "tcp"),
            ("PORT_8080_TCP_PORT", "8080"),
            ("PORT_8080_TCP_ADDR", "10.0.0.11"),
        ] {
            let name = format!("{service}_{suffix}");
            let loaded = Loader::new().environment(variable(&name, value)).load().unwrap();
            assert_eq!((loaded.config, loaded.misspelt), (Config::builtin(), Vec::new()), "{name}");
        }
    }
}

proptest! {
    #[test]
    fn no_file_panics_the_loader(text in "[\\[\\]a-z_.= \"0-9\n]{0,80}") {
        let dir = Dir::new();
        let path = dir.file("any.toml", &text);
        let _ = Loader::new().file(path).load();
    }

    #[test]
    fn every_integer_is_taken_exactly_within_its_range(index in 0..KEYS.len(), number in any::<i64>()) {
        let key = &KEYS[index];
        let Values::Integer(least, most) = key.values else { return Ok(()) };
        let outcome = Loader::new().flag("--set", key.path, &number.to_string()).load();
        if !(least..=most).contains(&number) {
            prop_assert!(outcome.is_err());
        }
        for bound in [least, most] {
            let outcome = Loader::new().flag("--set", key.path, &bound.to_string()).load();
            // A bound may contradict another key's default, but never for being out of range.
            let message = outcome.err().map(|error| error.to_string()).unwrap_or_default();
            prop_assert!(!message.contains("it must be a whole number"), "{}", message);
        }
    }
}
