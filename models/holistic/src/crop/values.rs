//! What a crop is made of: its largest side, what lies outside the picture, and the range of its values.

/// Largest side of a tensor.
pub(super) const MAX_SIDE: usize = 256;

/// What lies outside the picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Border {
    /// The nearest pixel of the picture.
    Replicate,
    /// Black; the rim of the picture blends into it.
    Zero,
}

/// Range of the values that a network takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Range {
    /// 0 to 1.
    Unit,
    /// -1 to 1.
    Symmetric,
}

impl Range {
    /// Value of level 0, and the step from one 8-bit level to the next.
    pub(super) fn low_and_step(self) -> (f32, f32) {
        match self {
            Self::Unit => (0.0, 1.0 / 255.0),
            Self::Symmetric => (-1.0, 2.0 / 255.0),
        }
    }

    /// The value of each 8-bit level: `low + level * step`, rounded once.
    pub(super) fn levels(self) -> [f32; 256] {
        let (low, step) = self.low_and_step();
        // Product and sum are exact in float64, so this is the fused multiply-add of the original.
        std::array::from_fn(|level| (f64::from(low) + f64::from(step) * level as f64) as f32)
    }
}
