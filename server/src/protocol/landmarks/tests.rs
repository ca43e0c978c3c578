use std::f32::consts::FRAC_1_SQRT_2;

use bytes::Bytes;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::protocol::{Content, Request, landmarks, read_binary, read_text};

/// Landmarks of a part, none like the other.
fn points(count: usize) -> Vec<[f32; 3]> {
    (0..count).map(|index| [0.5 + index as f32 / 1000.0, FRAC_1_SQRT_2, -0.01 * index as f32]).collect()
}

fn message(landmarks: &Value) -> Value {
    json!({"landmarks": landmarks, "width": 640, "height": 480})
}

fn content(request: Result<Request, Refusal>) -> Result<Landmarks, Refusal> {
    match request.unwrap().frame.unwrap()? {
        Content::Landmarks(landmarks) => Ok(landmarks),
        Content::Jpeg(bytes) => panic!("{bytes:?}"),
    }
}

/// Of a message that is otherwise right; the letter beside the landmarks must have survived.
fn refused(landmarks: &Value) -> String {
    let mut message = message(landmarks);
    message["new_letter"] = json!("B");
    for request in
        [read_text(&message.to_string()), read_binary(&rmp_serde::to_vec(&message).unwrap().into())]
    {
        assert_eq!(request.unwrap().new_letter.as_deref(), Some("B"), "{message}");
    }
    let refusal = content(read_text(&message.to_string())).unwrap_err();
    assert_eq!(refusal.code, ErrorCode::BadLandmarks);
    refusal.message
}

/// A part in MessagePack, its value written by hand.
fn packed(key: &str, value: &[u8]) -> Bytes {
    let length = u8::try_from(key.len()).unwrap();
    let begin = [&b"\x83\xa9landmarks\x81"[..], &[0xa0 + length], key.as_bytes()].concat();
    [&begin, value, b"\xa5width\xcd\x02\x80\xa6height\xcd\x01\xe0"].concat().into()
}

fn bin(bytes: &[u8]) -> Vec<u8> {
    [&[0xc5][..], &u16::try_from(bytes.len()).unwrap().to_be_bytes(), bytes].concat()
}

fn floats<const AXES: usize>(points: &[[f32; AXES]]) -> Vec<u8> {
    points.as_flattened().iter().flat_map(|value| value.to_le_bytes()).collect()
}

#[test]
fn every_part_is_read_from_lists_and_stands_in_its_place() {
    for (key, range) in PARTS {
        let sent = message(&json!({ key: points(range.len()) }));
        for request in [read_text(&sent.to_string()), read_binary(&rmp_serde::to_vec(&sent).unwrap().into())]
        {
            let read = content(request).unwrap();
            assert_eq!((read.width, read.height), (640, 480));
            let expected: Vec<Landmark> =
                points(range.len()).iter().map(|&[x, y, z]| [x, y, z, 0.0]).collect();
            assert_eq!(read.keypoints.part(range.clone()), expected, "{key}");
            for (other, range) in PARTS {
                assert_eq!(read.keypoints.is_present(range), other == key, "{key}, {other}");
            }
        }
    }
}

#[test]
fn a_hand_of_252_bytes_is_read_and_so_are_the_dialects_of_encoders() {
    let hand = floats(&points(21));
    assert_eq!(hand.len(), 252);
    let extension = |before: &[u8]| {
        let length = u8::try_from(hand.len() + before.len() - 1).unwrap();
        [&[0xc7, length], before, &hand].concat()
    };
    let expected: Vec<Landmark> = points(21).iter().map(|&[x, y, z]| [x, y, z, 0.0]).collect();
    for value in [bin(&hand), extension(&[0x12]), extension(&[0x74, 7])] {
        let read = content(read_binary(&packed("left_hand", &value))).unwrap();
        assert_eq!(read.keypoints.part(LEFT_HAND), expected);
    }
    for nothing in [&[0xc0][..], &[0xd4, 0, 0]] {
        let read = content(read_binary(&packed("left_hand", nothing))).unwrap();
        assert!(!read.keypoints.is_present(LEFT_HAND));
    }
    let pose = [[0.1f32, 0.2, 0.3, 0.4]; 33];
    let read = content(read_binary(&packed("pose", &bin(&floats(&pose))))).unwrap();
    assert_eq!(read.keypoints.part(POSE), pose);
}

#[test]
fn parts_that_are_missing_or_null_were_not_found() {
    for parts in [json!({}), json!({"left_hand": null}), json!({"pose": null, "face": null, "frame": 7})] {
        let read = content(read_text(&message(&parts).to_string())).unwrap();
        assert!(PARTS.into_iter().all(|(_, range)| !read.keypoints.is_present(range)), "{parts}");
    }
}

#[test]
fn landmarks_that_are_null_are_none() {
    let request =
        read_text(r#"{"landmarks": null, "width": null, "height": 480, "new_letter": "A"}"#).unwrap();
    assert_eq!((request.frame, request.new_letter.as_deref()), (None, Some("A")));
    let request = read_text(r#"{"jpeg_blob": "/9j/", "landmarks": null, "width": null}"#).unwrap();
    assert!(matches!(request.frame, Some(Ok(Content::Jpeg(_)))));
}

#[test]
fn what_is_wrong_is_told_with_its_place() {
    let hand = |index: usize, landmark: Value| {
        let mut hand = json!(points(21));
        hand[index] = landmark;
        json!({ "right_hand": hand })
    };
    for (parts, cause) in [
        (json!({"right_hand": points(20)}), "right_hand has 20 landmarks: send 21, or null"),
        (json!({"left_hand": points(22)}), "left_hand has 22 landmarks: send 21"),
        (json!({"face": points(478)}), "face has 478 landmarks: send 468"),
        (json!({"pose": []}), "pose has 0 landmarks: send 33"),
        (json!({"pose": 7}), "pose is 7.0: send a list of 33 landmarks [x, y, z], or null"),
        (json!({"pose": "none"}), "pose is text: send a list of 33"),
        (json!({"pose": {"x": 1}}), "pose is an object: send a list of 33"),
        (json!({"pose": true}), "pose is a boolean: send a list of 33"),
        (hand(7, json!({"x": 0.5, "y": 0.5, "z": 0.0})), "right_hand[7] is an object: send [x, y, z]"),
        (hand(20, json!(null)), "right_hand[20] is null: send [x, y, z]"),
        (hand(3, json!([0.5, 0.5])), "right_hand[3] has 2 numbers: send [x, y, z] or [x, y, z, visibility]"),
        (hand(3, json!([0.5, 0.5, 0, 0, 0])), "right_hand[3] has 5 numbers"),
        (hand(7, json!([0.5, null, 0])), "right_hand[7].y is not a finite number"),
        (hand(7, json!([0.5, "0.5", 0])), "right_hand[7].y is text: send a number"),
        (hand(7, json!([[[0.5]], 0.5, 0])), "right_hand[7].x is a list: send a number"),
        (hand(0, json!([312.5, 0.5, 0])), "right_hand[0].x is 312.5, beyond -100 to 100"),
        (hand(0, json!([0.5, 0.5, -1e300])), "right_hand[0].z is -1e300, beyond -100 to 100"),
        (hand(0, json!([0.5, 0.5, 0, 1.5])), "right_hand[0].visibility is 1.5, beyond 0 to 1"),
        (json!([1, 2]), "\"landmarks\" is a list: send {\"left_hand\": null"),
        (json!("x"), "\"landmarks\" is text"),
    ] {
        let message = refused(&parts);
        assert!(message.contains(cause), "{parts}: {message}");
        assert!(message.len() < 300, "{message}");
    }
}

#[test]
fn the_first_problem_is_the_one_that_is_told() {
    let mut hand = json!(points(20));
    hand[5] = json!([0.5, null, 0]);
    assert!(refused(&json!({"right_hand": hand})).contains("right_hand[5].y"));
}

/// JSON has no word for them; Python's writes these, and JavaScript's writes null.
#[test]
fn nan_and_infinities_are_named_in_json_and_in_bytes() {
    for word in ["NaN", "Infinity", "-Infinity", "1e999"] {
        let text = format!(r#"{{"landmarks": {{"pose": [[0, 0, 0], [0.5, {word}, 0]]}}}}"#);
        let refusal = read_text(&text).unwrap_err();
        assert_eq!(refusal.code, ErrorCode::BadLandmarks, "{word}");
        assert!(refusal.message.contains("pose[1].y is not a finite number"), "{}", refusal.message);
    }
    for value in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        let mut hand = points(21);
        hand[7][1] = value;
        let refusal = content(read_binary(&packed("right_hand", &bin(&floats(&hand))))).unwrap_err();
        assert_eq!(refusal.code, ErrorCode::BadLandmarks);
        assert!(refusal.message.contains("right_hand[7].y is not a finite number"), "{}", refusal.message);
    }
}

#[test]
fn bytes_of_another_length_are_told_the_right_ones() {
    for length in [0, 1, 251, 253, 256, 335] {
        let refusal = content(read_binary(&packed("right_hand", &bin(&vec![0; length])))).unwrap_err();
        let cause = format!("right_hand has {length} bytes: send 252 (x, y, z as float32");
        assert!(refusal.message.contains(&cause), "{}", refusal.message);
    }
}

#[test]
fn the_size_of_the_picture_is_needed_and_must_be_one() {
    for (width, cause) in [
        ("0", "\"width\" is 0.0: send a whole number of pixels from 1 to 32767"),
        ("-640", "\"width\" is -640.0"),
        ("640.5", "\"width\" is 640.5"),
        ("32768", "\"width\" is 32768.0"),
        ("\"640\"", "\"width\" is text"),
        ("[640]", "\"width\" is a list"),
        ("null", "\"width\" is missing beside \"landmarks\": send the size of the picture in pixels"),
    ] {
        let text = format!(r#"{{"landmarks": {{}}, "width": {width}, "height": 480}}"#);
        let refusal = content(read_text(&text)).unwrap_err();
        assert_eq!(refusal.code, ErrorCode::BadLandmarks);
        assert!(refusal.message.contains(cause), "{}", refusal.message);
    }
    let refusal = content(read_text(r#"{"landmarks": {}, "width": 640}"#)).unwrap_err();
    assert!(refusal.message.contains("\"height\" is missing"), "{}", refusal.message);
    let read = content(read_text(r#"{"height": 480.0, "width": 32767, "landmarks": {}}"#)).unwrap();
    assert_eq!((read.width, read.height), (32767, 480));
}

#[test]
fn a_picture_beside_landmarks_is_refused_and_the_letter_counts() {
    let text = r#"{"jpeg_blob": "/9j/", "landmarks": {}, "width": 640, "height": 480, "new_letter": "B"}"#;
    let request = read_text(text).unwrap();
    assert_eq!(request.new_letter.as_deref(), Some("B"));
    let refusal = request.frame.unwrap().unwrap_err();
    assert_eq!(refusal.code, ErrorCode::BadLandmarks);
    assert!(refusal.message.contains("in one message"), "{}", refusal.message);
}

#[test]
fn keys_that_do_not_exist_or_stand_there_twice_are_named() {
    for (text, code, cause) in [
        (r#"{"landmarks": {"rightHand": null}}"#, "unknown_key", "did you mean \"right_hand\"?"),
        (r#"{"landmarks": {"left_hand_landmarks": null}}"#, "unknown_key", "did you mean \"left_hand\"?"),
        (r#"{"landmarks": {"pose": null, "pose": null}}"#, "bad_json", "\"pose\" stands there twice"),
        (r#"{"landmarks": {}, "landmarks": null}"#, "bad_json", "\"landmarks\" stands there twice"),
        (r#"{"width": 1, "width": 1}"#, "bad_json", "\"width\" stands there twice"),
        (r#"{"landmark": {}}"#, "unknown_key", "did you mean \"landmarks\"?"),
    ] {
        let refusal = read_text(text).unwrap_err();
        assert_eq!(refusal.code.as_str(), code, "{text}");
        assert!(refusal.message.contains(cause), "{text}: {}", refusal.message);
    }
}

#[test]
fn a_message_that_ends_too_soon_is_no_json_and_no_messagepack_wherever_it_ends() {
    let whole = message(&json!({"right_hand": points(21), "pose": null}));
    let text = whole.to_string();
    for end in 1..text.len() {
        let refusal = read_text(&text[..end]).unwrap_err();
        assert_eq!(refusal.code, ErrorCode::BadJson, "{}: {}", &text[..end], refusal.message);
    }
    let bytes = Bytes::from(rmp_serde::to_vec(&whole).unwrap());
    for end in 1..bytes.len() {
        assert_eq!(read_binary(&bytes.slice(..end)).unwrap_err().code, ErrorCode::BadMsgpack, "{end}");
    }
}

#[test]
fn deep_nesting_within_landmarks_ends_in_a_refusal() {
    for before in ["", r#"{"pose": "#, r#"{"pose": ["#, r#"{"pose": [["#, r#"{"frame": "#] {
        for open in ["[", "{\"a\":"] {
            let text = format!("{{\"landmarks\": {before}{}", open.repeat(100_000));
            assert!(read_text(&text).is_err());
        }
    }
    for before in [&b""[..], b"\x81\xa4pose", b"\x81\xa4pose\x91", b"\x81\xa4pose\x91\x91", b"\x81\xa5frame"]
    {
        let map = [&b"\x81\xa9landmarks"[..], before, &[0x91; 100_000]].concat();
        assert!(read_binary(&map.into()).is_err());
    }
}

proptest! {
    /// What the server tells may be sent back to it, as text too.
    #[test]
    fn what_was_told_of_a_frame_reads_back_to_the_bit(
        values in proptest::collection::vec(-99.0f32..99.0, 84),
        tiny in proptest::num::f32::SUBNORMAL | proptest::num::f32::ZERO,
    ) {
        let mut keypoints = Keypoints::absent();
        for (landmark, values) in keypoints.part_mut(LEFT_HAND).iter_mut().zip(values.chunks_exact(4)) {
            *landmark = [values[0], values[1], tiny, (values[3] / 99.0).abs()];
        }
        let told: Value = serde_json::from_str(&landmarks(7, &keypoints)).unwrap();
        let told = message(&told["landmarks"]);
        for request in [read_text(&told.to_string()), read_binary(&rmp_serde::to_vec(&told).unwrap().into())] {
            let read = content(request).unwrap().keypoints;
            let bits = |keypoints: &Keypoints| keypoints.part(LEFT_HAND).as_flattened().iter().map(|v| v.to_bits()).collect::<Vec<_>>();
            prop_assert_eq!(bits(&read), bits(&keypoints));
            prop_assert!(!read.is_present(RIGHT_HAND));
        }
    }

    #[test]
    fn no_bytes_as_a_part_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        let _ = read_binary(&packed("face", &bytes));
        let _ = read_binary(&packed("left_hand", &bin(&bytes)));
    }
}
