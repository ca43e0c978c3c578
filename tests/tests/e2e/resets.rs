//! A new letter: the 0 % payload at once, nothing of the old letter after it, an empty window.

use std::time::Duration;

use serde_json::Value;

use crate::client::Client;
use crate::pictures::gradient;
use crate::server::Server;

const WINDOW: usize = 32;

fn frames(count: usize) -> Vec<Vec<u8>> {
    (0..count).map(|seed| gradient(64, 48, u32::try_from(seed).unwrap_or(0))).collect()
}

fn is_reset(answer: &Value) -> bool {
    answer["maxarg_letter"] == "" && answer["target_arg_prob"] == 0.0 && answer.get("frame").is_none()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reset_is_answered_before_the_first_frame_and_while_idle() {
    let server = Server::start().await;
    let mut client = Client::connect(&server).await;
    client.send_letter("A").await;
    client.expect_reset().await;
    client.send_analysed(&server, &frames(3)).await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    client.send_letter("B").await;
    client.expect_reset().await;
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn each_of_many_resets_at_once_is_answered() {
    let server = Server::start().await;
    let mut client = Client::connect(&server).await;
    for letter in ["A", "B", "C", "D", "E", "F", "G", "H"] {
        client.send_letter(letter).await;
    }
    for _ in 0..8 {
        client.expect_reset().await;
    }
    assert_eq!(client.answer_within(Duration::from_millis(200)).await, None);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_window_is_empty_after_a_reset() {
    let server = Server::start().await;
    let mut client = Client::connect_to(&server, "?extras=frame").await.expect("a session");
    client.send_analysed(&server, &frames(WINDOW)).await;
    assert_eq!(client.answer().await["frame"], WINDOW);
    client.send_letter("A").await;
    client.expect_reset().await;
    client.send_analysed(&server, &frames(WINDOW - 1)).await;
    assert_eq!(client.answer_within(Duration::from_millis(200)).await, None);
    client.send_analysed(&server, &frames(1)).await;
    assert_eq!(client.answer().await["frame"], 2 * WINDOW);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_asks_for_it_gets_answers_before_the_window_is_full_and_nobody_else_does() {
    const SHORT: usize = 16;
    let server = Server::start().await;
    let mut asking = Client::connect_to(&server, "?extras=frame&min_window=16").await.expect("a session");
    let mut other = Client::connect_to(&server, "?extras=frame").await.expect("a session");
    let mut sent = 0;
    // A letter that is drawn into the air needs the whole window whoever asks.
    for (letter, first) in [("A", SHORT), ("J", WINDOW), ("z", WINDOW), ("B", SHORT)] {
        asking.send_letter(letter).await;
        asking.expect_reset().await;
        asking.send_analysed(&server, &frames(first - 1)).await;
        assert_eq!(asking.answer_within(Duration::from_millis(200)).await, None, "{letter}");
        asking.send_analysed(&server, &frames(1)).await;
        sent += first;
        assert_eq!(asking.answer().await["frame"], sent, "{letter}");
    }
    other.send_letter("A").await;
    other.expect_reset().await;
    other.send_analysed(&server, &frames(WINDOW - 1)).await;
    assert_eq!(other.answer_within(Duration::from_millis(200)).await, None);
    other.send_analysed(&server, &frames(1)).await;
    assert_eq!(other.answer().await["frame"], WINDOW);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_frame_in_the_reset_s_message_is_the_first_of_the_new_letter() {
    use base64::Engine;
    let server = Server::start().await;
    let mut client = Client::connect_to(&server, "?extras=frame").await.expect("a session");
    let jpeg = base64::engine::general_purpose::STANDARD.encode(gradient(64, 48, 1));
    client.send_json(&serde_json::json!({"jpeg_blob": jpeg, "new_letter": "C"})).await;
    client.expect_reset().await;
    server.wait_for_metric("dactyl_frames_analysed_total", |analysed| analysed == 1.0).await;
    client.send_analysed(&server, &frames(WINDOW - 1)).await;
    assert_eq!(client.answer().await["frame"], WINDOW);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_status_is_told_after_each_of_two_letters_close_together() {
    let server = Server::start().await;
    let mut client = Client::connect_to(&server, "?extras=status").await.expect("a session");
    for _ in 0..3 {
        client.send_letter("A").await;
        client.expect_reset().await;
        client.send_analysed(&server, &frames(1)).await;
        assert_eq!(client.answer().await["status"], "warming 1/32");
    }
    server.stop().await;
}

/// A pipeline whose results wait 50 ms behind the smoother, so that several of the old letter are on their way at a reset.
const SLOW: &str = r#"
description = "Results that are late"
launch = """
appsrc name=frames is-live=true format=time do-timestamp=true leaky-type=downstream max-buffers=1 max-bytes=0
  ! queue leaky=downstream max-size-buffers=1 max-size-bytes=0 max-size-time=0
  ! jpegdec ! videoconvert
  ! holistic-keypoints ! lstm-classifier ! temporal-smoother
  ! queue ! identity sleep-time=50000
  ! feedback-throttle format=json ! queue
  ! appsink name=feedback sync=false
"""
"#;

#[tokio::test(flavor = "multi_thread")]
async fn no_answer_of_the_old_letter_follows_the_reset_s_payload() {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("slow.toml"), SLOW).expect("written");
    let server = Server::start_with(|config| {
        config.pipeline.directory = folder.path().display().to_string();
        config.pipeline.name = "slow".to_owned();
    })
    .await;
    let mut client = Client::connect_to(&server, "?extras=frame").await.expect("a session");
    let mut sent = 0;
    for round in 0..4 {
        let more = frames(WINDOW + 6);
        client.send_analysed(&server, &more).await;
        sent += more.len();
        client.send_letter(if round % 2 == 0 { "A" } else { "B" }).await;
        // Answers of the old letter may come before the payload, and none after it.
        while !is_reset(&client.answer().await) {}
        assert_eq!(client.answer_within(Duration::from_millis(400)).await, None, "after {sent} frames");
    }
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn under_load_every_reset_is_answered_and_each_letter_needs_its_own_window() {
    let server = Server::start().await;
    let mut client = Client::connect_to(&server, "?extras=frame").await.expect("a session");
    let mut sent: u64 = 0;
    let mut first_of_letter: u64 = 1;
    for round in 0..60_u32 {
        // Most letters end within their window; every sixth goes on until it has a result.
        let until_result = round % 6 == 5;
        let mut results = 0;
        for seed in 0..if until_result { 5000 } else { round } {
            if until_result && results > 0 {
                break;
            }
            client.send_frame(&gradient(160, 120, seed)).await;
            sent += 1;
            while let Some(answer) = client.answer_within(Duration::from_millis(2)).await {
                let frame = answer["frame"].as_u64().expect("a result has its frame's number");
                assert!(frame >= first_of_letter + 31, "frame {frame}, letter from frame {first_of_letter}");
                results += 1;
            }
        }
        assert!(!until_result || results > 0, "no result after {sent} frames");
        client.send_letter("A").await;
        first_of_letter = sent + 1;
        while !is_reset(&client.answer().await) {}
    }
    assert_eq!(server.metric("dactyl_resets_total").await, 60.0);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reset_with_every_frame_is_answered_each_time() {
    let server = Server::start().await;
    let mut client = Client::connect(&server).await;
    for seed in 0..100 {
        client.send_frame(&gradient(160, 120, seed)).await;
        client.send_letter("K").await;
    }
    for _ in 0..100 {
        client.expect_reset().await;
    }
    assert_eq!(client.answer_within(Duration::from_millis(200)).await, None);
    server.stop().await;
}
