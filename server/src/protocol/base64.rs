//! A frame as text: base64 in the dialects that clients write, alone or in a `data:` URL.

use std::borrow::Cow;

use ::base64::engine::general_purpose::{STANDARD_PAD_INDIFFERENT, URL_SAFE_PAD_INDIFFERENT};
use ::base64::{DecodeError, Engine};
use bytes::Bytes;
use percent_encoding::percent_decode_str;

use super::refusal::{ErrorCode, Refusal};
use super::words::{JPEG_BLOB, brief};

const CURE: &str = "send standard or URL-safe base64, or the JPEG as binary message";

/// Reads base64, standard or URL-safe, with padding or without. White space between its characters is passed over, as
/// browsers do. The text may be a `data:` URL (RFC 2397) of any media type and parameters: what kind of picture it is
/// shows in the bytes.
pub(super) fn decode(text: &str) -> Result<Bytes, Refusal> {
    let encoded = match data_url(text) {
        Some(url) => base64_of(url)?,
        None => Cow::Borrowed(text.as_bytes()),
    };
    let is_url_safe = encoded.iter().any(|byte| b"-_".contains(byte));
    let engine = if is_url_safe { URL_SAFE_PAD_INDIFFERENT } else { STANDARD_PAD_INDIFFERENT };
    let decoded = engine.decode(&encoded).or_else(|error| {
        if !encoded.iter().any(u8::is_ascii_whitespace) {
            return Err(error);
        }
        let dense: Vec<u8> = encoded.iter().copied().filter(|byte| !byte.is_ascii_whitespace()).collect();
        engine.decode(dense)
    });
    decoded.map(Bytes::from).map_err(|error| refuse(&cause(&error)))
}

/// What stands behind the scheme of a `data:` URL.
fn data_url(text: &str) -> Option<&str> {
    let (scheme, rest) = text.trim_ascii_start().split_at_checked("data:".len())?;
    scheme.eq_ignore_ascii_case("data:").then_some(rest)
}

/// The base64 behind the comma, which may be percent-encoded like everything in a URL.
fn base64_of(url: &str) -> Result<Cow<'_, [u8]>, Refusal> {
    let (head, payload) = url.split_once(',').unwrap_or((url, ""));
    let last = head.rsplit(';').next().unwrap_or_default();
    if !last.trim_ascii().eq_ignore_ascii_case("base64") {
        return Err(refuse(&format!("a data URL without \";base64,\": {:?}", brief(head, 40))));
    }
    Ok(percent_decode_str(payload).into())
}

fn refuse(cause: &str) -> Refusal {
    Refusal::new(ErrorCode::BadBase64, format!("{JPEG_BLOB:?} is not base64 ({cause}): {CURE}"))
}

fn cause(error: &DecodeError) -> String {
    match *error {
        DecodeError::InvalidByte(at, byte) if byte.is_ascii() => {
            format!("character {:?} at position {at}", char::from(byte))
        }
        DecodeError::InvalidByte(at, _) => format!("a character beyond ASCII at position {at}"),
        DecodeError::InvalidLength(length) => format!("{length} characters are not a whole number of bytes"),
        DecodeError::InvalidLastSymbol { .. } => "its end is cut".to_owned(),
        DecodeError::InvalidPadding => "its padding is wrong".to_owned(),
    }
}
