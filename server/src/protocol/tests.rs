use std::collections::BTreeMap;
use std::time::Duration;

use ::base64::Engine;
use ::base64::engine::general_purpose as base64;
use bytes::Bytes;
use dactyl_holistic::keypoints::{Keypoints, RIGHT_HAND};
use gstdactyl::jpeg::{self, Limits};
use proptest::prelude::*;
use serde::{Serialize, Serializer};
use serde_json::{Value, json};

use super::words::{JPEG_BLOB, NEW_LETTER, brief};
use super::*;

const JPEG: &[u8] = &[0xff, 0xd8, 0xfb, 0xef, 0xbe];

fn blob(request: &Request) -> &[u8] {
    match request.frame.as_ref().unwrap().as_ref().unwrap() {
        Content::Jpeg(bytes) => bytes,
        Content::Landmarks(landmarks) => panic!("{landmarks:?}"),
    }
}

fn refusal(outcome: Result<Request, Refusal>) -> Refusal {
    match outcome {
        Err(refusal) => refusal,
        Ok(request) => request.frame.unwrap().unwrap_err(),
    }
}

fn code(outcome: Result<Request, Refusal>) -> &'static str {
    refusal(outcome).code.as_str()
}

#[test]
fn close_reasons_fit_into_a_close_frame_and_differ() {
    let mut reasons: Vec<&str> = Close::ALL.iter().map(|close| close.reason()).collect();
    assert!(reasons.iter().all(|reason| !reason.is_empty() && reason.len() <= 123));
    reasons.sort_unstable();
    reasons.dedup();
    assert_eq!(reasons.len(), Close::ALL.len());
}

#[test]
fn base64_of_every_dialect_is_read() {
    for text in [
        "/9j7774=",
        "/9j7774",
        "_9j7774=",
        "_9j7774",
        "data:image/jpeg;base64,/9j7774=",
        "data:image/jpg;base64,_9j7774",
        "DATA:image/JPEG;BASE64,/9j7774=",
        "data:;base64,/9j7774=",
        "data:application/octet-stream;base64,/9j7774=",
        "data:image/jpeg;charset=utf-8;base64,/9j7774=",
        "data:image/jpeg;name=a.jpg;base64,/9j7774=",
        "data:image/jpeg; base64 , /9j7774=",
        "data:image/jpeg;base64,%2F9j7774%3D",
        " data:image/jpeg;base64,\r\n/9j7\r\n774=\r\n",
        "/9j7\r\n774=\r\n",
        "\t/9 j7 77 4 = ",
        "_9j7\n774",
    ] {
        let request = read_text(&json!({"jpeg_blob": text, "new_letter": null}).to_string()).unwrap();
        assert_eq!(blob(&request), JPEG, "{text}");
        assert_eq!(request.new_letter, None);
    }
    let escaped = read_text(r#"{"jpeg_blob": "\/9j7774="}"#).unwrap();
    assert_eq!(blob(&escaped), JPEG);
}

#[test]
fn a_missing_key_is_null_and_a_message_without_anything_is_refused() {
    for text in ["{}", r#"{"jpeg_blob": null}"#, r#"{"jpeg_blob": null, "new_letter": null}"#] {
        let refusal = read_text(text).unwrap_err();
        assert_eq!(refusal.code, ErrorCode::BadJson);
        assert!(refusal.message.contains("nothing in it"), "{}", refusal.message);
    }
    assert_eq!(code(read_binary(&Bytes::from_static(&[0x80]))), "bad_msgpack");
    assert_eq!(read_text(r#"{"new_letter": "A"}"#).unwrap().frame, None);
    assert_eq!(read_text(r#"{"jpeg_blob": "/9j7774"}"#).unwrap().new_letter, None);
}

#[test]
fn an_empty_letter_is_not_a_missing_one() {
    assert_eq!(read_text(r#"{"new_letter": ""}"#).unwrap().new_letter.as_deref(), Some(""));
}

#[test]
fn the_letter_counts_beside_a_frame_that_cannot_be_read() {
    let request = read_text(r#"{"jpeg_blob": "?", "new_letter": "B"}"#).unwrap();
    assert_eq!(request.new_letter.as_deref(), Some("B"));
    assert_eq!(request.frame.unwrap().unwrap_err().code, ErrorCode::BadBase64);
}

#[test]
fn bad_text_is_refused_with_its_cause() {
    for (text, code, cause) in [
        ("", "bad_json", "not JSON (EOF"),
        ("nonsense", "bad_json", "not JSON ("),
        ("[]", "bad_json", "not a JSON object"),
        ("null", "bad_json", "not a JSON object"),
        ("\"text\"", "bad_json", "not a JSON object"),
        (
            r#"{"jpeg_blob": 3}"#,
            "bad_json",
            r#""jpeg_blob" must be base64 text, in MessagePack bytes, or null, not a number"#,
        ),
        (r#"{"jpeg_blob": -3}"#, "bad_json", "not a number"),
        (r#"{"jpeg_blob": 3.5}"#, "bad_json", "not a number"),
        (r#"{"jpeg_blob": [255, 216]}"#, "bad_json", "not an array"),
        (r#"{"jpeg_blob": {"0": 255}}"#, "bad_json", "not an object"),
        (r#"{"new_letter": true}"#, "bad_json", r#""new_letter" must be text or null, not a boolean"#),
        (r#"{"new_letter": "A"} x"#, "bad_json", "trailing characters"),
        (r#"{"new_letter": "A", "new_letter": "B"}"#, "bad_json", r#""new_letter" stands there twice"#),
        (r#"{"jpeg_blob": null, "jpeg_blob": "/9j/"}"#, "bad_json", r#""jpeg_blob" stands there twice"#),
        (r#"{"new_letter": "\ud800"}"#, "bad_json", "not JSON ("),
        (r#"{"new_letter": "A""#, "bad_json", "not JSON (EOF"),
        (r#"{"letter": "A"}"#, "unknown_key", r#"unknown key "letter": did you mean "new_letter"?"#),
        (r#"{"jpeg_blob": "/9j/!"}"#, "bad_base64", "character '!' at position 4"),
        (r#"{"jpeg_blob": "/9j/\n!9j/"}"#, "bad_base64", "character '!' at position 4"),
        (r#"{"jpeg_blob": "/9j/é"}"#, "bad_base64", "a character beyond ASCII at position 4"),
        (r#"{"jpeg_blob": "/9j/-"}"#, "bad_base64", "character '/' at position 0"),
        (r#"{"jpeg_blob": "/9j/A"}"#, "bad_base64", "5 characters are not a whole number of bytes"),
        (r#"{"jpeg_blob": "/9j/AB"}"#, "bad_base64", "its end is cut"),
        (r#"{"jpeg_blob": "data:,"}"#, "bad_base64", r#"a data URL without ";base64,": """#),
        (r#"{"jpeg_blob": "data:image/jpeg"}"#, "bad_base64", "a data URL without"),
        (r#"{"jpeg_blob": "data:image/jpeg,%FF%D8"}"#, "bad_base64", "a data URL without"),
    ] {
        let refusal = refusal(read_text(text));
        assert_eq!(refusal.code.as_str(), code, "{text}");
        assert!(refusal.message.contains(cause), "{text}: {}", refusal.message);
    }
}

#[test]
fn deep_nesting_is_refused_without_following_it() {
    for key in ["x", "jpeg_blob", "new_letter"] {
        for (open, close) in [("[", "]"), ("{\"a\":", "}")] {
            let text = format!("{{\"{key}\": {}1{}}}", open.repeat(100_000), close.repeat(100_000));
            let expected = if key == "x" { "unknown_key" } else { "bad_json" };
            assert_eq!(code(read_text(&text)), expected);
        }
        let map = [&[0x81, 0xa0 + key.len() as u8], key.as_bytes(), &[0x91; 100_000]].concat();
        let expected = if key == "x" { "unknown_key" } else { "bad_msgpack" };
        assert_eq!(code(read_binary(&map.into())), expected);
    }
    assert_eq!(code(read_text(&"[".repeat(100_000))), "bad_json");
}

#[test]
fn binary_messages_are_told_apart_by_their_first_bytes() {
    let bare = read_binary(&Bytes::from_static(JPEG)).unwrap();
    assert_eq!((blob(&bare), &bare.new_letter), (JPEG, &None));

    let mut map = b"\x82\xa9jpeg_blob\xc4\x05".to_vec();
    map.extend(JPEG);
    map.extend(b"\xaanew_letter\xa1C");
    let message = Bytes::from(map);
    let request = read_binary(&message).unwrap();
    assert_eq!(blob(&request), JPEG);
    assert_eq!(request.new_letter.as_deref(), Some("C"));
    // The frame is a part of the message, not a copy.
    assert!(message.as_ptr_range().contains(&blob(&request).as_ptr()));

    for length in 0..message.len() {
        let outcome = read_binary(&message.slice(..length));
        assert_eq!(code(outcome), "bad_msgpack", "cut at {length}");
    }
    let longer = [&message[..], &[0xc0]].concat();
    assert_eq!(code(read_binary(&longer.into())), "bad_msgpack");
}

#[test]
fn bad_binary_is_refused_with_its_cause() {
    for (message, code, cause) in [
        (&b""[..], "bad_msgpack", "neither a JPEG"),
        (b"hello", "bad_msgpack", "neither a JPEG"),
        (b"\x93\x01\x02\x03", "bad_msgpack", "neither a JPEG"),
        (b"\x81\xa1x\xc0", "unknown_key", "unknown key \"x\""),
        (b"\x81\xa1x\xdd\xff\xff\xff\xff", "unknown_key", "unknown key \"x\""),
        (b"\x81\x01\xc0", "bad_msgpack", "not a whole map"),
        (b"\x81\xaanew_letter\xc4\x01A", "bad_msgpack", "must be text or null, not bytes"),
        (b"\x81\xaanew_letter\x91\x41", "bad_msgpack", "must be text or null, not an array"),
        (b"\x81\xaanew_letter\xd4\x01A", "bad_msgpack", "must be text or null, not an extension type"),
        (b"\x81\xa9jpeg_blob\x92\xcc\xff", "bad_msgpack", "not a whole map"),
        (b"\x81\xa9jpeg_blob\x92\xcc\xff\xcd\x01\x00", "bad_msgpack", "not an array of larger numbers"),
        (b"\x81\xa9jpeg_blob\x91\xd1\xff\x7f", "bad_msgpack", "not an array of larger numbers"),
        (b"\x81\xa9jpeg_blob\x91\xa1A", "bad_msgpack", "not a whole map"),
        (b"\x81\xa9jpeg_blob\xdd\xff\xff\xff\xff", "bad_msgpack", "not a whole map"),
        (b"\x81\xa9jpeg_blob\x81\x01\x02", "bad_msgpack", "not an object"),
        (b"\x81\xa9jpeg_blob\xc9\xff\xff\xff\xff\x01", "bad_msgpack", "not a whole map"),
        (b"\x81\xa9jpeg_blob\xc6\xff\xff\xff\xff", "bad_msgpack", "not a whole map"),
        (b"\xdf\xff\xff\xff\xff", "bad_msgpack", "not a whole map"),
        (b"\x82\xa9jpeg_blob\xc0\xa9jpeg_blob\xc0", "bad_msgpack", "stands there twice"),
        (b"\x81\xa9jpeg_blob\xc0", "bad_msgpack", "nothing in it"),
    ] {
        let refusal = refusal(read_binary(&Bytes::from_static(message)));
        assert_eq!(refusal.code.as_str(), code, "{message:?}");
        assert!(refusal.message.contains(cause), "{message:?}: {}", refusal.message);
    }
}

#[test]
fn a_picture_of_another_format_is_a_frame_that_is_refused_by_name() {
    let limits = Limits { max_pixels: 2_073_600, max_scans: 16 };
    let message = Bytes::from_static(b"\x89PNG\r\n\x1a\n");
    let request = read_binary(&message).unwrap();
    let refusal = Refusal::from(jpeg::check(blob(&request), limits).unwrap_err());
    assert_eq!(refusal.code, ErrorCode::BadJpeg);
    assert!(refusal.message.contains("not a JPEG but a PNG"), "{}", refusal.message);
}

#[test]
fn bytes_of_encoders_that_have_no_type_for_them_are_a_frame() {
    let nothing = [&b"\x82\xaanew_letter\xa1C\xa9jpeg_blob"[..], b"\xd4\x00\x00"].concat();
    let request = read_binary(&nothing.into()).unwrap();
    assert_eq!((request.frame, request.new_letter.as_deref()), (None, Some("C")));

    for (name, value) in [
        ("an extension type", &b"\xc7\x05\x12\xff\xd8\xfb\xef\xbe"[..]),
        ("a typed array of msgpackr", b"\xc7\x06\x74\x01\xff\xd8\xfb\xef\xbe"),
        ("numbers", b"\x95\xcc\xff\xcc\xd8\xcc\xfb\xcc\xef\xcc\xbe"),
        ("wide numbers", b"\xdc\x00\x05\xcd\x00\xff\xce\x00\x00\x00\xd8\xcc\xfb\xcc\xef\xcc\xbe"),
        ("numbers with a sign", b"\x95\xff\xd0\xd8\xfb\xef\xd0\xbe"),
        ("text of an encoder older than the type", b"\xa5\xff\xd8\xfb\xef\xbe"),
    ] {
        for letter in [&b"\xc0"[..], b"\xd4\x00\x00"] {
            let map = [&b"\x82\xa9jpeg_blob"[..], value, b"\xaanew_letter", letter].concat();
            let request = read_binary(&map.into()).unwrap();
            assert_eq!((blob(&request), request.new_letter.as_deref()), (JPEG, None), "{name}");
        }
    }
}

#[test]
fn json_is_read_from_bytes_too_and_behind_a_byte_order_mark() {
    let json = r#"{"jpeg_blob": "/9j7774=", "new_letter": "C"}"#;
    let marked = format!("\u{feff}{json}");
    for request in [
        read_text(&marked),
        read_binary(&Bytes::from_static(json.as_bytes())),
        read_binary(&Bytes::from(marked.clone())),
    ] {
        let request = request.unwrap();
        assert_eq!((blob(&request), request.new_letter.as_deref()), (JPEG, Some("C")));
    }
    assert_eq!(code(read_binary(&Bytes::from_static(b"{\"jpeg_blob\": 7}"))), "bad_json");
    assert_eq!(code(read_binary(&Bytes::from_static(b"{\xff"))), "bad_msgpack");
}

#[test]
fn a_data_url_is_judged_by_its_bytes_and_not_by_its_media_type() {
    let limits = Limits { max_pixels: 2_073_600, max_scans: 64 };
    for media_type in ["image/png", "image/jpeg", ""] {
        let url = format!("data:{media_type};base64,{}", base64::STANDARD.encode(b"\x89PNG\r\n\x1a\n"));
        let request = read_text(&json!({"jpeg_blob": url}).to_string()).unwrap();
        let refusal = Refusal::from(jpeg::check(blob(&request), limits).unwrap_err());
        assert_eq!(refusal.code, ErrorCode::BadJpeg);
        assert!(refusal.message.contains("not a JPEG but a PNG"), "{}", refusal.message);
    }
}

#[test]
fn the_nearest_key_is_named() {
    for (key, nearest) in [
        ("jpeg", JPEG_BLOB),
        ("jpegBlob", JPEG_BLOB),
        ("JPEG_BLOB", JPEG_BLOB),
        ("blob", JPEG_BLOB),
        ("letter", NEW_LETTER),
        ("newLetter", NEW_LETTER),
        ("new_leter", NEW_LETTER),
    ] {
        let refusal = read_text(&json!({ key: null }).to_string()).unwrap_err();
        assert!(
            refusal.message.contains(&format!("did you mean {nearest:?}?")),
            "{key}: {}",
            refusal.message
        );
    }
}

#[test]
fn what_is_sent_back_does_not_grow_with_what_came() {
    let long = "k".repeat(1_000_000);
    for text in [
        format!(r#"{{"{long}": 1}}"#),
        format!("\"{long}\""),
        long.clone(),
        format!(r#"{{"jpeg_blob": "data:{long},"}}"#),
    ] {
        assert!(refusal(read_text(&text)).to_text().len() < 400);
    }
    let labels = vec![long.clone(); 1000];
    assert!(Refusal::unknown_letter(&long, &labels).to_text().len() < 400);
    assert_eq!(brief("äöü", 3), "äöü");
    assert_eq!(brief("äöü", 2), "äö...");
}

#[test]
fn a_payload_that_is_not_an_object_is_no_feedback() {
    assert_eq!(feedback("B", None, None), None);
    assert_eq!(feedback("[1]", Some(1), None), None);
    assert_eq!(feedback("{}", Some(1), None), None);
    assert_eq!(feedback("", None, None), None);
}

#[test]
fn what_was_asked_for_stands_behind_the_payloads_own_keys() {
    let payload = "{\"maxarg_letter\":\"}\\\"\",\"target_arg_prob\":0.5}\n";
    let timings =
        Timings { stages: vec![("decode", Duration::from_millis(1))], age: Duration::from_millis(2) };
    let read = |text: Option<String>| serde_json::from_str::<Value>(&text.unwrap()).unwrap();
    assert_eq!(
        read(feedback(payload, Some(7), Some(&timings))),
        json!({"maxarg_letter": "}\"", "target_arg_prob": 0.5, "frame": 7, "timings": {"decode": 1.0, "age": 2.0}})
    );
    assert_eq!(read(feedback(payload, Some(7), None))["frame"], 7);
    assert_eq!(feedback(payload, None, None).as_deref(), Some(payload.trim_end()));
}

#[test]
fn a_feedback_nobody_asked_more_of_is_the_payload_itself() {
    assert_eq!(feedback(RESET_PAYLOAD, None, None).as_deref(), Some(RESET_PAYLOAD));
}

#[test]
fn the_times_of_two_elements_of_one_kind_add_up() {
    let smoother = ("smooth", Duration::from_micros(250));
    let timings = Timings { stages: vec![smoother, smoother], age: Duration::from_millis(2) };
    let text = feedback(RESET_PAYLOAD, None, Some(&timings)).unwrap();
    let message: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(message["timings"], json!({"smooth": 0.5, "age": 2.0}));
}

/// Every message of the server, by the name and the summary of its example in the description.
fn answers() -> Vec<(&'static str, &'static str, String)> {
    let labels: Vec<String> = ["A", "B", "C"].map(str::to_owned).to_vec();
    let limits = Limits { max_pixels: 2_073_600, max_scans: 16 };
    let payload = r#"{"maxarg_letter":"B","target_arg_prob":0.93}"#;
    let timings = Timings {
        stages: vec![
            ("decode", Duration::from_nanos(2_512_300)),
            ("holistic-keypoints", Duration::from_micros(14_037)),
        ],
        age: Duration::from_micros(17_499),
    };
    let best = [("B".to_owned(), 0.93), ("D".to_owned(), 0.04)];
    let mut keypoints = Keypoints::absent();
    keypoints.part_mut(RIGHT_HAND).fill([0.5, 0.25, -0.01, 0.0]);
    // Cut short: all but one of the hand's landmarks are taken out.
    let seen = landmarks(7, &keypoints).replacen(",[0.5,0.25,-0.01,0.0]", "", 20);
    let refusal_of_landmarks = |index: usize, value: f32| {
        let mut hand = [0.5f32; 63];
        hand[index] = value;
        refusal(read_binary(&packed(&json!({"landmarks": {"right_hand": hand_bytes(&hand)}})))).to_text()
    };
    let refusal_of_jpeg = |bytes: &[u8]| Refusal::from(jpeg::check(bytes, limits).unwrap_err());
    let header = |precision, size: u16, components| {
        let [high, low] = size.to_be_bytes();
        [&[0xff, 0xd8, 0xff, 0xc0, 0, 17, precision, high, low, high, low, components][..], &[0; 9]].concat()
    };
    let mut sampled = header(8, 8, 3);
    sampled.splice(12.., [1, 0x41, 0, 2, 0x11, 0, 3, 0x11, 0, 0xff, 0xda, 0, 2]);
    let mut scans = header(8, 8, 1);
    scans[5] = 11;
    scans.truncate(12);
    scans.extend([1, 0x11, 0, 0xff, 0xdb, 0, 67]);
    scans.extend([0; 65]);
    scans.extend([0xff, 0xda, 0, 8, 1, 1, 0, 0, 63, 0, 0x12].repeat(65));
    vec![
        ("feedback", "plain", feedback(payload, None, None).unwrap()),
        ("feedback", "reset", RESET_PAYLOAD.to_owned()),
        ("feedback", "extras", feedback(payload, Some(7), Some(&timings)).unwrap()),
        ("status", "warming", status("warming 12/32", false)),
        ("status", "ready", status("ready", false)),
        ("status", "hand_only", status("ready", true)),
        ("status", "no_hand", status("no_hand", false)),
        ("status", "other", status("other", false)),
        ("top", "top", top(&best)),
        ("landmarks", "landmarks", seen),
        ("ended", "one", ended(&[(7, Outcome::Analysed)])),
        ("ended", "several", {
            let [analysed, dropped, cancelled, refused] = Outcome::ALL;
            ended(&[(9, dropped), (8, analysed), (11, refused), (10, cancelled)])
        }),
        ("rate", "rate", rate(17.349)),
        ("error", "bad_json", refusal(read_text("nonsense")).to_text()),
        ("error", "bad_msgpack", refusal(read_binary(&Bytes::from_static(b"hello"))).to_text()),
        ("error", "unknown_key", refusal(read_text(r#"{"letter": "A"}"#)).to_text()),
        ("error", "bad_base64", refusal(read_text(r#"{"jpeg_blob": "?"}"#)).to_text()),
        ("error", "bad_jpeg", refusal_of_jpeg(b"\xff\xd8\xff\xe0\x00\x10JFIF").to_text()),
        ("error", "bad_jpeg: another format", refusal_of_jpeg(b"GIF89a").to_text()),
        ("error", "bad_jpeg: damaged", refusal_of_jpeg(b"\xff\xd8\xff\xd9").to_text()),
        ("error", "bad_jpeg: no picture", Refusal::no_picture(7).to_text()),
        ("error", "unsupported_jpeg", refusal_of_jpeg(&header(12, 8, 3)).to_text()),
        ("error", "unsupported_jpeg: sampling factors", refusal_of_jpeg(&sampled).to_text()),
        ("error", "too_many_pixels", refusal_of_jpeg(&header(8, 30_000, 3)).to_text()),
        ("error", "too_many_scans", refusal_of_jpeg(&scans).to_text()),
        ("error", "bad_landmarks", refusal(read_text(r#"{"landmarks": {"right_hand": []}}"#)).to_text()),
        ("error", "bad_landmarks: no number", refusal_of_landmarks(7 * 3 + 1, f32::NAN)),
        ("error", "bad_landmarks: pixels", refusal_of_landmarks(0, 312.5)),
        ("error", "bad_landmarks: beside a picture", {
            refusal(read_text(r#"{"jpeg_blob": "/9j/", "landmarks": {}}"#)).to_text()
        }),
        ("error", "wrong_kind", Refusal::wrong_kind("landmarks", "pictures").to_text()),
        ("error", "message_too_large", Refusal::too_large(3_000_000, 2_097_152).to_text()),
        ("error", "too_fast", Refusal::too_fast(120).to_text()),
        ("error", "unknown_letter", Refusal::unknown_letter("Ä", &labels).to_text()),
        ("error", "internal", Refusal::internal().to_text()),
    ]
}

#[test]
fn every_answer_is_as_documented() {
    let answers = answers();
    for code in ErrorCode::ALL {
        let shown = answers.iter().any(|(_, name, text)| {
            let message: Value = serde_json::from_str(text).unwrap();
            *name == code.as_str() && message["error"]["code"] == code.as_str()
        });
        assert!(shown, "{code:?} is not shown");
    }
    let lines: Vec<String> =
        answers.iter().map(|(message, name, text)| format!("{message}, {name}\n    {text}")).collect();
    insta::assert_snapshot!(lines.join("\n"));
}

#[test]
fn every_close_is_as_documented() {
    let lines: Vec<String> =
        Close::ALL.iter().map(|close| format!("{} {}", close.code(), close.reason())).collect();
    insta::assert_snapshot!(lines.join("\n"));
}

fn description() -> Value {
    serde_saphyr::from_str(include_str!("../../asyncapi.yaml")).unwrap()
}

#[test]
fn the_description_for_others_shows_every_answer_and_no_other() {
    let description = description();
    let mut documented = BTreeMap::new();
    for operation in ["sendAnswer", "receiveRequest"] {
        for reference in description["operations"][operation]["messages"].as_array().unwrap() {
            let message = reference["$ref"].as_str().unwrap().rsplit('/').next().unwrap();
            let target = &description["channels"]["session"]["messages"][message]["$ref"];
            assert_eq!(target.as_str(), Some(format!("#/components/messages/{message}").as_str()));
            let body = &description["components"]["messages"][message];
            for example in body["examples"].as_array().unwrap() {
                let name = example["name"].as_str().unwrap();
                let key = (operation, message.to_owned(), name.to_owned());
                assert!(
                    documented.insert(key, example["payload"].clone()).is_none(),
                    "{name} stands there twice"
                );
            }
        }
    }
    let sent: BTreeMap<_, Value> = answers()
        .into_iter()
        .map(|(message, name, text)| {
            let key = ("sendAnswer", message.to_owned(), name.to_owned());
            (key, serde_json::from_str(&text).unwrap())
        })
        .collect();
    let (shown, requests): (BTreeMap<_, _>, BTreeMap<_, _>) =
        documented.into_iter().partition(|((operation, ..), _)| *operation == "sendAnswer");
    assert_eq!(shown.keys().collect::<Vec<_>>(), sent.keys().collect::<Vec<_>>());
    for (key, payload) in &sent {
        assert_eq!(payload, &shown[key], "{key:?}");
    }
    assert!(requests.keys().filter(|(_, message, _)| message == "request").count() >= 4);
    for ((_, message, name), payload) in &requests {
        let read = match message.as_str() {
            "request" | "landmarks_request" => read_text(&payload.to_string()).unwrap(),
            "packed" | "packed_landmarks" => read_binary(&packed(payload)).unwrap(),
            "frame" => read_binary(&hex(payload.as_str().unwrap()).into()).unwrap(),
            other => panic!("{other} is no message of a client"),
        };
        match read.frame.map(Result::unwrap) {
            Some(Content::Jpeg(jpeg)) => assert!(jpeg.starts_with(&[0xff, 0xd8]), "{name}"),
            Some(Content::Landmarks(read)) => assert_eq!((read.width, read.height), (640, 480), "{name}"),
            None => {}
        }
    }
}

/// Bytes written as `FF D8`.
fn hex(text: &str) -> Vec<u8> {
    text.split(' ').map(|byte| u8::from_str_radix(byte, 16).unwrap()).collect()
}

/// Bytes as [`hex`] reads them.
fn hand_bytes(values: &[f32]) -> String {
    let bytes: Vec<String> =
        values.iter().flat_map(|value| value.to_le_bytes()).map(|byte| format!("{byte:02X}")).collect();
    bytes.join(" ")
}

/// A message in MessagePack.
fn packed(message: &Value) -> Bytes {
    rmp_serde::to_vec(&Packed { value: message, is_letter: false }).unwrap().into()
}

/// Written with bytes in place of what [`hex`] reads: of all text but the letter.
struct Packed<'a> {
    value: &'a Value,
    is_letter: bool,
}

impl Serialize for Packed<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.value {
            Value::String(text) if !self.is_letter => serializer.serialize_bytes(&hex(text)),
            Value::Object(entries) => serializer.collect_map(entries.iter().map(|(key, value)| {
                let is_letter = key == NEW_LETTER;
                (key, Packed { value, is_letter })
            })),
            other => other.serialize(serializer),
        }
    }
}

#[test]
fn the_description_for_others_names_every_code_extra_and_close() {
    let description = description();
    assert_eq!(description["asyncapi"], "3.0.0");
    assert_eq!(description["info"]["version"], VERSION);
    let error = &description["components"]["messages"]["error"]["payload"]["properties"]["error"];
    let codes: Vec<&str> =
        error["properties"]["code"]["enum"].as_array().unwrap().iter().flat_map(Value::as_str).collect();
    assert_eq!(codes, ErrorCode::ALL.map(ErrorCode::as_str));
    let channel = &description["channels"]["session"];
    let extras = &channel["bindings"]["ws"]["query"]["properties"]["extras"]["description"];
    for name in Extras::NAMES {
        assert!(extras.as_str().unwrap().contains(&format!("`{name}`")), "{name}");
    }
    for close in Close::ALL {
        let line = format!("- {}: {}", close.code(), close.reason());
        assert!(channel["description"].as_str().unwrap().contains(&line), "{line}");
    }
    assert!(channel["description"].as_str().unwrap().contains(&format!("`{SUBPROTOCOL}`")));
    assert_eq!(SUBPROTOCOL.strip_prefix("dactyl.v"), VERSION.split('.').next());
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
                Just("\"new_letter\":".into()), Just("null".into()), Just("\"A\"".into()), Just("\"/9j/\"".into()),
                Just("\"data:é,/9j/\"".into()), Just("[".into()), Just("1e999".into()),
                Just("\"landmarks\":".into()), Just("\"pose\":".into()), Just("\"width\":".into()), Just("]".into())],
            0..12,
        )
    ) {
        let _ = read_text(&parts.concat());
    }

    #[test]
    fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = read_binary(&bytes.clone().into());
        let _ = read_binary(&[vec![0x82], bytes.clone()].concat().into());
        let _ = read_binary(&[b"\x82\xa9jpeg_blob".to_vec(), bytes].concat().into());
    }

    #[test]
    fn every_frame_and_letter_survives_json_and_messagepack(
        bytes in proptest::collection::vec(any::<u8>(), 0..200),
        letter in any::<String>(),
        dialect in 0..4,
        line in 1..80usize,
        is_data_url in any::<bool>(),
    ) {
        let encoded = match dialect {
            0 => base64::STANDARD.encode(&bytes),
            1 => base64::STANDARD_NO_PAD.encode(&bytes),
            2 => base64::URL_SAFE.encode(&bytes),
            _ => base64::URL_SAFE_NO_PAD.encode(&bytes),
        };
        let lines: Vec<&[u8]> = encoded.as_bytes().chunks(line).collect();
        let encoded = String::from_utf8(lines.join(&b"\r\n"[..])).unwrap();
        let encoded = if is_data_url { format!("data:image/jpeg;base64,{encoded}") } else { encoded };
        let read = read_text(&json!({"jpeg_blob": encoded, "new_letter": letter}).to_string()).unwrap();
        prop_assert_eq!(blob(&read), &bytes[..]);
        prop_assert_eq!(read.new_letter.as_ref(), Some(&letter));

        let packed = rmp_serde::to_vec(&BTreeMap::from([("new_letter", &letter)])).unwrap();
        prop_assert_eq!(read_binary(&packed.into()).unwrap().new_letter, Some(letter));
        let mut map = b"\x81\xa9jpeg_blob\xc5".to_vec();
        map.extend(u16::try_from(bytes.len()).unwrap().to_be_bytes());
        map.extend(&bytes);
        let read = read_binary(&map.into()).unwrap();
        prop_assert_eq!(blob(&read), &bytes[..]);
    }
}
