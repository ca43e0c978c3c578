//! Every shipped pipeline, through a socket.

use std::time::Duration;

use crate::client::Client;
use crate::pictures::gradient;
use crate::server::Server;

async fn runs(name: &str, query: &str) {
    let server = Server::start_with(|config| {
        config.pipeline.allowed = vec![name.to_owned()];
    })
    .await;
    let query = format!("?extras=frame&pipeline={name}{query}");
    let mut client = Client::connect_to(&server, &query).await.expect("a session");
    client.send_letter("A").await;
    client.expect_reset().await;
    let frames: Vec<_> = (0..34).map(|seed| gradient(320, 240, seed)).collect();
    client.send_analysed(&server, &frames).await;
    for frame in 32..=34 {
        let answer = client.answer().await;
        assert_eq!(answer["frame"], frame, "{name}: {answer}");
        // There is no hand in these pictures.
        assert_eq!(answer["maxarg_letter"], "", "{name}: {answer}");
    }
    client.send_letter("B").await;
    client.expect_reset().await;
    assert_eq!(client.answer_within(Duration::from_millis(100)).await, None);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn recognise() {
    runs("recognise", "").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn unsmoothed() {
    runs("unsmoothed", "").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn twice_smoothed() {
    runs("twice-smoothed", "&first=2&second=3").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn overlay() {
    runs("overlay", "").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn record() {
    runs("record", "").await;
}

/// The hand of the rendered person comes and goes; what is answered must be letters, landmarks and numbers in range.
#[tokio::test(flavor = "multi_thread")]
async fn a_person_is_tracked_and_answered() {
    let Some(frames) = crate::pictures::person(60) else { return };
    let server = Server::start().await;
    let mut client =
        Client::connect_to(&server, "?extras=landmarks,status,timings").await.expect("a session");
    client.send_letter("L").await;
    client.expect_reset().await;
    client.send_analysed(&server, &frames).await;
    let (mut results, mut with_hand, mut letters) = (0, 0, 0);
    while let Some(answer) = client.answer_within(Duration::from_millis(300)).await {
        if answer.get("landmarks").is_some() {
            with_hand += u32::from(!answer["landmarks"]["right_hand"].is_null());
        } else if let Some(letter) = answer.get("maxarg_letter") {
            results += 1;
            letters += u32::from(letter.as_str().is_some_and(|letter| letter.len() == 1));
            let probability = answer["target_arg_prob"].as_f64().expect("a number");
            assert!((0.0..=1.0).contains(&probability), "{answer}");
            assert!(answer["timings"].is_object(), "{answer}");
        }
    }
    assert!(
        results > 0 && with_hand > 0 && letters > 0,
        "{results} results, {with_hand} hands, {letters} letters"
    );
    server.stop().await;
}
