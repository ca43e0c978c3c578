//! What becomes of each frame of one session: analysed, dropped (`busy` or `decode`) or cancelled, exactly one of them.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use gstdactyl::frame::{CANCEL_STAGE, FrameRecord, Progress};

use crate::metrics::Metrics;
use crate::protocol::Outcome;

/// Called at the end of every frame. A frame that passed the check and gave no picture counts as refused.
type OnEnd = Box<dyn Fn(&FrameRecord, Outcome) + Send + Sync>;

/// The frames of one session.
pub struct Ledger {
    metrics: Arc<Metrics>,
    epoch: AtomicU64,
    closed: AtomicBool,
    on_end: OnEnd,
}

impl Ledger {
    /// An empty ledger of epoch 0.
    pub fn new(
        metrics: Arc<Metrics>,
        on_end: impl Fn(&FrameRecord, Outcome) + Send + Sync + 'static,
    ) -> Arc<Self> {
        Arc::new(Self {
            metrics,
            epoch: AtomicU64::new(0),
            closed: AtomicBool::new(false),
            on_end: Box::new(on_end),
        })
    }

    /// Enters a frame; it ends when the last buffer that carries the record is gone.
    pub fn accept(self: &Arc<Self>, id: u64) -> Arc<FrameRecord> {
        self.metrics.count_frames(|frames| frames.received += 1);
        let ledger = Arc::clone(self);
        FrameRecord::new(id, self.epoch.load(Ordering::Acquire), move |record| ledger.end(record))
    }

    /// Begins the next epoch, which is returned: frames of earlier ones that are not analysed yet count as cancelled.
    pub fn begin_epoch(&self) -> u64 {
        self.epoch.fetch_add(1, Ordering::AcqRel) + 1
    }

    /// Ends the session: frames that are not analysed yet count as cancelled.
    pub fn close(&self) {
        self.closed.store(true, Ordering::Release);
    }

    fn end(&self, record: &FrameRecord) {
        let progress = record.progress();
        let over = self.closed.load(Ordering::Acquire) || record.epoch < self.epoch.load(Ordering::Acquire);
        let stages = record.stages();
        self.metrics.load.add(&stages, progress == Progress::Analysed);
        let outcome = match progress {
            Progress::Analysed => {
                for (stage, time) in stages {
                    self.metrics.stage(stage, time);
                }
                self.metrics.count_frames(|frames| frames.analysed += 1);
                Outcome::Analysed
            }
            _ if over => {
                for (_, time) in stages.iter().filter(|(stage, _)| *stage == CANCEL_STAGE) {
                    self.metrics.cancel_time.record(time.as_secs_f64());
                }
                self.metrics.count_frames(|frames| frames.cancelled += 1);
                Outcome::Cancelled
            }
            Progress::Decoding => {
                self.metrics.count_frames(|frames| frames.decode += 1);
                Outcome::Refused
            }
            Progress::Queued | Progress::Decoded => {
                self.metrics.count_frames(|frames| frames.busy += 1);
                Outcome::Dropped
            }
        };
        (self.on_end)(record, outcome);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;
    use crate::metrics::Frames;

    struct Fixture {
        metrics: Arc<Metrics>,
        ledger: Arc<Ledger>,
        ends: Arc<Mutex<Vec<(u64, Outcome)>>>,
    }

    fn fixture() -> Fixture {
        let metrics = Arc::new(Metrics::new().unwrap());
        let ends = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&ends);
        let ledger = Ledger::new(Arc::clone(&metrics), move |record, outcome| {
            seen.lock().unwrap().push((record.id, outcome));
        });
        Fixture { metrics, ledger, ends }
    }

    fn end_at(ledger: &Arc<Ledger>, id: u64, progress: Progress) {
        ledger.accept(id).mark(progress);
    }

    #[test]
    fn a_frame_ends_in_exactly_one_way() {
        let Fixture { metrics, ledger, ends } = fixture();
        let waiting = ledger.accept(1);
        end_at(&ledger, 2, Progress::Queued);
        end_at(&ledger, 3, Progress::Decoding);
        end_at(&ledger, 4, Progress::Decoded);
        end_at(&ledger, 5, Progress::Analysed);
        let expected = Frames { received: 5, analysed: 1, busy: 2, decode: 1, cancelled: 0 };
        assert_eq!(metrics.frames(), expected);
        assert_eq!(metrics.frames().in_flight(), 1);
        let told =
            [(2, Outcome::Dropped), (3, Outcome::Refused), (4, Outcome::Dropped), (5, Outcome::Analysed)];
        assert_eq!(*ends.lock().unwrap(), told);
        drop(waiting);
        assert_eq!(metrics.frames().in_flight(), 0);
    }

    #[test]
    fn the_time_that_a_run_took_to_end_is_measured() {
        let Fixture { metrics, ledger, .. } = fixture();
        let record = ledger.accept(1);
        record.mark(Progress::Decoded);
        record.add_stage(CANCEL_STAGE, std::time::Duration::from_micros(300));
        ledger.begin_epoch();
        drop(record);
        assert!(metrics.render().contains("dactyl_cancel_seconds_count 1\n"));
    }

    #[test]
    fn a_reset_cancels_what_is_not_analysed() {
        let Fixture { metrics, ledger, ends } = fixture();
        let (decoding, analysed) = (ledger.accept(1), ledger.accept(2));
        decoding.mark(Progress::Decoding);
        analysed.mark(Progress::Analysed);
        assert_eq!(ledger.begin_epoch(), 1);
        drop((decoding, analysed));
        end_at(&ledger, 3, Progress::Queued);
        let expected = Frames { received: 3, analysed: 1, busy: 1, decode: 0, cancelled: 1 };
        assert_eq!(metrics.frames(), expected);
        assert!(ends.lock().unwrap().iter().all(|(_, outcome)| *outcome != Outcome::Refused));
        assert!(ends.lock().unwrap().contains(&(1, Outcome::Cancelled)));
    }

    #[test]
    fn the_end_of_the_session_cancels_what_is_not_analysed() {
        let Fixture { metrics, ledger, .. } = fixture();
        let waiting = ledger.accept(1);
        ledger.close();
        drop(waiting);
        assert_eq!(metrics.frames().cancelled, 1);
    }
}
