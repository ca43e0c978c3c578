use std::borrow::Cow;
use std::fmt;

use bytes::Bytes;
use gstdactyl::jpeg;
use serde::de::{Deserialize, DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};

use super::base64;
use super::found::UNDEFINED;
use super::landmarks::{self, Landmarks, Parts, Said, Side};
use super::refusal::{ErrorCode, Refusal};
use super::words::{HEIGHT, JPEG_BLOB, LANDMARKS, NEW_LETTER, WIDTH, brief};

/// What a client's message says. At least one of the two is there.
#[derive(Debug, Clone, PartialEq)]
pub struct Request {
    /// A frame; or why it cannot be read, which takes nothing from the letter beside it.
    pub frame: Option<Result<Content, Refusal>>,
    /// The letter to practise from now on, an emergency reset; empty = a reset that leaves no target.
    pub new_letter: Option<String>,
}

/// What a client sends of a frame.
#[derive(Debug, Clone, PartialEq)]
pub enum Content {
    /// The picture, not yet checked to be a JPEG.
    Jpeg(Bytes),
    /// What was found in it.
    Landmarks(Landmarks),
}

/// Reads a text message: `{"jpeg_blob": "<base64 JPEG>" | null, "new_letter": "<letter>" | null}`, or with `"landmarks":
/// {"left_hand": [[x, y, z], ...] | null, ...} | null, "width": 640, "height": 480` in place of the picture. A missing key means
/// null.
///
/// The base64 may be standard or URL-safe, with padding or without, broken into lines, and may stand in a `data:` URL.
///
/// # Errors
///
/// When it is not that JSON, or says nothing.
pub fn read_text(text: &str) -> Result<Request, Refusal> {
    let mut problem = None;
    // Some encoders of UTF-8 begin with a byte order mark, which JSON has none of.
    let text = text.strip_prefix(BYTE_ORDER_MARK).unwrap_or(text);
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let fields = Fields { code: ErrorCode::BadJson, problem: &mut problem }
        .deserialize(&mut deserializer)
        .and_then(|fields| deserializer.end().map(|()| fields));
    match fields {
        Ok(fields) => fields.into_request(ErrorCode::BadJson, Bytes::copy_from_slice),
        // Of a message that ends too soon nothing else is known.
        Err(error) => Err(problem.filter(|_| !error.is_eof()).unwrap_or_else(|| {
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

const BYTE_ORDER_MARK: char = '\u{feff}';
/// Every key.
const KEYS: [&str; 5] = [JPEG_BLOB, LANDMARKS, WIDTH, HEIGHT, NEW_LETTER];

/// Whether a binary message is a JPEG and nothing else.
pub fn is_bare_jpeg(message: &[u8]) -> bool {
    message.starts_with(&[0xFF, 0xD8])
}

/// Reads a binary message: a bare JPEG, or the map of [`read_text`] in MessagePack with `jpeg_blob` as bytes, which then
/// share the message's memory, and each part of `landmarks` as a list or as float32; or that text itself, of clients that
/// send nothing but bytes. Encoders that know no type for bytes write them as an extension type or as an array of
/// numbers, and JavaScript's `undefined` is null.
///
/// # Errors
///
/// When it is neither, or says nothing. A picture of another format counts as a frame, so that it is refused by name.
pub fn read_binary(message: &Bytes) -> Result<Request, Refusal> {
    // A PNG starts with a byte that also starts a map.
    if is_bare_jpeg(message) || jpeg::other_format(message).is_some() {
        return Ok(Request { frame: Some(Ok(Content::Jpeg(message.clone()))), new_letter: None });
    }
    // Neither starts a map in MessagePack.
    if let Ok(text) = str::from_utf8(message)
        && text.starts_with(['{', BYTE_ORDER_MARK])
    {
        return read_text(text);
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
    landmarks: Said<Landmarks>,
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
            Value::Text(text) => Some(base64::decode(&text)),
            Value::Bytes(Cow::Borrowed(bytes)) => Some(Ok(share(bytes))),
            Value::Bytes(Cow::Owned(bytes)) => Some(Ok(bytes.into())),
        };
        let frame = match (jpeg, self.landmarks) {
            (Some(_), Some(_)) => Some(Err(Refusal::two_kinds())),
            (Some(jpeg), None) => Some(jpeg.map(Content::Jpeg)),
            (None, landmarks) => landmarks.map(|landmarks| landmarks.map(Content::Landmarks)),
        };
        let new_letter = self.new_letter.map(Cow::into_owned);
        if frame.is_none() && new_letter.is_none() {
            let cure = format!(
                "send a frame in {JPEG_BLOB:?} or {LANDMARKS:?}, a letter in {NEW_LETTER:?}, or both"
            );
            return Err(Refusal::new(code, format!("nothing in it: {cure}")));
        }
        Ok(Request { frame, new_letter })
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
        let refusal = Refusal::twice(self.code, key);
        self.refuse(refusal)
    }

    fn frame(&mut self) -> Field<'_> {
        let takes_bytes = self.code == ErrorCode::BadMsgpack;
        self.field(JPEG_BLOB, "base64 text, in MessagePack bytes, or null", takes_bytes)
    }

    fn letter(&mut self) -> Field<'_> {
        self.field(NEW_LETTER, "text or null", false)
    }

    fn field(&mut self, key: &'static str, expected: &'static str, takes_bytes: bool) -> Field<'_> {
        Field { code: self.code, key, expected, takes_bytes, problem: &mut *self.problem }
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
        let (mut landmarks, mut width, mut height) = (None, None, None);
        while let Some(key) = map.next_key::<Cow<'de, str>>()? {
            match key.as_ref() {
                JPEG_BLOB if jpeg.is_some() => return Err(self.refuse_twice(JPEG_BLOB)),
                NEW_LETTER if new_letter.is_some() => return Err(self.refuse_twice(NEW_LETTER)),
                LANDMARKS if landmarks.is_some() => return Err(self.refuse_twice(LANDMARKS)),
                WIDTH if width.is_some() => return Err(self.refuse_twice(WIDTH)),
                HEIGHT if height.is_some() => return Err(self.refuse_twice(HEIGHT)),
                JPEG_BLOB => jpeg = Some(map.next_value_seed(self.frame())?),
                NEW_LETTER => {
                    new_letter = Some(match map.next_value_seed(self.letter())? {
                        Value::Null => None,
                        Value::Text(text) => Some(text),
                        Value::Bytes(_) => return self.letter().wrong("bytes"),
                    });
                }
                LANDMARKS => {
                    let parts = Parts { code: self.code, problem: &mut *self.problem };
                    landmarks = Some(map.next_value_seed(parts)?);
                }
                WIDTH => width = Some(map.next_value_seed(Side(WIDTH))?),
                HEIGHT => height = Some(map.next_value_seed(Side(HEIGHT))?),
                other => return Err(self.refuse(Refusal::unknown_key(other, &KEYS))),
            }
        }
        Ok(RawRequest {
            jpeg: jpeg.unwrap_or(Value::Null),
            landmarks: landmarks::combine(landmarks.flatten(), width.flatten(), height.flatten()),
            new_letter: new_letter.flatten(),
        })
    }
}

/// Reads the value of one key.
struct Field<'a> {
    code: ErrorCode,
    key: &'static str,
    expected: &'static str,
    /// Whether an extension type or an array may stand for bytes there.
    takes_bytes: bool,
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

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self::Value, A::Error> {
        if !self.takes_bytes {
            return self.wrong("an array");
        }
        // The length that the array claims is not reserved: it need not be there.
        let mut bytes = Vec::new();
        while let Some(item) = items.next_element::<i16>()? {
            match (u8::try_from(item), i8::try_from(item)) {
                (Ok(byte), _) => bytes.push(byte),
                // Where bytes have a sign, FF is -1.
                (_, Ok(signed)) => bytes.push(signed.cast_unsigned()),
                _ => return self.wrong("an array of larger numbers"),
            }
        }
        Ok(Value::Bytes(Cow::Owned(bytes)))
    }

    fn visit_map<A: MapAccess<'de>>(self, _: A) -> Result<Self::Value, A::Error> {
        self.wrong("an object")
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(self, extension: D) -> Result<Self::Value, D::Error> {
        match <(i8, &[u8])>::deserialize(extension)? {
            UNDEFINED => Ok(Value::Null),
            // msgpackr writes the kind of a typed array before its bytes.
            (_, [_, bytes @ ..]) if self.takes_bytes && is_bare_jpeg(bytes) => {
                Ok(Value::Bytes(Cow::Borrowed(bytes)))
            }
            (_, bytes) if self.takes_bytes => Ok(Value::Bytes(Cow::Borrowed(bytes))),
            _ => self.wrong("an extension type"),
        }
    }
}
