//! Frames that are ended before they are done, and frames without anybody.

use std::thread;
use std::time::{Duration, Instant};

use dactyl_models::holistic::{Parts, RgbFrame};
use dactyl_models::keypoints::{COUNT, POSE};
use dactyl_models::runtime::{Cancel, RunError};

use crate::reference::Clip;
use crate::tracker;

#[test]
fn a_cancelled_frame_leaves_the_tracker_as_it_was() {
    let Some(clip) = Clip::open("squats") else { return };
    let (mut disturbed, mut undisturbed) = (tracker(Parts::ALL), tracker(Parts::ALL));
    let mut whole = Duration::from_millis(20);
    let mut cancelled = 0;
    for index in 0..12_u32 {
        let picture = clip.picture(index as usize);
        let time = i64::from(index) * 33_333;
        let cancel = Cancel::new();
        for attempt in 0..4_u32 {
            let delay = whole.mul_f64(f64::from((index * 4 + attempt) % 11) / 11.0);
            let other = {
                let cancel = cancel.clone();
                thread::spawn(move || {
                    thread::sleep(delay);
                    cancel.cancel();
                })
            };
            // Another picture, so that a state that was kept by mistake would show.
            let wrong = clip.picture(clip.len() - 1 - index as usize);
            let result = disturbed.process(&wrong.frame(), time, &cancel);
            other.join().expect("no panic");
            cancel.rearm();
            match result {
                Err(RunError::Cancelled(_)) => cancelled += 1,
                Err(error) => panic!("{error}"),
                // Finished before the cancellation: the two have seen different frames from here on.
                Ok(_) => return assert!(cancelled > 3, "only {cancelled} frames were cancelled"),
            }
        }
        let started = Instant::now();
        let expected = undisturbed.process(&picture.frame(), time, &Cancel::new()).expect("not cancelled");
        whole = started.elapsed().mul_f64(0.7);
        let found = disturbed.process(&picture.frame(), time, &cancel).expect("rearmed");
        assert_eq!(found.trace, expected.trace, "frame {index}");
    }
    assert!(cancelled > 3, "only {cancelled} frames were cancelled");
}

#[test]
fn nobody_is_found_in_an_empty_picture() {
    let mut tracker = tracker(Parts::ALL);
    for level in [0, 127, 255] {
        let pixels = vec![level; 321 * 200 * 3];
        let frame = RgbFrame::new(&pixels, 321, 200, 321 * 3).expect("consistent");
        let found = tracker.process(&frame, 0, &Cancel::new()).expect("not cancelled");
        assert!(found.keypoints.part(POSE.start..COUNT).iter().all(|landmark| landmark[0].is_nan()));
        assert_eq!(found.world, None);
        assert_eq!(found.trace.pose.region, None);
    }
}

#[test]
fn the_smallest_and_the_most_stretched_pictures_are_analysed() {
    for (width, height) in [(1, 1), (1, 4000), (4000, 1), (2, 2), (3, 7)] {
        let stride = width as usize * 3 + 5;
        let pixels = vec![200; stride * height as usize];
        let frame = RgbFrame::new(&pixels, width, height, stride).expect("consistent");
        tracker(Parts::ALL).process(&frame, 0, &Cancel::new()).expect("not cancelled");
    }
}

#[test]
fn bytes_after_a_row_are_not_looked_at() {
    let Some(clip) = Clip::open("astronaut") else { return };
    let picture = clip.picture(0);
    let (width, height) = (picture.width as usize, picture.height as usize);
    let stride = width * 3 + 7;
    let mut padded = vec![0xaa; stride * height];
    for (row, padded) in picture.pixels.chunks_exact(width * 3).zip(padded.chunks_exact_mut(stride)) {
        padded[..width * 3].copy_from_slice(row);
    }
    let frame = RgbFrame::new(&padded, picture.width, picture.height, stride).expect("consistent");
    let found = tracker(Parts::ALL).process(&frame, 0, &Cancel::new()).expect("not cancelled");
    let expected = tracker(Parts::ALL).process(&picture.frame(), 0, &Cancel::new()).expect("not cancelled");
    assert_eq!(found.trace, expected.trace);
}
