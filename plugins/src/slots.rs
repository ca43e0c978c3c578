//! How many frames are analysed at once, first come, first served, on threads that give way to everything else.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};

use dactyl_holistic::{Cancel, Cancelled, Helpers, OnCancel};

/// A number of slots. A stream waits with one frame at a time, so the queue serves every stream at the same rate.
pub struct Slots {
    state: Mutex<State>,
    total: usize,
    // `None` where the system gives no more threads: work is done on the caller's then.
    workers: Option<rayon::ThreadPool>,
}

struct State {
    free: usize,
    queue: VecDeque<Arc<Waiter>>,
}

/// One slot, given back when dropped.
#[must_use = "the slot is given back when this is dropped"]
pub struct Slot<'a>(&'a Slots);

impl Slots {
    /// `total` slots, at least one. `niceness`, 0 to 19, is that of the threads which do the work: sockets and decoders go
    /// first, so that a new letter is answered at once however much there is to analyse.
    pub fn new(total: usize, niceness: i32) -> Self {
        let total = total.max(1);
        let workers = rayon::ThreadPoolBuilder::new()
            .num_threads(total)
            .thread_name(|index| format!("inference-{index}"))
            .start_handler(move |_| {
                // On Linux this is the calling thread's.
                if let Err(error) = rustix::process::setpriority_process(None, niceness) {
                    tracing::warn!(%error, niceness, "an inference thread keeps its priority");
                }
            })
            .build()
            .inspect_err(|error| tracing::warn!(%error, "no threads of their own for inference"));
        let state = Mutex::new(State { free: total, queue: VecDeque::new() });
        Self { state, total, workers: workers.ok() }
    }

    /// The process's slots: `inference.slots` of the configuration, at most one for each core that this process may use;
    /// 0 = one for each.
    pub fn shared() -> &'static Self {
        static SHARED: OnceLock<Slots> = OnceLock::new();
        SHARED.get_or_init(|| {
            let config = &dactyl_config::process().inference;
            let cores = std::thread::available_parallelism().map_or(1, usize::from);
            let wanted = if config.slots == 0 { cores } else { config.slots as usize };
            if wanted > cores {
                tracing::warn!(
                    wanted,
                    cores,
                    "inference.slots: more than cores only take memory; one a core it is"
                );
            }
            Self::new(wanted.min(cores), i32::try_from(config.niceness).unwrap_or(0))
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

impl Slot<'_> {
    /// Does the slot's work and waits for it.
    pub fn run<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        match &self.0.workers {
            Some(workers) => workers.install(work),
            None => work(),
        }
    }

    fn spare(&self) -> Option<Spare<'_>> {
        let workers = self.0.workers.as_ref()?;
        Some(Spare { workers, slot: self.0.try_acquire()? })
    }
}

/// The other slots, as far as they are idle. To be asked by the slot's own work.
impl Helpers for Slot<'_> {
    fn join<A: Send, B: Send>(
        &self,
        one: impl FnOnce() -> A + Send,
        other: impl FnOnce() -> B + Send,
    ) -> (A, B) {
        match self.spare() {
            Some(spare) => spare.join(one, other),
            None => (one(), other()),
        }
    }

    fn join_if_idle<A: Send, B: Send>(
        &self,
        one: impl FnOnce() -> A + Send,
        extra: impl FnOnce() -> B + Send,
    ) -> (A, Option<B>) {
        match self.spare() {
            Some(spare) => {
                let (one, extra) = spare.join(one, extra);
                (one, Some(extra))
            }
            None => (one(), None),
        }
    }
}

/// An idle slot that helps another one's work.
struct Spare<'a> {
    workers: &'a rayon::ThreadPool,
    slot: Slot<'a>,
}

impl Spare<'_> {
    fn join<A: Send, B: Send>(
        self,
        one: impl FnOnce() -> A + Send,
        other: impl FnOnce() -> B + Send,
    ) -> (A, B) {
        let Self { workers, slot } = self;
        workers.join(one, || {
            let done = other();
            drop(slot);
            done
        })
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

/// One thread waiting for a slot.
#[derive(Default)]
struct Waiter {
    granted: Mutex<bool>,
    changed: Condvar,
}

impl Waiter {
    /// Waits until the slot is granted or `cancel` is cancelled; true if granted.
    fn wait(&self, cancel: &Cancel) -> bool {
        let mut granted = self.granted.lock().unwrap_or_else(PoisonError::into_inner);
        while !*granted && !cancel.is_cancelled() {
            granted = self.changed.wait(granted).unwrap_or_else(PoisonError::into_inner);
        }
        *granted
    }

    fn grant(&self) {
        *self.granted.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.changed.notify_one();
    }
}

impl OnCancel for Waiter {
    fn cancelled(&self) {
        // Taking the lock orders this after the waiter's look at the flag, so that the notification is not lost.
        drop(self.granted.lock().unwrap_or_else(PoisonError::into_inner));
        self.changed.notify_one();
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
        let slots = Slots::new(1, 0);
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
    fn an_idle_slot_helps_and_one_in_use_does_not() {
        let slots = Slots::new(2, 0);
        let slot = slots.acquire(&Cancel::new()).expect("free");
        let thread = || thread::current().id();
        // Each waits for the other, which only two threads can.
        let barrier = std::sync::Barrier::new(2);
        let meet = || {
            barrier.wait();
            thread()
        };
        let (one, other) = slot.run(|| slot.join(meet, meet));
        assert_ne!(one, other);
        assert!(slot.run(|| slot.join_if_idle(thread, thread)).1.is_some());
        let busy = slots.try_acquire().expect("idle again");
        let (one, other) = slot.run(|| slot.join(thread, thread));
        assert_eq!(one, other);
        assert_eq!(slot.run(|| slot.join_if_idle(thread, thread)).1, None);
        drop(busy);
    }

    #[test]
    fn work_is_done_on_a_thread_that_gives_way() {
        let slots = Slots::new(1, 7);
        let slot = slots.acquire(&Cancel::new()).expect("free");
        let caller = rustix::process::getpriority_process(None).expect("a priority");
        let worker = slot.run(|| rustix::process::getpriority_process(None).expect("a priority"));
        assert_eq!(worker, 7.max(caller));
        assert_eq!(rustix::process::getpriority_process(None).expect("a priority"), caller);
    }

    #[test]
    fn a_cancelled_wait_ends_and_gives_up_its_place() {
        let slots = Slots::new(1, 0);
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
        let slots = Slots::new(1, 0);
        let cancel = Cancel::new();
        cancel.cancel();
        assert!(slots.acquire(&cancel).is_err());
        cancel.rearm();
        assert!(slots.acquire(&cancel).is_ok());
    }

    #[test]
    fn no_slot_is_lost_when_grants_and_cancellations_meet() {
        let slots = Slots::new(2, 0);
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
