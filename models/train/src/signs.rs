//! Examples of signs that are not the alphabet: each as it was recorded, faster and slower, sooner and later.

use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng as Random;

use crate::data::{Clip, Data, Hand};
use crate::windows::{
    Example, Examples, FRAMES, OtherStill, People, Still, between, distort, distort_hand, some_hand,
};

/// Examples of these labels: labels equally often, signers equally often within a label.
pub struct Signs<'a> {
    random: Random,
    /// By label, then signer: the signer's index and clips.
    clips: Vec<Vec<(usize, Vec<&'a Clip>)>>,
    /// Labels that the signers show.
    shown: Vec<usize>,
}

impl<'a> Signs<'a> {
    /// Examples of the data's signers, at most [`People::MOST`]. The same seed gives the same examples.
    pub fn new(Data { labels, signers }: &'a Data, seed: u64) -> Self {
        let of = |label: usize| -> Vec<(usize, Vec<&'a Clip>)> {
            let clips = signers.iter().map(|signer| {
                let clips = signer.clips.iter().filter(|clip| clip.letter == label);
                clips.filter(|clip| clip.frames.iter().flatten().count() >= 3).collect()
            });
            clips.enumerate().filter(|(_, clips): &(_, Vec<_>)| !clips.is_empty()).collect()
        };
        let clips: Vec<_> = (0..labels.len()).map(of).collect();
        let shown = (0..labels.len()).filter(|label| !clips[*label].is_empty()).collect();
        Self { random: Random::seed_from_u64(seed), clips, shown }
    }

    /// A clip of a label, and whose it is.
    fn pick(&mut self, label: usize) -> Option<(People, &'a Clip)> {
        let (signer, clips) = self.clips[label].choose(&mut self.random)?;
        Some((People::one(*signer), clips.choose(&mut self.random).copied()?))
    }

    /// A stretch of a clip at some speed, and whose it is: most of it lies in the clip; before it the hand rests where the
    /// clip begins, behind it where the clip ends.
    fn stretch(&mut self, label: usize) -> (People, Vec<Option<Hand>>) {
        let Some((people, clip)) = self.pick(label) else { return (People::default(), vec![None; FRAMES]) };
        if !clip.ordered {
            // Single pictures: one of them held.
            return (people, vec![clip.frames.choose(&mut self.random).copied().flatten(); FRAMES]);
        }
        let length = clip.frames.len() as f32;
        // From a slow hand to a camera of half the rate.
        let step = self.random.random_range(0.5..2.2f32);
        let span = step * FRAMES as f32;
        let room = length - span;
        let start = self.random.random_range(room.min(0.0) - 0.2 * span..room.max(0.0) + 0.2 * span);
        let track = (0..FRAMES)
            .map(|frame| between(clip, (start + step * frame as f32).clamp(0.0, length - 1.0)))
            .collect();
        (people, track)
    }
}

impl Examples for Signs<'_> {
    fn reseed(&mut self, seed: u64) {
        self.random = Random::seed_from_u64(seed);
    }

    /// Any hand of a clip.
    fn draw_still(&mut self) -> Option<Still> {
        let letter = self.shown.choose(&mut self.random).copied()?;
        let (people, clip) = self.pick(letter)?;
        let hand = some_hand(clip, &mut self.random)?;
        let hand = distort_hand(&hand, &mut self.random);
        Some(Still { hand, letter, people })
    }

    /// Of labels that are no alphabet nobody knows what shows none of them.
    fn draw_other(&mut self) -> Option<OtherStill> {
        None
    }

    fn draw(&mut self) -> Example {
        let label = self.shown.choose(&mut self.random).copied().unwrap_or_default();
        let (mut people, mut track) = self.stretch(label);
        // A window may begin with the end of another sign.
        if self.random.random_bool(0.25)
            && let Some(other) = self.shown.choose(&mut self.random).copied()
        {
            let (others, before) = self.stretch(other);
            let until = self.random.random_range(1..FRAMES / 3);
            track[..until].copy_from_slice(&before[FRAMES - until..]);
            people = people.with(others);
        }
        let mut target = vec![0.0; self.clips.len()];
        target[label] = 1.0;
        Example { hands: distort(&track, &mut self.random), target, people }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::{Kind, Signer};

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
            other: Vec::new(),
            ordered: true,
        }
    }

    fn data(signers: Vec<Signer>) -> Data {
        let labels = ["a sign", "b", "c", "d", "e"].map(str::to_owned).to_vec();
        Data { labels, signers }
    }

    fn signer(name: &str, labels: &[usize], frames: usize) -> Signer {
        let clips = labels.iter().map(|&label| clip(label, frames)).collect();
        Signer { name: name.to_owned(), clips, ..Signer::default() }
    }

    #[test]
    fn examples_are_seeded_finite_and_of_one_label_that_somebody_shows() {
        let everybody = data(vec![signer("one", &[0, 2], 9), signer("two", &[2, 4], 70)]);
        let [mut first, mut same, mut other] = [1, 3, 2].map(|seed| Signs::new(&everybody, seed));
        same.reseed(1);
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

            let [a, b] = [&mut first, &mut same].map(|signs| signs.draw_still().unwrap());
            assert_eq!((a.hand, a.letter, a.people), (b.hand, b.letter, b.people));
            other.draw_still().unwrap();
            assert!(a.hand.iter().flatten().all(|value| value.is_finite()));
            let strangers = [0, 1].map(|signer| a.people.are_strangers_to(People::one(signer)));
            match a.letter {
                0 => assert_eq!(strangers, [false, true]),
                4 => assert_eq!(strangers, [true, false]),
                letter => assert_eq!((letter, strangers[0]), (2, !strangers[1])),
            }
        }
        assert!(differs);
        assert_eq!([drawn[1], drawn[3]], [0, 0], "nobody shows them");
        assert!([0, 2, 4].iter().all(|label| drawn[*label] > 60), "{drawn:?}");
    }

    /// In every stretch time goes forwards, at a speed between half and a little over twice the recorded one.
    #[test]
    fn a_stretch_keeps_the_direction_of_time() {
        let everybody = data(vec![signer("one", &[0], 200)]);
        let mut signs = Signs::new(&everybody, 3);
        for _ in 0..200 {
            let (_, track) = signs.stretch(0);
            let places: Vec<f32> = track.iter().flatten().map(|hand| hand[0][0]).collect();
            assert_eq!(places.len(), FRAMES);
            for pair in places.windows(2) {
                assert!((0.0..1.15).contains(&(pair[1] - pair[0])), "{places:?}");
            }
            assert!(places[FRAMES - 1] - places[0] > 0.5 * 0.5 * 0.55 * FRAMES as f32, "{places:?}");
        }
    }
}
