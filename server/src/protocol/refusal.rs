use gstdactyl::jpeg::JpegError;
use serde_json::json;

use super::words::{JPEG_BLOB, LANDMARKS, brief};

/// What is wrong with a message: what a program acts upon, and the label of a metric.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ErrorCode {
    /// Text that is not JSON, or not of the right shape.
    BadJson,
    /// Binary that is neither a JPEG nor MessagePack, or MessagePack not of the right shape.
    BadMsgpack,
    /// A key that does not exist.
    UnknownKey,
    /// Not base64.
    BadBase64,
    /// Not a JPEG, a truncated or damaged one, or one that gave no picture.
    BadJpeg,
    /// A kind of JPEG that is not decoded: CMYK, 12-bit, arithmetic-coded and others.
    UnsupportedJpeg,
    /// More pixels than a picture may have.
    TooManyPixels,
    /// More scans than a picture may have.
    TooManyScans,
    /// Landmarks that cannot be used, or beside a picture.
    BadLandmarks,
    /// A picture where the session's pipeline takes landmarks, or landmarks where it takes pictures.
    WrongKind,
    /// More bytes than a message may have.
    MessageTooLarge,
    /// More frames a second than are looked at.
    TooFast,
    /// A letter that the model does not know. It resets all the same and leaves no target.
    UnknownLetter,
    /// The server failed; not the client's fault.
    Internal,
}

impl ErrorCode {
    /// Every code.
    pub const ALL: [Self; 14] = [
        Self::BadJson,
        Self::BadMsgpack,
        Self::UnknownKey,
        Self::BadBase64,
        Self::BadJpeg,
        Self::UnsupportedJpeg,
        Self::TooManyPixels,
        Self::TooManyScans,
        Self::BadLandmarks,
        Self::WrongKind,
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
            Self::BadLandmarks => "bad_landmarks",
            Self::WrongKind => "wrong_kind",
            Self::MessageTooLarge => "message_too_large",
            Self::TooFast => "too_fast",
            Self::UnknownLetter => "unknown_letter",
            Self::Internal => "internal",
        }
    }
}

/// Why a message, or the frame in it, is not acted upon: what the client is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The kind.
    pub code: ErrorCode,
    /// Cause and cure, for a person. Never grows with what the client sent.
    pub message: String,
}

impl Refusal {
    pub(super) fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self { code, message: message.into() }
    }

    /// A key that is none of `keys`.
    pub(super) fn unknown_key(key: &str, keys: &[&str]) -> Self {
        let key = brief(key, 40);
        let lower = key.to_lowercase();
        let likeness = |known: &str| strsim::jaro_winkler(&lower, known);
        // Of those that are equally near, the first.
        let nearest = keys.iter().rev().max_by(|a, b| likeness(a).total_cmp(&likeness(b)));
        let question = nearest.map(|nearest| format!(": did you mean {nearest:?}?")).unwrap_or_default();
        let keys: Vec<String> = keys.iter().map(|key| format!("{key:?}")).collect();
        let keys = keys.join(", ");
        Self::new(ErrorCode::UnknownKey, format!("unknown key {key:?}{question} the keys are {keys}"))
    }

    /// A key that was there before.
    pub(super) fn twice(code: ErrorCode, key: &str) -> Self {
        Self::new(code, format!("{key:?} stands there twice: send each key once"))
    }

    /// A frame both as a picture and as landmarks.
    pub(super) fn two_kinds() -> Self {
        let cause = format!("{JPEG_BLOB:?} and {LANDMARKS:?} in one message");
        Self::new(ErrorCode::BadLandmarks, format!("{cause}: send one of them"))
    }

    /// A frame of a kind that the session's pipeline does not take.
    pub fn wrong_kind(came: &str, taken: &str) -> Self {
        let cause = format!("this session's pipeline takes {taken}, not {came}");
        let cure = format!("send {taken}, or connect with ?pipeline=NAME to one that takes {came}");
        Self::new(ErrorCode::WrongKind, format!("{cause}: {cure}"))
    }

    /// A message with more bytes than `max`.
    pub fn too_large(length: usize, max: u32) -> Self {
        let limit = format!("at most {max} are read (server.max_message_bytes)");
        let cure = "send a smaller picture, 640 x 480 is enough";
        Self::new(ErrorCode::MessageTooLarge, format!("{length} bytes are too many, {limit}: {cure}"))
    }

    /// A frame that came too soon after those before it.
    pub fn too_fast(max_fps: u32) -> Self {
        let cause = format!("more than {max_fps} frames a second are not looked at (server.max_fps)");
        Self::new(ErrorCode::TooFast, format!("{cause}: send fewer, 15 to 30 are enough"))
    }

    /// A frame that is more than all sessions of one client together may send.
    pub fn over_budget(max_fps: u32) -> Self {
        let cause = format!(
            "more than {max_fps} frames a second of this key's or address's sessions together are not looked at (max_fps of \
             the key or token, server.max_fps_per_client)"
        );
        Self::new(ErrorCode::TooFast, format!("{cause}: send fewer"))
    }

    /// A frame whose decoding, with that of those before it, is more than one client is worth.
    pub fn too_costly() -> Self {
        let cause =
            "pixels times scans come to more than 30 of the largest pictures a second (server.max_pixels)";
        Self::new(ErrorCode::TooFast, format!("{cause}: send fewer frames, smaller ones, or baseline JPEGs"))
    }

    /// A letter that came too soon after those before it; the letter before stays.
    pub fn too_many_letters(max_fps: u32) -> Self {
        let cause = format!("more than {max_fps} letters a second are not taken (server.max_fps)");
        Self::new(ErrorCode::TooFast, format!("{cause}: send one when the learner moves on"))
    }

    /// A letter that is not among the model's labels.
    pub fn unknown_letter(letter: &str, labels: &[String]) -> Self {
        let mut known = String::new();
        for label in labels {
            if known.len() > 160 {
                known.push_str(" ...");
                break;
            }
            if !known.is_empty() {
                known.push(' ');
            }
            known.push_str(&brief(label, 40));
        }
        let cause =
            format!("{:?} is not a letter of the model, so there is no target now", brief(letter, 40));
        Self::new(ErrorCode::UnknownLetter, format!("{cause}: send one of {known}"))
    }

    /// A frame that passed every check and yet gave no picture.
    pub fn no_picture(frame: u64) -> Self {
        let cause = format!("frame {frame} of this connection could not be decoded");
        Self::new(ErrorCode::BadJpeg, format!("{cause}: send the file as the encoder wrote it"))
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
            JpegError::NotJpeg(_)
            | JpegError::Truncated { .. }
            | JpegError::Damaged { .. }
            | JpegError::Empty { .. } => ErrorCode::BadJpeg,
            JpegError::Unsupported(_) | JpegError::UnsupportedSampling { .. } => ErrorCode::UnsupportedJpeg,
            JpegError::TooManyPixels { .. } | JpegError::SideTooLong { .. } => ErrorCode::TooManyPixels,
            JpegError::TooManyScans { .. } => ErrorCode::TooManyScans,
        };
        Self::new(code, error.to_string())
    }
}
