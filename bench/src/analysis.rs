//! CPU time of the analysis alone, in a process of its own: ours here, the rival's in `mediapipe_frames.py`.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use dactyl_holistic::keypoints::{self, Keypoints};
use rustix::time::{ClockId, clock_gettime};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::clip;
use crate::pictures::{End, Frames};

/// Frames before the first that counts: networks and caches are warm then, and the person is followed.
pub const WARM_UP: usize = 32;

/// What the analysis of one frame took and gave.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Analysed {
    /// CPU time of the process, all threads together, in milliseconds.
    pub cpu_ms: f64,
    /// Whether a person was found.
    pub pose: bool,
    /// Whether a face was found.
    pub face: bool,
    /// Whether the person's left hand was found.
    pub left_hand: bool,
    /// Whether the person's right hand was found.
    pub right_hand: bool,
}

/// Frames per CPU-second and what was found in them.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Summary {
    /// Frames with a person per second of CPU time spent on them.
    pub frames_per_cpu_second: f64,
    /// Frames with a person.
    pub pose: usize,
    /// Frames with a face.
    pub face: usize,
    /// Frames with the left hand.
    pub left_hand: usize,
    /// Frames with the right hand.
    pub right_hand: usize,
}

impl Summary {
    /// Frames without a person don't count: there is nothing to do in them. `None` if no frame has one.
    pub fn of(frames: &[Analysed]) -> Option<Self> {
        let with_person: Vec<&Analysed> = frames.iter().filter(|frame| frame.pose).collect();
        let seconds: f64 = with_person.iter().map(|frame| frame.cpu_ms / 1e3).sum();
        let count = |found: fn(&Analysed) -> bool| with_person.iter().filter(|frame| found(frame)).count();
        (seconds > 0.0).then(|| Self {
            frames_per_cpu_second: with_person.len() as f64 / seconds,
            pose: with_person.len(),
            face: count(|frame| frame.face),
            left_hand: count(|frame| frame.left_hand),
            right_hand: count(|frame| frame.right_hand),
        })
    }
}

/// CPU time of this process so far.
pub fn cpu_time() -> Duration {
    // The clock of a process never reads less than zero.
    Duration::try_from(clock_gettime(ClockId::ProcessCPUTime)).unwrap_or_default()
}

/// Analyses [`WARM_UP`] frames of the folder and then `frames` more, one after the other, beginning anew at its end.
/// No CPU time is lost between two frames: what a frame leaves to be done counts for the next.
///
/// # Errors
/// A folder without frames or a pipeline that fails.
pub fn of_folder(folder: &Path, frames: usize) -> Result<Vec<Analysed>> {
    let jpegs = clip::read(folder)?;
    let pipeline = Frames::start(End::Keypoints)?;
    let mut analysed = Vec::with_capacity(frames);
    let mut begin = cpu_time();
    for (number, jpeg) in jpegs.iter().cycle().take(WARM_UP + frames).enumerate() {
        let sample = pipeline.pass(jpeg)?;
        let bytes = sample.buffer().context("a sample without a buffer")?.map_readable()?;
        let found = Keypoints::from_le_bytes(&bytes).context("keypoints of another size")?;
        let end = cpu_time();
        if number >= WARM_UP {
            analysed.push(Analysed {
                cpu_ms: (end - begin).as_secs_f64() * 1e3,
                pose: found.is_present(keypoints::POSE),
                face: found.is_present(keypoints::FACE),
                left_hand: found.is_present(keypoints::LEFT_HAND),
                right_hand: found.is_present(keypoints::RIGHT_HAND),
            });
        }
        begin = end;
    }
    Ok(analysed)
}

/// Runs a program that prints one JSON line, and reads it.
///
/// # Errors
/// A program that does not start, fails (what it said last is in the message) or prints something else.
pub fn ask<Answer: DeserializeOwned>(command: &mut Command) -> Result<Answer> {
    let program = command.get_program().to_string_lossy().into_owned();
    let output = command
        .stdin(Stdio::null())
        .output()
        .with_context(|| format!("{program} does not start; is the path right?"))?;
    if !output.status.success() {
        bail!("{program} failed ({}):\n{}", output.status, last_lines(&output.stderr));
    }
    serde_json::from_slice(&output.stdout)
        .with_context(|| format!("{program} printed something else than its result"))
}

/// The end of what a program said, which names the cause.
pub fn last_lines(text: &[u8]) -> String {
    let text = String::from_utf8_lossy(text);
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(8)..].join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_without_a_person_do_not_count() {
        let empty = Analysed { cpu_ms: 2.0, pose: false, face: false, left_hand: false, right_hand: false };
        let person = Analysed { cpu_ms: 20.0, pose: true, face: true, ..empty };
        let hand = Analysed { cpu_ms: 30.0, right_hand: true, ..person };
        let summary = Summary::of(&[empty, person, empty, hand]).unwrap();
        assert_eq!(
            summary,
            Summary { frames_per_cpu_second: 40.0, pose: 2, face: 2, left_hand: 0, right_hand: 1 }
        );
        assert_eq!(Summary::of(&[empty]), None);
    }

    #[test]
    fn a_program_that_fails_is_quoted() {
        let error =
            ask::<Vec<u8>>(Command::new("sh").args(["-c", "echo no such module >&2; exit 3"])).unwrap_err();
        assert!(error.to_string().contains("no such module"), "{error}");
        let error = ask::<Vec<u8>>(Command::new("sh").args(["-c", "echo hello"])).unwrap_err();
        assert!(error.to_string().contains("something else"), "{error}");
        assert_eq!(ask::<Vec<u8>>(Command::new("echo").arg("[1, 2]")).unwrap(), [1, 2]);
    }
}
