use std::collections::BTreeMap;
use std::time::Duration;

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
