//! A frame that is cancelled leaves no trace, wherever the cancellation falls.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::thread;

use super::reference::HandAlone;
use super::{Clip, FRAME_TIME, observed};
use crate::frame::RgbFrame;
use crate::keypoints::RIGHT_HAND;
use crate::networks::Parts;
use crate::options::Options;
use crate::tracker::{Frame, Tracker};
use dactyl_kernels::{Cancel, RunError};

/// When a frame is cancelled: as that run of the network begins, or while it is under way.
#[derive(Debug, Clone, Copy)]
struct Moment {
    network: &'static str,
    /// 1 = the network's first run in the frame.
    run: usize,
    under_way: bool,
}

/// The armed moment, and the runs of each network since it was armed.
type Trap = Arc<Mutex<(Option<Moment>, BTreeMap<&'static str, usize>)>>;

fn spring(trap: &Trap, network: &'static str, cancel: &Cancel) {
    let mut trap = trap.lock().expect("no panic");
    let run = trap.1.entry(network).or_default();
    *run += 1;
    let run = *run;
    if let Some(moment) = trap.0.filter(|moment| moment.network == network && moment.run == run) {
        trap.0 = None;
        let cancel = cancel.clone();
        if moment.under_way {
            thread::spawn(move || cancel.cancel());
        } else {
            cancel.cancel();
        }
    }
}

/// Every bit of the state: the shortest decimal digits that give a float back are its own alone.
fn state(tracker: &Tracker) -> String {
    format!("{:?}", tracker.state)
}

/// Every bit of a frame.
fn text(frame: &Frame) -> String {
    format!("{frame:?}")
}

/// Cancels the next frame at `moment`, then finishes it, and leaves the tracker as it was. `expected` is the frame of a
/// tracker that was not disturbed.
fn disturb(
    tracker: &mut Tracker,
    trap: &Trap,
    moment: Moment,
    frame: &RgbFrame<'_>,
    time: i64,
    expected: &str,
) {
    let saved = tracker.state.clone();
    let before = state(tracker);
    let cancel = Cancel::new();
    // The thread that cancels may come late to a run under way.
    let cancelled = (0..50).any(|_| {
        *trap.lock().expect("no panic") = (Some(moment), BTreeMap::new());
        let result = tracker.process(frame, time, &cancel);
        assert!(trap.lock().expect("no panic").0.is_none(), "{moment:?} never came");
        match result {
            Err(RunError::Cancelled(_)) => true,
            Err(error) => panic!("{moment:?}: {error}"),
            Ok(_) => {
                assert!(moment.under_way, "{moment:?}: not cancelled");
                while !cancel.is_cancelled() {
                    thread::yield_now();
                }
                cancel.rearm();
                tracker.state = saved.clone();
                false
            }
        }
    });
    assert!(cancelled, "{moment:?}: every cancellation came too late");
    assert_eq!(state(tracker), before, "{moment:?}");
    let after_cancelling = tracker.process(frame, time, &cancel);
    assert!(
        matches!(after_cancelling, Err(RunError::Cancelled(_))),
        "{moment:?}: a cancelled handle stays so"
    );
    assert_eq!(state(tracker), before, "{moment:?}, still cancelled");
    cancel.rearm();
    let found = tracker.process(frame, time, &cancel).expect("rearmed");
    assert_eq!(text(&found), expected, "{moment:?}: the frame after all");
    tracker.state = saved;
}

/// A tracker whose networks spring the trap.
fn trapped() -> (Tracker, Trap) {
    let trap = Trap::default();
    let networks = observed(Parts::ALL, {
        let trap = Arc::clone(&trap);
        move |network, cancel| spring(&trap, network, cancel)
    });
    (Tracker::new(networks, Options::default()), trap)
}

#[test]
fn a_frame_cancelled_at_any_network_leaves_the_state_as_it_was() {
    let clip = Clip::drawn();
    let (mut tracker, trap) = trapped();
    let mut next = 0;
    let mut advance = |tracker: &mut Tracker| {
        let picture = clip.picture(next);
        next += 1;
        tracker.process(&picture.frame(), next as i64 * FRAME_TIME, &Cancel::new()).expect("not cancelled")
    };
    for _ in 0..3 {
        advance(&mut tracker);
    }

    // All parts are followed, so that every part of the state could be lost.
    let picture = clip.picture(3);
    let time = 4 * FRAME_TIME;
    let saved = tracker.state.clone();
    let expected = tracker.process(&picture.frame(), time, &Cancel::new()).expect("not cancelled");
    tracker.state = saved;
    let stages = [
        ("pose_landmark", 1),
        ("hand_recrop", 1),
        ("hand_landmark", 1),
        ("hand_recrop", 2),
        ("hand_landmark", 2),
        ("face_detection", 1),
        ("face_landmark", 1),
    ];
    for (network, run) in stages {
        for under_way in [false, true] {
            let moment = Moment { network, run, under_way };
            disturb(&mut tracker, &trap, moment, &picture.frame(), time, &text(&expected));
        }
    }

    // The detector runs after the person was lost: filters that outlive the loss are part of the state.
    let nobody = vec![127; picture.pixels.len()];
    let empty = RgbFrame::new(&nobody, picture.width, picture.height, picture.width as usize * 3)
        .expect("consistent");
    let lost = tracker.process(&empty, time, &Cancel::new()).expect("not cancelled");
    assert_eq!(lost.world, None);
    let time = 5 * FRAME_TIME;
    let saved = tracker.state.clone();
    let expected = tracker.process(&picture.frame(), time, &Cancel::new()).expect("not cancelled");
    assert!(expected.trace.pose.region_from_detection.is_some());
    tracker.state = saved;
    for under_way in [false, true] {
        let moment = Moment { network: "pose_detection", run: 1, under_way };
        disturb(&mut tracker, &trap, moment, &picture.frame(), time, &text(&expected));
    }
}

#[test]
fn a_frame_with_a_hand_alone_cancelled_at_any_network_leaves_the_state_as_it_was() {
    let hand = HandAlone::recorded().swap_remove(1);
    let (mut tracker, trap) = trapped();
    // Frame 1 is the first in which the palm detector finds the hand; in frame 2 the hand is followed.
    let stages = [
        (1, &["pose_detection", "palm_detection", "hand_landmark"][..]),
        (2, &["pose_detection", "hand_landmark"]),
    ];
    for (index, networks) in stages {
        let picture = hand.picture(index);
        let time = index as i64 * FRAME_TIME;
        let saved = tracker.state.clone();
        let expected = tracker.process(&picture.frame(), time, &Cancel::new()).expect("not cancelled");
        assert!(expected.keypoints.is_present(RIGHT_HAND), "frame {index}");
        tracker.state = saved;
        for &network in networks {
            for under_way in [false, true] {
                let moment = Moment { network, run: 1, under_way };
                disturb(&mut tracker, &trap, moment, &picture.frame(), time, &text(&expected));
            }
        }
        tracker.process(&picture.frame(), time, &Cancel::new()).expect("not cancelled");
    }
}
