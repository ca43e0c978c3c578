//! What a frame carries on its way from camera to feedback: its id, its epoch, and where its time went.
//!
//! A custom meta holds a reference to one [`FrameRecord`]. It survives decoders and converters, and the elements of
//! this plugin copy it to what they compute, so that whoever made the record sees the frame end, wherever that is.

use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use gst::glib;
use gst::meta::CustomMeta;

use crate::interrupt::Interrupt;

const META: &str = "DactylFrameMeta";
const EPOCH: &str = "epoch";
const RECORD: &str = "record";

/// Name under which [`FrameRecord::stages`] holds how long a run in flight took to end after the flush that ended it.
pub const CANCEL_STAGE: &str = "cancel";

/// How far a frame has come. A record only ever moves forward.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Progress {
    /// Accepted, waiting for the decoder.
    Queued = 0,
    /// Handed to the image decoder.
    Decoding = 1,
    /// Came out of the image decoder as a picture.
    Decoded = 2,
    /// Its keypoints were classified, or taken into a window that is not full.
    Analysed = 3,
}

impl Progress {
    const ALL: [Self; 4] = [Self::Queued, Self::Decoding, Self::Decoded, Self::Analysed];
}

type OnEnd = Box<dyn FnOnce(&FrameRecord) + Send + Sync>;

/// The life of one frame. Ends, and says so, when the last buffer that carries it is gone, or earlier when somebody
/// says so.
pub struct FrameRecord {
    /// Number of the frame within its session.
    pub id: u64,
    /// Number of resets before the frame was accepted.
    pub epoch: u64,
    /// When the frame was accepted.
    pub entered: Instant,
    progress: AtomicU8,
    stages: Mutex<Vec<(&'static str, Duration)>>,
    on_end: Mutex<Option<OnEnd>>,
}

impl FrameRecord {
    /// A record of a frame accepted now. `on_end` runs once, on whichever thread drops the last buffer that carries
    /// the record or calls [`end`](Self::end); it must neither block nor panic.
    pub fn new(id: u64, epoch: u64, on_end: impl FnOnce(&FrameRecord) + Send + Sync + 'static) -> Arc<Self> {
        Arc::new(Self {
            id,
            epoch,
            entered: Instant::now(),
            progress: AtomicU8::new(Progress::Queued as u8),
            stages: Mutex::new(Vec::new()),
            on_end: Mutex::new(Some(Box::new(on_end))),
        })
    }

    /// Notes the time that one stage took. Waiting is a stage of its own.
    pub fn add_stage(&self, stage: &'static str, time: Duration) {
        self.stages.lock().unwrap_or_else(PoisonError::into_inner).push((stage, time));
    }

    /// The stages so far, in the order in which they ended.
    pub fn stages(&self) -> Vec<(&'static str, Duration)> {
        self.stages.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Moves the record forward; a step back is ignored.
    pub fn mark(&self, progress: Progress) {
        self.progress.fetch_max(progress as u8, Ordering::AcqRel);
    }

    /// Ends the record now: for whoever takes the result out of a pipeline. An `appsink` keeps the last buffer that it
    /// gave out until the next one, even in NULL. Does nothing the second time.
    pub fn end(&self) {
        let on_end = self.on_end.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(on_end) = on_end {
            on_end(self);
        }
    }

    /// How far the frame has come.
    pub fn progress(&self) -> Progress {
        Progress::ALL[usize::from(self.progress.load(Ordering::Acquire))]
    }
}

impl Drop for FrameRecord {
    fn drop(&mut self) {
        self.end();
    }
}

impl std::fmt::Debug for FrameRecord {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("FrameRecord")
            .field("id", &self.id)
            .field("epoch", &self.epoch)
            .field("progress", &self.progress())
            .field("stages", &self.stages())
            .finish_non_exhaustive()
    }
}

/// A shared [`FrameRecord`] as GLib can hold it.
#[derive(Debug, Clone, glib::Boxed)]
#[boxed_type(name = "DactylFrameHandle")]
pub struct FrameHandle(pub Arc<FrameRecord>);

/// Makes the meta known to GStreamer. Called by the plugin; calling it again does nothing.
pub fn register() {
    static ONCE: std::sync::Once = std::sync::Once::new();
    // No tags: a meta without tags describes the frame rather than its pixels, so decoders and filters keep it.
    ONCE.call_once(|| CustomMeta::register_simple(META));
}

/// Puts `record`, and its epoch, on `buffer`, in place of any that it carries.
pub fn attach(buffer: &mut gst::BufferRef, record: &Arc<FrameRecord>) {
    set(buffer, record.epoch, Some(record));
}

/// Puts only an epoch on `buffer`: for a payload that no frame stands behind, such as the one of a reset.
pub fn attach_epoch(buffer: &mut gst::BufferRef, epoch: u64) {
    set(buffer, epoch, None);
}

/// The record that `buffer` carries.
pub fn of(buffer: &gst::BufferRef) -> Option<Arc<FrameRecord>> {
    let meta = CustomMeta::from_buffer(buffer, META).ok()?;
    Some(meta.structure().get::<FrameHandle>(RECORD).ok()?.0)
}

/// Notes in a buffer's record, if it carries one, how long the run that `interrupt` ended took to end.
pub(crate) fn note_cancelled(buffer: &gst::BufferRef, interrupt: &Interrupt) {
    if let Some((record, elapsed)) = of(buffer).zip(interrupt.elapsed()) {
        record.add_stage(CANCEL_STAGE, elapsed);
    }
}

/// The epoch that `buffer` carries, with a record or without.
pub fn epoch_of(buffer: &gst::BufferRef) -> Option<u64> {
    let meta = CustomMeta::from_buffer(buffer, META).ok()?;
    meta.structure().get::<u64>(EPOCH).ok()
}

fn set(buffer: &mut gst::BufferRef, epoch: u64, record: Option<&Arc<FrameRecord>>) {
    register();
    let found = CustomMeta::from_buffer(buffer, META).is_ok();
    let meta = if found { CustomMeta::from_mut_buffer(buffer, META) } else { CustomMeta::add(buffer, META) };
    #[expect(
        clippy::expect_used,
        reason = "adding fails only for an unregistered name, and this one is registered"
    )]
    let mut meta = meta.expect("the meta is registered");
    let structure = meta.mut_structure();
    structure.set(EPOCH, epoch);
    match record {
        Some(record) => structure.set(RECORD, FrameHandle(Arc::clone(record))),
        None => structure.remove_field(RECORD),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flow::result_for;
    use std::sync::atomic::AtomicUsize;

    fn record(ends: &Arc<AtomicUsize>) -> Arc<FrameRecord> {
        let ends = Arc::clone(ends);
        FrameRecord::new(7, 3, move |record| {
            assert_eq!(record.id, 7);
            ends.fetch_add(1, Ordering::SeqCst);
        })
    }

    #[test]
    fn a_record_ends_once_when_its_last_buffer_is_gone() {
        gst::init().unwrap();
        let ends = Arc::new(AtomicUsize::new(0));
        let mut first = gst::Buffer::with_size(4).unwrap();
        attach(first.make_mut(), &record(&ends));
        let copied = first.copy();
        let second = result_for(&copied, vec![0]);
        assert_eq!(of(&second).unwrap().id, 7);
        assert_eq!(epoch_of(&second), Some(3));
        drop(first);
        drop(copied);
        assert_eq!(ends.load(Ordering::SeqCst), 0);
        drop(second);
        assert_eq!(ends.load(Ordering::SeqCst), 1);
    }

    #[test]
    fn a_record_that_was_ended_does_not_end_again() {
        let ends = Arc::new(AtomicUsize::new(0));
        let record = record(&ends);
        record.end();
        assert_eq!(ends.load(Ordering::SeqCst), 1);
        drop(record);
        assert_eq!(ends.load(Ordering::SeqCst), 1);
    }

    #[test]
    fn an_epoch_needs_no_record() {
        gst::init().unwrap();
        let mut buffer = gst::Buffer::new();
        assert_eq!(epoch_of(&buffer), None);
        attach_epoch(buffer.make_mut(), 9);
        let other = result_for(&buffer, vec![0]);
        assert_eq!(epoch_of(&other), Some(9));
        assert!(of(&other).is_none());
    }

    #[test]
    fn attaching_again_replaces() {
        gst::init().unwrap();
        let ends = Arc::new(AtomicUsize::new(0));
        let mut buffer = gst::Buffer::new();
        attach(buffer.make_mut(), &record(&ends));
        attach_epoch(buffer.make_mut(), 4);
        assert_eq!(ends.load(Ordering::SeqCst), 1);
        assert_eq!(epoch_of(&buffer), Some(4));
    }

    #[test]
    fn progress_only_moves_forward() {
        let record = FrameRecord::new(1, 0, |_| {});
        assert_eq!(record.progress(), Progress::Queued);
        record.mark(Progress::Decoded);
        record.mark(Progress::Decoding);
        assert_eq!(record.progress(), Progress::Decoded);
        record.mark(Progress::Analysed);
        assert_eq!(record.progress(), Progress::Analysed);
    }
}
