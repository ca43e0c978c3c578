use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Map, Value, json};

/// Where the time of one frame went.
#[derive(Debug, Clone, PartialEq)]
pub struct Timings {
    /// The stages and their times; those of one name, from two elements of one kind, are added up.
    pub stages: Vec<(&'static str, Duration)>,
    /// From the frame's arrival to its answer.
    pub age: Duration,
}

/// A payload of the throttle with what the client asked for on top. `None` if the payload is not an object in JSON:
/// then the pipeline is not one for this protocol.
pub fn feedback(payload: &str, frame: Option<u64>, timings: Option<&Timings>) -> Option<String> {
    let mut feedback: Map<String, Value> = serde_json::from_str(payload).ok()?;
    if frame.is_none() && timings.is_none() {
        return Some(payload.to_owned());
    }
    if let Some(frame) = frame {
        feedback.insert("frame".to_owned(), frame.into());
    }
    if let Some(timings) = timings {
        let mut stages: BTreeMap<&str, Duration> = BTreeMap::new();
        for (stage, time) in &timings.stages {
            *stages.entry(stage).or_default() += *time;
        }
        stages.insert("age", timings.age);
        let milliseconds = stages.into_iter().map(|(stage, time)| (stage.to_owned(), rounded_ms(time)));
        feedback.insert("timings".to_owned(), Value::Object(milliseconds.collect()));
    }
    Some(Value::Object(feedback).to_string())
}

fn rounded_ms(time: Duration) -> Value {
    ((time.as_secs_f64() * 1e5).round() / 100.0).into()
}

/// The payload of a reset, for those resets that were overtaken by a later one.
pub const RESET_PAYLOAD: &str = r#"{"maxarg_letter":"","target_arg_prob":0.0}"#;

/// The message of `?extras=status`.
pub fn status(status: &str) -> String {
    json!({ "status": status }).to_string()
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

/// The message of `?extras=landmarks`: the number of the frame, and per part its landmarks or null.
pub fn landmarks(parts: &Value) -> String {
    json!({ "landmarks": parts }).to_string()
}
