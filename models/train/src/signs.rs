//! Training windows of signs that are not the alphabet: each as it was recorded, faster and slower, sooner and later.

use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng as Random;

use crate::data::{Clip, Hand, Signer};
use crate::windows::{Example, FRAMES, between, distort};

/// An endless, seeded stream of training windows: labels equally often, signers equally often within a label.
pub struct Signs<'a> {
    random: Random,
    /// By label, then signer: the clips.
    clips: Vec<Vec<Vec<&'a Clip>>>,
    /// Labels that these signers show.
    shown: Vec<usize>,
}

impl<'a> Signs<'a> {
    /// Windows of these signers for a model of so many `labels`. The same seed gives the same windows.
    pub fn new(signers: &'a [Signer], labels: usize, seed: u64) -> Self {
        let of = |signer: &'a Signer, label| -> Vec<&'a Clip> {
            let clips = signer.clips.iter().filter(|clip| clip.letter == label);
            clips.filter(|clip| clip.frames.iter().flatten().count() >= 3).collect()
        };
        let clips: Vec<Vec<Vec<&Clip>>> = (0..labels)
            .map(|label| {
                let by_signer = signers.iter().map(|signer| of(signer, label));
                by_signer.filter(|clips| !clips.is_empty()).collect()
            })
            .collect();
        let shown = (0..labels).filter(|label| !clips[*label].is_empty()).collect();
        Self { random: Random::seed_from_u64(seed), clips, shown }
    }

    /// The next window.
    pub fn draw(&mut self) -> Example {
        let label = self.shown.choose(&mut self.random).copied().unwrap_or_default();
        let mut track = self.stretch(label);
        // A window may begin with the end of another sign.
        if self.random.random_bool(0.25)
            && let Some(other) = self.shown.choose(&mut self.random).copied()
        {
            let before = self.stretch(other);
            let until = self.random.random_range(1..FRAMES / 3);
            track[..until].copy_from_slice(&before[FRAMES - until..]);
        }
        let mut target = vec![0.0; self.clips.len()];
        target[label] = 1.0;
        Example { hands: distort(&track, &mut self.random), target }
    }

    /// A stretch of a clip at some speed: most of it lies in the clip; before it the hand rests where the clip begins,
    /// behind it where the clip ends.
    fn stretch(&mut self, label: usize) -> Vec<Option<Hand>> {
        let clip =
            self.clips[label].choose(&mut self.random).and_then(|clips| clips.choose(&mut self.random));
        let Some(clip) = clip else { return vec![None; FRAMES] };
        if !clip.ordered {
            // Single pictures: one of them held.
            return vec![clip.frames.choose(&mut self.random).copied().flatten(); FRAMES];
        }
        let length = clip.frames.len() as f32;
        // From a slow hand to a camera of half the rate.
        let step = self.random.random_range(0.5..2.2f32);
        let span = step * FRAMES as f32;
        let room = length - span;
        let start = self.random.random_range(room.min(0.0) - 0.2 * span..room.max(0.0) + 0.2 * span);
        (0..FRAMES)
            .map(|frame| between(clip, (start + step * frame as f32).clamp(0.0, length - 1.0)))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::Kind;

    /// A hand that moves to the right by a tenth of its width a frame, from a place that tells its label.
    fn clip(letter: usize, frames: usize) -> Clip {
        let hand = |frame: usize| -> Hand {
            std::array::from_fn(|index| {
                let [finger, joint] = [index.div_ceil(4) as f32, (index % 4) as f32];
                [
                    100.0 * letter as f32 + finger + 0.5 * frame as f32,
                    -(1.0 + joint) * (1.0 + 0.1 * finger),
                    0.0,
                ]
            })
        };
        Clip {
            letter,
            kind: Kind::Moving,
            frames: (0..frames).map(|frame| Some(hand(frame))).collect(),
            ordered: true,
        }
    }

    fn signer(name: &str, labels: &[usize], frames: usize) -> Signer {
        let clips = labels.iter().map(|&label| clip(label, frames)).collect();
        Signer { name: name.to_owned(), clips }
    }

    #[test]
    fn windows_are_seeded_finite_and_of_one_label_that_somebody_shows() {
        let everybody = [signer("one", &[0, 2], 9), signer("two", &[2, 4], 70)];
        let [mut first, mut same, mut other] = [1, 1, 2].map(|seed| Signs::new(&everybody, 5, seed));
        let mut drawn = [0; 5];
        let mut differs = false;
        for _ in 0..300 {
            let [a, b, c] = [first.draw(), same.draw(), other.draw()];
            assert_eq!((&a.hands, &a.target), (&b.hands, &b.target));
            differs |= a.hands != c.hands;
            assert_eq!((a.hands.len(), a.target.len()), (FRAMES, 5));
            assert!(a.hands.iter().flatten().flatten().flatten().all(|value| value.is_finite()));
            assert_eq!(a.target.iter().sum::<f32>(), 1.0);
            drawn[a.target.iter().position(|value| *value == 1.0).unwrap()] += 1;
        }
        assert!(differs);
        assert_eq!([drawn[1], drawn[3]], [0, 0], "nobody shows them");
        assert!([0, 2, 4].iter().all(|label| drawn[*label] > 60), "{drawn:?}");
    }

    /// In every stretch time goes forwards, at a speed between half and a little over twice the recorded one.
    #[test]
    fn a_stretch_keeps_the_direction_of_time() {
        let everybody = [signer("one", &[0], 200)];
        let mut signs = Signs::new(&everybody, 1, 3);
        for _ in 0..200 {
            let track = signs.stretch(0);
            let places: Vec<f32> = track.iter().flatten().map(|hand| hand[0][0]).collect();
            assert_eq!(places.len(), FRAMES);
            for pair in places.windows(2) {
                assert!((0.0..1.15).contains(&(pair[1] - pair[0])), "{places:?}");
            }
            assert!(places[FRAMES - 1] - places[0] > 0.5 * 0.5 * 0.55 * FRAMES as f32, "{places:?}");
        }
    }
}
