//! How often a part is looked for: in every frame at its best, seldom where the last frames say that little can change.

use crate::keypoints::Landmark;

use crate::region::{PictureSize, Point};

/// Looks in which a part must have kept its place before it is looked for there without waiting for the body: of a hand
/// that moves fast, every second such look would be for nothing.
const STEADY: u32 = 3;
/// In one of so many looks the fast profile has the body confirm the place of a part that is steady.
const CONFIRMED: u32 = 4;
/// Probability from which a part is sure to be there. Below, it may be about to be lost.
const SURE: f32 = 0.9;
/// Looks in a row that found nothing, after which a part is searched seldom.
const MISSED: u32 = 3;
/// In one of so many frames a part is searched then.
const SEARCHED: u32 = 4;
/// In one of so many frames a palm is searched then. The detector sees some hands in one of three frames only, and what it has found
/// once is followed.
const PALM_SEARCHED: u32 = 2;

/// Mean movement of a part's landmarks since the look before, in shares of its larger side, up to which it rests.
const REST: f32 = 0.011;
/// Looks in a row at a part at rest after which it is held, for one frame more after each further one. Held for two frames
/// from the first one on, slow strokes of a moved letter were held too, and a Z was lost.
const RESTED: u32 = 1;
/// The most frames in a row for which it is held then.
const LONGEST: u32 = 4;
/// Microseconds after a look in which a part is held, however few frames a second there are.
const FRESH: i64 = 200_000;

/// Movement of each of the body's landmarks since the look before, in shares of its region's side, up to which it rests.
const BODY_REST: f32 = 0.0016;
/// Visibility from which a landmark of the body counts.
const VISIBLE: f32 = 0.5;

/// What a look at a part showed.
#[derive(Debug)]
pub(crate) struct Look<'a> {
    /// The landmarks, if the part was found.
    pub landmarks: Option<&'a [Landmark]>,
    /// Its landmarks in the frame before.
    pub previous: Option<&'a [Landmark]>,
    /// Whether it was where the frame before had it.
    pub kept_place: bool,
    /// Probability that it is there; `None` if there was nothing to look at.
    pub presence: Option<f32>,
}

/// The last looks at one part.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Cadence {
    /// Looks in a row that found it where the frame before had it.
    kept: u32,
    /// Looks in a row that found nothing.
    missed: u32,
    /// Looks in a row that found it hardly moved since the look before.
    rested: u32,
    /// Frames since the last look.
    held: u32,
    /// When that was, in microseconds.
    looked: i64,
}

impl Cadence {
    /// Whether the part has kept its place for long enough to be looked for there.
    pub fn is_steady(&self) -> bool {
        self.kept >= STEADY
    }

    /// Whether the part is followed without the body: the fast profile's way with what is steady.
    pub fn is_followed(&self) -> bool {
        self.is_steady() && !self.kept.is_multiple_of(CONFIRMED)
    }

    /// Whether the body has nothing new to say of a hand that was found, or was not, in the last frame: it rests where it was,
    /// or there was nothing to look at.
    pub fn needs_no_body(&self, was_found: bool) -> bool {
        if was_found { self.is_steady() && self.rested > 0 } else { self.missed == 0 }
    }

    /// Whether the part is left as it is for the frame of that time, in microseconds: the fast profile's way with what rests
    /// or is not there.
    pub fn is_held(&self, time: i64) -> bool {
        if self.missed >= MISSED {
            return self.held < SEARCHED - 1;
        }
        is_fresh(self.looked, time) && self.held < self.rested.saturating_sub(RESTED).min(LONGEST)
    }

    /// Whether no palm is searched, because there was none in the last frames.
    pub fn is_palm_search_held(&self) -> bool {
        self.missed >= MISSED && self.held < PALM_SEARCHED - 1
    }

    /// After a frame for which the part was held.
    pub fn after_hold(&self) -> Self {
        Self { held: self.held + 1, ..self.clone() }
    }

    /// After a frame of that time in which the part was looked for.
    pub fn after_look(&self, look: &Look<'_>, picture: PictureSize, time: i64) -> Self {
        let is_sure = look.presence.is_some_and(|presence| presence >= SURE);
        let kept = look.landmarks.is_some() && look.kept_place && is_sure;
        let missed = look.landmarks.is_none() && look.presence.is_some();
        let rests = look
            .landmarks
            .zip(look.previous)
            .is_some_and(|(now, then)| movement(now, then, picture).is_some_and(|movement| movement <= REST));
        Self {
            kept: if kept { self.kept.saturating_add(1) } else { 0 },
            missed: if missed { self.missed.saturating_add(1) } else { 0 },
            rested: if rests { self.rested.saturating_add(1) } else { 0 },
            held: 0,
            looked: time,
        }
    }
}

/// The last look at the body.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct BodyCadence {
    /// Whether it has not moved since the look before, and was not held since.
    rests: bool,
    /// When that was, in microseconds.
    looked: i64,
}

impl BodyCadence {
    /// Whether the body may stay as it is for the frame of that time, in microseconds. A body at rest is held for one frame
    /// only: as its filters hardly move at rest, each frame that they miss leads them to other values for long.
    pub fn is_held(&self, time: i64) -> bool {
        self.rests && is_fresh(self.looked, time)
    }

    /// After a frame for which the body was held.
    pub fn after_hold(&self) -> Self {
        Self { rests: false, ..*self }
    }

    /// After a frame of that time in which the body was looked for and found. `previous` are its landmarks in the frame
    /// before; `side` is its region's in pixels.
    pub fn after_look(
        body: &[Landmark],
        previous: Option<&[Landmark]>,
        side: f32,
        picture: PictureSize,
        time: i64,
    ) -> Self {
        let rests = previous.is_some_and(|previous| {
            let counts = |landmark: &Landmark| {
                landmark[3] > VISIBLE && landmark[..2].iter().all(|place| (0.0..=1.0).contains(place))
            };
            let mut pairs = body.iter().zip(previous);
            pairs.all(|(now, then)| {
                !counts(now) || distance(place(now, picture), place(then, picture)) <= BODY_REST * side
            })
        });
        Self { rests, looked: time }
    }
}

/// Whether a look of the time `looked` still holds at `time`, both in microseconds.
fn is_fresh(looked: i64, time: i64) -> bool {
    time.saturating_sub(looked) <= FRESH
}

/// Where a landmark lies on the picture, in pixels.
fn place(landmark: &Landmark, picture: PictureSize) -> Point {
    picture.pixels([landmark[0], landmark[1]])
}

fn distance(a: Point, b: Point) -> f32 {
    (a[0] - b[0]).hypot(a[1] - b[1])
}

/// Mean distance of the landmarks in pixels, in shares of the larger side of their box; `None` for a box without size.
fn movement(now: &[Landmark], then: &[Landmark], picture: PictureSize) -> Option<f32> {
    let (mut least, mut most, mut sum) = ([f32::INFINITY; 2], [f32::NEG_INFINITY; 2], 0.0);
    for (now, then) in now.iter().zip(then) {
        let (now, then) = (place(now, picture), place(then, picture));
        sum += distance(now, then);
        for axis in 0..2 {
            least[axis] = least[axis].min(now[axis]);
            most[axis] = most[axis].max(now[axis]);
        }
    }
    let size = (most[0] - least[0]).max(most[1] - least[1]);
    (size > 0.0).then(|| sum / now.len() as f32 / size)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A part 100 pixels wide, `by` pixels to the right of its place.
    fn part(by: f32) -> [Landmark; 2] {
        let picture = picture();
        [[(200.0 + by) / picture.width, 0.5, 0.0, 0.0], [(300.0 + by) / picture.width, 0.5, 0.0, 0.0]]
    }

    fn picture() -> PictureSize {
        PictureSize::new(640, 480)
    }

    fn found(cadence: &Cadence, by: f32, presence: f32) -> Cadence {
        let (now, then) = (part(by), part(0.0));
        let look =
            Look { landmarks: Some(&now), previous: Some(&then), kept_place: true, presence: Some(presence) };
        cadence.after_look(&look, picture(), 0)
    }

    fn missed(cadence: &Cadence, presence: Option<f32>) -> Cadence {
        let look = Look { landmarks: None, previous: None, kept_place: false, presence };
        cadence.after_look(&look, picture(), 0)
    }

    /// For each frame whether the part was held, if every look shows the same.
    fn holds(mut cadence: Cadence, frames: usize, look: impl Fn(&Cadence) -> Cadence) -> Vec<bool> {
        let mut held = Vec::new();
        for _ in 0..frames {
            held.push(cadence.is_held(0));
            cadence = if cadence.is_held(0) { cadence.after_hold() } else { look(&cadence) };
        }
        held
    }

    #[test]
    fn what_rests_is_held_for_a_frame_more_after_each_look_up_to_four() {
        let held = holds(Cadence::default(), 22, |cadence| found(cadence, 0.9, 1.0));
        let looks: Vec<usize> = (0..held.len()).filter(|&frame| !held[frame]).collect();
        assert_eq!(looks, [0, 1, 3, 6, 10, 15, 20]);
    }

    #[test]
    fn what_rests_is_not_held_for_longer_than_a_fifth_of_a_second() {
        let mut cadence = Cadence::default();
        for _ in 0..5 {
            cadence = found(&cadence, 0.0, 1.0);
        }
        assert!(cadence.is_held(FRESH) && !cadence.is_held(FRESH + 1));
    }

    #[test]
    fn what_moves_is_looked_at_in_every_frame() {
        assert_eq!(holds(Cadence::default(), 6, |cadence| found(cadence, 1.2, 1.0)), [false; 6]);
    }

    #[test]
    fn what_was_missed_three_times_is_searched_in_every_fourth_frame() {
        let held = holds(Cadence::default(), 11, |cadence| missed(cadence, Some(0.1)));
        let expected = [false, false, false, true, true, true, false, true, true, true, false];
        assert_eq!(held, expected);
        // Found again, it is looked at in every frame.
        let mut cadence = Cadence::default();
        for _ in 0..4 {
            cadence = missed(&cadence, Some(0.1));
        }
        assert!(cadence.is_held(0));
        assert!(!found(&cadence, 50.0, 1.0).is_held(0));
    }

    #[test]
    fn a_hand_out_of_the_picture_costs_nothing_and_is_seen_as_soon_as_it_comes() {
        assert_eq!(holds(Cadence::default(), 8, |cadence| missed(cadence, None)), [false; 8]);
    }

    #[test]
    fn what_keeps_its_place_is_followed_and_confirmed_in_every_fourth_look() {
        let mut cadence = Cadence::default();
        let mut followed = Vec::new();
        for _ in 0..9 {
            followed.push(cadence.is_followed());
            cadence = found(&cadence, 50.0, 1.0);
        }
        assert_eq!(followed, [false, false, false, true, false, true, true, true, false]);
    }

    #[test]
    fn what_may_be_about_to_be_lost_is_not_followed() {
        let mut cadence = Cadence::default();
        for _ in 0..9 {
            cadence = found(&cadence, 0.0, 0.8);
        }
        assert!(!cadence.is_steady());
    }

    /// A body whose region is 1000 pixels large, after a look that found its only landmark so many pixels to the right of its
    /// place.
    fn body(by: f32, place: f32, visibility: f32) -> BodyCadence {
        let [now, then] = [by, 0.0].map(|by| [[place + by / picture().width, 0.5, 0.0, visibility]]);
        BodyCadence::after_look(&now, Some(&then), 1000.0, picture(), 0)
    }

    #[test]
    fn a_body_at_rest_is_held_for_one_frame() {
        assert!(!BodyCadence::default().is_held(0));
        let cadence = body(1.5, 0.5, 1.0);
        assert!(cadence.is_held(FRESH) && !cadence.is_held(FRESH + 1));
        assert!(!cadence.after_hold().is_held(0));
    }

    #[test]
    fn a_body_that_moves_or_was_not_there_before_is_looked_for() {
        assert!(!body(1.7, 0.5, 1.0).is_held(0));
        let now = [[0.5, 0.5, 0.0, 1.0]];
        assert!(!BodyCadence::after_look(&now, None, 1000.0, picture(), 0).is_held(0));
    }

    #[test]
    fn landmarks_that_are_hidden_or_beside_the_picture_do_not_move_a_body() {
        assert!(body(50.0, 0.5, 0.4).is_held(0));
        assert!(body(50.0, 1.1, 1.0).is_held(0));
    }

    #[test]
    fn a_hand_needs_the_body_when_it_moves_comes_is_lost_or_is_searched() {
        let mut cadence = Cadence::default();
        assert!(cadence.needs_no_body(false), "nothing to look at");
        for _ in 0..STEADY {
            assert!(!cadence.needs_no_body(true), "not steady");
            cadence = found(&cadence, 0.5, 1.0);
        }
        assert!(cadence.needs_no_body(true), "steady and at rest");
        assert!(!found(&cadence, 5.0, 1.0).needs_no_body(true), "moved");
        assert!(!found(&cadence, 0.5, 0.8).needs_no_body(true), "unsure");
        assert!(!missed(&cadence, Some(0.1)).needs_no_body(false), "lost");
        assert!(missed(&cadence, None).needs_no_body(false), "out of the picture");
    }

    #[test]
    fn a_part_without_size_does_not_rest() {
        let now = [[0.5, 0.5, 0.0, 0.0]; 2];
        assert_eq!(movement(&now, &now, picture()), None);
    }
}
