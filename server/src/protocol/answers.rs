use std::collections::BTreeMap;
use std::ops::Range;
use std::time::Duration;

use dactyl_holistic::keypoints::{self, Keypoints, Landmark};
use serde::Serialize;
use serde_json::{Value, json};

/// Where the time of one frame went.
#[derive(Debug, Clone, PartialEq)]
pub struct Timings {
    /// The stages and their times; those of one name, from two elements of one kind, are added up.
    pub stages: Vec<(&'static str, Duration)>,
    /// From the frame's arrival to its answer.
    pub age: Duration,
}

/// A payload of the throttle, which is an object in JSON, with what the client asked for as further keys behind its own.
///
/// The payload is not read: a pipeline whose throttle gives another format is refused when it is built. `None` of what
/// does not even look like an object with keys.
pub fn feedback(payload: &str, frame: Option<u64>, timings: Option<&Timings>) -> Option<String> {
    let own_keys = payload.trim_end().strip_prefix("{\"")?.strip_suffix('}')?;
    let frame = frame.map(|frame| format!(r#","frame":{frame}"#)).unwrap_or_default();
    let timings = timings.map(|timings| format!(r#","timings":{}"#, timings.to_json())).unwrap_or_default();
    Some(format!("{{\"{own_keys}{frame}{timings}}}"))
}

impl Timings {
    fn to_json(&self) -> Value {
        let mut stages: BTreeMap<&str, Duration> = BTreeMap::new();
        for (stage, time) in &self.stages {
            *stages.entry(stage).or_default() += *time;
        }
        stages.insert("age", self.age);
        stages.into_iter().map(|(stage, time)| (stage.to_owned(), rounded_ms(time))).collect()
    }
}

fn rounded_ms(time: Duration) -> Value {
    ((time.as_secs_f64() * 1e5).round() / 100.0).into()
}

/// The payload of a reset, for those resets that were overtaken by a later one.
pub const RESET_PAYLOAD: &str = r#"{"maxarg_letter":"","target_arg_prob":0.0}"#;

/// The message of `?extras=status`; `hand_only` says whether the newest frame shows a hand without a body.
pub fn status(status: &str, hand_only: bool) -> String {
    json!({ "status": status, "hand_only": hand_only }).to_string()
}

/// The message of `?extras=top`: the best letters, best first.
pub fn top(letters: &[(String, f64)]) -> String {
    let pairs: Vec<Value> =
        letters.iter().map(|(letter, probability)| json!([letter, probability])).collect();
    json!({ "top": pairs }).to_string()
}

/// What became of a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It was analysed.
    Analysed,
    /// A newer one took its place while it waited.
    Dropped,
    /// A new letter, or the end of the session, overtook it.
    Cancelled,
    /// It was bad; an error says why.
    Refused,
}

impl Outcome {
    /// Every outcome.
    pub const ALL: [Self; 4] = [Self::Analysed, Self::Dropped, Self::Cancelled, Self::Refused];

    /// The word that stands in the message.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Analysed => "analysed",
            Self::Dropped => "dropped",
            Self::Cancelled => "cancelled",
            Self::Refused => "refused",
        }
    }
}

/// The message of `?extras=ended`: numbers of frames and what became of them.
pub fn ended(frames: &[(u64, Outcome)]) -> String {
    let pairs: Vec<Value> = frames.iter().map(|(frame, outcome)| json!([frame, outcome.as_str()])).collect();
    json!({ "ended": pairs }).to_string()
}

/// The message of `?extras=rate`: frames a second, rounded to a tenth.
pub fn rate(per_second: f64) -> String {
    json!({ "rate": (per_second * 10.0).round() / 10.0 }).to_string()
}

/// The message of `?extras=landmarks`: the number of the frame, and per part its landmarks, or null for a part that was not
/// found or holds infinities. Every number has the digits that tell it from its neighbours: read as float32 it is the one
/// that was analysed, to the bit.
pub fn landmarks(frame: u64, keypoints: &Keypoints) -> String {
    let part = |range: Range<usize>| {
        let landmarks = keypoints.part(range);
        landmarks.as_flattened().iter().all(|value| value.is_finite()).then_some(landmarks)
    };
    let parts = Parts {
        face: part(keypoints::FACE),
        frame,
        left_hand: part(keypoints::LEFT_HAND),
        pose: part(keypoints::POSE),
        right_hand: part(keypoints::RIGHT_HAND),
    };
    #[expect(clippy::expect_used, reason = "numbers and lists of numbers always have a form in JSON")]
    let parts = serde_json::to_string(&parts).expect("JSON");
    format!(r#"{{"landmarks":{parts}}}"#)
}

/// Written straight into text: on the way over [`Value`] a float32 would get the digits of a float64.
#[derive(Serialize)]
struct Parts<'a> {
    face: Option<&'a [Landmark]>,
    frame: u64,
    left_hand: Option<&'a [Landmark]>,
    pose: Option<&'a [Landmark]>,
    right_hand: Option<&'a [Landmark]>,
}
