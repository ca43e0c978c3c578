//! Frames per CPU-second: JPEG to landmarks, nothing else, in a process of its own.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};

use super::bench::Bench;
use crate::analysis::{self, Analysed, Summary};
use crate::clip::Clip;
use crate::contender::Contender;
use crate::table::{Comparison, Markdown};

/// Without the face; the rival can't leave it out.
const WITHOUT_FACE: (&str, &str) = ("holistic.parts", r#"["pose", "hands"]"#);
/// As under load, when no slot is idle and helps with a frame.
const ALONE: (&str, &str) = ("inference.slots", "1");

pub(super) fn run(bench: &Bench) -> Result<String> {
    let contenders = bench.analysers();
    let frames = bench.either(20, 400);
    let mut speeds = Comparison::new(&contenders);
    let mut found = Vec::new();
    for clip in &bench.clips {
        let all_parts = format!("{}, all parts", clip.name);
        let without_face = format!("{}, `parts = [\"pose\", \"hands\"]`", clip.name);
        let helped = format!("{}, all parts, an idle slot helps", clip.name);
        let mut of_clip: Vec<Vec<String>> = Vec::new();
        bench.rounds(&contenders, |contender| {
            let all = measure(bench, contender, clip, frames, &[ALONE])?;
            let (less, more) = match contender {
                Contender::Rival => (all, all),
                Contender::Ours { .. } => (
                    measure(bench, contender, clip, frames, &[ALONE, WITHOUT_FACE])?,
                    measure(bench, contender, clip, frames, &[])?,
                ),
            };
            speeds.enter(&all_parts, 1, contender, all.frames_per_cpu_second);
            speeds.enter(&without_face, 1, contender, less.frames_per_cpu_second);
            speeds.enter(&helped, 1, contender, more.frames_per_cpu_second);
            let row = row(clip, contender, &all);
            if !of_clip.contains(&row) {
                of_clip.push(row);
            }
            Ok(format!(
                "{}: {:.1} and {:.1} frames per CPU-second",
                clip.name, all.frames_per_cpu_second, less.frames_per_cpu_second
            ))
        })?;
        found.append(&mut of_clip);
    }
    let head = ["clip", "by", "person", "face", "left hand", "right hand"].map(str::to_owned);
    Ok(format!(
        "{speeds}\nFrames in which each part was found:\n\n{}",
        Markdown { head: &head, rows: &found }
    ))
}

fn row(clip: &Clip, contender: &Contender, found: &Summary) -> Vec<String> {
    let counts = [found.pose, found.face, found.left_hand, found.right_hand];
    let mut row = vec![clip.name.clone(), contender.to_string()];
    row.extend(counts.iter().map(ToString::to_string));
    row
}

fn measure(
    bench: &Bench,
    contender: &Contender,
    clip: &Clip,
    frames: usize,
    settings: &[(&str, &str)],
) -> Result<Summary> {
    let mut command = match contender {
        Contender::Rival => {
            let python = bench.python.as_ref().context("no --rival-python was given")?;
            let mut command = Command::new(python);
            command.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("mediapipe_frames.py"));
            command.arg(&clip.folder).arg(frames.to_string());
            command
        }
        Contender::Ours { settings: profile, .. } => {
            let mut command = child("analyse", clip, frames, profile)?;
            command.args(settings.iter().map(|(key, value)| format!("--set={key}={value}")));
            command
        }
    };
    let analysed: Vec<Analysed> = analysis::ask(&mut command)?;
    Summary::of(&analysed)
        .with_context(|| format!("{contender} saw nobody in the clip {}; give one with a person", clip.name))
}

/// This program as a child. Its filters run in the time that MediaPipe's Python solution gives its frames.
pub(super) fn child(
    work: &str,
    clip: &Clip,
    frames: usize,
    settings: &[(String, String)],
) -> Result<Command> {
    let mut command = Command::new(std::env::current_exe()?);
    command.arg(work).arg(&clip.folder).arg(frames.to_string()).arg("--set=holistic.clock=fixed");
    command.args(settings.iter().map(|(key, value)| format!("--set={key}={value}")));
    Ok(command)
}
