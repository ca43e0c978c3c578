use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::Target;

/// Numbers at which something changes.
const EDGES: [u32; 10] = [0, 1, 2, 0x7F, 0x80, 0xFF, 0x7FFF, 0xFFFF, 0x7FFF_FFFF, 0xFFFF_FFFF];
/// Longest part that is taken out or repeated.
const LONGEST_PART: usize = 64;

/// Inputs that are nearly of the right form, without end and always the same ones.
#[derive(Debug)]
pub struct Mutations {
    random: ChaCha8Rng,
    seeds: Vec<Vec<u8>>,
    words: &'static [&'static [u8]],
}

impl Mutations {
    /// Those of a target's seeds.
    pub fn new(target: Target) -> Self {
        Self { random: ChaCha8Rng::seed_from_u64(1), seeds: (target.seeds)(), words: target.words }
    }

    fn change(&mut self, bytes: &mut Vec<u8>) {
        let at = self.random.random_range(0..=bytes.len());
        let part = at..bytes.len().min(at + self.random.random_range(1..=LONGEST_PART));
        match self.random.random_range(0..9) {
            0 => {
                if let Some(byte) = bytes.get_mut(at) {
                    *byte ^= 1 << self.random.random_range(0..8);
                }
            }
            1 => {
                if let Some(byte) = bytes.get_mut(at) {
                    *byte = self.random.random();
                }
            }
            2 => {
                let edge = EDGES.choose(&mut self.random).copied().unwrap_or_default();
                let number = if self.random.random() { edge.to_le_bytes() } else { edge.to_be_bytes() };
                let length = [1, 2, 4].choose(&mut self.random).copied().unwrap_or(1);
                let number = if number[0] == 0 { &number[4 - length..] } else { &number[..length] };
                let end = bytes.len().min(at + length);
                bytes.splice(at..end, number.iter().copied());
            }
            3 => drop(bytes.drain(part)),
            4 => {
                let part = bytes[part].to_vec();
                let to = self.random.random_range(0..=bytes.len());
                bytes.splice(to..to, part);
            }
            5 => {
                let word = self.words.choose(&mut self.random).copied().unwrap_or_default();
                bytes.splice(at..at, word.iter().copied());
            }
            6 => {
                let word = self.words.choose(&mut self.random).copied().unwrap_or_default();
                bytes.splice(at..bytes.len().min(at + word.len()), word.iter().copied());
            }
            7 => bytes.truncate(at),
            _ => {
                let other = self.seeds.choose(&mut self.random).map_or(&[][..], Vec::as_slice);
                let from = self.random.random_range(0..=other.len());
                bytes.truncate(at);
                bytes.extend(&other[from..]);
            }
        }
    }
}

impl Iterator for Mutations {
    type Item = Vec<u8>;

    fn next(&mut self) -> Option<Vec<u8>> {
        let mut bytes = self.seeds.choose(&mut self.random)?.clone();
        // Most of them with one change or two: the more there are, the earlier a reader gives up.
        loop {
            self.change(&mut bytes);
            if self.random.random() {
                return Some(bytes);
            }
        }
    }
}
