//! Recordings to keypoints, through the tracker that serves.

mod decode;
mod layout;

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use anyhow::{Context, Result, bail, ensure};
use clap::Args;
use dactyl_holistic::Cancel;
use dactyl_holistic::{Networks, Options, Parts, Tracker};
use indicatif::{ProgressBar, ProgressStyle};
use rayon::prelude::*;

use crate::keypoint_file::{self, Clip};
use decode::{Picture, Pictures};
use layout::Recording;

/// Time between two pictures that do not say theirs, in microseconds: what MediaPipe's Python takes for every frame.
const STEP: i64 = 33_333;

#[derive(Args)]
pub struct Extract {
    /// Folder of recordings: LABEL/TAKE.mp4, LABEL/TAKE/FRAME.jpg or LABEL/FRAME.jpg.
    recordings: PathBuf,
    /// Folder of the data; the keypoints go to `full/SIGNER.npz` in it.
    #[arg(long)]
    data: PathBuf,
    /// Name of the person (or session) who is seen; what is left out together when a model is judged.
    #[arg(long)]
    signer: String,
    /// Folder of the tracker's networks; without it, where `dactyl models fetch` puts them.
    #[arg(long)]
    models: Option<PathBuf>,
}

/// What became of one recording.
pub struct Extracted {
    /// Its label and name.
    pub name: String,
    /// Frames, those with a hand, and those that repeat the one before.
    pub counts: [usize; 3],
}

/// Follows the person through every recording and writes `full/SIGNER.npz`.
///
/// Every finished take is kept in `takes/SIGNER/`, so that a second run goes on where the first was ended and does only
/// what is new or has changed.
///
/// # Errors
/// Recordings that are not as they should be, all of them named; missing networks; a folder that can't be written.
pub fn extract(options: &Extract, bar: &ProgressBar) -> Result<Vec<Extracted>> {
    let signer = &options.signer;
    ensure!(
        !signer.is_empty() && !signer.starts_with('.') && !signer.contains(['/', '\\']),
        "the signer {signer:?} can't name a file: use letters, digits and dashes"
    );
    let recordings = layout::recordings(&options.recordings)?;
    let models = options
        .models
        .clone()
        .unwrap_or_else(|| dactyl_config::find_or_place(&dactyl_config::process().models.directory));
    let networks = Networks::load(&models, Parts::HOLISTIC).with_context(|| {
        format!(
            "the tracker's networks are not in {}: run `dactyl models fetch`, or name their folder with --models",
            models.display()
        )
    })?;
    let takes = options.data.join("takes").join(signer);

    bar.set_length(recordings.len() as u64);
    bar.set_style(ProgressStyle::with_template("{bar:30} {pos}/{len} takes, {eta} left, {msg}")?);
    let progress = Progress { bar, frames: AtomicUsize::new(0), begin: Instant::now() };
    // Takes are independent of each other, so the result does not depend on how many run at once.
    let clips: Vec<Result<Clip>> = recordings
        .par_iter()
        .map(|recording| {
            let clip = kept_or_tracked(recording, &takes, &networks, &progress);
            bar.inc(1);
            clip
        })
        .collect();
    bar.finish();

    let mut problems = Vec::new();
    let clips: Vec<Clip> = clips
        .into_iter()
        .filter_map(|clip| clip.inspect_err(|error| problems.push(format!("{error:#}"))).ok())
        .collect();
    if !problems.is_empty() {
        bail!(
            "{} of {} takes can't be used (the others are done and will not be done again):\n  {}",
            problems.len(),
            recordings.len(),
            problems.join("\n  ")
        );
    }
    keypoint_file::write(&options.data.join("full").join(format!("{signer}.npz")), &clips)?;
    let names = recordings.iter().map(|recording| format!("{}/{}", recording.label, recording.name));
    Ok(names.zip(&clips).map(|(name, clip)| Extracted { name, counts: clip.counts() }).collect())
}

struct Progress<'a> {
    bar: &'a ProgressBar,
    frames: AtomicUsize,
    begin: Instant,
}

impl Progress<'_> {
    fn frame(&self) {
        let frames = self.frames.fetch_add(1, Ordering::Relaxed) + 1;
        let rate = frames as f64 / self.begin.elapsed().as_secs_f64();
        self.bar.set_message(format!("{frames} frames, {rate:.0} a second"));
    }
}

fn kept_or_tracked(
    recording: &Recording,
    takes: &Path,
    networks: &Networks,
    progress: &Progress<'_>,
) -> Result<Clip> {
    let kept = takes.join(&recording.label).join(format!("{}.npz", recording.name));
    // Another version may track differently.
    let source =
        format!("{} {}\n{}", env!("CARGO_PKG_NAME"), env!("CARGO_PKG_VERSION"), recording.fingerprint()?);
    // A damaged file is as good as none.
    if let Ok(Some(clip)) = keypoint_file::read_part(&kept, &recording.label, &source) {
        return Ok(clip);
    }
    let clip = track(recording, networks, progress)?;
    keypoint_file::write_part(&kept, &clip, &source)?;
    Ok(clip)
}

/// One recording through a tracker of its own.
fn track(recording: &Recording, networks: &Networks, progress: &Progress<'_>) -> Result<Clip> {
    let mut tracker = Tracker::new(networks.clone(), Options::default());
    let mut clip: Option<Clip> = None;
    let mut last: Option<Picture> = None;
    let mut time = -STEP;
    for (path, format) in &recording.files {
        let mut pictures = Pictures::open(path, *format)?;
        let mut is_empty = true;
        while let Some(picture) = pictures.read()? {
            let size = picture.size().map(|side| i32::try_from(side).unwrap_or(i32::MAX));
            let clip = clip.get_or_insert_with(|| Clip::new(&recording.label, size));
            ensure!(
                clip.size == size,
                "{} has {} x {} pixels, the pictures before it {} x {}: a take is one size; make two takes of it",
                path.display(),
                size[0],
                size[1],
                clip.size[0],
                clip.size[1]
            );
            // Only a video's pictures have a time of their own; it must not stand still.
            let own = picture.time.filter(|own| !format.is_picture() && *own > time);
            time = own.unwrap_or(time + STEP);
            let rgb = picture.rgb().with_context(|| format!("{} can't be tracked", path.display()))?;
            let frame = tracker
                .process(&rgb, time, &Cancel::new())
                .with_context(|| format!("{} can't be tracked", path.display()))?;
            let is_duplicate = match &last {
                Some(last) => picture.is_same(last),
                None => false,
            };
            clip.push(&frame.keypoints, is_duplicate);
            last = Some(picture);
            progress.frame();
            is_empty = false;
        }
        ensure!(!is_empty, "{} holds no picture: record it anew, or remove it", path.display());
    }
    clip.context("a recording has no files")
}

/// Frames and hands of every label, and the takes in which hardly any hand was found.
pub fn describe(extracted: &[Extracted]) -> String {
    let mut text = String::new();
    for Extracted { name, counts: [frames, with_hand, repeated] } in extracted {
        let warning =
            if with_hand * 2 < *frames { "  FEW HANDS: is the hand in the picture, and lit?" } else { "" };
        text += &format!(
            "{name:30} {frames:5} frames, {with_hand:5} with a hand, {repeated} repeated{warning}\n"
        );
    }
    text
}
