//! How often a part is looked for: in every frame at its best, seldom where the last frames say that little can change.

use crate::keypoints::Landmark;

use super::region::Picture;

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

/// When a part of the body is held.
#[derive(Debug)]
pub(super) struct Rest {
    /// Mean movement of the landmarks since the look before, in shares of the part's larger side, up to which it rests.
    movement: f32,
    /// Frames in a row for which it is held then.
    held: u32,
}

/// A hand at rest is looked at in every second frame.
pub(super) const HAND_REST: Rest = Rest { movement: 0.01, held: 1 };
/// A face at rest is looked at in every third frame.
pub(super) const FACE_REST: Rest = Rest { movement: 0.006, held: 2 };

/// What a look at a part showed.
#[derive(Debug)]
pub(super) struct Look<'a> {
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
pub(super) struct Cadence {
    /// Looks in a row that found it where the frame before had it.
    kept: u32,
    /// Looks in a row that found nothing.
    missed: u32,
    /// Whether the last look found it hardly moved since the look before.
    rests: bool,
    /// Frames since the last look.
    held: u32,
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

    /// Whether the part is left as it is for a frame: the fast profile's way with what rests or is not there.
    pub fn is_held(&self, rest: &Rest) -> bool {
        let most = if self.missed >= MISSED {
            SEARCHED - 1
        } else if self.rests {
            rest.held
        } else {
            0
        };
        self.held < most
    }

    /// After a frame for which the part was held.
    pub fn after_hold(&self) -> Self {
        Self { held: self.held + 1, ..self.clone() }
    }

    /// After a frame in which the part was looked for.
    pub fn after_look(&self, look: &Look<'_>, rest: &Rest, picture: Picture) -> Self {
        let is_sure = look.presence.is_some_and(|presence| presence >= SURE);
        let kept = look.landmarks.is_some() && look.kept_place && is_sure;
        let missed = look.landmarks.is_none() && look.presence.is_some();
        Self {
            kept: if kept { self.kept.saturating_add(1) } else { 0 },
            missed: if missed { self.missed.saturating_add(1) } else { 0 },
            rests: look.landmarks.zip(look.previous).is_some_and(|(now, then)| {
                movement(now, then, picture).is_some_and(|movement| movement <= rest.movement)
            }),
            held: 0,
        }
    }
}

/// Mean distance of the landmarks in pixels, in shares of the larger side of their box; `None` for a box without size.
fn movement(now: &[Landmark], then: &[Landmark], picture: Picture) -> Option<f32> {
    let pixels = |landmark: &Landmark| [landmark[0] * picture.width, landmark[1] * picture.height];
    let (mut least, mut most, mut sum) = ([f32::INFINITY; 2], [f32::NEG_INFINITY; 2], 0.0);
    for (now, then) in now.iter().zip(then) {
        let (now, then) = (pixels(now), pixels(then));
        sum += (now[0] - then[0]).hypot(now[1] - then[1]);
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

    const REST: Rest = Rest { movement: 0.01, held: 1 };

    /// A part 100 pixels wide, `by` pixels to the right of its place.
    fn part(by: f32) -> [Landmark; 2] {
        let picture = picture();
        [[(200.0 + by) / picture.width, 0.5, 0.0, 0.0], [(300.0 + by) / picture.width, 0.5, 0.0, 0.0]]
    }

    fn picture() -> Picture {
        Picture::new(640, 480)
    }

    fn found(cadence: &Cadence, by: f32, presence: f32) -> Cadence {
        let (now, then) = (part(by), part(0.0));
        let look =
            Look { landmarks: Some(&now), previous: Some(&then), kept_place: true, presence: Some(presence) };
        cadence.after_look(&look, &REST, picture())
    }

    fn missed(cadence: &Cadence, presence: Option<f32>) -> Cadence {
        let look = Look { landmarks: None, previous: None, kept_place: false, presence };
        cadence.after_look(&look, &REST, picture())
    }

    /// For each frame whether the part was held, if every look shows the same.
    fn holds(mut cadence: Cadence, frames: usize, look: impl Fn(&Cadence) -> Cadence) -> Vec<bool> {
        let mut held = Vec::new();
        for _ in 0..frames {
            held.push(cadence.is_held(&REST));
            cadence = if cadence.is_held(&REST) { cadence.after_hold() } else { look(&cadence) };
        }
        held
    }

    #[test]
    fn what_rests_is_held_in_every_second_frame() {
        let held = holds(Cadence::default(), 6, |cadence| found(cadence, 0.9, 1.0));
        assert_eq!(held, [false, true, false, true, false, true]);
    }

    #[test]
    fn what_moves_is_looked_at_in_every_frame() {
        assert_eq!(holds(Cadence::default(), 6, |cadence| found(cadence, 1.1, 1.0)), [false; 6]);
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
        assert!(cadence.is_held(&REST));
        assert!(!found(&cadence, 50.0, 1.0).is_held(&REST));
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

    #[test]
    fn a_part_without_size_does_not_rest() {
        let now = [[0.5, 0.5, 0.0, 0.0]; 2];
        assert_eq!(movement(&now, &now, picture()), None);
    }
}
