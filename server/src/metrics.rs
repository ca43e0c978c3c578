//! Everything that can be measured from outside, in Prometheus' text form.
//!
//! Each server has a recorder of its own, so that several can run in one process (as in tests). Frames are counted in
//! one place under one lock and written out together, so that every reading satisfies
//! `received = analysed + dropped + cancelled + in flight`.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use metrics::{Counter, Gauge, Histogram, Key, Label, Level, Metadata, Recorder};
use metrics_exporter_prometheus::{BuildError, PrometheusBuilder, PrometheusHandle};

use crate::denial::Denial;
use crate::load::{Figures, Load};
use crate::log_output;
use crate::protocol::ErrorCode;

/// Stages of a frame whose time is measured, in their order. A stage of another name counts as `other`.
pub const STAGES: [&str; 7] = [
    "queue",
    "decode",
    "inference-slot",
    "holistic-keypoints",
    "lstm-classifier",
    "temporal-smoother",
    "other",
];

/// Upper bounds of the histograms in seconds: 0.25 ms times powers of two, up to 8.2 s.
fn buckets() -> [f64; 16] {
    let mut doublings = 0;
    std::array::from_fn(|_| {
        let bound = 0.000_25 * f64::from(1 << doublings);
        doublings += 1;
        bound
    })
}

/// What became of the frames of all sessions.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Frames {
    /// Accepted into a pipeline.
    pub received: u64,
    /// Keypoints were computed and classified.
    pub analysed: u64,
    /// Replaced by a newer one while waiting.
    pub busy: u64,
    /// Gave no picture.
    pub decode: u64,
    /// Overtaken by a reset or by the end of the session.
    pub cancelled: u64,
}

impl Frames {
    /// Frames that have not ended.
    pub const fn in_flight(&self) -> u64 {
        self.received - self.analysed - self.busy - self.decode - self.cancelled
    }
}

struct FrameCounters {
    received: Counter,
    analysed: Counter,
    busy: Counter,
    decode: Counter,
    cancelled: Counter,
    in_flight: Gauge,
}

/// The metrics of one server.
pub struct Metrics {
    handle: PrometheusHandle,
    frames: Mutex<Frames>,
    frame_counters: FrameCounters,
    /// Open connections, sessions included.
    pub connections: Gauge,
    /// Open sessions.
    pub sessions: Gauge,
    /// Payloads sent, those of resets included.
    pub feedback_sent: Counter,
    /// Results that were not worth a payload.
    pub feedback_throttled: Counter,
    /// Results withheld because a classifier gave NaN or infinities.
    pub unusable_results: Counter,
    /// New letters.
    pub resets: Counter,
    /// From a frame's arrival to its payload on the wire.
    pub frame_age: Histogram,
    /// From a new letter's arrival to its 0 % payload on the wire.
    pub reset_time: Histogram,
    /// From a flush to the end of the run that it found in flight.
    pub cancel_time: Histogram,
    /// 1 if the last reload failed.
    last_reload_failed: Gauge,
    /// 1 while the server drains.
    pub draining: Gauge,
    /// What frames take.
    pub load: Load,
    capacity: Gauge,
    load_ratio: Gauge,
    sessions_free: Gauge,
    bad_messages: [Counter; ErrorCode::ALL.len()],
    denials: [Counter; Denial::ALL.len()],
    reloads: [Counter; 2],
    log_lines_lost: Counter,
    stages: BTreeMap<&'static str, Histogram>,
}

impl Metrics {
    /// Registers every metric, at zero.
    ///
    /// # Errors
    ///
    /// Never in practice: only an empty list of buckets is refused.
    pub fn new() -> Result<Self, BuildError> {
        let recorder = PrometheusBuilder::new().set_buckets(&buckets())?.build_recorder();
        let metadata = Metadata::new(module_path!(), Level::INFO, Some(module_path!()));
        let counter = |name: &'static str, labels: Vec<Label>, description: &'static str| {
            recorder.describe_counter(name.into(), None, description.into());
            let counter = recorder.register_counter(&Key::from_parts(name, labels), &metadata);
            counter.absolute(0);
            counter
        };
        let gauge = |name: &'static str, description: &'static str| {
            recorder.describe_gauge(name.into(), None, description.into());
            let gauge = recorder.register_gauge(&Key::from_name(name), &metadata);
            gauge.set(0.0);
            gauge
        };
        let histogram = |name: &'static str, labels: Vec<Label>, description: &'static str| {
            recorder.describe_histogram(name.into(), None, description.into());
            recorder.register_histogram(&Key::from_parts(name, labels), &metadata)
        };
        let dropped = |reason: &'static str| {
            let labels = vec![Label::from_static_parts("reason", reason)];
            counter(
                "dactyl_frames_dropped_total",
                labels,
                "Frames that ended without being analysed, by reason",
            )
        };
        let frame_counters = FrameCounters {
            received: counter("dactyl_frames_received_total", vec![], "Frames accepted into a pipeline"),
            analysed: counter(
                "dactyl_frames_analysed_total",
                vec![],
                "Frames whose keypoints were classified",
            ),
            busy: dropped("busy"),
            decode: dropped("decode"),
            cancelled: counter(
                "dactyl_frames_cancelled_total",
                vec![],
                "Frames overtaken by a reset or by the end of their session",
            ),
            in_flight: gauge("dactyl_frames_in_flight", "Frames accepted and not ended"),
        };
        let bad_messages = ErrorCode::ALL.map(|code| {
            let labels = vec![Label::from_static_parts("code", code.as_str())];
            counter("dactyl_bad_messages_total", labels, "Messages answered with an error, by its code")
        });
        let denials = Denial::ALL.map(|denial| {
            let labels = vec![Label::from_static_parts("reason", denial.as_str())];
            counter("dactyl_refusals_total", labels, "Clients that were not let in, by reason")
        });
        let reloads = ["failed", "taken"].map(|result| {
            let labels = vec![Label::from_static_parts("result", result)];
            counter("dactyl_reloads_total", labels, "Reloads that were asked for, by what came of them")
        });
        let stages = STAGES.map(|stage| {
            let labels = vec![Label::from_static_parts("stage", stage)];
            (stage, histogram("dactyl_stage_seconds", labels, "Time that a stage took for a frame"))
        });
        Ok(Self {
            handle: recorder.handle(),
            frames: Mutex::default(),
            frame_counters,
            connections: gauge("dactyl_connections", "Open connections, sessions included"),
            sessions: gauge("dactyl_sessions", "Open sessions"),
            feedback_sent: counter(
                "dactyl_feedback_sent_total",
                vec![],
                "Payloads sent, those of resets included",
            ),
            feedback_throttled: counter(
                "dactyl_feedback_throttled_total",
                vec![],
                "Results that were not worth a payload",
            ),
            unusable_results: counter(
                "dactyl_unusable_results_total",
                vec![],
                "Results withheld because the classifier gave NaN or infinities",
            ),
            resets: counter("dactyl_resets_total", vec![], "New letters received"),
            frame_age: histogram(
                "dactyl_frame_age_seconds",
                vec![],
                "From a frame's arrival to its payload on the wire",
            ),
            reset_time: histogram(
                "dactyl_reset_seconds",
                vec![],
                "From a new letter's arrival to its 0 % payload on the wire",
            ),
            cancel_time: histogram(
                "dactyl_cancel_seconds",
                vec![],
                "From a flush to the end of the analysis that it found under way",
            ),
            last_reload_failed: gauge(
                "dactyl_last_reload_failed",
                "1 if the last reload changed nothing because something was wrong, else 0",
            ),
            draining: gauge("dactyl_draining", "1 while the server drains, else 0"),
            load: Load::default(),
            capacity: gauge(
                "dactyl_capacity_frames_per_second",
                "Frames a second that all inference slots together can analyse; 0 until one was analysed",
            ),
            load_ratio: gauge("dactyl_load_ratio", "Share of the inference slots' time that is used, 0 to 1"),
            sessions_free: gauge("dactyl_sessions_free", "Sessions that would be let in"),
            bad_messages,
            denials,
            reloads,
            log_lines_lost: counter(
                "dactyl_log_lines_lost_total",
                vec![],
                "Lines of this process's log that could not be written",
            ),
            stages: stages.into(),
        })
    }

    /// Changes the count of frames.
    pub fn count_frames(&self, change: impl FnOnce(&mut Frames)) {
        change(&mut self.frames.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// What became of the frames so far.
    #[cfg(test)]
    pub fn frames(&self) -> Frames {
        *self.frames.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts a bad message.
    pub fn bad_message(&self, code: ErrorCode) {
        for (known, counter) in ErrorCode::ALL.iter().zip(&self.bad_messages) {
            if *known == code {
                counter.increment(1);
            }
        }
    }

    /// Counts a client that is not let in.
    pub fn denial(&self, denial: Denial) {
        self.denials[denial as usize].increment(1);
    }

    /// Counts a reload, whose files were taken or not.
    pub fn reload(&self, taken: bool) {
        self.reloads[usize::from(taken)].increment(1);
        self.last_reload_failed.set(if taken { 0.0 } else { 1.0 });
    }

    /// Notes what the last interval has shown.
    pub fn load_figures(&self, figures: Figures) {
        self.capacity.set(figures.capacity);
        self.load_ratio.set(figures.ratio);
    }

    /// Notes how many sessions would be let in.
    pub fn sessions_free(&self, free: usize) {
        self.sessions_free.set(free as f64);
    }

    /// Notes the time that one stage took for one frame.
    pub fn stage(&self, stage: &str, time: Duration) {
        if let Some(histogram) = self.stages.get(stage).or_else(|| self.stages.get("other")) {
            histogram.record(time.as_secs_f64());
        }
    }

    /// The metrics as they are now.
    pub fn render(&self) -> String {
        // Held while rendering: otherwise two readings at once could mix their frame counts.
        let frames = self.frames.lock().unwrap_or_else(PoisonError::into_inner);
        let counters = &self.frame_counters;
        counters.received.absolute(frames.received);
        counters.analysed.absolute(frames.analysed);
        counters.busy.absolute(frames.busy);
        counters.decode.absolute(frames.decode);
        counters.cancelled.absolute(frames.cancelled);
        counters.in_flight.set(frames.in_flight() as f64);
        self.log_lines_lost.absolute(log_output::lines_lost());
        self.handle.render()
    }

    /// Folds the histograms' samples into their buckets: until then each sample takes memory.
    pub fn run_upkeep(&self) {
        self.handle.run_upkeep();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(text: &str, series: &str) -> f64 {
        let line = text.lines().find(|line| line.rsplit_once(' ').is_some_and(|(name, _)| name == series));
        line.unwrap_or_else(|| panic!("no {series} in:\n{text}")).rsplit_once(' ').unwrap().1.parse().unwrap()
    }

    #[test]
    fn every_metric_is_there_at_zero() {
        let text = Metrics::new().unwrap().render();
        for series in [
            "dactyl_sessions",
            "dactyl_connections",
            "dactyl_sessions_free",
            "dactyl_capacity_frames_per_second",
            "dactyl_load_ratio",
            "dactyl_draining",
            "dactyl_last_reload_failed",
            "dactyl_refusals_total{reason=\"full\"}",
            "dactyl_reloads_total{result=\"taken\"}",
            "dactyl_reloads_total{result=\"failed\"}",
            "dactyl_frames_in_flight",
            "dactyl_frames_received_total",
            "dactyl_frames_dropped_total{reason=\"busy\"}",
            "dactyl_frames_dropped_total{reason=\"decode\"}",
            "dactyl_frames_analysed_total",
            "dactyl_frames_cancelled_total",
            "dactyl_feedback_sent_total",
            "dactyl_feedback_throttled_total",
            "dactyl_unusable_results_total",
            "dactyl_resets_total",
            "dactyl_bad_messages_total{code=\"bad_jpeg\"}",
            "dactyl_bad_messages_total{code=\"unknown_letter\"}",
            "dactyl_log_lines_lost_total",
            "dactyl_stage_seconds_count{stage=\"decode\"}",
            "dactyl_frame_age_seconds_count",
            "dactyl_reset_seconds_count",
            "dactyl_cancel_seconds_count",
        ] {
            assert_eq!(value(&text, series), 0.0, "{series}");
        }
        let described = text.lines().filter(|line| line.starts_with("# HELP")).count();
        assert_eq!(described, text.lines().filter(|line| line.starts_with("# TYPE")).count());
    }

    #[test]
    fn every_metric_is_documented() {
        let text = Metrics::new().unwrap().render();
        let metrics: BTreeMap<&str, &str> =
            text.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split_once(' ')).collect();
        let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/operating.md");
        let page = std::fs::read_to_string(page).unwrap();
        let listed: BTreeMap<&str, &str> = page
            .lines()
            .filter_map(|line| line.strip_prefix("| `dactyl_"))
            .map(|row| (row.split(['{', '`']).next().unwrap(), row.split('|').nth(1).unwrap().trim()))
            .collect();
        let named = metrics.iter().map(|(name, kind)| (name.strip_prefix("dactyl_").unwrap(), *kind));
        assert_eq!(listed, named.collect());
        let row = page.lines().find(|line| line.contains("`dactyl_stage_seconds")).unwrap();
        for stage in STAGES {
            assert!(row.contains(&format!("`{stage}`")), "{stage}");
        }
    }

    #[test]
    fn every_reading_adds_up() {
        let metrics = Metrics::new().unwrap();
        metrics.count_frames(|frames| {
            *frames = Frames { received: 10, analysed: 4, busy: 2, decode: 1, cancelled: 1 };
        });
        let text = metrics.render();
        assert_eq!(value(&text, "dactyl_frames_in_flight"), 2.0);
        assert_eq!(value(&text, "dactyl_frames_dropped_total{reason=\"busy\"}"), 2.0);
    }

    #[test]
    fn buckets_double_and_unknown_stages_do_not_add_series() {
        let metrics = Metrics::new().unwrap();
        metrics.stage("decode", Duration::from_micros(300));
        metrics.stage("somebody-elses", Duration::from_millis(3));
        let text = metrics.render();
        assert_eq!(value(&text, "dactyl_stage_seconds_bucket{stage=\"decode\",le=\"0.00025\"}"), 0.0);
        assert_eq!(value(&text, "dactyl_stage_seconds_bucket{stage=\"decode\",le=\"0.0005\"}"), 1.0);
        assert_eq!(value(&text, "dactyl_stage_seconds_count{stage=\"other\"}"), 1.0);
        assert!(!text.contains("somebody"));
    }
}
