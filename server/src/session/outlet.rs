//! The way of what comes out of the pipeline to the client.

use std::sync::Arc;

use super::outbox::{Extra, Outbox};
use super::pipeline_thread::{Commands, Supervisor};
use super::seen::{Seen, Status};
use crate::metrics::Metrics;
use crate::pipeline::{Cause, Listener, PipelineError};
use crate::protocol::{self, Close, Extras, Refusal, Timings};

/// The way of what comes out of the pipeline to the client.
pub(super) struct Outlet {
    pub(super) outbox: Arc<Outbox>,
    pub(super) commands: Arc<Commands>,
    pub(super) metrics: Arc<Metrics>,
    pub(super) extras: Extras,
    pub(super) status: Status,
}

impl Listener for Outlet {
    fn payload(&self, payload: &str, epoch: u64, cause: Cause) {
        let record = match cause {
            Cause::Frame(record) => Some(record),
            Cause::Reset => return self.outbox.reset_done(epoch, payload),
            Cause::Unknown if self.outbox.awaits_reset(epoch) => {
                return self.outbox.reset_done(epoch, payload);
            }
            Cause::Unknown => None,
        };
        let frame = record.as_ref().filter(|_| self.extras.frame).map(|record| record.id);
        let timings = record
            .as_ref()
            .filter(|_| self.extras.timings)
            .map(|record| Timings { stages: record.stages(), age: record.entered.elapsed() });
        match protocol::feedback(payload, frame, timings.as_ref()) {
            Some(text) => self.outbox.feedback(epoch, text, record.map(|record| record.entered)),
            None => tracing::error!(
                "a payload is not an object in JSON; set format=json on the feedback-throttle"
            ),
        }
    }

    fn message(&self, structure: &gst::StructureRef) {
        let Some(seen) = Seen::read(structure) else { return };
        if self.extras.status
            && let Some((status, hand_only)) = self.status.after(&seen)
        {
            self.outbox.status(seen.frame, protocol::status(&status, hand_only));
        }
        if self.extras.top
            && let Some(top) = &seen.top
        {
            self.outbox.extra(Extra::Top, seen.frame, protocol::top(top));
        }
        if self.extras.landmarks
            && let Some(landmarks) = seen.landmarks()
        {
            self.outbox.extra(Extra::Landmarks, seen.frame, protocol::landmarks(seen.frame, &landmarks));
        }
    }

    fn throttled(&self, results: u64) {
        self.metrics.feedback_throttled.increment(results);
    }

    fn unusable_result(&self) {
        self.metrics.unusable_results.increment(1);
    }

    fn failed(&self, error: &PipelineError) {
        tracing::error!(%error, "the pipeline failed");
        self.commands.failed();
    }
}

impl Supervisor for Outlet {
    fn restarted(&self) {
        tracing::warn!("the pipeline was made anew");
        let refusal = Refusal::internal();
        self.metrics.bad_message(refusal.code);
        self.outbox.refuse(&refusal);
    }

    fn gave_up(&self, error: &PipelineError) {
        tracing::error!(%error, "the session is given up");
        self.outbox.close(Close::Failed);
    }
}
