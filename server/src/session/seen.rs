//! What elements saw in a frame, read from their messages on the bus.

use std::sync::{Mutex, PoisonError};

use dactyl_holistic::keypoints::Keypoints;
use gst::glib;

/// One message of `holistic-keypoints` or `lstm-classifier`.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Seen {
    /// Number of the frame in its session.
    pub(super) frame: u64,
    /// The hands that were seen.
    hands: Option<Hands>,
    /// Frames in the window, and how many it holds.
    window: Option<(u32, u32)>,
    /// Whether the classifier holds it likelier that a hand shows no letter than that it shows the best one.
    other: bool,
    /// The best letters and their probabilities.
    pub(super) top: Option<Vec<(String, f64)>>,
    /// 543 x (x, y, z, visibility), float32 little-endian.
    landmarks: Option<glib::Bytes>,
}

/// What a frame shows of hands.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Hands {
    /// Whether there is any.
    any: bool,
    /// Whether there is one without a body.
    only: bool,
}

impl Seen {
    /// Reads a message; `None` for those of other elements.
    pub(super) fn read(structure: &gst::StructureRef) -> Option<Self> {
        let frame = structure.get::<u64>("id").unwrap_or_default();
        match structure.name().as_str() {
            "holistic-keypoints" => {
                let says = |field: &str| structure.get::<bool>(field).unwrap_or(false);
                let any = says("left-hand") || says("right-hand");
                Some(Self {
                    frame,
                    hands: Some(Hands { any, only: says("hand-alone") }),
                    landmarks: structure.get::<glib::Bytes>("landmarks").ok(),
                    ..Self::default()
                })
            }
            "lstm-classifier" => {
                let window = structure.get::<u32>("filled").ok().zip(structure.get::<u32>("window").ok());
                let top = read_top(structure);
                let nothing = structure.get::<f32>("nothing").unwrap_or_default();
                let best =
                    top.as_ref().and_then(|top| top.first()).map_or(0.0, |(_, probability)| *probability);
                // Where too few frames show a hand all letters are at 0, and nothing is known about the hand.
                let other = nothing < 1.0 && f64::from(nothing) > best;
                Some(Self { frame, window, other, top, ..Self::default() })
            }
            _ => None,
        }
    }

    /// The landmarks, of a message that has them.
    pub(super) fn landmarks(&self) -> Option<Keypoints> {
        Keypoints::from_le_bytes(self.landmarks.as_ref()?)
    }
}

/// `None` if a probability is NaN or infinite, which JSON does not have.
fn read_top(structure: &gst::StructureRef) -> Option<Vec<(String, f64)>> {
    let labels = structure.get::<gst::ArrayRef>("labels").ok()?;
    let probabilities = structure.get::<gst::ArrayRef>("probabilities").ok()?;
    let pairs = labels.iter().zip(probabilities.iter());
    pairs
        .map(|(label, probability)| {
            let probability = f64::from(probability.get::<f32>().ok().filter(|value| value.is_finite())?);
            Some((label.get::<String>().ok()?, (probability * 1e4).round() / 1e4))
        })
        .collect()
}

/// The status of a session, as `?extras=status` tells it. Holds the hands of the last frame.
#[derive(Default)]
pub(super) struct Status(Mutex<Option<Hands>>);

impl Status {
    /// The status after a message of the classifier: `warming 12/32`, then `ready`, or `no_hand` when the last frame
    /// shows none, or `other` when a hand shows no letter; and whether the last frame shows a hand without a body.
    pub(super) fn after(&self, seen: &Seen) -> Option<(String, bool)> {
        let mut hands = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *hands = seen.hands.or(*hands);
        let (filled, window) = seen.window?;
        let status = match (filled < window, *hands) {
            (true, _) => format!("warming {filled}/{window}"),
            (false, Some(Hands { any: false, .. })) => "no_hand".to_owned(),
            (false, _) if seen.other => "other".to_owned(),
            (false, _) => "ready".to_owned(),
        };
        Some((status, hands.is_some_and(|hands| hands.only)))
    }
}

#[cfg(test)]
mod tests {
    use dactyl_holistic::keypoints;

    use super::*;

    fn hands(left: bool, right: bool) -> Seen {
        seen(left, right, false)
    }

    fn seen(left: bool, right: bool, alone: bool) -> Seen {
        gst::init().unwrap();
        let mut landmarks = vec![f32::NAN; keypoints::COUNT * 4];
        landmarks[keypoints::LEFT_HAND.start * 4..keypoints::LEFT_HAND.end * 4].fill(0.123_456_7);
        let bytes: Vec<u8> = landmarks.iter().flat_map(|value| value.to_le_bytes()).collect();
        let structure = gst::Structure::builder("holistic-keypoints")
            .field("id", 7u64)
            .field("left-hand", left)
            .field("right-hand", right)
            .field("hand-alone", alone)
            .field("landmarks", glib::Bytes::from_owned(bytes))
            .build();
        Seen::read(&structure).unwrap()
    }

    fn classified(filled: u32, probabilities: [f32; 2]) -> Seen {
        gst::init().unwrap();
        let structure = gst::Structure::builder("lstm-classifier")
            .field("id", 8u64)
            .field("filled", filled)
            .field("window", 32u32)
            .field("nothing", 1.0 - probabilities.iter().sum::<f32>())
            .field("labels", gst::Array::new(["B", "D"]))
            .field("probabilities", gst::Array::new(probabilities))
            .build();
        Seen::read(&structure).unwrap()
    }

    fn window(filled: u32) -> Seen {
        classified(filled, [0.930_04, 0.04])
    }

    #[test]
    fn the_status_follows_the_window_and_then_the_hand() {
        let status = Status::default();
        let next = |seen: Seen| status.after(&seen).map(|(status, _)| status);
        assert_eq!(next(hands(true, false)), None);
        assert_eq!(next(window(1)).as_deref(), Some("warming 1/32"));
        assert_eq!(next(window(31)).as_deref(), Some("warming 31/32"));
        assert_eq!(next(window(32)).as_deref(), Some("ready"));
        assert_eq!(next(hands(false, false)), None);
        assert_eq!(next(window(32)).as_deref(), Some("no_hand"));
        assert_eq!(next(window(1)).as_deref(), Some("warming 1/32"));
    }

    #[test]
    fn a_hand_that_shows_no_letter_is_other() {
        let status = Status::default();
        let next = |seen: Seen| status.after(&seen).map(|(status, _)| status);
        next(hands(true, false));
        assert_eq!(next(classified(32, [0.3, 0.1])).as_deref(), Some("other"));
        assert_eq!(next(classified(32, [0.5, 0.1])).as_deref(), Some("ready"));
        assert_eq!(next(classified(31, [0.3, 0.1])).as_deref(), Some("warming 31/32"));
        assert_eq!(next(classified(32, [0.0, 0.0])).as_deref(), Some("ready"), "it was just raised");
        next(hands(false, false));
        assert_eq!(next(classified(32, [0.3, 0.1])).as_deref(), Some("no_hand"));
    }

    #[test]
    fn a_hand_without_a_body_is_told_beside_every_status() {
        let status = Status::default();
        let next = |seen: Seen| status.after(&seen);
        assert_eq!(next(window(1)), Some(("warming 1/32".to_owned(), false)), "nothing is known");
        next(seen(false, true, true));
        assert_eq!(next(window(2)), Some(("warming 2/32".to_owned(), true)));
        assert_eq!(next(window(32)), Some(("ready".to_owned(), true)));
        assert_eq!(next(classified(32, [0.3, 0.1])), Some(("other".to_owned(), true)));
        next(hands(false, true));
        assert_eq!(next(window(32)), Some(("ready".to_owned(), false)), "the person has come");
        next(hands(false, false));
        assert_eq!(next(window(32)), Some(("no_hand".to_owned(), false)));
    }

    #[test]
    fn the_landmarks_are_those_that_the_element_posted() {
        let landmarks = hands(true, false).landmarks().unwrap();
        assert!(!landmarks.is_present(keypoints::POSE));
        assert_eq!(landmarks.part(keypoints::LEFT_HAND), [[0.123_456_7; 4]; 21]);
        assert_eq!(window(1).landmarks(), None);
    }

    #[test]
    fn the_best_letters_come_best_first() {
        assert_eq!(window(32).top.unwrap(), [("B".to_owned(), 0.93), ("D".to_owned(), 0.04)]);
    }

    #[test]
    fn no_probability_that_is_no_number_is_told() {
        gst::init().unwrap();
        for value in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            let structure = gst::Structure::builder("lstm-classifier")
                .field("labels", gst::Array::new(["B", "D"]))
                .field("probabilities", gst::Array::new([0.5, value]))
                .build();
            assert_eq!(Seen::read(&structure).unwrap().top, None, "{value}");
        }
    }

    #[test]
    fn messages_of_other_elements_are_passed_over() {
        gst::init().unwrap();
        assert_eq!(Seen::read(&gst::Structure::new_empty("level")), None);
    }
}
