//! The claims of a token, signed as they should be, and tokens that nobody has signed.

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use dactyl::credentials::is_taken;
use jsonwebtoken::crypto::sign;
use jsonwebtoken::{Algorithm, EncodingKey};

const SECRET: &[u8] = b"a secret of 32 bytes, no shorter";

/// What the format is made of.
pub const WORDS: &[&[u8]] = &[
    b"{\"exp\":",
    b"4102444800",
    b"4102444800.5",
    b"1e308",
    b"-1",
    b"\"nbf\":",
    b"\"sub\":",
    b"\"ada\"",
    b"\"dactyl\":",
    b"{\"max_fps\":15}",
    b"\"pipelines\":",
    b"[\"recognise\"]",
    b"null",
    b",",
    b"}",
];

/// Inputs of the right form.
pub fn seeds() -> Vec<Vec<u8>> {
    [
        r#"{"exp":4102444800}"#,
        r#"{"exp":4102444800.5,"nbf":1,"sub":"ada","aud":["x"],"iss":"y"}"#,
        r#"{"exp":4102444800,"dactyl":{"pipelines":["recognise"],"max_fps":15,"max_sessions":2}}"#,
    ]
    .map(|text| text.as_bytes().to_vec())
    .to_vec()
}

/// Checks some claims. Gives whether a token of them was taken.
///
/// # Panics
/// Where something does not hold.
pub fn check(input: &[u8]) -> bool {
    let part = |bytes: &[u8]| BASE64_URL_SAFE_NO_PAD.encode(bytes);
    let message = format!("{}.{}", part(br#"{"alg":"HS256"}"#), part(input));
    let key = EncodingKey::from_secret(SECRET).expect("a secret");
    let signature = sign(message.as_bytes(), &key, Algorithm::HS256).expect("signed");
    for (forged, by) in [
        (format!("{message}."), "nobody"),
        (format!("{}.{}.", part(br#"{"alg":"none"}"#), part(input)), "nobody, as it says"),
        (format!("{message}.{}", part(&[0; 32])), "a guess"),
        (String::from_utf8_lossy(input).into_owned(), "nobody at all"),
    ] {
        assert!(!is_taken(SECRET, &forged), "a token signed by {by} is taken");
    }
    is_taken(SECRET, &format!("{message}.{signature}"))
}
