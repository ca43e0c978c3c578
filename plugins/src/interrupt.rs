//! Ends an element's work from another thread: at a flush, and when it stops.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use dactyl_holistic::Cancel;

/// An element's handle on its work, and since when the work is ended.
#[derive(Debug, Default)]
pub(crate) struct Interrupt {
    cancel: Cancel,
    since: Mutex<Option<Instant>>,
}

impl Interrupt {
    /// Ends the work in flight, and what begins before [`Interrupt::lift`]; returns at once.
    pub fn begin(&self) {
        self.since.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert_with(Instant::now);
        self.cancel.cancel();
    }

    /// Lets work begin again.
    pub fn lift(&self) {
        self.cancel.rearm();
        *self.since.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// How long ago the work was ended; `None` if it may go on.
    pub fn elapsed(&self) -> Option<Duration> {
        self.since.lock().unwrap_or_else(PoisonError::into_inner).map(|since| since.elapsed())
    }

    /// What work looks at.
    pub fn cancel(&self) -> &Cancel {
        &self.cancel
    }
}
