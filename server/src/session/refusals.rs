//! Bad messages and bad frames: what the client is told of them, and when there were too many.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use super::outbox::Outbox;
use crate::metrics::Metrics;
use crate::protocol::{Close, Refusal};

/// Answers bad messages, and closes the socket of a client that sends nothing else.
pub(super) struct Refusals {
    pub(super) outbox: Arc<Outbox>,
    pub(super) metrics: Arc<Metrics>,
    /// Bad messages in a row that close the socket.
    pub(super) most: u32,
    pub(super) in_a_row: AtomicU32,
}

impl Refusals {
    /// Tells what was wrong with one message.
    pub(super) fn tell(&self, refusals: &[Refusal]) {
        for refusal in refusals {
            self.metrics.bad_message(refusal.code);
            self.outbox.refuse(refusal);
        }
        if self.in_a_row.fetch_add(1, Ordering::AcqRel) + 1 >= self.most {
            self.outbox.close(Close::TooManyBadMessages);
        }
    }

    /// A message was good. Whether a frame is, is known when it was analysed: the check lets some pass that give no
    /// picture.
    pub(super) fn end_row(&self) {
        self.in_a_row.store(0, Ordering::Release);
    }
}
