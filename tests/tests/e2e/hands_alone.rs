//! Close to the camera nothing but a hand is in the picture.

use std::time::Duration;

use dactyl_config::Config;
use dactyl_tests::drawn_hand::{HEIGHT, WIDTH, pixels};
use serde_json::{Value, json};

use crate::client::Client;
use crate::pictures::encode;
use crate::server::Server;

/// Frames that the classifier's window holds.
const WINDOW: usize = 32;

fn side(side: usize) -> u16 {
    u16::try_from(side).expect("a small picture")
}

/// What a server tells of a window of pictures of a drawn hand and nobody.
async fn answers(server: &Server) -> Vec<Value> {
    let mut client = Client::connect_to(server, "?extras=status,landmarks").await.expect("a session");
    let frames: Vec<Vec<u8>> =
        (0..WINDOW).map(|index| encode(&pixels(index), side(WIDTH), side(HEIGHT), |_| ())).collect();
    client.send_analysed(server, &frames).await;
    let mut answers = Vec::new();
    while let Some(answer) = client.answer_within(Duration::from_millis(500)).await {
        answers.push(answer);
    }
    answers
}

/// The last answer with that key.
fn last<'a>(answers: &'a [Value], key: &str) -> &'a Value {
    let with = answers.iter().rfind(|answer| !answer[key].is_null());
    with.unwrap_or_else(|| panic!("no {key} in {answers:?}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hand_without_a_body_gets_a_letter_and_is_told() {
    let server = Server::start_with(|config| {
        config.holistic = Config::builtin().holistic;
        // The drawn hand is an open one.
        config.letters.other_weight = 0.0;
    })
    .await;
    let answers = answers(&server).await;
    assert_eq!(*last(&answers, "status"), json!({"status": "ready", "hand_only": true}));
    let landmarks = &last(&answers, "landmarks")["landmarks"];
    assert_eq!(landmarks["right_hand"].as_array().map(Vec::len), Some(21), "{landmarks}");
    for part in ["pose", "face", "left_hand"] {
        assert_eq!(landmarks[part], Value::Null, "{part}");
    }
    let letter = last(&answers, "maxarg_letter");
    assert_ne!(letter["maxarg_letter"], "", "{letter}");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hand_without_a_body_is_not_looked_for_unless_the_configuration_says_so() {
    let server = Server::start_with(|config| config.holistic.hands_alone = false).await;
    let answers = answers(&server).await;
    assert_eq!(*last(&answers, "status"), json!({"status": "no_hand", "hand_only": false}));
    assert_eq!(last(&answers, "maxarg_letter")["maxarg_letter"], "");
    server.stop().await;
}
