//! Additions and activations that no convolution does at its end.

use pulp::{Simd, WithSimd};

use crate::epilogue::Activation;
use crate::feature_map::FeatureMap;

/// A feature map, maybe another one added to it, and an activation.
#[derive(Debug)]
pub(crate) struct Sum {
    pub(crate) input: usize,
    /// May have fewer channels.
    pub(crate) other: Option<usize>,
    pub(crate) output: usize,
    pub(crate) then: Activation,
}

/// One run of a layer.
pub(crate) struct Run<'a> {
    pub(crate) layer: &'a Sum,
    pub(crate) input: (&'a FeatureMap, &'a [f32]),
    pub(crate) other: Option<(&'a FeatureMap, &'a [f32])>,
    pub(crate) output: (&'a FeatureMap, &'a mut [f32]),
}

impl WithSimd for Run<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let ((map, input), (output_map, output)) = (self.input, self.output);
        let row = output_map.width * output_map.block;
        for block in 0..output_map.blocks() {
            let other = self.other.filter(|(map, _)| block < map.blocks());
            for y in 0..output_map.height {
                let from = map.at_in(block, y, 0);
                let to = output_map.at_in(block, y, 0);
                let values = S::as_simd_f32s(&input[from..from + row]).0;
                let sums = S::as_mut_simd_f32s(&mut output[to..to + row]).0;
                match other {
                    Some((map, other)) => {
                        let from = map.at_in(block, y, 0);
                        let others = S::as_simd_f32s(&other[from..from + row]).0;
                        for ((sum, value), other) in sums.iter_mut().zip(values).zip(others) {
                            *sum = simd.add_f32s(*value, *other);
                        }
                    }
                    None => sums.copy_from_slice(values),
                }
                for sum in sums {
                    let mut value = [[*sum]];
                    self.layer.then.apply(simd, &mut value, block);
                    [[*sum]] = value;
                }
            }
        }
    }
}
