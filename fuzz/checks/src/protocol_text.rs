//! A text message of a client: JSON, and base64 in it.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use bytes::Bytes;
use dactyl::protocol::{Content, Refusal, Request, landmarks, read_binary, read_text};
use gstdactyl::jpeg;
use serde_json::{Value, json};

use crate::assert_told;

/// What the format is made of.
pub const WORDS: &[&[u8]] = &[
    b"{",
    b"}",
    b"[",
    b"]",
    b":",
    b",",
    b"\"",
    b"null",
    b"true",
    b"1e999",
    b"-0",
    b"\\u0000",
    b"\\ud800",
    b"\xEF\xBB\xBF",
    b"\"jpeg_blob\":",
    b"\"new_letter\":",
    b"\"landmarks\":",
    b"\"left_hand\":",
    b"\"face\":",
    b"\"width\":",
    b"\"height\":",
    b"[0.5,0.5,-0.01],",
    b"data:",
    b"data:image/jpeg;base64,",
    b"%2B",
    b"%",
    b"=",
    b"==",
    b"-",
    b"_",
    b"\\r\\n",
    b" ",
    b"/9j/",
];

/// Longest refusal in bytes, whatever was sent.
const LONGEST_REFUSAL: usize = 1024;

/// Inputs of the right form.
pub fn seeds() -> Vec<Vec<u8>> {
    let jpeg = b"\xFF\xD8\xFF\xD9";
    let texts = [
        json!({"jpeg_blob": STANDARD.encode(jpeg), "new_letter": null}).to_string(),
        json!({"jpeg_blob": URL_SAFE_NO_PAD.encode(b"\xFF\xD8\xFB\xEF\xFE\xD9"), "new_letter": "B"})
            .to_string(),
        json!({"jpeg_blob": format!("data:image/jpeg;base64,{}", STANDARD.encode(jpeg))}).to_string(),
        json!({"jpeg_blob": "/9j/\r\n 2Q="}).to_string(),
        json!({"jpeg_blob": STANDARD.encode([7; 300])}).to_string(),
        json!({"new_letter": "a letter, ".repeat(20)}).to_string(),
        json!({"new_letter": "\u{e4}\u{1F91F}\0\""}).to_string(),
        "\u{feff}{\"new_letter\": \"\\u0041\", \"jpeg_blob\": \"data:;base64,%2F9j%2F2Q%3D%3D\"}".to_owned(),
        json!({"letter": [{"deep": {}}]}).to_string(),
        json!({"landmarks": {"right_hand": vec![[0.5, 0.25, -0.01]; 21], "pose": null}, "width": 64, "height": 48}).to_string(),
        json!({"landmarks": {"left_hand": vec![[0.1, 1e-7, 3.0, 0.9]; 21], "frame": 7}, "width": 1, "height": 32767, "new_letter": "J"})
            .to_string(),
    ];
    texts.map(String::into_bytes).to_vec()
}

/// Checks one message. What is no UTF-8 never gets there. Gives whether something of it was accepted.
///
/// # Panics
/// Where something does not hold.
pub fn check(input: &[u8]) -> bool {
    let Ok(text) = str::from_utf8(input) else { return false };
    let read = read_text(text);
    // Some clients send nothing but bytes. What looks like a picture of another format is none of their messages.
    if text.starts_with('{') && jpeg::other_format(input).is_none() {
        assert_same(&read_binary(&Bytes::copy_from_slice(input)), &read, "as bytes");
    }
    check_outcome(&read, input.len())
}

/// Checks what was read of a message of that many bytes, in either encoding, and gives whether that is a request.
pub(crate) fn check_outcome(read: &Result<Request, Refusal>, length: usize) -> bool {
    let request = match read {
        Ok(request) => request,
        Err(refusal) => return check_refusal(refusal),
    };
    assert!(request.frame.is_some() || request.new_letter.is_some(), "a request that says nothing");
    match &request.frame {
        Some(Err(refusal)) => return check_refusal(refusal),
        Some(Ok(Content::Jpeg(jpeg))) => {
            assert!(jpeg.len() <= length, "a frame that is longer than its message");
        }
        Some(Ok(Content::Landmarks(_))) | None => {}
    }
    assert_same(&read_text(&write(request)), read, "as JSON");
    assert_same(&read_binary(&pack(request)), read, "as MessagePack");
    true
}

/// Parts that are absent are not equal, being NaN: landmarks are compared by what would be told of them.
fn assert_same(one: &Result<Request, Refusal>, other: &Result<Request, Refusal>, how: &str) {
    let is_landmarks = |request: &Request| matches!(request.frame, Some(Ok(Content::Landmarks(_))));
    match (one, other) {
        (Ok(one), Ok(other)) if is_landmarks(one) && is_landmarks(other) => {
            assert_eq!(write(one), write(other), "{how}");
        }
        _ => assert_eq!(one, other, "{how}"),
    }
}

/// A request in JSON.
fn write(request: &Request) -> String {
    let letter = json!(request.new_letter);
    match &request.frame {
        Some(Ok(Content::Landmarks(sent))) => {
            let told = landmarks(1, &sent.keypoints);
            let begin = told.strip_suffix('}').expect("an object");
            format!("{begin},\"width\":{},\"height\":{},\"new_letter\":{letter}}}", sent.width, sent.height)
        }
        Some(Ok(Content::Jpeg(jpeg))) => {
            format!("{{\"jpeg_blob\":\"{}\",\"new_letter\":{letter}}}", STANDARD.encode(jpeg))
        }
        _ => format!("{{\"new_letter\":{letter}}}"),
    }
}

/// A request in MessagePack.
pub(crate) fn pack(request: &Request) -> Bytes {
    let Some(Ok(Content::Jpeg(jpeg))) = &request.frame else {
        let value: Value = serde_json::from_str(&write(request)).expect("JSON");
        return rmp_serde::to_vec(&value).expect("MessagePack has all that JSON has").into();
    };
    let mut packed = vec![0x82];
    packed.extend(b"\xA9jpeg_blob\xC6");
    packed.extend(u32::try_from(jpeg.len()).expect("a message's length").to_be_bytes());
    packed.extend(jpeg);
    packed.extend(b"\xAAnew_letter");
    packed.extend(rmp_serde::to_vec(&request.new_letter).expect("a text or nil"));
    packed.into()
}

fn check_refusal(refusal: &Refusal) -> bool {
    assert_told(&refusal.message);
    let text = refusal.to_text();
    assert!(text.len() <= LONGEST_REFUSAL, "a refusal of {} bytes: {text}", text.len());
    false
}
