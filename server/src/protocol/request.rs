use std::borrow::Cow;
use std::fmt;

use base64::engine::general_purpose::{STANDARD_PAD_INDIFFERENT, URL_SAFE_PAD_INDIFFERENT};
use base64::{DecodeError, Engine};
use bytes::Bytes;
use gstdactyl::jpeg;
use serde::de::{Deserialize, DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};

use super::refusal::{ErrorCode, Refusal};
use super::words::{JPEG_BLOB, NEW_LETTER, brief};

/// What a client's message says. At least one of the two is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// A frame, not yet checked to be a JPEG; or why it cannot be read, which takes nothing from the letter beside it.
    pub jpeg: Option<Result<Bytes, Refusal>>,
    /// The letter to practise from now on, an emergency reset; empty = a reset that leaves no target.
    pub new_letter: Option<String>,
}

/// Reads a text message: `{"jpeg_blob": "<base64 JPEG>" | null, "new_letter": "<letter>" | null}`. A missing key means
/// null.
///
/// The base64 may be standard or URL-safe, with padding or without, and may stand in a `data:image/jpeg;base64,` URL.
///
/// # Errors
///
/// When it is not that JSON, or says nothing.
pub fn read_text(text: &str) -> Result<Request, Refusal> {
    let mut problem = None;
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let fields = Fields { code: ErrorCode::BadJson, problem: &mut problem }
        .deserialize(&mut deserializer)
        .and_then(|fields| deserializer.end().map(|()| fields));
    match fields {
        Ok(fields) => fields.into_request(ErrorCode::BadJson, Bytes::copy_from_slice),
        Err(error) => Err(problem.unwrap_or_else(|| {
            let cause = if error.is_data() {
                "not a JSON object".to_owned()
            } else {
                format!("not JSON ({})", brief(&error.to_string(), 100))
            };
            let cure = format!(r#"send {{"{JPEG_BLOB}": "<base64 JPEG>", "{NEW_LETTER}": null}}, or a JPEG as binary message"#);
            Refusal::new(ErrorCode::BadJson, format!("{cause}: {cure}"))
        })),
    }
}

/// Whether a binary message is a JPEG and nothing else.
pub fn is_bare_jpeg(message: &[u8]) -> bool {
    message.starts_with(&[0xFF, 0xD8])
}

/// Reads a binary message: a bare JPEG, or the map of [`read_text`] in MessagePack with `jpeg_blob` as bytes, which then
/// share the message's memory.
///
/// # Errors
///
/// When it is neither, or says nothing. A picture of another format counts as a frame, so that it is refused by name.
pub fn read_binary(message: &Bytes) -> Result<Request, Refusal> {
    // A PNG starts with a byte that also starts a map.
    if is_bare_jpeg(message) || jpeg::other_format(message).is_some() {
        return Ok(Request { jpeg: Some(Ok(message.clone())), new_letter: None });
    }
    let refused = |cause: &str| {
        let cure = format!("send {{\"{JPEG_BLOB}\": <bytes>, \"{NEW_LETTER}\": nil}}, or the JPEG alone");
        Refusal::new(ErrorCode::BadMsgpack, format!("{cause}: {cure}"))
    };
    if !matches!(message.first(), Some(0x80..=0x8F | 0xDE | 0xDF)) {
        return Err(refused("neither a JPEG, which starts with the bytes FF D8, nor a map in MessagePack"));
    }
    let mut problem = None;
    let mut deserializer = rmp_serde::Deserializer::from_read_ref(message);
    let fields = Fields { code: ErrorCode::BadMsgpack, problem: &mut problem }.deserialize(&mut deserializer);
    match fields {
        Ok(fields) => match bool::deserialize(&mut deserializer) {
            // There is nothing left to read.
            Err(rmp_serde::decode::Error::InvalidMarkerRead(_)) => {
                fields.into_request(ErrorCode::BadMsgpack, |bytes| message.slice_ref(bytes))
            }
            _ => Err(refused("not one MessagePack map: something follows it")),
        },
        Err(error) => Err(problem.unwrap_or_else(|| {
            refused(&format!("not a whole map in MessagePack ({})", brief(&error.to_string(), 100)))
        })),
    }
}

enum Value<'de> {
    Null,
    Text(Cow<'de, str>),
    Bytes(Cow<'de, [u8]>),
}

struct RawRequest<'de> {
    jpeg: Value<'de>,
    new_letter: Option<Cow<'de, str>>,
}

impl<'de> RawRequest<'de> {
    fn into_request(
        self,
        code: ErrorCode,
        share: impl FnOnce(&'de [u8]) -> Bytes,
    ) -> Result<Request, Refusal> {
        let jpeg = match self.jpeg {
            Value::Null => None,
            Value::Text(text) => Some(decode_base64(&text)),
            Value::Bytes(Cow::Borrowed(bytes)) => Some(Ok(share(bytes))),
            Value::Bytes(Cow::Owned(bytes)) => Some(Ok(bytes.into())),
        };
        let new_letter = self.new_letter.map(Cow::into_owned);
        if jpeg.is_none() && new_letter.is_none() {
            let cure = format!("send a frame in {JPEG_BLOB:?}, a letter in {NEW_LETTER:?}, or both");
            return Err(Refusal::new(code, format!("nothing in it: {cure}")));
        }
        Ok(Request { jpeg, new_letter })
    }
}

/// Reads the map, in either encoding. It stops at the first problem, so that nothing that does not belong there is ever
/// read, however deep it is nested, and keeps it typed beside the encoding's own error.
struct Fields<'a> {
    code: ErrorCode,
    problem: &'a mut Option<Refusal>,
}

impl Fields<'_> {
    fn refuse<E: Error>(self, problem: Refusal) -> E {
        *self.problem = Some(problem);
        E::custom("refused")
    }

    fn refuse_twice<E: Error>(self, key: &str) -> E {
        let refusal = Refusal::new(self.code, format!("{key:?} stands there twice: send each key once"));
        self.refuse(refusal)
    }

    fn field(&mut self, key: &'static str, expected: &'static str) -> Field<'_> {
        Field { code: self.code, key, expected, problem: &mut *self.problem }
    }
}

impl<'de> DeserializeSeed<'de> for Fields<'_> {
    type Value = RawRequest<'de>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Fields<'_> {
    type Value = RawRequest<'de>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<Self::Value, A::Error> {
        let (mut jpeg, mut new_letter) = (None, None);
        while let Some(key) = map.next_key::<Cow<'de, str>>()? {
            match key.as_ref() {
                JPEG_BLOB if jpeg.is_some() => return Err(self.refuse_twice(JPEG_BLOB)),
                NEW_LETTER if new_letter.is_some() => return Err(self.refuse_twice(NEW_LETTER)),
                JPEG_BLOB => {
                    let field = self.field(JPEG_BLOB, "base64 text, in MessagePack bytes, or null");
                    jpeg = Some(map.next_value_seed(field)?);
                }
                NEW_LETTER => {
                    let field = self.field(NEW_LETTER, "text or null");
                    new_letter = Some(match map.next_value_seed(field)? {
                        Value::Null => None,
                        Value::Text(text) => Some(text),
                        Value::Bytes(_) => return self.field(NEW_LETTER, "text or null").wrong("bytes"),
                    });
                }
                other => return Err(self.refuse(Refusal::unknown_key(other))),
            }
        }
        Ok(RawRequest { jpeg: jpeg.unwrap_or(Value::Null), new_letter: new_letter.flatten() })
    }
}

/// Reads the value of one key.
struct Field<'a> {
    code: ErrorCode,
    key: &'static str,
    expected: &'static str,
    problem: &'a mut Option<Refusal>,
}

impl Field<'_> {
    fn wrong<T, E: Error>(self, found: &'static str) -> Result<T, E> {
        let message = format!("{:?} must be {}, not {found}", self.key, self.expected);
        *self.problem = Some(Refusal::new(self.code, message));
        Err(E::custom("refused"))
    }
}

impl<'de> DeserializeSeed<'de> for Field<'_> {
    type Value = Value<'de>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Field<'_> {
    type Value = Value<'de>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.expected)
    }

    fn visit_unit<E: Error>(self) -> Result<Self::Value, E> {
        Ok(Value::Null)
    }

    fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(Value::Text(Cow::Borrowed(text)))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Value::Text(Cow::Owned(text.to_owned())))
    }

    fn visit_borrowed_bytes<E: Error>(self, bytes: &'de [u8]) -> Result<Self::Value, E> {
        Ok(Value::Bytes(Cow::Borrowed(bytes)))
    }

    fn visit_bytes<E: Error>(self, bytes: &[u8]) -> Result<Self::Value, E> {
        Ok(Value::Bytes(Cow::Owned(bytes.to_owned())))
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<Self::Value, E> {
        self.wrong("a boolean")
    }

    fn visit_i64<E: Error>(self, _: i64) -> Result<Self::Value, E> {
        self.wrong("a number")
    }

    fn visit_u64<E: Error>(self, _: u64) -> Result<Self::Value, E> {
        self.wrong("a number")
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<Self::Value, E> {
        self.wrong("a number")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, _: A) -> Result<Self::Value, A::Error> {
        self.wrong("an array")
    }

    fn visit_map<A: MapAccess<'de>>(self, _: A) -> Result<Self::Value, A::Error> {
        self.wrong("an object")
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(self, _: D) -> Result<Self::Value, D::Error> {
        self.wrong("an extension type")
    }
}

fn decode_base64(text: &str) -> Result<Bytes, Refusal> {
    let payload = match text.split_once(',') {
        Some((head, payload)) if is_data_url(head) => {
            let kind = &head["data:".len()..];
            if !["image/jpeg;base64", "image/jpg;base64"].iter().any(|known| kind.eq_ignore_ascii_case(known))
            {
                let cure = "encode the picture as JPEG, in a browser with canvas.toDataURL(\"image/jpeg\")";
                let message = format!("{JPEG_BLOB:?} is a data URL of {:?}: {cure}", brief(kind, 40));
                return Err(Refusal::new(ErrorCode::BadJpeg, message));
            }
            payload
        }
        _ => text,
    };
    let engine =
        if payload.contains(['-', '_']) { URL_SAFE_PAD_INDIFFERENT } else { STANDARD_PAD_INDIFFERENT };
    engine.decode(payload).map(Bytes::from).map_err(|error| {
        let cause = match error {
            DecodeError::InvalidByte(at, byte) if byte.is_ascii() => {
                format!("character {:?} at position {at}", char::from(byte))
            }
            DecodeError::InvalidByte(at, _) => format!("a character beyond ASCII at position {at}"),
            DecodeError::InvalidLength(length) => {
                format!("{length} characters are not a whole number of bytes")
            }
            DecodeError::InvalidLastSymbol { .. } => "its end is cut".to_owned(),
            DecodeError::InvalidPadding => "its padding is wrong".to_owned(),
        };
        let cure = "send standard or URL-safe base64 without line breaks, or the JPEG as binary message";
        Refusal::new(ErrorCode::BadBase64, format!("{JPEG_BLOB:?} is not base64 ({cause}): {cure}"))
    })
}

fn is_data_url(head: &str) -> bool {
    head.get(..5).is_some_and(|scheme| scheme.eq_ignore_ascii_case("data:"))
}
