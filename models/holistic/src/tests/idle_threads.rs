//! What helpers do for a frame: the same landmarks sooner.

use std::collections::BTreeMap;
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::Duration;

use dactyl_kernels::Cancel;

use super::{Clip, FRAME_TIME, networks, observed};
use crate::idle_threads::{Alone, Helpers};
use crate::networks::{Networks, Parts};
use crate::options::Options;
use crate::tracker::{Frame, Tracker};

/// Far longer than a run takes on any machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// A thread that is always idle.
struct Another;

impl Helpers for Another {
    fn join<A: Send, B: Send>(
        &self,
        one: impl FnOnce() -> A + Send,
        other: impl FnOnce() -> B + Send,
    ) -> (A, B) {
        thread::scope(|scope| {
            let other = scope.spawn(other);
            (one(), other.join().expect("no panic"))
        })
    }

    fn join_if_idle<A: Send, B: Send>(
        &self,
        one: impl FnOnce() -> A + Send,
        extra: impl FnOnce() -> B + Send,
    ) -> (A, Option<B>) {
        let (one, extra) = self.join(one, extra);
        (one, Some(extra))
    }
}

/// The clip's frames, analysed with some help.
fn frames(clip: &Clip, networks: Networks, helpers: &impl Helpers) -> Vec<Frame> {
    let mut tracker = Tracker::new(networks, Options::default());
    let mut analyse = |index: usize| {
        let picture = clip.picture(index);
        let time = (index as i64 + 1) * FRAME_TIME;
        tracker.process_with(helpers, &picture.frame(), time, &Cancel::new()).expect("not cancelled")
    };
    (0..clip.len()).map(&mut analyse).collect()
}

#[test]
fn help_changes_no_landmark() {
    for clip in [Some(Clip::drawn()), Clip::open("squats")].into_iter().flatten() {
        let alone = frames(&clip, networks(), &Alone);
        for (index, (frame, helped)) in alone.iter().zip(frames(&clip, networks(), &Another)).enumerate() {
            // Debug, as NaN marks what is absent; its shortest digits are each float's own alone.
            assert_eq!(format!("{helped:?}"), format!("{frame:?}"), "frame {index}");
        }
    }
}

#[test]
fn a_hand_that_keeps_its_place_is_looked_for_while_the_body_is_and_only_once() {
    type Begun = (Mutex<BTreeMap<&'static str, usize>>, Condvar);

    let begun: Arc<Begun> = Arc::default();
    let clip = Clip::drawn();
    let networks = observed(Parts::ALL, {
        let begun = Arc::clone(&begun);
        move |network, _| {
            let (runs, changed) = &*begun;
            let mut runs = runs.lock().expect("no panic");
            *runs.entry(network).or_default() += 1;
            changed.notify_all();
            let count = |network| move |runs: &BTreeMap<_, usize>| runs.get(network).copied().unwrap_or(0);
            let frame = count("pose_landmark")(&runs);
            // After the first frame, in which the hands are found, three in which they keep their place.
            if network == "pose_landmark" && frame > 4 {
                let hands = count("hand_landmark");
                let wait = changed.wait_timeout_while(runs, PATIENCE, |runs| hands(runs) <= 2 * (frame - 1));
                let is_too_late = wait.expect("no panic").1.timed_out();
                assert!(!is_too_late, "frame {frame}: no hand was looked for before the body was known");
            }
        }
    });
    let frames = frames(&clip, networks, &Another);
    assert!(frames.iter().all(|frame| frame.trace.left_hand.presence.is_some()));
    let runs = begun.0.lock().expect("no panic");
    assert_eq!(runs["hand_landmark"], 2 * frames.len());
}
