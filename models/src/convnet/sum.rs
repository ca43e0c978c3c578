//! Additions and activations that no convolution does at its end.

use pulp::{Simd, WithSimd};

use super::epilogue::{Activation, residual_vector};
use super::image::Image;

/// A picture, maybe another one added to it, and an activation.
#[derive(Debug)]
pub(super) struct Sum {
    pub(super) input: usize,
    /// May have fewer channels.
    pub(super) other: Option<usize>,
    pub(super) output: usize,
    pub(super) then: Activation,
}

/// One run of a layer.
pub(super) struct Run<'a> {
    pub(super) layer: &'a Sum,
    pub(super) input: (&'a Image, &'a [f32]),
    pub(super) other: Option<(&'a Image, &'a [f32])>,
    pub(super) output: (&'a Image, &'a mut [f32]),
}

impl WithSimd for Run<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let ((image, input), (output_image, output)) = (self.input, self.output);
        for y in 0..output_image.height {
            for x in 0..output_image.width {
                let other = self.other.map_or(0, |(image, _)| image.at(y, x));
                let values = S::as_simd_f32s(&input[image.at(y, x)..][..image.stride]).0;
                let sums = &mut output[output_image.at(y, x)..][..output_image.stride];
                let sums = S::as_mut_simd_f32s(sums).0;
                for (vector, (sum, value)) in sums.iter_mut().zip(values).enumerate() {
                    let value = match residual_vector::<S>(self.other, other, vector) {
                        Some(other) => simd.add_f32s(*value, other),
                        None => *value,
                    };
                    let mut value = [[value]];
                    self.layer.then.apply(simd, &mut value, vector);
                    [[*sum]] = value;
                }
            }
        }
    }
}
