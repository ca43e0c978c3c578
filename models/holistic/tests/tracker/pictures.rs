//! Frames without anybody, of extreme sizes and with bytes between their rows.

use dactyl_holistic::keypoints::{COUNT, POSE};
use dactyl_holistic::{Cancel, Parts, RgbFrame};

use crate::reference::Clip;
use crate::tracker;

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
    let picture = Clip::drawn().picture(0);
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
