//! How many frames are analysed at once, by turns that share the time fairly, on threads that give way to everything else.
//!
//! Turns are those of start-time fair queueing (P. Goyal, H. Vin, H. Cheng, "Start-time Fair Queueing", 1996): a stream's next frame
//! begins, in virtual time, where its last one ended, or now if it has waited with nothing; the earliest beginning is served
//! first. So a stream whose frames take four times as long gets a quarter of the frames of the others, and not of everybody's time.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use dactyl_holistic::{Cancel, Cancelled, Helpers, OnCancel};

/// A number of slots. A stream waits with one frame at a time.
pub struct Slots {
    state: Mutex<State>,
    total: usize,
    // `None` where the system gives no more threads: work is done on the caller's then.
    workers: Option<rayon::ThreadPool>,
}

struct State {
    free: usize,
    turns: Turns<Arc<Waiter>>,
}

/// Who waits, and virtual time in seconds of work.
struct Turns<T> {
    /// Each with the beginning of its frame, in the order of their coming.
    waiting: Vec<(f64, T)>,
    /// The beginning of the frame that was served last.
    now: f64,
}

impl<T> Turns<T> {
    const fn new() -> Self {
        Self { waiting: Vec::new(), now: 0.0 }
    }

    /// The next frame of a stream is served at once.
    fn serve(&mut self, stream: &Stream) {
        self.now = stream.begin(self.now);
    }

    /// The next frame of a stream waits.
    fn wait(&mut self, stream: &Stream, waiter: T) {
        self.waiting.push((stream.begin(self.now), waiter));
    }

    /// Who is served next.
    fn next(&mut self) -> Option<T> {
        let earliest = (self.waiting.iter().enumerate()).min_by(|(_, a), (_, b)| a.0.total_cmp(&b.0))?.0;
        let (begin, waiter) = self.waiting.remove(earliest);
        self.now = self.now.max(begin);
        Some(waiter)
    }
}

/// What the slots know of a stream: the virtual time at which its last frame ended, in bits.
#[derive(Debug, Default)]
pub struct Stream(AtomicU64);

impl Stream {
    /// The virtual beginning of its next frame.
    fn begin(&self, now: f64) -> f64 {
        let begin = f64::from_bits(self.0.load(Ordering::Relaxed)).max(now);
        self.0.store(begin.to_bits(), Ordering::Relaxed);
        begin
    }

    /// The frame that has begun took so long.
    fn end(&self, time: Duration) {
        let end = f64::from_bits(self.0.load(Ordering::Relaxed)) + time.as_secs_f64();
        self.0.store(end.to_bits(), Ordering::Relaxed);
    }
}

/// One slot, given back when dropped.
#[must_use = "the slot is given back when this is dropped"]
pub struct Slot<'a> {
    slots: &'a Slots,
    /// Whose time this is, since when; an idle slot that helps is nobody's.
    of: Option<(&'a Stream, Instant)>,
}

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
        let state = Mutex::new(State { free: total, turns: Turns::new() });
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

    /// Waits for a slot until it is the stream's turn.
    ///
    /// # Errors
    /// [`Cancelled`] as soon as `cancel` is cancelled; the place in the queue is given up.
    pub fn acquire<'a>(&'a self, stream: &'a Stream, cancel: &Cancel) -> Result<Slot<'a>, Cancelled> {
        if cancel.is_cancelled() {
            return Err(Cancelled);
        }
        let slot = || Slot { slots: self, of: Some((stream, Instant::now())) };
        let waiter = {
            let mut state = self.lock();
            if state.free > 0 {
                state.free -= 1;
                state.turns.serve(stream);
                return Ok(slot());
            }
            let waiter = Arc::new(Waiter::default());
            state.turns.wait(stream, Arc::clone(&waiter));
            waiter
        };
        cancel.watch(&waiter);
        if waiter.wait(cancel) {
            return Ok(slot());
        }
        let mut state = self.lock();
        let waiting = state.turns.waiting.len();
        state.turns.waiting.retain(|(_, other)| !Arc::ptr_eq(other, &waiter));
        if state.turns.waiting.len() == waiting {
            // Granted between the cancellation and here: hand it on.
            drop(state);
            drop(Slot { slots: self, of: None });
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
        Some(Slot { slots: self, of: None })
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Slot<'_> {
    /// Does the slot's work and waits for it.
    pub fn run<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        match &self.slots.workers {
            Some(workers) => workers.install(work),
            None => work(),
        }
    }

    fn spare(&self) -> Option<Spare<'_>> {
        let workers = self.slots.workers.as_ref()?;
        Some(Spare { workers, slot: self.slots.try_acquire()? })
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
        if let Some((stream, begin)) = self.of {
            stream.end(begin.elapsed());
        }
        let mut state = self.slots.lock();
        match state.turns.next() {
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
        while slots.lock().turns.waiting.len() != length {
            thread::yield_now();
        }
    }

    #[test]
    fn slots_are_served_in_the_order_of_arrival() {
        let slots = Slots::new(1, 0);
        let stream = Stream::default();
        let first = slots.acquire(&stream, &Cancel::new()).expect("free");
        let (served, order) = mpsc::channel();
        thread::scope(|scope| {
            for number in 0..4 {
                let served = served.clone();
                let slots = &slots;
                scope.spawn(move || {
                    let stream = Stream::default();
                    let slot = slots.acquire(&stream, &Cancel::new()).expect("not cancelled");
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

    /// Frames of each of two streams that are served in ten seconds of one slot, if they always wait with the next one.
    fn served(seconds: [f64; 2]) -> [usize; 2] {
        let streams = [Stream::default(), Stream::default()];
        let mut turns = Turns::new();
        let (mut time, mut served) = (0.0, [0; 2]);
        for stream in [0, 1] {
            turns.wait(&streams[stream], stream);
        }
        while time < 10.0 {
            let stream = turns.next().expect("both wait");
            streams[stream].end(Duration::from_secs_f64(seconds[stream]));
            time += seconds[stream];
            served[stream] += 1;
            turns.wait(&streams[stream], stream);
        }
        served
    }

    #[test]
    fn time_is_shared_and_not_frames() {
        let [one, other] = served([0.02, 0.02]);
        assert!(one.abs_diff(other) <= 1, "{one} {other}");
        let [quick, slow] = served([0.01, 0.04]);
        assert!(quick.abs_diff(500) <= 5 && slow.abs_diff(125) <= 2, "{quick} {slow}");
    }

    /// Nobody saves time up, and nobody pays for what was idle.
    #[test]
    fn who_was_away_begins_with_the_others() {
        let [busy, away] = [Stream::default(), Stream::default()];
        let mut turns = Turns::new();
        for _ in 0..100 {
            turns.serve(&busy);
            busy.end(Duration::from_millis(40));
        }
        let mut order = Vec::new();
        turns.wait(&away, 'a');
        turns.wait(&busy, 'b');
        for _ in 0..6 {
            let next = turns.next().expect("both wait");
            order.push(next);
            let stream = if next == 'a' { &away } else { &busy };
            stream.end(Duration::from_millis(40));
            turns.wait(stream, next);
        }
        assert_eq!(order.iter().filter(|one| **one == 'a').count(), 3, "{order:?}");
    }

    #[test]
    fn an_idle_slot_helps_and_one_in_use_does_not() {
        let slots = Slots::new(2, 0);
        let stream = Stream::default();
        let slot = slots.acquire(&stream, &Cancel::new()).expect("free");
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
        let stream = Stream::default();
        let slot = slots.acquire(&stream, &Cancel::new()).expect("free");
        let caller = rustix::process::getpriority_process(None).expect("a priority");
        let worker = slot.run(|| rustix::process::getpriority_process(None).expect("a priority"));
        assert_eq!(worker, 7.max(caller));
        assert_eq!(rustix::process::getpriority_process(None).expect("a priority"), caller);
    }

    #[test]
    fn a_cancelled_wait_ends_and_gives_up_its_place() {
        let slots = Slots::new(1, 0);
        let [stream, other] = [Stream::default(), Stream::default()];
        let held = slots.acquire(&stream, &Cancel::new()).expect("free");
        let cancel = Cancel::new();
        thread::scope(|scope| {
            let waiting = scope.spawn(|| slots.acquire(&other, &cancel).map(drop));
            wait_for_queue(&slots, 1);
            cancel.cancel();
            assert_eq!(waiting.join().expect("no panic"), Err(Cancelled));
        });
        assert!(slots.lock().turns.waiting.is_empty());
        drop(held);
        assert_eq!(slots.lock().free, 1);
    }

    #[test]
    fn a_cancelled_handle_gets_no_slot_until_it_is_rearmed() {
        let slots = Slots::new(1, 0);
        let (stream, cancel) = (Stream::default(), Cancel::new());
        cancel.cancel();
        assert!(slots.acquire(&stream, &cancel).is_err());
        cancel.rearm();
        assert!(slots.acquire(&stream, &cancel).is_ok());
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
                    let stream = Stream::default();
                    for _ in 0..500 {
                        drop(slots.acquire(&stream, &cancel));
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
        assert!(slots.lock().turns.waiting.is_empty());
    }
}
