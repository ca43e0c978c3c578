//! Where a frame's CPU time goes, in a process of its own.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result};
use dactyl_holistic::{Cancel, Networks, Options, Tracker};
use gstdactyl::{models, picture};
use serde::{Deserialize, Serialize};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id};
use tracing_subscriber::layer::{Context as Spans, Layer, SubscriberExt};
use tracing_subscriber::registry::{LookupSpan, Registry};

use crate::analysis::{WARM_UP, cpu_time};
use crate::clip;
use crate::pictures::{End, Frames};

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

/// What one network takes in these frames.
#[derive(Debug, Serialize, Deserialize)]
pub struct NetworkTime {
    /// Its file without the extension.
    pub name: String,
    /// Runs per frame.
    pub runs: f64,
    /// Mean of a run, in milliseconds.
    pub mean_ms: f64,
    /// Least of the runs.
    pub least_ms: f64,
}

/// Measures decoder, tracker and, within the tracker, each network's runs on the folder's frames.
///
/// # Errors
/// A folder without frames, networks that are missing, a pipeline that fails.
pub fn of_folder(folder: &Path, frames: usize) -> Result<Stages> {
    let jpegs = clip::read(folder)?;
    let config = dactyl_config::process();
    let directory = dactyl_config::find(&config.models.directory, dactyl_config::Kind::Directory)?;
    let profile = models::profile(config.holistic.profile);
    let networks = Networks::load(&directory, models::parts(&config.holistic))?;
    let mut tracker = Tracker::new(networks, Options { profile, ..Options::default() });
    let pipeline = Frames::start(End::Pictures)?;
    let runs = Runs::default();
    let (mut decode, mut track, mut counted) = (Vec::new(), Vec::new(), Vec::new());
    let mut pixels = Vec::new();
    // Frames pass one at a time, so that nothing runs beside the tracker.
    tracing::subscriber::with_default(Registry::default().with(runs.clone()), || {
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
            let runs = runs.take();
            if number >= WARM_UP && analysed.world.is_some() {
                decode.push((decoded - begin).as_secs_f64() * 1e3);
                track.push((ended - decoded).as_secs_f64() * 1e3);
                counted.extend(runs);
            }
        }
        anyhow::Ok(())
    })?;
    let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
    Ok(Stages {
        decode_ms: mean(&decode),
        tracker_ms: mean(&track),
        networks: network_times(&counted, track.len()),
    })
}

/// What each network took in so many frames, those that ran first in front.
fn network_times(runs: &[Run], frames: usize) -> Vec<NetworkTime> {
    let mut networks: Vec<NetworkTime> = Vec::new();
    for Run { name, .. } in runs {
        if networks.iter().any(|network| network.name == *name) {
            continue;
        }
        let times = runs.iter().filter(|run| run.name == *name).map(|run| run.time.as_secs_f64() * 1e3);
        let count = times.clone().count() as f64;
        networks.push(NetworkTime {
            name: name.clone(),
            runs: count / frames as f64,
            mean_ms: times.clone().sum::<f64>() / count,
            least_ms: times.fold(f64::INFINITY, f64::min),
        });
    }
    networks
}

/// One run of a network.
#[derive(Debug)]
struct Run {
    /// Its file without the extension.
    name: String,
    /// CPU time.
    time: Duration,
}

/// Records the runs of networks by the spans that last as long.
#[derive(Debug, Clone, Default)]
struct Runs(Arc<Mutex<Vec<Run>>>);

impl Runs {
    /// The runs that have ended since the last call.
    fn take(&self) -> Vec<Run> {
        std::mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// A run that has not ended.
struct Open {
    name: String,
    begin: Duration,
}

impl<S: tracing::Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Runs {
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, spans: Spans<'_, S>) {
        let mut name = NetworkName(None);
        attributes.record(&mut name);
        if let (Some(name), Some(span)) = (name.0, spans.span(id)) {
            span.extensions_mut().insert(Open { name, begin: cpu_time() });
        }
    }

    fn on_close(&self, id: Id, spans: Spans<'_, S>) {
        let end = cpu_time();
        if let Some(Open { name, begin }) = spans.span(&id).and_then(|span| span.extensions_mut().remove()) {
            let run = Run { name, time: end - begin };
            self.0.lock().unwrap_or_else(PoisonError::into_inner).push(run);
        }
    }
}

/// Takes the name of a span's network, without folder and extension.
struct NetworkName(Option<String>);

impl Visit for NetworkName {
    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() == "name" {
            self.0 = Path::new(value).file_stem().map(|name| name.to_string_lossy().into_owned());
        }
    }

    fn record_debug(&mut self, _: &Field, _: &dyn std::fmt::Debug) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_are_counted_by_their_spans() {
        let runs = Runs::default();
        tracing::subscriber::with_default(Registry::default().with(runs.clone()), || {
            for name in ["models/pose.tflite", "models/hand.v2.tflite", "models/hand.v2.tflite"] {
                let _span = tracing::trace_span!("network", name).entered();
                let begin = cpu_time();
                while cpu_time() - begin < Duration::from_millis(2) {}
            }
            tracing::trace_span!("another").in_scope(|| ());
        });
        let [pose, hand] = network_times(&runs.take(), 2).try_into().unwrap();
        assert_eq!((pose.name.as_str(), pose.runs), ("pose", 0.5));
        assert_eq!((hand.name.as_str(), hand.runs), ("hand.v2", 1.0));
        assert!(hand.least_ms >= 2.0 && hand.mean_ms >= hand.least_ms, "{hand:?}");
        assert!(runs.take().is_empty());
    }
}
