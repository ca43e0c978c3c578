//! How many frames are analysed at once, first come, first served.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use super::cancel::{Cancel, Cancelled, Waiter};

/// A number of slots. A stream waits with one frame at a time, so the queue serves every stream at the same rate.
pub struct Slots {
    state: Mutex<State>,
    total: usize,
}

struct State {
    free: usize,
    queue: VecDeque<Arc<Waiter>>,
}

/// One slot, given back when dropped.
#[must_use = "the slot is given back when this is dropped"]
pub struct Slot<'a>(&'a Slots);

impl Slots {
    /// `total` slots, at least one.
    pub fn new(total: usize) -> Self {
        let total = total.max(1);
        Self { state: Mutex::new(State { free: total, queue: VecDeque::new() }), total }
    }

    /// The process's slots: `inference.slots` of the configuration, 0 = the cores this process may use.
    pub fn shared() -> &'static Self {
        static SHARED: OnceLock<Slots> = OnceLock::new();
        SHARED.get_or_init(|| {
            let configured = dactyl_config::process().inference.slots as usize;
            let cores = || std::thread::available_parallelism().map_or(1, usize::from);
            Self::new(if configured == 0 { cores() } else { configured })
        })
    }

    /// How many there are.
    pub fn total(&self) -> usize {
        self.total
    }

    /// Waits for a slot behind everybody who waits already.
    ///
    /// # Errors
    /// [`Cancelled`] as soon as `cancel` is cancelled; the place in the queue is given up.
    pub fn acquire(&self, cancel: &Cancel) -> Result<Slot<'_>, Cancelled> {
        if cancel.is_cancelled() {
            return Err(Cancelled);
        }
        let waiter = {
            let mut state = self.lock();
            if state.free > 0 {
                state.free -= 1;
                return Ok(Slot(self));
            }
            let waiter = Arc::new(Waiter::default());
            state.queue.push_back(Arc::clone(&waiter));
            waiter
        };
        cancel.watch(&waiter);
        if waiter.wait(cancel) {
            return Ok(Slot(self));
        }
        let mut state = self.lock();
        let waiting = state.queue.len();
        state.queue.retain(|other| !Arc::ptr_eq(other, &waiter));
        if state.queue.len() == waiting {
            // Granted between the cancellation and here: hand it on.
            drop(state);
            drop(Slot(self));
        }
        Err(Cancelled)
    }

    /// A slot if one is idle; never waits.
    pub fn try_acquire(&self) -> Option<Slot<'_>> {
        let mut state = self.lock();
        if state.free == 0 {
            return None;
        }
        state.free -= 1;
        Some(Slot(self))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Slot<'_> {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        match state.queue.pop_front() {
            Some(next) => next.grant(),
            None => state.free += 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;
    use std::thread;

    use super::*;

    fn wait_for_queue(slots: &Slots, length: usize) {
        while slots.lock().queue.len() != length {
            thread::yield_now();
        }
    }

    #[test]
    fn slots_are_served_in_the_order_of_arrival() {
        let slots = Slots::new(1);
        let first = slots.acquire(&Cancel::new()).expect("free");
        let (served, order) = mpsc::channel();
        thread::scope(|scope| {
            for number in 0..4 {
                let served = served.clone();
                let slots = &slots;
                scope.spawn(move || {
                    let slot = slots.acquire(&Cancel::new()).expect("not cancelled");
                    served.send(number).expect("test is listening");
                    drop(slot);
                });
                wait_for_queue(slots, number + 1);
            }
            drop(first);
        });
        drop(served);
        assert_eq!(order.iter().collect::<Vec<_>>(), [0, 1, 2, 3]);
        assert_eq!(slots.lock().free, 1);
    }

    #[test]
    fn a_cancelled_wait_ends_and_gives_up_its_place() {
        let slots = Slots::new(1);
        let held = slots.acquire(&Cancel::new()).expect("free");
        let cancel = Cancel::new();
        thread::scope(|scope| {
            let waiting = scope.spawn(|| slots.acquire(&cancel).map(drop));
            wait_for_queue(&slots, 1);
            cancel.cancel();
            assert_eq!(waiting.join().expect("no panic"), Err(Cancelled));
        });
        assert!(slots.lock().queue.is_empty());
        drop(held);
        assert_eq!(slots.lock().free, 1);
    }

    #[test]
    fn a_cancelled_handle_gets_no_slot_until_it_is_rearmed() {
        let slots = Slots::new(1);
        let cancel = Cancel::new();
        cancel.cancel();
        assert!(slots.acquire(&cancel).is_err());
        cancel.rearm();
        assert!(slots.acquire(&cancel).is_ok());
    }

    #[test]
    fn no_slot_is_lost_when_grants_and_cancellations_meet() {
        let slots = Slots::new(2);
        thread::scope(|scope| {
            for _ in 0..4 {
                let cancel = Cancel::new();
                let canceller = cancel.clone();
                let slots = &slots;
                scope.spawn(move || {
                    for _ in 0..500 {
                        drop(slots.acquire(&cancel));
                        cancel.rearm();
                    }
                });
                scope.spawn(move || {
                    for _ in 0..500 {
                        canceller.cancel();
                        thread::yield_now();
                    }
                });
            }
        });
        assert_eq!(slots.lock().free, 2);
        assert!(slots.lock().queue.is_empty());
    }
}
