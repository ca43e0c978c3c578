//! Everything that decides what comes out of a training.

use serde::{Deserialize, Serialize};

use crate::data::{Data, LETTERS};
use crate::network::{Part, Sizes};

/// Everything that decides what comes out of a training.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Recipe {
    /// Seed of weights, examples and dropout.
    pub seed: u64,
    /// How the frame part learns, from single pictures of still letters.
    pub frame: Schedule,
    /// How the window part learns, from windows, while the frame part stays as it is.
    pub window: Schedule,
    /// How the part that tells hands that show no label learns, from single pictures: half of them show one.
    #[serde(default = "other_schedule")]
    pub other: Schedule,
    /// Weight decay of AdamW.
    pub weight_decay: f64,
    /// Share of values zeroed in training.
    pub dropout: f32,
    /// Share of the target spread evenly over all classes.
    pub label_smoothing: f32,
    /// Steps between two looks at the held-out signers; a training that is killed goes on from the last look.
    pub look_every: usize,
    /// Looks without a better one after which a part is done.
    pub patience: usize,
    /// Widths of the layers.
    pub sizes: Sizes,
}

/// How one part learns.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Schedule {
    /// Updates of the weights.
    pub steps: usize,
    /// Examples per update.
    pub batch: usize,
    /// Largest learning rate: it rises over the first twentieth of the steps and falls as a cosine.
    pub learning_rate: f64,
}

impl Default for Recipe {
    fn default() -> Self {
        Self {
            seed: 1,
            frame: Schedule { steps: 1200, batch: 512, learning_rate: 2e-3 },
            window: Schedule { steps: 1500, batch: 64, learning_rate: 5e-3 },
            other: other_schedule(),
            weight_decay: 0.02,
            dropout: 0.25,
            label_smoothing: 0.05,
            look_every: 100,
            patience: 4,
            sizes: Sizes {
                readers: 4,
                wide: 128,
                narrow: 64,
                hidden: 48,
                classes: LETTERS,
                other_readers: 4,
            },
        }
    }
}

impl Recipe {
    /// Takes on the labels of the data, and leaves out the part that tells hands that show none where nobody shows such.
    pub fn fit(&mut self, data: &Data) {
        self.sizes.classes = data.labels.len();
        if !data.knows_others() {
            self.sizes.other_readers = 0;
        }
    }

    /// The schedule of a part.
    pub fn schedule(&self, part: Part) -> Schedule {
        match part {
            Part::Frame => self.frame,
            Part::Window => self.window,
            Part::Other => self.other,
        }
    }

    /// A seed of its own for everything random in one step.
    pub fn seed_of(&self, part: Part, step: usize) -> u64 {
        self.seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ ((part as u64) << 40) ^ step as u64
    }
}

fn other_schedule() -> Schedule {
    Schedule { steps: 1500, batch: 512, learning_rate: 2e-3 }
}
