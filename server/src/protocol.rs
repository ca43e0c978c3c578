//! The WebSocket protocol: every message, error code and close reason. `asyncapi.yaml` describes it to others.

use std::{borrow::Cow, fmt, time::Duration};

use base64::{
    Engine, alphabet,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use bytes::Bytes;
use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::{Map, Value, json};

use crate::jpeg::JpegError;

/// Version of the protocol: the second number grows with what old clients may ignore, the first with anything else.
pub const VERSION: &str = "1.0";

/// The key of a frame in a message.
const JPEG_BLOB: &str = "jpeg_blob";
/// The key of a letter in a message.
const NEW_LETTER: &str = "new_letter";

/// Nesting that is still read in MessagePack: an unknown key may hold anything, and is refused in the end anyway.
const MAX_DEPTH: usize = 32;

/// What a message of a client says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// A frame, or why it cannot be read; the letter beside it counts either way.
    pub jpeg: Option<Result<Bytes, Refusal>>,
    /// The letter to practise from now on: empty = none.
    pub new_letter: Option<String>,
}

/// What is wrong with a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ErrorCode {
    /// Not JSON, or not of the right types.
    BadJson,
    /// Not MessagePack, or not of the right types.
    BadMsgpack,
    /// A key that does not exist.
    UnknownKey,
    /// Not base64.
    BadBase64,
    /// Not a JPEG, a damaged one, or one that gave no picture.
    BadJpeg,
    /// A kind of JPEG that is not decoded.
    UnsupportedJpeg,
    /// Too large a picture.
    TooManyPixels,
    /// Too many scans.
    TooManyScans,
    /// More bytes than a message may have.
    MessageTooLarge,
    /// More frames a second than are looked at.
    TooFast,
    /// A letter that the model does not know.
    UnknownLetter,
    /// The server failed; not the client's fault.
    Internal,
}

impl ErrorCode {
    /// Every code.
    pub const ALL: [Self; 12] = [
        Self::BadJson,
        Self::BadMsgpack,
        Self::UnknownKey,
        Self::BadBase64,
        Self::BadJpeg,
        Self::UnsupportedJpeg,
        Self::TooManyPixels,
        Self::TooManyScans,
        Self::MessageTooLarge,
        Self::TooFast,
        Self::UnknownLetter,
        Self::Internal,
    ];

    /// The code as it is sent.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::BadJson => "bad_json",
            Self::BadMsgpack => "bad_msgpack",
            Self::UnknownKey => "unknown_key",
            Self::BadBase64 => "bad_base64",
            Self::BadJpeg => "bad_jpeg",
            Self::UnsupportedJpeg => "unsupported_jpeg",
            Self::TooManyPixels => "too_many_pixels",
            Self::TooManyScans => "too_many_scans",
            Self::MessageTooLarge => "message_too_large",
            Self::TooFast => "too_fast",
            Self::UnknownLetter => "unknown_letter",
            Self::Internal => "internal",
        }
    }
}

/// Why a message is not acted upon: what the client is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The kind.
    pub code: ErrorCode,
    /// Cause and cure, for a person.
    pub message: String,
}

impl Refusal {
    fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self { code, message: message.into() }
    }

    /// A message with more bytes than `max`.
    pub fn too_large(length: usize, max: u32) -> Self {
        let message =
            format!("{length} bytes are too many: at most {max} are read (server.max_message_bytes)");
        Self::new(ErrorCode::MessageTooLarge, message)
    }

    /// A frame that came too soon after those before it.
    pub fn too_fast(max_fps: u32) -> Self {
        let message = format!("more than {max_fps} frames a second are not looked at (server.max_fps)");
        Self::new(ErrorCode::TooFast, message)
    }

    /// A letter that is not among the model's labels.
    pub fn unknown_letter(letter: &str, labels: &[String]) -> Self {
        let mut known = labels.iter().take(40).map(String::as_str).collect::<Vec<_>>().join(" ");
        if labels.len() > 40 {
            known.push_str(" ...");
        }
        let message =
            format!("{:?} is not a letter of the model; no target is set. It knows: {known}", brief(letter));
        Self::new(ErrorCode::UnknownLetter, message)
    }

    /// A frame that passed every check and yet gave no picture.
    pub fn no_picture(frame: u64) -> Self {
        Self::new(ErrorCode::BadJpeg, format!("frame {frame} of this connection could not be decoded"))
    }

    /// The session's pipeline failed and was made anew.
    pub fn internal() -> Self {
        let message = "the server failed on a frame and started over; the window of frames is empty again";
        Self::new(ErrorCode::Internal, message)
    }

    /// As it is sent.
    pub fn to_text(&self) -> String {
        json!({"error": {"code": self.code.as_str(), "message": self.message}}).to_string()
    }
}

impl From<JpegError> for Refusal {
    fn from(error: JpegError) -> Self {
        let code = match error {
            JpegError::NotJpeg | JpegError::Truncated { .. } | JpegError::Damaged { .. } => {
                ErrorCode::BadJpeg
            }
            JpegError::Unsupported(_) => ErrorCode::UnsupportedJpeg,
            JpegError::TooManyPixels { .. } => ErrorCode::TooManyPixels,
            JpegError::TooManyScans { .. } => ErrorCode::TooManyScans,
        };
        Self::new(code, error.to_string())
    }
}

/// Reads a text message.
///
/// # Errors
///
/// When it is not the JSON of a [`Request`].
pub fn read_text(text: &str) -> Result<Request, Refusal> {
    let mut unknown = None;
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let parsed = (&mut deserializer)
        .deserialize_map(Fields { unknown: &mut unknown })
        .and_then(|fields| deserializer.end().map(|()| fields));
    finish(parsed, unknown, ErrorCode::BadJson)?.into_request(|_| None)
}

/// Reads a binary message: a bare JPEG, or the map in MessagePack.
///
/// # Errors
///
/// When it is neither.
pub fn read_binary(message: &Bytes) -> Result<Request, Refusal> {
    if message.starts_with(&[0xff, 0xd8]) {
        return Ok(Request { jpeg: Some(Ok(message.clone())), new_letter: None });
    }
    let is_map = matches!(message.first(), Some(0x80..=0x8f | 0xde | 0xdf));
    if !is_map {
        let cause = "a binary message must be a JPEG (starting with FF D8) or a map in MessagePack";
        return Err(Refusal::new(ErrorCode::BadMsgpack, cause));
    }
    let mut unknown = None;
    let mut deserializer = rmp_serde::Deserializer::from_read_ref(message);
    deserializer.set_max_depth(MAX_DEPTH);
    let fields = deserializer.deserialize_map(Fields { unknown: &mut unknown });
    finish(fields, unknown, ErrorCode::BadMsgpack)?.into_request(|bytes| Some(message.slice_ref(bytes)))
}

fn finish<'de>(
    parsed: Result<RawRequest<'de>, impl fmt::Display>,
    unknown: Option<String>,
    code: ErrorCode,
) -> Result<RawRequest<'de>, Refusal> {
    match (parsed, unknown) {
        (Ok(_), Some(key)) => {
            let message = format!("unknown key {key:?}; the keys are {JPEG_BLOB:?} and {NEW_LETTER:?}");
            Err(Refusal::new(ErrorCode::UnknownKey, message))
        }
        (Ok(request), None) => Ok(request),
        (Err(error), _) => {
            let encoding = if code == ErrorCode::BadJson { "JSON" } else { "MessagePack" };
            let message = format!("not a message in {encoding}: {}", brief(&error.to_string()));
            Err(Refusal::new(code, message))
        }
    }
}

/// A blob as it stands in a message.
enum Blob<'de> {
    Text(Cow<'de, str>),
    Bytes(Cow<'de, [u8]>),
}

#[derive(Default)]
struct RawRequest<'de> {
    jpeg: Option<Blob<'de>>,
    new_letter: Option<Cow<'de, str>>,
}

impl<'de> RawRequest<'de> {
    /// `share` turns bytes that lie in the message into a part of it, without a copy.
    fn into_request(self, share: impl Fn(&'de [u8]) -> Option<Bytes>) -> Result<Request, Refusal> {
        let jpeg = self.jpeg.map(|blob| match blob {
            Blob::Text(text) => decode_base64(&text),
            Blob::Bytes(Cow::Borrowed(bytes)) => {
                Ok(share(bytes).unwrap_or_else(|| Bytes::copy_from_slice(bytes)))
            }
            Blob::Bytes(Cow::Owned(bytes)) => Ok(bytes.into()),
        });
        Ok(Request { jpeg, new_letter: self.new_letter.map(Cow::into_owned) })
    }
}

/// Reads the map whatever the encoding. Notes the first unknown key instead of failing at it, so that a message that is
/// not well-formed further on is still told apart.
struct Fields<'a> {
    unknown: &'a mut Option<String>,
}

impl<'de> Visitor<'de> for Fields<'_> {
    type Value = RawRequest<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "an object with the keys {JPEG_BLOB:?} and {NEW_LETTER:?}")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut request = RawRequest::default();
        let (mut seen_jpeg, mut seen_letter) = (false, false);
        while let Some(Text(key)) = map.next_key()? {
            let again = match key.as_ref() {
                JPEG_BLOB => {
                    request.jpeg = map.next_value::<Option<Blob<'de>>>()?;
                    std::mem::replace(&mut seen_jpeg, true)
                }
                NEW_LETTER => {
                    request.new_letter = map.next_value::<Option<Text<'de>>>()?.map(|text| text.0);
                    std::mem::replace(&mut seen_letter, true)
                }
                other => {
                    self.unknown.get_or_insert_with(|| brief(other).into_owned());
                    map.next_value::<IgnoredAny>()?;
                    false
                }
            };
            if again {
                return Err(serde::de::Error::custom(format_args!("the key {key:?} stands there twice")));
            }
        }
        Ok(request)
    }
}

/// A text, borrowed where the message allows it.
struct Text<'de>(Cow<'de, str>);

impl<'de> Deserialize<'de> for Text<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct TextVisitor;
        impl<'de> Visitor<'de> for TextVisitor {
            type Value = Text<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text")
            }

            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
                Ok(Text(Cow::Borrowed(text)))
            }

            fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
                Ok(Text(Cow::Owned(text.to_owned())))
            }
        }
        deserializer.deserialize_str(TextVisitor)
    }
}

impl<'de> Deserialize<'de> for Blob<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct BlobVisitor;
        impl<'de> Visitor<'de> for BlobVisitor {
            type Value = Blob<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a JPEG")
            }

            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
                Ok(Blob::Text(Cow::Borrowed(text)))
            }

            fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
                Ok(Blob::Text(Cow::Owned(text.to_owned())))
            }

            fn visit_borrowed_bytes<E>(self, bytes: &'de [u8]) -> Result<Self::Value, E> {
                Ok(Blob::Bytes(Cow::Borrowed(bytes)))
            }

            fn visit_bytes<E>(self, bytes: &[u8]) -> Result<Self::Value, E> {
                Ok(Blob::Bytes(Cow::Owned(bytes.to_owned())))
            }
        }
        deserializer.deserialize_any(BlobVisitor)
    }
}

const BASE64: GeneralPurposeConfig =
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
const STANDARD: GeneralPurpose = GeneralPurpose::new(&alphabet::STANDARD, BASE64);
const URL_SAFE: GeneralPurpose = GeneralPurpose::new(&alphabet::URL_SAFE, BASE64);

fn decode_base64(text: &str) -> Result<Bytes, Refusal> {
    let payload = match text.split_once(',') {
        Some((prefix, payload)) if prefix.starts_with("data:image/jp") && prefix.ends_with(";base64") => {
            payload
        }
        _ => text,
    };
    let engine = if payload.contains(['-', '_']) { &URL_SAFE } else { &STANDARD };
    match engine.decode(payload) {
        Ok(bytes) => Ok(bytes.into()),
        Err(error) => Err(Refusal::new(ErrorCode::BadBase64, format!("{JPEG_BLOB} is not base64: {error}"))),
    }
}

/// At most the first 80 characters: what is sent back does not grow with what came.
fn brief(text: &str) -> Cow<'_, str> {
    match text.char_indices().nth(80) {
        Some((end, _)) => Cow::Owned(format!("{}...", &text[..end])),
        None => Cow::Borrowed(text),
    }
}

/// What a client asked for on top with `?extras=`, a comma-separated list.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Extras {
    /// `frame`: feedback carries the number of the frame, from 1 on this connection, refused ones counted.
    pub frame: bool,
    /// `timings`: feedback carries the time each stage took and the frame's age, in milliseconds.
    pub timings: bool,
    /// `landmarks`: a message per analysed frame with its keypoints.
    pub landmarks: bool,
    /// `top`: a message per result with the best letters and their probabilities.
    pub top: bool,
    /// `status`: a message when it changes: `warming 12/32`, `ready`, `no_hand`.
    pub status: bool,
}

impl Extras {
    /// The words of `?extras=`.
    pub const NAMES: [&'static str; 5] = ["frame", "timings", "landmarks", "top", "status"];

    /// Reads the words.
    ///
    /// # Errors
    ///
    /// The word that does not exist, with those that do.
    pub fn read(list: &str) -> Result<Self, String> {
        let mut extras = Self::default();
        for word in list.split(',').map(str::trim).filter(|word| !word.is_empty()) {
            let flag = match word {
                "frame" => &mut extras.frame,
                "timings" => &mut extras.timings,
                "landmarks" => &mut extras.landmarks,
                "top" => &mut extras.top,
                "status" => &mut extras.status,
                _ => {
                    return Err(format!(
                        "unknown extra {:?}; there are: {}",
                        brief(word),
                        Self::NAMES.join(", ")
                    ));
                }
            };
            *flag = true;
        }
        Ok(extras)
    }

    /// Whether elements must post messages for it.
    pub const fn needs_messages(self) -> bool {
        self.landmarks || self.top || self.status
    }
}

/// Where the time of one frame went.
#[derive(Debug, Clone, PartialEq)]
pub struct Timings {
    /// The stages in their order.
    pub stages: Vec<(&'static str, Duration)>,
    /// From the frame's arrival to its answer.
    pub age: Duration,
}

/// A payload of the throttle with what the client asked for on top. `None` if the payload is not an object in JSON:
/// then the pipeline is not one for this protocol.
pub fn feedback(payload: &str, frame: Option<u64>, timings: Option<&Timings>) -> Option<String> {
    let mut feedback: Map<String, Value> = serde_json::from_str(payload).ok()?;
    if frame.is_none() && timings.is_none() {
        return Some(payload.to_owned());
    }
    if let Some(frame) = frame {
        feedback.insert("frame".to_owned(), frame.into());
    }
    if let Some(timings) = timings {
        let mut milliseconds = Map::new();
        for (stage, time) in &timings.stages {
            milliseconds.insert((*stage).to_owned(), rounded_ms(*time));
        }
        milliseconds.insert("age".to_owned(), rounded_ms(timings.age));
        feedback.insert("timings".to_owned(), milliseconds.into());
    }
    Some(Value::Object(feedback).to_string())
}

fn rounded_ms(time: Duration) -> Value {
    ((time.as_secs_f64() * 1e5).round() / 100.0).into()
}

/// The payload of a reset, for those resets that were overtaken by a later one.
pub const RESET_PAYLOAD: &str = r#"{"maxarg_letter":"","target_arg_prob":0.0}"#;

/// The message of `?extras=status`.
pub fn status(status: &str) -> String {
    json!({ "status": status }).to_string()
}

/// The message of `?extras=top`: the best letters, best first.
pub fn top(letters: &[(String, f64)]) -> String {
    let pairs: Vec<Value> =
        letters.iter().map(|(letter, probability)| json!([letter, probability])).collect();
    json!({ "top": pairs }).to_string()
}

/// The message of `?extras=landmarks`; `parts` as the tracker posts them.
pub fn landmarks(parts: &Value) -> String {
    json!({ "landmarks": parts }).to_string()
}

/// Why the server closes a socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Close {
    /// Nothing came for too long.
    Idle,
    /// The server stops.
    ShuttingDown,
    /// Too many bad messages in a row.
    TooManyBadMessages,
    /// Answers are not read.
    SlowClient,
    /// Neither message nor pong.
    Silent,
    /// A message beyond the transport's limit.
    TransportLimit,
    /// Not WebSocket.
    ProtocolError,
    /// The pipeline cannot be kept running.
    Failed,
}

impl Close {
    /// Close code of RFC 6455, section 7.4.1.
    pub const fn code(self) -> u16 {
        match self {
            Self::Idle => 1000,
            Self::ShuttingDown => 1001,
            Self::ProtocolError => 1002,
            Self::TooManyBadMessages | Self::SlowClient | Self::Silent => 1008,
            Self::TransportLimit => 1009,
            Self::Failed => 1011,
        }
    }

    /// Reason, for a person.
    pub const fn reason(self) -> &'static str {
        match self {
            Self::Idle => "no frame and no letter for too long",
            Self::ShuttingDown => "the server is shutting down",
            Self::TooManyBadMessages => "too many bad messages in a row",
            Self::SlowClient => "answers are not read",
            Self::Silent => "no answer to pings",
            Self::TransportLimit => "message too large for the transport",
            Self::ProtocolError => "not the WebSocket protocol",
            Self::Failed => "the pipeline failed again and again",
        }
    }
}

#[cfg(test)]
mod tests;
