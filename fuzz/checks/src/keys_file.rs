//! The file of keys, with what each allows.

use dactyl::credentials::keys_in;

use crate::{assert_line, assert_told};

/// What the format is made of.
pub const WORDS: &[&[u8]] = &[
    b"[keys.a]\n",
    b"[keys.b]\n",
    b"sha256 = ",
    b"\"b94d27b9934d3e08a52e52d7da7dabfac484efe37a5380ee9088f7ace2efcde9\"\n",
    b"pipelines = ",
    b"[\"recognise\"]\n",
    b"max_fps = ",
    b"max_sessions = ",
    b"4294967296",
    b"= 0\n",
    b"\"",
    b"\xC3\xA9",
    b"#",
];

/// Inputs of the right form.
pub fn seeds() -> Vec<Vec<u8>> {
    let key = |name: &str, digit: &str, rest: &str| {
        format!("[keys.{name}]\nsha256 = \"{}\"\n{rest}", digit.repeat(64))
    };
    vec![
        key("a", "0", "").into_bytes(),
        key("school-north", "aF", "max_fps = 300\nmax_sessions = 20\n").replace("aFaF", "aF").into_bytes(),
        format!("# two\n{}{}", key("a", "1", "pipelines = [\"recognise\"]\n"), key("b", "2", ""))
            .into_bytes(),
    ]
}

/// Checks the text of a file. Gives whether it was accepted.
///
/// # Panics
/// Where something does not hold.
pub fn check(input: &[u8]) -> bool {
    let Ok(text) = str::from_utf8(input) else { return false };
    match keys_in(text) {
        Ok(keys) => {
            assert!(keys > 0 && keys <= text.matches("sha256").count(), "{keys} keys");
            true
        }
        Err(told) => {
            assert_told(&told);
            let line = told.strip_prefix("keys.toml:").and_then(|rest| rest.split(':').next()?.parse().ok());
            if let Some(line) = line {
                assert_line(line, text);
            }
            false
        }
    }
}
