//! Ends the work of one stream from another thread.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, OnceLock, PoisonError, Weak};
use std::time::{Duration, Instant};

use ort::session::RunOptions;

/// The work was ended by [`Cancel::cancel`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("cancelled")]
pub struct Cancelled;

/// Handle with which another thread ends a stream's runs. Clones are the same handle.
///
/// A cancelled handle stays cancelled, so that no work starts between [`Cancel::cancel`] and [`Cancel::rearm`].
#[derive(Clone, Default)]
pub struct Cancel(Arc<Inner>);

#[derive(Default)]
struct Inner {
    cancelled: AtomicBool,
    // Shared by all runs under this handle: ONNX Runtime only reads it while running. Made at the first run, as it
    // needs the library.
    options: OnceLock<RunOptions>,
    // Its lock also keeps the flag and the options' own flag alike.
    waiters: Mutex<Vec<Weak<Waiter>>>,
    since: Mutex<Option<Instant>>,
}

impl Cancel {
    /// A handle that is not cancelled.
    pub fn new() -> Self {
        Self::default()
    }

    /// Ends the runs in flight and the waits for a slot; returns at once. They end with [`Cancelled`], and so does
    /// everything started before [`Cancel::rearm`].
    pub fn cancel(&self) {
        let mut waiters = self.waiters();
        self.since().get_or_insert_with(Instant::now);
        self.0.cancelled.store(true, Ordering::SeqCst);
        if let Some(options) = self.0.options.get()
            && let Err(error) = options.terminate()
        {
            tracing::error!(%error, "a run in flight can't be ended");
        }
        for waiter in waiters.drain(..).filter_map(|waiter| waiter.upgrade()) {
            waiter.wake();
        }
    }

    /// Lets work start again. To be called when the cancelled work has returned.
    pub fn rearm(&self) {
        let _waiters = self.waiters();
        if let Some(options) = self.0.options.get()
            && let Err(error) = options.unterminate()
        {
            tracing::error!(%error, "runs can't be allowed again");
        }
        self.0.cancelled.store(false, Ordering::SeqCst);
        *self.since() = None;
    }

    /// Whether the handle is cancelled now.
    pub fn is_cancelled(&self) -> bool {
        self.0.cancelled.load(Ordering::SeqCst)
    }

    /// How long the handle has been cancelled; `None` if it is not.
    pub fn elapsed(&self) -> Option<Duration> {
        self.since().map(|since| since.elapsed())
    }

    fn since(&self) -> std::sync::MutexGuard<'_, Option<Instant>> {
        self.0.since.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The options under which runs of this handle go.
    pub(super) fn options(&self) -> ort::Result<&RunOptions> {
        if let Some(options) = self.0.options.get() {
            return Ok(options);
        }
        let options = RunOptions::new()?;
        // Under the lock, so that either a cancellation sees the options or the run that needs them sees its flag.
        let _waiters = self.waiters();
        Ok(self.0.options.get_or_init(|| options))
    }

    /// Has `waiter` woken by [`Cancel::cancel`].
    pub(super) fn watch(&self, waiter: &Arc<Waiter>) {
        let mut waiters = self.waiters();
        waiters.retain(|waiter| waiter.strong_count() > 0);
        waiters.push(Arc::downgrade(waiter));
    }

    fn waiters(&self) -> std::sync::MutexGuard<'_, Vec<Weak<Waiter>>> {
        self.0.waiters.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for Cancel {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_tuple("Cancel").field(&self.is_cancelled()).finish()
    }
}

/// One thread waiting for a slot.
#[derive(Default)]
pub(super) struct Waiter {
    granted: Mutex<bool>,
    changed: Condvar,
}

impl Waiter {
    /// Waits until the slot is granted or `cancel` is cancelled; true if granted.
    pub(super) fn wait(&self, cancel: &Cancel) -> bool {
        let mut granted = self.granted.lock().unwrap_or_else(PoisonError::into_inner);
        while !*granted && !cancel.is_cancelled() {
            granted = self.changed.wait(granted).unwrap_or_else(PoisonError::into_inner);
        }
        *granted
    }

    pub(super) fn grant(&self) {
        *self.granted.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.changed.notify_one();
    }

    fn wake(&self) {
        // Taking the lock orders this after the waiter's look at the flag, so that the notification is not lost.
        drop(self.granted.lock().unwrap_or_else(PoisonError::into_inner));
        self.changed.notify_one();
    }
}
