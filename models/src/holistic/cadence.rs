//! The fast profile's rhythm: a body at rest is looked for in every second frame only, and held in between.

use crate::keypoints::Landmark;

use super::pose::BODY;
use super::region::{Picture, Point};

/// Frames in a row for which the body may be held.
const MOST_HELD: u32 = 1;
/// Movement that ends the rest, in shares of the body's region: 3 to 4 pixels of a person who fills a 640 x 480 picture.
const REST: f32 = 0.005;
/// Visibility from which a body landmark counts.
const VISIBLE: f32 = 0.5;
/// Body landmarks that tell movement: nose, shoulders, elbows, wrists.
const TELLING: [usize; 7] = [0, 11, 12, 13, 14, 15, 16];

/// Wrists of the left and the right hand in pixels, `None` for a hand that is not there.
pub(super) type Wrists = [Option<Point>; 2];

/// When the body was last looked for, and how things lay then.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Cadence {
    held: u32,
    rests: bool,
    wrists: Wrists,
}

impl Cadence {
    /// Whether the body may be held for a frame, given where the hands were in the last one. `size` is the length of the
    /// body's region in pixels.
    pub fn may_hold(&self, wrists: Wrists, size: f32) -> bool {
        let rests = |(now, then): (Option<Point>, Option<Point>)| match (now, then) {
            (Some(now), Some(then)) => distance(now, then) <= REST * size,
            (None, None) => true,
            // A hand came or went: the body tells where to look for it.
            _ => false,
        };
        self.rests && self.held < MOST_HELD && wrists.into_iter().zip(self.wrists).all(rests)
    }

    /// Notes a frame for which the body was held.
    pub fn held(&mut self) {
        self.held += 1;
    }

    /// Notes a frame in which the body was looked for.
    pub fn looked(&mut self, rests: bool, wrists: Wrists) {
        *self = Self { held: 0, rests, wrists };
    }
}

/// Whether `body` has not moved since `last`.
pub(super) fn is_at_rest(
    body: &[Landmark; BODY],
    last: &[Landmark; BODY],
    size: f32,
    picture: Picture,
) -> bool {
    let pixels = |landmark: &Landmark| [landmark[0] * picture.width, landmark[1] * picture.height];
    TELLING.iter().map(|index| (&body[*index], &last[*index])).all(|(now, then)| {
        now[3] < VISIBLE || then[3] < VISIBLE || distance(pixels(now), pixels(then)) <= REST * size
    })
}

fn distance(a: Point, b: Point) -> f32 {
    (a[0] - b[0]).hypot(a[1] - b[1])
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIZE: f32 = 700.0;
    const WRISTS: Wrists = [None, Some([300.0, 200.0])];

    fn at_rest() -> Cadence {
        let mut cadence = Cadence::default();
        cadence.looked(true, WRISTS);
        cadence
    }

    #[test]
    fn a_body_at_rest_is_looked_for_in_every_second_frame() {
        let mut cadence = at_rest();
        let mut frames = Vec::new();
        for _ in 0..7 {
            let hold = cadence.may_hold(WRISTS, SIZE);
            if hold {
                cadence.held();
            } else {
                cadence.looked(true, WRISTS);
            }
            frames.push(hold);
        }
        assert_eq!(frames, [true, false, true, false, true, false, true]);
    }

    #[test]
    fn a_body_that_moves_or_was_never_seen_is_looked_for_in_every_frame() {
        assert!(!Cadence::default().may_hold(WRISTS, SIZE));
        let mut cadence = at_rest();
        cadence.looked(false, WRISTS);
        assert!(!cadence.may_hold(WRISTS, SIZE));
    }

    #[test]
    fn a_hand_that_moves_comes_or_goes_ends_the_rest() {
        let cadence = at_rest();
        assert!(cadence.may_hold([None, Some([303.0, 200.0])], SIZE));
        assert!(!cadence.may_hold([None, Some([304.0, 200.0])], SIZE));
        assert!(!cadence.may_hold([None, None], SIZE));
        assert!(!cadence.may_hold([Some([10.0, 10.0]), Some([300.0, 200.0])], SIZE));
    }

    #[test]
    fn landmarks_that_are_not_visible_do_not_move_a_body() {
        let picture = Picture::new(640, 480);
        let last = [[0.5, 0.5, 0.0, 0.9]; BODY];
        let mut body = last;
        assert!(is_at_rest(&body, &last, SIZE, picture));
        body[15] = [0.6, 0.5, 0.0, 0.9];
        assert!(!is_at_rest(&body, &last, SIZE, picture));
        body[15][3] = 0.1;
        assert!(is_at_rest(&body, &last, SIZE, picture));
    }
}
