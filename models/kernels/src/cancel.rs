//! Ends the work of one stream from another thread.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

/// The work was ended by [`Cancel::cancel`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("cancelled")]
pub struct Cancelled;

/// What is told of a cancellation, because it cannot look at the flag itself: a thread that waits, a run of another
/// library.
pub trait OnCancel: Send + Sync {
    /// The handle is cancelled. Must return at once.
    fn cancelled(&self);
}

/// Handle with which another thread ends a stream's runs. Clones are the same handle.
///
/// A cancelled handle stays cancelled, so that no work starts between [`Cancel::cancel`] and [`Cancel::rearm`].
#[derive(Clone, Default)]
pub struct Cancel(Arc<Inner>);

#[derive(Default)]
struct Inner {
    cancelled: AtomicBool,
    told: Mutex<Vec<Weak<dyn OnCancel>>>,
}

impl Cancel {
    /// A handle that is not cancelled.
    pub fn new() -> Self {
        Self::default()
    }

    /// Ends the runs in flight and whatever waits; returns at once. They end with [`Cancelled`], and so does everything
    /// started before [`Cancel::rearm`].
    pub fn cancel(&self) {
        let mut told = self.told();
        self.0.cancelled.store(true, Ordering::SeqCst);
        for waiting in told.drain(..).filter_map(|waiting| waiting.upgrade()) {
            waiting.cancelled();
        }
    }

    /// Lets work start again. To be called when the cancelled work has returned.
    pub fn rearm(&self) {
        let _told = self.told();
        self.0.cancelled.store(false, Ordering::SeqCst);
    }

    /// Whether the handle is cancelled now.
    pub fn is_cancelled(&self) -> bool {
        self.0.cancelled.load(Ordering::SeqCst)
    }

    /// Has `waiting` told of the next [`Cancel::cancel`], as long as somebody holds it. One that came before is not told:
    /// look at [`Cancel::is_cancelled`] after this.
    pub fn watch<T: OnCancel + 'static>(&self, waiting: &Arc<T>) {
        let mut told = self.told();
        told.retain(|waiting| waiting.strong_count() > 0);
        let waiting: Weak<T> = Arc::downgrade(waiting);
        told.push(waiting);
    }

    fn told(&self) -> MutexGuard<'_, Vec<Weak<dyn OnCancel>>> {
        self.0.told.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for Cancel {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_tuple("Cancel").field(&self.is_cancelled()).finish()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;

    use super::*;

    #[derive(Default)]
    struct Counter(AtomicUsize);

    impl OnCancel for Counter {
        fn cancelled(&self) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }

    #[test]
    fn who_watches_is_told_once_and_who_has_gone_is_forgotten() {
        let cancel = Cancel::new();
        let (stays, goes) = (Arc::new(Counter::default()), Arc::new(Counter::default()));
        cancel.watch(&goes);
        drop(goes);
        cancel.watch(&stays);
        assert_eq!(cancel.told().len(), 1);
        cancel.clone().cancel();
        cancel.cancel();
        assert!(cancel.is_cancelled());
        cancel.rearm();
        assert!(!cancel.is_cancelled());
        assert_eq!(stays.0.load(Ordering::SeqCst), 1);
    }
}
