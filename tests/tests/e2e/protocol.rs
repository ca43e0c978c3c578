//! Messages in every encoding, and what comes back.

use serde_json::json;

use crate::client::Client;
use crate::pictures::gradient;
use crate::server::Server;

const ANALYSED: &str = "dactyl_frames_analysed_total";

/// Standard base64 with padding.
fn base64(bytes: &[u8]) -> String {
    use base64::Engine;
    base64::engine::general_purpose::STANDARD.encode(bytes)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_frame_is_analysed_in_every_encoding() {
    let server = Server::start().await;
    let mut client = Client::connect(&server).await;
    let jpeg = gradient(64, 48, 1);
    let url_safe = base64(&jpeg).replace('+', "-").replace('/', "_").trim_end_matches('=').to_owned();
    let map = rmp_serde::to_vec_named(&serde_bytes_map(&jpeg)).expect("a map");
    let texts = [
        json!({"jpeg_blob": base64(&jpeg), "new_letter": null}),
        json!({"jpeg_blob": base64(&jpeg)}),
        json!({"jpeg_blob": url_safe, "new_letter": null}),
        json!({"jpeg_blob": format!("data:image/jpeg;base64,{}", base64(&jpeg)), "new_letter": null}),
    ];
    let mut sent = 0.0;
    for text in texts {
        client.send_json(&text).await;
        sent += 1.0;
        server.wait_for_metric(ANALYSED, |analysed| analysed == sent).await;
    }
    for binary in [jpeg.clone(), map] {
        client.send(binary).await;
        sent += 1.0;
        server.wait_for_metric(ANALYSED, |analysed| analysed == sent).await;
    }
    assert_eq!(client.answer_within(std::time::Duration::from_millis(100)).await, None);
    assert_eq!(server.metric("dactyl_bad_messages_total").await, 0.0);
    server.stop().await;
}

/// Data URLs without a media type, with parameters or of any bytes; base64 in lines; MessagePack of encoders that have
/// no type for bytes, or for `undefined`.
#[tokio::test(flavor = "multi_thread")]
async fn a_frame_as_real_clients_write_it_is_analysed() {
    let server = Server::start().await;
    let mut client = Client::connect(&server).await;
    let jpeg = gradient(64, 48, 1);
    let encoded = base64(&jpeg);
    let lines: Vec<&[u8]> = encoded.as_bytes().chunks(76).collect();
    let lines = String::from_utf8(lines.join(&b"\r\n"[..])).expect("ASCII");
    let percent = encoded.replace('+', "%2B").replace('/', "%2F").replace('=', "%3D");
    let mut sent = 0.0;
    for text in [
        format!("data:;base64,{encoded}"),
        format!("data:image/jpeg;charset=utf-8;base64,{encoded}"),
        format!("data:application/octet-stream;base64,{encoded}"),
        format!("data:image/jpeg;base64,{percent}"),
        lines.clone(),
        lines.replace("\r\n", " "),
        format!("data:image/jpeg;base64,\n{lines}\n"),
    ] {
        client.send_json(&json!({"jpeg_blob": text, "new_letter": null})).await;
        sent += 1.0;
        server.wait_for_metric(ANALYSED, |analysed| analysed == sent).await;
    }

    let length = u16::try_from(jpeg.len()).expect("a small picture");
    let extension = |before: &[u8]| {
        let length = length + u16::try_from(before.len() - 1).expect("few");
        [&[0xc8][..], &length.to_be_bytes(), before, &jpeg].concat()
    };
    let undefined = vec![0xd4, 0, 0];
    for (value, letter) in [
        (extension(&[0x12]), vec![0xc0]),
        (extension(&[0x74, 1]), undefined),
        (rmp_serde::to_vec(&jpeg).expect("an array of numbers"), vec![0xc0]),
    ] {
        let map = [&b"\x82\xa9jpeg_blob"[..], &value, b"\xaanew_letter", &letter].concat();
        client.send(map).await;
        sent += 1.0;
        server.wait_for_metric(ANALYSED, |analysed| analysed == sent).await;
    }
    assert_eq!(server.metric("dactyl_bad_messages_total").await, 0.0);
    server.stop().await;
}

#[derive(serde::Serialize)]
struct BytesMap<'a> {
    #[serde(with = "serde_bytes")]
    jpeg_blob: &'a [u8],
    new_letter: Option<&'a str>,
}

fn serde_bytes_map(jpeg: &[u8]) -> BytesMap<'_> {
    BytesMap { jpeg_blob: jpeg, new_letter: None }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_bad_message_gets_its_error_and_loses_nothing_else() {
    let server = Server::start().await;
    let mut client = Client::connect(&server).await;
    let bad: Vec<(tokio_tungstenite::tungstenite::Message, &str)> = vec![
        ("hello".into(), "bad_json"),
        ("".into(), "bad_json"),
        ("[1, 2]".into(), "bad_json"),
        (r#"{"jpeg_blob": 7}"#.into(), "bad_json"),
        (r#"{"jpeg_blob": null, "new_lettr": "A"}"#.into(), "unknown_key"),
        (r#"{"jpeg_blob": "*"}"#.into(), "bad_base64"),
        (r#"{"jpeg_blob": "AAAA"}"#.into(), "bad_jpeg"),
        ("[".repeat(100_000).into(), "bad_json"),
        (vec![1, 2, 3].into(), "bad_msgpack"),
        (vec![0x82, 0xa1].into(), "bad_msgpack"),
        (vec![0xff, 0xd8, 0xff].into(), "bad_jpeg"),
        (vec![b'x'; 3_000_000].into(), "message_too_large"),
        ("x".repeat(4_000_000).into(), "message_too_large"),
    ];
    for (message, code) in bad {
        let sent = message.clone();
        client.send(message).await;
        assert_eq!(client.expect_error().await, code, "for {:.60}", format!("{sent:?}"));
    }
    client.send_frame(&gradient(64, 48, 1)).await;
    server.wait_for_metric(ANALYSED, |analysed| analysed == 1.0).await;
    assert_eq!(server.metric("dactyl_bad_messages_total").await, 13.0);
    assert_eq!(server.metric("dactyl_frames_received_total").await, 1.0);
    server.stop().await;
}

/// An error leaves at once and a reset's payload when the pipeline is empty: either may be first.
async fn resets_and_errors(client: &mut Client, count: usize) -> (usize, Vec<String>) {
    let (mut resets, mut errors) = (0, Vec::new());
    for _ in 0..count {
        let answer = client.answer().await;
        match answer["error"]["code"].as_str() {
            Some(code) => errors.push(code.to_owned()),
            None => {
                assert_eq!(answer, json!({"maxarg_letter": "", "target_arg_prob": 0.0}));
                resets += 1;
            }
        }
    }
    (resets, errors)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_letter_resets_and_is_answered_with_an_error() {
    let server = Server::start().await;
    let mut client = Client::connect(&server).await;
    client.send_letter("%").await;
    assert_eq!(resets_and_errors(&mut client, 2).await, (1, vec!["unknown_letter".to_owned()]));
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn letters_are_matched_whatever_their_case_and_an_empty_one_sets_none() {
    let server = Server::start().await;
    let mut client = Client::connect(&server).await;
    for letter in ["A", "b", "", "Z"] {
        client.send_letter(letter).await;
        client.expect_reset().await;
    }
    assert_eq!(server.metric("dactyl_resets_total").await, 4.0);
    assert_eq!(server.metric("dactyl_bad_messages_total").await, 0.0);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_extra_or_pipeline_is_refused_before_the_upgrade() {
    let server = Server::start().await;
    for query in ["?extras=everything", "?pipeline=no-such-one"] {
        let error = Client::connect_to(&server, query).await.map(drop).expect_err("refused");
        assert!(error.to_string().contains("400"), "{query}: {error}");
    }
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn too_many_bad_messages_in_a_row_close_the_socket_with_1008() {
    let server = Server::start_with(|config| config.server.max_bad_messages = 3).await;
    let mut client = Client::connect(&server).await;
    client.send("no").await;
    client.send("no").await;
    client.send_letter("A").await;
    client.send("no").await;
    client.send("no").await;
    client.send("no").await;
    let frame = client.closed().await;
    assert_eq!(u16::from(frame.code), 1008);
    assert!(!frame.reason.is_empty());
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_beyond_the_transport_s_limit_closes_the_socket_with_1009() {
    let server = Server::start_with(|config| config.server.transport_max_bytes = 4_000_000).await;
    let mut client = Client::connect(&server).await;
    // The server may close before all is written: the error of the write is part of the case.
    use futures_util::SinkExt;
    let _ = client.socket.send(vec![b'x'; 6_000_000].into()).await;
    assert_eq!(u16::from(client.closed().await.code), 1009);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn more_frames_a_second_than_allowed_are_refused() {
    let server = Server::start_with(|config| config.server.max_fps = 5).await;
    let mut client = Client::connect(&server).await;
    for seed in 0..7 {
        client.send_frame(&gradient(32, 32, seed)).await;
    }
    assert_eq!(client.expect_error().await, "too_fast");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn more_letters_a_second_than_allowed_are_refused() {
    let server = Server::start_with(|config| config.server.max_fps = 5).await;
    let mut client = Client::connect(&server).await;
    for _ in 0..6 {
        client.send_letter("A").await;
    }
    assert_eq!(resets_and_errors(&mut client, 6).await, (5, vec!["too_fast".to_owned()]));
    server.stop().await;
}

/// The frame belongs to the new letter, and the pipeline still works for the old one.
#[tokio::test(flavor = "multi_thread")]
async fn the_frame_beside_a_letter_that_comes_too_fast_is_refused_with_it() {
    let server = Server::start_with(|config| config.server.max_fps = 1).await;
    let mut client = Client::connect_to(&server, "?extras=ended").await.expect("a session");
    let frame = base64(&gradient(64, 48, 1));
    client.send_letter("A").await;
    client.send_json(&json!({"jpeg_blob": frame, "new_letter": "B"})).await;
    assert_eq!(outcomes(&mut client, 1).await, ["refused"]);
    assert_eq!(server.metric("dactyl_frames_received_total").await, 0.0);
    assert_eq!(server.metric("dactyl_bad_messages_total{code=\"too_fast\"}").await, 1.0);
    server.stop().await;
}

/// What became of every frame, in the order of their numbers, as soon as `count` have ended.
async fn outcomes(client: &mut Client, count: usize) -> Vec<String> {
    let mut ended = std::collections::BTreeMap::new();
    while ended.len() < count {
        let answer = client.answer().await;
        for pair in answer["ended"].as_array().into_iter().flatten() {
            let (frame, outcome) = (pair[0].as_u64().expect("a number"), pair[1].as_str().expect("a word"));
            assert_eq!(ended.insert(frame, outcome.to_owned()), None, "frame {frame} ended twice");
        }
    }
    assert_eq!(ended.keys().copied().collect::<Vec<_>>(), (1..=count as u64).collect::<Vec<_>>());
    ended.into_values().collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn with_the_extra_ended_every_frame_is_accounted_for() {
    let server = Server::start_with(|config| config.server.max_message_bytes = 20_000).await;
    let mut client = Client::connect_to(&server, "?extras=ended").await.expect("a session");
    let good = gradient(64, 48, 1);
    client.send_frame(&good).await;
    assert_eq!(outcomes(&mut client, 1).await, ["analysed"]);

    let mut client = Client::connect_to(&server, "?extras=ended").await.expect("a session");
    client.send_frame(&good[..40]).await;
    client.send_frame(&[&good[..], &[0; 30_000]].concat()).await;
    client.send_json(&json!({"jpeg_blob": "*", "new_letter": "A"})).await;
    client.send_frame(&good).await;
    assert_eq!(outcomes(&mut client, 4).await, ["refused", "refused", "refused", "analysed"]);

    let mut client = Client::connect_to(&server, "?extras=ended").await.expect("a session");
    for _ in 0..30 {
        client.send_frame(&good).await;
    }
    let outcomes = outcomes(&mut client, 30).await;
    assert_eq!(outcomes[29], "analysed");
    assert!(outcomes.contains(&"dropped".to_owned()), "{outcomes:?}");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn with_the_extra_rate_the_server_tells_its_pace() {
    let server = Server::start().await;
    let mut client = Client::connect_to(&server, "?extras=rate").await.expect("a session");
    let good = gradient(64, 48, 1);
    let mut sent = 0.0;
    let rate = loop {
        client.send_frame(&good).await;
        sent += 1.0;
        server.wait_for_metric(ANALYSED, |analysed| analysed == sent).await;
        if let Some(answer) = client.answer_within(std::time::Duration::from_millis(20)).await {
            break answer["rate"].as_f64().expect("a rate");
        }
        assert!(sent < 100.0, "no rate is told");
    };
    assert!(rate > 0.0);
    server.stop().await;
}
