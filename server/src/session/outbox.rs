//! What waits to be sent to one client: resets and errors in full, of everything else only the newest.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use tokio::sync::Notify;

use crate::protocol::{self, Close, Outcome, Refusal};

/// Messages that must be delivered and wait: beyond this the client counts as one that does not read.
const MOST_WAITING: usize = 10_000;

/// Something to send.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Outgoing {
    /// A payload; `frame_entered` is when its frame came.
    Feedback { text: String, frame_entered: Option<Instant> },
    /// The 0 % payload of the new letter that came at that time.
    Reset { text: String, came: Instant },
    /// An error, or what was asked for with `?extras=`.
    Text(String),
    /// A ping.
    Ping,
    /// The end.
    Close(Close),
}

/// What was asked for with `?extras=` and is sent as messages of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Extra {
    Status,
    Top,
    Landmarks,
}

#[derive(Default)]
struct State {
    /// Resets and errors, in their order.
    kept: VecDeque<Outgoing>,
    feedback: Option<Outgoing>,
    extras: [Option<String>; 3],
    /// The last status of this epoch that was put in.
    status: String,
    ended: Vec<(u64, Outcome)>,
    rate: Option<f64>,
    ping: bool,
    close: Option<Close>,
    /// The newest epoch; what belongs to an earlier one is not sent any more.
    epoch: u64,
    /// First frame of that epoch.
    first_frame: u64,
    /// Epochs whose 0 % payload is still to come, and when their new letters came.
    unanswered: VecDeque<(u64, Instant)>,
}

/// The messages that wait for one client.
#[derive(Default)]
pub(super) struct Outbox {
    state: Mutex<State>,
    filled: Notify,
}

impl Outbox {
    fn change(&self, change: impl FnOnce(&mut State)) {
        let mut state = self.lock();
        change(&mut state);
        if state.kept.len() + state.unanswered.len() + state.ended.len() > MOST_WAITING {
            state.close.get_or_insert(Close::SlowClient);
            // Nothing more is kept for it.
            state.kept.truncate(MOST_WAITING);
            state.unanswered.truncate(MOST_WAITING);
            state.ended.truncate(MOST_WAITING);
        }
        drop(state);
        self.filled.notify_one();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A new letter came: from here on nothing of earlier epochs is sent. `answered`: a 0 % payload will come.
    pub(super) fn begin_epoch(&self, epoch: u64, first_frame: u64, came: Instant, answered: bool) {
        self.change(|state| {
            state.epoch = epoch;
            state.first_frame = first_frame;
            state.feedback = None;
            state.extras = Default::default();
            state.status.clear();
            if answered {
                state.unanswered.push_back((epoch, came));
            }
        });
    }

    /// The 0 % payload of that epoch left the pipeline. New letters that it overtook are answered with it, in order.
    pub(super) fn reset_done(&self, epoch: u64, payload: &str) {
        self.change(|state| {
            while let Some((waiting, came)) = state.unanswered.front().copied() {
                if waiting > epoch {
                    break;
                }
                state.unanswered.pop_front();
                let text = if waiting == epoch { payload } else { protocol::RESET_PAYLOAD };
                state.kept.push_back(Outgoing::Reset { text: text.to_owned(), came });
            }
        });
    }

    /// Whether a 0 % payload is still to come for that epoch.
    pub(super) fn awaits_reset(&self, epoch: u64) -> bool {
        self.lock().unanswered.iter().any(|(waiting, _)| *waiting <= epoch)
    }

    /// A payload computed from a frame of that epoch.
    pub(super) fn feedback(&self, epoch: u64, text: String, frame_entered: Option<Instant>) {
        self.change(|state| {
            if epoch >= state.epoch {
                state.feedback = Some(Outgoing::Feedback { text, frame_entered });
            }
        });
    }

    /// Something seen in that frame.
    pub(super) fn extra(&self, extra: Extra, frame: u64, text: String) {
        self.change(|state| {
            if frame >= state.first_frame {
                state.extras[extra as usize] = Some(text);
            }
        });
    }

    /// The status after that frame, worth a message if it is another one or the first of its epoch.
    pub(super) fn status(&self, frame: u64, text: String) {
        self.change(|state| {
            if frame >= state.first_frame && text != state.status {
                state.status.clone_from(&text);
                state.extras[Extra::Status as usize] = Some(text);
            }
        });
    }

    /// A frame ended; none is forgotten, whatever its epoch.
    pub(super) fn ended(&self, frame: u64, outcome: Outcome) {
        self.change(|state| state.ended.push((frame, outcome)));
    }

    /// How many frames a second are analysed at most.
    pub(super) fn rate(&self, per_second: f64) {
        self.change(|state| state.rate = Some(per_second));
    }

    /// An error.
    pub(super) fn refuse(&self, refusal: &Refusal) {
        self.change(|state| state.kept.push_back(Outgoing::Text(refusal.to_text())));
    }

    /// A ping, unless one waits already.
    pub(super) fn ping(&self) {
        self.change(|state| state.ping = true);
    }

    /// The end, after all resets and errors that wait. The first reason stays.
    pub(super) fn close(&self, close: Close) {
        self.change(|state| {
            state.close.get_or_insert(close);
        });
    }

    /// Why the session is to end, if it is.
    pub(super) fn ending(&self) -> Option<Close> {
        self.lock().close
    }

    /// The next message, if one waits.
    pub(super) fn try_next(&self) -> Option<Outgoing> {
        let mut state = self.lock();
        if let Some(kept) = state.kept.pop_front() {
            return Some(kept);
        }
        if let Some(close) = state.close {
            return Some(Outgoing::Close(close));
        }
        if std::mem::take(&mut state.ping) {
            return Some(Outgoing::Ping);
        }
        if let Some(feedback) = state.feedback.take() {
            return Some(feedback);
        }
        if let Some(extra) = state.extras.iter_mut().find_map(Option::take) {
            return Some(Outgoing::Text(extra));
        }
        // After what was computed from these frames.
        if !state.ended.is_empty() {
            return Some(Outgoing::Text(protocol::ended(&std::mem::take(&mut state.ended))));
        }
        state.rate.take().map(|rate| Outgoing::Text(protocol::rate(rate)))
    }

    /// Waits for the next message. One caller at a time.
    pub(super) async fn next(&self) -> Outgoing {
        loop {
            if let Some(next) = self.try_next() {
                return next;
            }
            self.filled.notified().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::ErrorCode;

    fn feedback(text: &str) -> Outgoing {
        Outgoing::Feedback { text: text.to_owned(), frame_entered: None }
    }

    fn refusal(message: &str) -> Refusal {
        Refusal { code: ErrorCode::BadJpeg, message: message.to_owned() }
    }

    fn drain(outbox: &Outbox) -> Vec<Outgoing> {
        std::iter::from_fn(|| outbox.try_next()).take(100).collect()
    }

    #[test]
    fn a_client_that_does_not_read_gets_the_newest_result_and_every_error() {
        let outbox = Outbox::default();
        for number in 0..5 {
            outbox.feedback(0, number.to_string(), None);
            outbox.refuse(&refusal(&number.to_string()));
            outbox.extra(Extra::Status, number, number.to_string());
        }
        let waiting = drain(&outbox);
        let errors: Vec<Outgoing> =
            (0..5).map(|n| Outgoing::Text(refusal(&n.to_string()).to_text())).collect();
        assert_eq!(waiting[..5], errors);
        assert_eq!(waiting[5..], [feedback("4"), Outgoing::Text("4".to_owned())]);
    }

    #[test]
    fn nothing_of_an_earlier_epoch_follows_a_new_letter() {
        let outbox = Outbox::default();
        outbox.feedback(0, "old and waiting".to_owned(), None);
        outbox.extra(Extra::Landmarks, 6, "old and waiting".to_owned());
        outbox.begin_epoch(1, 7, Instant::now(), true);
        outbox.feedback(0, "old and late".to_owned(), None);
        outbox.extra(Extra::Landmarks, 6, "old and late".to_owned());
        assert!(outbox.awaits_reset(1));
        assert_eq!(drain(&outbox), []);
        outbox.feedback(1, "new".to_owned(), None);
        assert_eq!(drain(&outbox), [feedback("new")]);
    }

    #[test]
    fn the_status_is_told_when_it_changes_and_anew_after_a_new_letter() {
        let outbox = Outbox::default();
        let told = |frame: u64, text: &str| {
            outbox.status(frame, text.to_owned());
            drain(&outbox)
        };
        let warming = [Outgoing::Text("warming 1/32".to_owned())];
        assert_eq!(told(1, "warming 1/32"), warming);
        assert_eq!(told(2, "warming 1/32"), []);
        outbox.begin_epoch(1, 3, Instant::now(), false);
        assert_eq!(told(2, "warming 1/32"), [], "an earlier letter's, and late");
        assert_eq!(told(3, "warming 1/32"), warming);
    }

    #[test]
    fn the_end_of_a_frame_is_told_after_what_came_of_it_and_whatever_its_epoch() {
        let outbox = Outbox::default();
        outbox.ended(1, Outcome::Dropped);
        outbox.begin_epoch(1, 3, Instant::now(), false);
        outbox.ended(2, Outcome::Cancelled);
        outbox.rate(20.0);
        outbox.rate(10.04);
        outbox.feedback(1, "new".to_owned(), None);
        let ended = r#"{"ended":[[1,"dropped"],[2,"cancelled"]]}"#.to_owned();
        let rate = r#"{"rate":10.0}"#.to_owned();
        assert_eq!(drain(&outbox), [feedback("new"), Outgoing::Text(ended), Outgoing::Text(rate)]);
    }

    #[test]
    fn every_new_letter_gets_its_payload_before_anything_of_its_epoch() {
        let outbox = Outbox::default();
        let came: Vec<Instant> = (1..=3)
            .map(|epoch| {
                let came = Instant::now();
                outbox.begin_epoch(epoch, 1, came, true);
                came
            })
            .collect();
        outbox.reset_done(2, "own");
        assert!(outbox.awaits_reset(3));
        outbox.feedback(3, "first result".to_owned(), None);
        outbox.reset_done(3, "own");
        assert!(!outbox.awaits_reset(3));
        let reset = |text: &str, came| Outgoing::Reset { text: text.to_owned(), came };
        assert_eq!(
            drain(&outbox),
            [
                reset(protocol::RESET_PAYLOAD, came[0]),
                reset("own", came[1]),
                reset("own", came[2]),
                feedback("first result")
            ]
        );
        outbox.reset_done(3, "again");
        assert_eq!(drain(&outbox), []);
    }

    #[test]
    fn the_end_comes_after_the_errors_and_stays() {
        let outbox = Outbox::default();
        outbox.feedback(0, "not worth the wait".to_owned(), None);
        outbox.refuse(&refusal("last"));
        outbox.close(Close::TooManyBadMessages);
        outbox.close(Close::Idle);
        assert_eq!(outbox.try_next(), Some(Outgoing::Text(refusal("last").to_text())));
        assert_eq!(outbox.try_next(), Some(Outgoing::Close(Close::TooManyBadMessages)));
        assert_eq!(outbox.try_next(), Some(Outgoing::Close(Close::TooManyBadMessages)));
    }

    #[test]
    fn a_flood_of_errors_that_nobody_reads_ends_the_session() {
        let outbox = Outbox::default();
        for _ in 0..MOST_WAITING {
            outbox.refuse(&refusal("x"));
        }
        assert_eq!(outbox.ending(), None);
        for _ in 0..1000 {
            outbox.refuse(&refusal("x"));
            outbox.begin_epoch(1, 1, Instant::now(), true);
        }
        assert_eq!(outbox.ending(), Some(Close::SlowClient));
        let last = std::iter::from_fn(|| outbox.try_next()).nth(MOST_WAITING);
        assert_eq!(last, Some(Outgoing::Close(Close::SlowClient)));
    }

    #[tokio::test]
    async fn waiting_ends_when_something_comes() {
        let outbox = std::sync::Arc::new(Outbox::default());
        let other = std::sync::Arc::clone(&outbox);
        let waiting = tokio::spawn(async move { other.next().await });
        tokio::task::yield_now().await;
        outbox.ping();
        assert_eq!(waiting.await.unwrap(), Outgoing::Ping);
    }
}
