//! Where a frame's CPU time goes, in a process of its own.

use std::path::Path;

use anyhow::{Context, Result};
use dactyl_models::holistic::{Networks, Options, Parts, Profile, Trace, Tracker, open_network};
use dactyl_models::runtime::{Cancel, Network, has_vnni};
use gstdactyl::picture;
use serde::{Deserialize, Serialize};

use crate::analysis::{WARM_UP, cpu_time};
use crate::clip;
use crate::figures::{median, percentile};
use crate::pictures::{End, Frames};

const RUNS: usize = 200;
/// Microseconds from frame to frame, as MediaPipe's Python solution counts them.
const FRAME_TIME: i64 = 33_333;

/// CPU milliseconds of one frame's parts. Means over all frames.
#[derive(Debug, Serialize, Deserialize)]
pub struct Stages {
    /// From JPEG to RGB picture.
    pub decode_ms: f64,
    /// The whole tracker, networks included.
    pub tracker_ms: f64,
    /// The networks.
    pub networks: Vec<NetworkTime>,
}

/// What one network takes.
#[derive(Debug, Serialize, Deserialize)]
pub struct NetworkTime {
    /// Its file without the extension.
    pub name: String,
    /// Runs per frame.
    pub runs: f64,
    /// Median of a run, in milliseconds on one core.
    pub median_ms: f64,
    /// Least of the runs.
    pub least_ms: f64,
}

/// Measures decoder and tracker on the folder's frames, and each network on its own in the same process.
///
/// # Errors
/// A folder without frames, networks that are missing, a pipeline that fails.
pub fn of_folder(folder: &Path, frames: usize) -> Result<Stages> {
    let jpegs = clip::read(folder)?;
    let config = dactyl_config::process();
    let directory = dactyl_config::find(&config.models.directory, dactyl_config::Kind::Directory)?;
    let profile = config.holistic.profile.into();
    let networks = Networks::load_for(profile, &directory, Parts::from(config.holistic.parts.as_slice()))?;
    let mut tracker = Tracker::new(networks, Options { profile, ..Options::default() });
    let pipeline = Frames::start(End::Pictures)?;
    let (mut decode, mut track, mut traces) = (Vec::new(), Vec::new(), Vec::new());
    let mut pixels = Vec::new();
    for (number, jpeg) in jpegs.iter().cycle().take(WARM_UP + frames).enumerate() {
        let begin = cpu_time();
        let sample = pipeline.pass(jpeg)?;
        let caps = sample.caps().context("a picture without caps")?;
        let info = gst_video::VideoInfo::from_caps(caps)?;
        let buffer = sample.buffer().context("a sample without a buffer")?;
        let frame = picture::map(buffer, &info).context("a buffer without a picture")?;
        let picture = picture::rgb(&frame, &mut pixels).context("a picture upside down")?;
        let decoded = cpu_time();
        let analysed = tracker.process(&picture, number as i64 * FRAME_TIME, &Cancel::new())?;
        let ended = cpu_time();
        if number >= WARM_UP && analysed.world.is_some() {
            decode.push((decoded - begin).as_secs_f64() * 1e3);
            track.push((ended - decoded).as_secs_f64() * 1e3);
            traces.push(analysed.trace);
        }
    }
    let networks = (NETWORKS.iter())
        .map(|&(name, runs)| {
            let runs: usize = traces.iter().map(runs).sum();
            let integers = name == "hand_landmark" && profile == Profile::Fast && has_vnni();
            let name = if integers { "hand_landmark.int8" } else { name };
            let times = network_times(&open_network(&directory, name)?)?;
            Ok(NetworkTime {
                name: name.to_owned(),
                runs: runs as f64 / traces.len().max(1) as f64,
                median_ms: median(&times).unwrap_or_default(),
                least_ms: percentile(&times, 0.0).unwrap_or_default(),
            })
        })
        .collect::<Result<_>>()?;
    let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
    Ok(Stages { decode_ms: mean(&decode), tracker_ms: mean(&track), networks })
}

/// How often a network ran for a frame.
type Runs = fn(&Trace) -> usize;

/// The networks.
const NETWORKS: [(&str, Runs); 6] = [
    ("pose_detection", |trace| usize::from(trace.pose.detection_score.is_some())),
    ("pose_landmark", |trace| usize::from(trace.pose.presence.is_some())),
    ("hand_recrop", |trace| hands(trace, |hand| hand.recrop_points.is_some())),
    ("hand_landmark", |trace| hands(trace, |hand| hand.presence.is_some())),
    // A detector that finds nothing leaves no score, but it ran where it had a region to look at.
    ("face_detection", |trace| usize::from(trace.face.region_from_pose.is_some())),
    ("face_landmark", |trace| usize::from(trace.face.presence.is_some())),
];

fn hands(trace: &Trace, ran: fn(&dactyl_models::holistic::HandTrace) -> bool) -> usize {
    [&trace.left_hand, &trace.right_hand].into_iter().filter(|hand| ran(hand)).count()
}

/// CPU milliseconds of [`RUNS`] warm runs.
fn network_times(network: &Network) -> Result<Vec<f64>> {
    let input: Vec<Vec<f32>> = network.inputs().iter().map(|input| vec![0.5; input.values()]).collect();
    let input: Vec<&[f32]> = input.iter().map(Vec::as_slice).collect();
    let mut output: Vec<Vec<f32>> =
        network.outputs().iter().map(|output| vec![0.0; output.values()]).collect();
    let cancel = Cancel::new();
    let mut times = Vec::with_capacity(RUNS);
    for run in 0..WARM_UP + RUNS {
        let mut output: Vec<&mut [f32]> = output.iter_mut().map(Vec::as_mut_slice).collect();
        let begin = cpu_time();
        network.run(&input, &mut output, &cancel)?;
        if run >= WARM_UP {
            times.push((cpu_time() - begin).as_secs_f64() * 1e3);
        }
    }
    Ok(times)
}
