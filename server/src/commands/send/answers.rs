//! What the server said, as lines and as a summary.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use serde::Deserialize;

/// One message of the server. Keys that the client asked for with `extras` are kept as they are.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Message {
    Feedback {
        maxarg_letter: String,
        target_arg_prob: f64,
        #[serde(flatten)]
        extras: serde_json::Map<String, serde_json::Value>,
    },
    Error {
        error: Problem,
    },
}

#[derive(Debug, Deserialize)]
struct Problem {
    code: String,
    message: String,
}

/// A line to print.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Line {
    /// For standard output.
    Answer(String),
    /// For standard error.
    Problem(String),
}

/// Counts the answers of one run.
#[derive(Debug)]
pub(super) struct Answers {
    /// The next empty answer is the one that a reset gives at once, not a result of frames.
    awaits_reset: bool,
    letters: BTreeMap<String, u64>,
    probabilities: f64,
    count: u64,
    errors: u64,
}

impl Answers {
    /// `resets` = a letter is sent before the first frame.
    pub(super) fn new(resets: bool) -> Self {
        Self { awaits_reset: resets, letters: BTreeMap::new(), probabilities: 0.0, count: 0, errors: 0 }
    }

    /// Counts a text message that came at `time` and gives its line.
    pub(super) fn take(&mut self, text: &str, time: Duration) -> Line {
        match serde_json::from_str(text) {
            Ok(Message::Feedback { maxarg_letter, target_arg_prob, extras }) => {
                let letter = if maxarg_letter.is_empty() { "-" } else { &maxarg_letter };
                let mut line = format!("{:9.3} {letter} {target_arg_prob:.3}", time.as_secs_f64());
                if !extras.is_empty() {
                    // Writing into a String can't fail.
                    let _ = write!(line, " {}", serde_json::Value::Object(extras));
                }
                let is_reset = self.awaits_reset && maxarg_letter.is_empty() && target_arg_prob == 0.0;
                self.awaits_reset = false;
                if !is_reset {
                    *self.letters.entry(letter.to_owned()).or_default() += 1;
                    self.probabilities += target_arg_prob;
                    self.count += 1;
                }
                Line::Answer(line)
            }
            Ok(Message::Error { error }) => {
                self.errors += 1;
                Line::Problem(format!("{:9.3} {}: {}", time.as_secs_f64(), error.code, error.message))
            }
            // Such as a status that was asked for with extras.
            Err(_) => Line::Answer(format!("{:9.3} {text}", time.as_secs_f64())),
        }
    }

    /// The lines that end the output.
    pub(super) fn summary(&self, frames: u64, time: Duration) -> String {
        let seconds = time.as_secs_f64();
        let mut text = format!("frames sent: {frames} in {seconds:.1} s\nanswers: {}", self.count);
        if self.errors > 0 {
            let _ = write!(text, "\nerrors: {}", self.errors);
        }
        // Of letters equally frequent the first of the alphabet.
        if let Some((letter, times)) =
            self.letters.iter().rev().max_by_key(|(_, times)| **times).filter(|_| self.count > 0)
        {
            let share = 100.0 * *times as f64 / self.count as f64;
            let mean = self.probabilities / self.count as f64;
            let _ = write!(text, "\nmost frequent: {letter} ({share:.0} %)\nmean target_arg_prob: {mean:.3}");
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn feedback(letter: &str, probability: f64) -> String {
        format!(r#"{{"maxarg_letter": "{letter}", "target_arg_prob": {probability:?}}}"#)
    }

    #[test]
    fn the_answer_to_a_reset_is_shown_and_not_counted() {
        let mut answers = Answers::new(true);
        let line = answers.take(&feedback("", 0.0), Duration::from_millis(2));
        assert_eq!(line, Line::Answer("    0.002 - 0.000".to_owned()));
        answers.take(&feedback("B", 0.25), Duration::from_millis(2100));
        answers.take(&feedback("A", 0.75), Duration::from_millis(2200));
        answers.take(&feedback("A", 0.5), Duration::from_millis(2300));
        assert_eq!(
            answers.summary(60, Duration::from_secs(4)),
            "frames sent: 60 in 4.0 s\nanswers: 3\nmost frequent: A (67 %)\nmean target_arg_prob: 0.500"
        );
    }

    #[test]
    fn nothing_counts_as_an_answer_when_it_comes_from_frames() {
        let mut answers = Answers::new(true);
        answers.take(&feedback("", 0.0), Duration::ZERO);
        answers.take(&feedback("", 0.0), Duration::ZERO);
        assert!(answers.summary(1, Duration::ZERO).contains("answers: 1\nmost frequent: - (100 %)"));
    }

    #[test]
    fn an_error_is_a_problem_and_no_answer() {
        let mut answers = Answers::new(false);
        let line = answers.take(r#"{"error": {"code": "bad_jpeg", "message": "no EOI"}}"#, Duration::ZERO);
        assert_eq!(line, Line::Problem("    0.000 bad_jpeg: no EOI".to_owned()));
        assert_eq!(answers.summary(1, Duration::ZERO), "frames sent: 1 in 0.0 s\nanswers: 0\nerrors: 1");
    }

    #[test]
    fn what_extras_add_is_shown() {
        let mut answers = Answers::new(false);
        let text = r#"{"maxarg_letter": "A", "target_arg_prob": 0.5, "frame": 7}"#;
        assert_eq!(
            answers.take(text, Duration::ZERO),
            Line::Answer("    0.000 A 0.500 {\"frame\":7}".to_owned())
        );
        let status = r#"{"status": "warming 12/32"}"#;
        assert_eq!(answers.take(status, Duration::ZERO), Line::Answer(format!("    0.000 {status}")));
    }
}
