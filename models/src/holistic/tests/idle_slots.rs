//! What idle slots do for a frame: the same landmarks sooner.

use std::collections::BTreeMap;
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use super::{Clip, FRAME_TIME, networks, observed};
use crate::holistic::Networks;
use crate::holistic::tracker::{Frame, Options, Tracker};
use crate::runtime::{Cancel, Slots};

/// Far longer than a run takes on any machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// The clip's frames, analysed by the work of one of two slots; with `is_alone` the other is never idle.
fn frames(clip: &Clip, networks: Networks, is_alone: bool) -> Vec<Frame> {
    let slots = Slots::new(2, 0);
    let cancel = Cancel::new();
    let slot = slots.acquire(&cancel).expect("free");
    let _other = is_alone.then(|| slots.acquire(&cancel).expect("free"));
    let mut tracker = Tracker::new(networks, Options::default());
    let mut analyse = |index: usize| {
        let picture = clip.picture(index);
        let time = (index as i64 + 1) * FRAME_TIME;
        slot.run(|| tracker.process_in(Some(&slot), &picture.frame(), time, &cancel)).expect("not cancelled")
    };
    (0..clip.len()).map(&mut analyse).collect()
}

#[test]
fn idle_slots_change_no_landmark() {
    for clip in [Some(Clip::drawn()), Clip::open("squats")].into_iter().flatten() {
        let alone = frames(&clip, networks(), true);
        for (index, (frame, helped)) in alone.iter().zip(frames(&clip, networks(), false)).enumerate() {
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
    let networks = observed({
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
    let frames = frames(&clip, networks, false);
    assert!(frames.iter().all(|frame| frame.trace.left_hand.presence.is_some()));
    let runs = begun.0.lock().expect("no panic");
    assert_eq!(runs["hand_landmark"], 2 * frames.len());
}
