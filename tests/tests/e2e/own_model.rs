//! Somebody else's classifier in a server of ours: `holistic-1662`, 30 frames, an open batch.

use std::path::Path;
use std::time::Duration;

use dactyl_onnx::{Message, ValueInfoProto};
use dactyl_tests::classifier::{ROW, WeightedSums, write_with_hole};
use serde_json::Value;

use crate::client::Client;
use crate::server::Server;

const FRAMES: usize = 30;
const LABELS: [&str; 5] = ["hello", "thank you", "yes", "no", "please"];

/// Values of a row that the model looks at, as MediaPipe's users lay them out: after pose 33 x 4, face 468 x 3, left hand
/// 21 x 3 comes the right hand.
const LOOKED_AT: [(usize, &str, usize, usize); 5] = [
    (3, "pose", 0, 3),
    (4 * 15 + 1, "pose", 15, 1),
    (132 + 3 * 467, "face", 467, 0),
    (1536 + 3 * 8 + 1, "left_hand", 8, 1),
    (1599 + 3 * 20, "right_hand", 20, 0),
];

/// How much a label's logit grows with a value, by frame: late frames count for more, so that their order shows.
fn weight(frame: usize, label: usize, value: usize) -> f32 {
    let sign = [0.4, -0.3, 0.2, -0.1, 0.5][(label + 2 * value) % 5];
    sign * (frame + 1) as f32 / FRAMES as f32
}

/// Writes a model whose logits are weighted sums of those values over the window, and whose batch is open.
fn write_model(path: &Path) {
    let mut sums = WeightedSums::new(&LABELS, FRAMES);
    for frame in 0..FRAMES {
        for (value, (index, ..)) in LOOKED_AT.into_iter().enumerate() {
            for label in 0..LABELS.len() {
                sums.weigh(frame, index, label, weight(frame, label, value));
            }
        }
    }
    let mut model = sums.model();
    let graph = model.graph.as_mut().expect("a graph");
    let size = |count: usize| i64::try_from(count).expect("small");
    // 0 is written as nothing, which leaves the batch open.
    graph.input = vec![ValueInfoProto::floats("frames", &[0, size(FRAMES), size(ROW)])];
    graph.output = vec![ValueInfoProto::floats("logits", &[0, size(LABELS.len())])];
    std::fs::write(path, model.encode_to_vec()).expect("written");
}

/// What the model answers to a window of the landmarks that the server sent, 0 for a part that was not found.
fn expected(window: &[Value]) -> Vec<f64> {
    let mut logits = vec![0.0f64; LABELS.len()];
    for (frame, landmarks) in window.iter().enumerate() {
        for (value, (_, part, landmark, axis)) in LOOKED_AT.into_iter().enumerate() {
            let seen = landmarks[part][landmark][axis].as_f64().unwrap_or(0.0);
            for (label, logit) in logits.iter_mut().enumerate() {
                *logit += f64::from(weight(frame, label, value)) * seen;
            }
        }
    }
    let sum: f64 = logits.iter().map(|logit| logit.exp()).sum();
    logits.iter().map(|logit| logit.exp() / sum).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_model_on_1662_features_is_asked_about_the_landmarks_that_the_client_sees() {
    let Some(frames) = crate::pictures::person(FRAMES + 8) else { return };
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("signs.onnx");
    write_model(&path);
    let server = Server::start_with(|config| {
        config.letters.model = path.display().to_string();
        config.letters.window = u32::try_from(FRAMES).expect("small");
        config.smoothing.history = 1;
    })
    .await;
    let mut client = Client::connect_to(&server, "?extras=landmarks,top").await.expect("a session");
    client.send_letter("Thank You").await;
    client.expect_reset().await;

    let (mut landmarks, mut answers, mut tops) = (Vec::new(), 0, 0);
    for frame in &frames {
        client.send_analysed(&server, std::slice::from_ref(frame)).await;
        let is_full = landmarks.len() + 1 >= FRAMES;
        // The landmarks of every frame; once the window is full the feedback and the best labels too.
        let mut awaited = if is_full { 3 } else { 1 };
        let (mut feedback, mut top) = (None, None);
        while awaited > 0 {
            let answer = client.answer().await;
            awaited -= 1;
            if !answer["landmarks"].is_null() {
                landmarks.push(answer["landmarks"].clone());
            } else if !answer["top"].is_null() {
                top = Some(answer["top"].clone());
            } else {
                feedback = Some(answer);
            }
        }
        if !is_full {
            continue;
        }
        let probabilities = expected(&landmarks[landmarks.len() - FRAMES..]);
        let feedback = feedback.expect("feedback");
        let practised = feedback["target_arg_prob"].as_f64().expect("a number");
        assert!((practised - probabilities[1]).abs() < 1e-3, "{feedback}: {probabilities:?}");
        answers += 1;
        for entry in top.expect("the best labels").as_array().expect("a list") {
            let label = LABELS.iter().position(|label| entry[0] == *label).expect("a label of the model");
            let probability = entry[1].as_f64().expect("a number");
            assert!((probability - probabilities[label]).abs() < 1e-3, "{entry}: {probabilities:?}");
            tops += 1;
        }
    }
    assert_eq!((answers, tops), (9, 45));
    // The model must have had something to look at.
    for part in ["pose", "face", "left_hand", "right_hand"] {
        assert!(landmarks.iter().any(|seen| !seen[part].is_null()), "no {part} in any frame");
    }
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_result_of_nan_is_withheld_counted_and_never_null() {
    let Some(frames) = crate::pictures::person(4) else { return };
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("hole.onnx");
    // The first frame of every session shows the same: where its nose is, is the model's hole.
    let at = |landmarks: &Value| landmarks["pose"][0][0].as_f64().expect("a person") as f32;
    let server = Server::start().await;
    let mut client = Client::connect_to(&server, "?extras=landmarks").await.expect("a session");
    client.send_analysed(&server, &frames[..1]).await;
    let hole = at(&client.answer().await["landmarks"]);
    server.stop().await;

    write_with_hole(&path, 1, 0, hole);
    let server = Server::start_with(|config| {
        config.letters.model = path.display().to_string();
        config.letters.window = 1;
        config.letters.nothing_share = 1.0;
        config.smoothing.history = 1;
    })
    .await;
    let mut client = Client::connect_to(&server, "?extras=landmarks").await.expect("a session");
    client.send_letter("A").await;
    client.expect_reset().await;
    client.send_analysed(&server, &frames).await;
    let withheld =
        server.wait_for_metric("dactyl_unusable_results_total", |count| count >= 1.0).await as usize;
    let (mut analysed, mut results) = (0, 0);
    while analysed < frames.len() || results < frames.len() - withheld {
        let answer = client.answer().await;
        if answer["landmarks"].is_null() {
            assert_eq!(answer["target_arg_prob"].as_f64(), Some(0.5), "{answer}");
            results += 1;
        } else {
            analysed += 1;
        }
    }
    assert_eq!(client.answer_within(Duration::from_millis(200)).await, None);
    server.stop().await;
}
