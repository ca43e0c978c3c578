//! The model hand: all 26 letters in both hands, what touches what and what covers what, and how the classifier reads them.

use std::collections::BTreeMap;
use std::sync::Arc;

use dactyl_config::Config;
use dactyl_holistic::keypoints::{Keypoints, LEFT_HAND, RIGHT_HAND};
use dactyl_letters::{Cancel, PictureSize, Recognizer};
use serde::Deserialize;
use serde_json::json;

use super::browser::{Browser, opened, run};

/// What is written of each letter: which parts touch, which are apart, what a picture shows where, and which bones it shows
/// plainly.
#[derive(Deserialize)]
struct Described {
    #[serde(default)]
    touch: Vec<[String; 2]>,
    #[serde(default)]
    apart: Vec<[String; 2]>,
    #[serde(default)]
    shows: Vec<[String; 2]>,
    #[serde(default)]
    plain: Vec<String>,
}

/// Gaps in units of wrist to middle knuckle, about 9 cm: skins that touch, and what is plainly seen to be apart.
const TOUCHING: f64 = 0.03;
const APART: f64 = 0.15;
/// Share of a bone's outline from which it is plainly seen, not a sliver between others.
const PLAIN: f64 = 0.5;
/// Share of the pixels from which two pictures are plainly different.
const DIFFERENT: f64 = 0.2;
/// Probability from which a letter counts as seen on the page.
const SEEN: f32 = 0.6;
const PICTURE: PictureSize = PictureSize { width: 640, height: 480 };

fn described() -> BTreeMap<String, Described> {
    serde_json::from_str(include_str!("hands.json")).expect("a table")
}

async fn with_helpers(browser: &Browser, body: &str) -> serde_json::Value {
    run(browser, &format!("{}\n{body}", include_str!("hands.js"))).await
}

#[tokio::test(flavor = "multi_thread")]
async fn parts_of_the_26_hands_touch_and_cover_each_other_as_described() {
    let (server, browser) = opened().await;
    let described = described();
    assert_eq!(described.keys().map(String::as_str).collect::<String>(), "ABCDEFGHIJKLMNOPQRSTUVWXYZ");
    let mut wrong = Vec::new();
    for (letter, Described { touch, apart, shows, plain }) in &described {
        let pairs = |pairs: &[[String; 2]]| json!(pairs).to_string();
        let seen = with_helpers(
            &browser,
            &format!(
                "const gaps = (pairs) => pairs.map(([a, b]) => gapOf('{letter}', a, b));
                 const parts = (isLeft) => {}.map(([site]) => partAt('{letter}', site, isLeft));
                 const shares = (isLeft) => {}.map((site) => shareSeen('{letter}', site, isLeft));
                 return {{ touch: gaps({}), apart: gaps({}), right: parts(false), left: parts(true),
                     shares: {{ right: shares(false), left: shares(true) }}, overlaps: overlaps('{letter}') }};",
                pairs(shows),
                json!(plain),
                pairs(touch),
                pairs(apart)
            ),
        )
        .await;
        let gap = |name: &str, index: usize| seen[name][index].as_f64();
        for (index, [a, b]) in touch.iter().enumerate() {
            if gap("touch", index).is_none_or(|gap| gap.abs() > TOUCHING) {
                wrong.push(format!("{letter}: {a} does not touch {b}: {:?}", gap("touch", index)));
            }
        }
        for (index, [a, b]) in apart.iter().enumerate() {
            if gap("apart", index).is_none_or(|gap| gap < APART) {
                wrong.push(format!("{letter}: {a} is too near to {b}: {:?}", gap("apart", index)));
            }
        }
        for (index, [site, part]) in shows.iter().enumerate() {
            for side in ["right", "left"] {
                if seen[side][index] != *part {
                    wrong.push(format!("{letter}, {side} hand, {site}: {} covers {part}", seen[side][index]));
                }
            }
        }
        for (index, site) in plain.iter().enumerate() {
            for side in ["right", "left"] {
                let share = seen["shares"][side][index].as_f64();
                if share.is_none_or(|share| share < PLAIN) {
                    wrong.push(format!("{letter}, {side} hand, {site}: hidden but for {share:?}"));
                }
            }
        }
        if seen["overlaps"] != json!([]) {
            wrong.push(format!("{letter}: {}", seen["overlaps"]));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_two_letters_have_nearly_the_same_still() {
    let (server, browser) = opened().await;
    let alike = with_helpers(
        &browser,
        &format!(
            "const letters = [...'ABCDEFGHIJKLMNOPQRSTUVWXYZ'];
             const stills = letters.map(stillOf);
             return letters.flatMap((a, i) => letters.slice(i + 1).flatMap((b, j) => {{
                 const share = difference(stills[i], stills[i + 1 + j]);
                 return share > {DIFFERENT} ? [] : [`${{a}} and ${{b}}: ${{share}}`];
             }}));"
        ),
    )
    .await;
    assert_eq!(alike, json!([]));
    server.stop().await;
}

/// A frame with one hand whose landmarks are in units of the model hand.
fn frame(points: &[[f32; 3]], is_left: bool) -> Keypoints {
    let mut keypoints = Keypoints::absent();
    let part = if is_left { LEFT_HAND } else { RIGHT_HAND };
    for (landmark, [x, y, z]) in keypoints.part_mut(part).iter_mut().zip(points) {
        let x = if is_left { -x } else { *x };
        *landmark = [(320.0 + 80.0 * x) / 640.0, (240.0 + 80.0 * y) / 480.0, *z, 1.0];
    }
    keypoints
}

#[tokio::test(flavor = "multi_thread")]
async fn each_model_hand_is_read_as_its_letter() {
    let (server, browser) = opened().await;
    let all = with_helpers(
        &browser,
        "return Object.fromEntries([...'ABCDEFGHIJKLMNOPQRSTUVWXYZ'].map((letter) => [letter, landmarks(letter)]));",
    )
    .await;
    server.stop().await;
    let all: BTreeMap<String, Vec<Vec<[f32; 3]>>> = serde_json::from_value(all).expect("26 letters");
    let classifier = gstdactyl::models::classifier(&Config::builtin().letters)
        .expect("loads: run make test for ONNX Runtime");
    let cancel = Cancel::new();
    let mut wrong = Vec::new();
    for (letter, moments) in &all {
        for is_left in [false, true] {
            let mut recognizer = Recognizer::new(Arc::clone(&classifier), 0.5);
            recognizer.set_other_weight(Config::builtin().letters.other_weight);
            let window = classifier.window();
            // A held letter fills the window; a movement runs through it once.
            let frames = moments.iter().cycle().take(moments.len().max(window));
            let mut last = None;
            for points in frames {
                assert_eq!(points.len(), 21);
                last = recognizer.push(&frame(points, is_left), PICTURE, &cancel).expect("an answer");
            }
            let probabilities = last.expect("the window is full");
            let (best, probability) = probabilities
                .iter()
                .enumerate()
                .max_by(|a, b| a.1.total_cmp(b.1))
                .map(|(index, value)| (classifier.labels()[index].clone(), *value))
                .expect("26 letters");
            if best != *letter || probability < SEEN {
                wrong.push(format!("{letter}, left: {is_left}: read as {best}, {probability:.2}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}
