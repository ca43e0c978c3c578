use super::*;
use crate::jpeg::{self, Limits};
use proptest::prelude::*;

const JPEG: &[u8] = &[0xff, 0xd8, 0xfb, 0xef, 0xbe];

fn blob(request: &Request) -> &[u8] {
    request.jpeg.as_ref().unwrap().as_ref().unwrap()
}

fn code(outcome: Result<Request, Refusal>) -> &'static str {
    match outcome {
        Err(refusal) => refusal.code.as_str(),
        Ok(request) => request.jpeg.unwrap().unwrap_err().code.as_str(),
    }
}

#[test]
fn base64_of_every_dialect_is_read() {
    let dialects = ["/9j7774=", "/9j7774", "_9j7774=", "_9j7774", "data:image/jpeg;base64,/9j7774="];
    for text in dialects {
        let request = read_text(&format!(r#"{{"jpeg_blob": "{text}", "new_letter": null}}"#)).unwrap();
        assert_eq!(blob(&request), JPEG, "{text}");
        assert_eq!(request.new_letter, None);
    }
    let escaped = read_text(r#"{"jpeg_blob": "\/9j7774="}"#).unwrap();
    assert_eq!(blob(&escaped), JPEG);
}

#[test]
fn missing_keys_are_null() {
    let nothing = Request { jpeg: None, new_letter: None };
    assert_eq!(read_text("{}"), Ok(nothing.clone()));
    assert_eq!(read_text(r#"{"jpeg_blob": null, "new_letter": null}"#), Ok(nothing.clone()));
    assert_eq!(read_binary(&Bytes::from_static(&[0x80])), Ok(nothing));
}

#[test]
fn an_empty_letter_is_not_a_missing_one() {
    assert_eq!(read_text(r#"{"new_letter": ""}"#).unwrap().new_letter.as_deref(), Some(""));
}

#[test]
fn the_letter_counts_beside_a_frame_that_cannot_be_read() {
    let request = read_text(r#"{"jpeg_blob": "?", "new_letter": "B"}"#).unwrap();
    assert_eq!(request.new_letter.as_deref(), Some("B"));
    assert_eq!(request.jpeg.unwrap().unwrap_err().code, ErrorCode::BadBase64);
}

#[test]
fn bad_text_is_refused_by_kind() {
    let cases = [
        ("", "bad_json"),
        ("nonsense", "bad_json"),
        ("[]", "bad_json"),
        ("null", "bad_json"),
        (r#"{"jpeg_blob": 3}"#, "bad_json"),
        (r#"{"jpeg_blob": []}"#, "bad_json"),
        (r#"{"new_letter": 3}"#, "bad_json"),
        (r#"{"new_letter": "A"} x"#, "bad_json"),
        (r#"{"new_letter": "A", "new_letter": "B"}"#, "bad_json"),
        (r#"{"new_letter": null, "new_letter": "B"}"#, "bad_json"),
        (r#"{"new_letter": "\ud800"}"#, "bad_json"),
        (r#"{"letter": "A""#, "bad_json"),
        (r#"{"letter": "A"}"#, "unknown_key"),
        (r#"{"jpeg_blob": "?"}"#, "bad_base64"),
        (r#"{"jpeg_blob": "data:image/png;base64,AAAA"}"#, "bad_base64"),
    ];
    for (text, expected) in cases {
        assert_eq!(code(read_text(text)), expected, "{text}");
    }
    let deep = format!("{{\"x\": {}", "[".repeat(100_000));
    assert_eq!(code(read_text(&deep)), "bad_json");
}

#[test]
fn binary_messages_are_told_apart_by_their_first_bytes() {
    let bare = read_binary(&Bytes::from_static(JPEG)).unwrap();
    assert_eq!((blob(&bare), &bare.new_letter), (JPEG, &None));

    let mut map = vec![0x82, 0xa9];
    map.extend(b"jpeg_blob");
    map.extend([0xc4, 5]);
    map.extend(JPEG);
    map.push(0xaa);
    map.extend(b"new_letter");
    map.extend([0xa1, b'C']);
    let message = Bytes::from(map);
    let request = read_binary(&message).unwrap();
    assert_eq!(blob(&request), JPEG);
    assert_eq!(request.new_letter.as_deref(), Some("C"));
    // The frame is a part of the message, not a copy.
    assert!(message.as_ptr_range().contains(&blob(&request).as_ptr()));

    for length in 0..message.len() {
        assert_eq!(code(read_binary(&message.slice(..length))), "bad_msgpack", "cut at {length}");
    }
    assert_eq!(code(read_binary(&Bytes::from_static(b"\x89PNG"))), "bad_msgpack");
    assert_eq!(code(read_binary(&Bytes::from_static(b"\x81\xa1x\xc0"))), "unknown_key");
    let mut deep = vec![0x81, 0xa1, b'x'];
    deep.extend(std::iter::repeat_n(0x91, 100_000));
    assert_eq!(code(read_binary(&deep.into())), "bad_msgpack");
    // An array that claims four billion entries.
    assert_eq!(code(read_binary(&Bytes::from_static(b"\x81\xa1x\xdd\xff\xff\xff\xff"))), "bad_msgpack");
}

#[test]
fn what_is_sent_back_does_not_grow_with_what_came() {
    let key = "k".repeat(1_000_000);
    let refusal = read_text(&format!(r#"{{"{key}": 1}}"#)).unwrap_err();
    assert!(refusal.to_text().len() < 400, "{}", refusal.to_text().len());
    let refusal = Refusal::unknown_letter(&key, &["A".to_owned()]);
    assert!(refusal.to_text().len() < 400);
}

#[test]
fn extras_are_a_list_of_known_words() {
    assert_eq!(Extras::read(""), Ok(Extras::default()));
    let some = Extras::read("frame, status").unwrap();
    assert!(some.frame && some.status && !some.timings && some.needs_messages());
    for name in Extras::NAMES {
        assert_ne!(Extras::read(name), Ok(Extras::default()));
    }
    assert_eq!(
        Extras::read("frame,face").unwrap_err(),
        "unknown extra \"face\"; there are: frame, timings, landmarks, top, status"
    );
}

#[test]
fn a_payload_that_is_not_an_object_is_no_feedback() {
    assert_eq!(feedback("B", None, None), None);
    assert_eq!(feedback("[1]", Some(1), None), None);
}

#[test]
fn every_message_is_as_documented() {
    let labels: Vec<String> = ["A", "B", "C"].map(str::to_owned).to_vec();
    let limits = Limits { max_pixels: 2_073_600, max_scans: 64 };
    let payload = r#"{"maxarg_letter":"B","target_arg_prob":0.93}"#;
    let timings = Timings {
        stages: vec![("decode", Duration::from_micros(2512)), ("holistic", Duration::from_micros(14_037))],
        age: Duration::from_micros(17_499),
    };
    let mut lines = vec![
        format!("feedback           {}", feedback(payload, None, None).unwrap()),
        format!("feedback, extras   {}", feedback(payload, Some(7), Some(&timings)).unwrap()),
        format!("reset              {RESET_PAYLOAD}"),
        format!("status             {}", status("warming 12/32")),
        format!("top                {}", top(&[("B".to_owned(), 0.93), ("D".to_owned(), 0.04)])),
        format!("landmarks          {}", landmarks(&json!({"frame": 7}))),
    ];
    let refusals = [
        read_text("nonsense").unwrap_err(),
        read_binary(&Bytes::from_static(b"\x89PNG")).unwrap_err(),
        read_text(r#"{"letter": "A"}"#).unwrap_err(),
        read_text(r#"{"jpeg_blob": "?"}"#).unwrap().jpeg.unwrap().unwrap_err(),
        jpeg::check(b"GIF89a", limits).unwrap_err().into(),
        jpeg::check(&[0xff, 0xd8, 0xff], limits).unwrap_err().into(),
        Refusal::no_picture(7),
        JpegError::Unsupported("CMYK").into(),
        JpegError::TooManyPixels { width: 30_000, height: 30_000, max: 2_073_600 }.into(),
        JpegError::TooManyScans { max: 64 }.into(),
        Refusal::too_large(3_000_000, 2_097_152),
        Refusal::too_fast(120),
        Refusal::unknown_letter("Ä", &labels),
        Refusal::internal(),
    ];
    for code in ErrorCode::ALL {
        assert!(refusals.iter().any(|refusal| refusal.code == code), "{code:?} is not shown");
    }
    lines.extend(refusals.iter().map(|refusal| format!("error              {}", refusal.to_text())));
    let closes = [
        Close::Idle,
        Close::ShuttingDown,
        Close::ProtocolError,
        Close::TooManyBadMessages,
        Close::SlowClient,
        Close::Silent,
        Close::TransportLimit,
        Close::Failed,
    ];
    lines
        .extend(closes.iter().map(|close| format!("close              {} {}", close.code(), close.reason())));
    insta::assert_snapshot!(lines.join("\n"));
}

#[test]
fn the_description_for_others_names_every_key_code_and_extra() {
    let text = include_str!("../../asyncapi.yaml");
    let words = [JPEG_BLOB, NEW_LETTER, "maxarg_letter", "target_arg_prob"];
    let codes = ErrorCode::ALL.map(ErrorCode::as_str);
    for word in words.iter().chain(&codes).chain(&Extras::NAMES) {
        assert!(text.contains(word), "asyncapi.yaml does not name {word}");
    }
    assert!(text.contains(&format!("version: \"{VERSION}\"")), "asyncapi.yaml is of another version");
}

proptest! {
    #[test]
    fn no_text_panics(text in any::<String>()) {
        let _ = read_text(&text);
    }

    #[test]
    fn no_text_like_ours_panics(
        parts in proptest::collection::vec(
            prop_oneof!["\\PC{0,4}", Just("{".into()), Just("}".into()), Just("\"jpeg_blob\":".into()), Just(",".into()),
                Just("\"new_letter\":".into()), Just("null".into()), Just("\"A\"".into()), Just("\"/9j/\"".into())],
            0..12,
        )
    ) {
        let _ = read_text(&parts.concat());
    }

    #[test]
    fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = read_binary(&bytes.clone().into());
        let _ = read_binary(&[vec![0x82], bytes].concat().into());
    }

    #[test]
    fn every_blob_survives_json_and_messagepack(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let text = json!({"jpeg_blob": STANDARD.encode(&bytes), "new_letter": "A"}).to_string();
        let read = read_text(&text).unwrap();
        prop_assert_eq!(blob(&read), &bytes[..]);
        let mut map = b"\x81\xa9jpeg_blob\xc5".to_vec();
        map.extend(u16::try_from(bytes.len()).unwrap().to_be_bytes());
        map.extend(&bytes);
        let read = read_binary(&map.into()).unwrap();
        prop_assert_eq!(blob(&read), &bytes[..]);
    }
}
