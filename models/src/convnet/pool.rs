//! The greatest value of each window, and the mean of a whole picture.

use pulp::{Simd, WithSimd};

use super::image::Image;

/// The greatest value of windows that lie in the picture.
#[derive(Debug)]
pub(super) struct MaxPool {
    pub(super) input: usize,
    pub(super) output: usize,
    /// Rows and columns of a window.
    pub(super) window: [usize; 2],
    /// Rows and columns from one window to the next.
    pub(super) steps: [usize; 2],
}

/// One run of a layer.
pub(super) struct MaxRun<'a> {
    pub(super) layer: &'a MaxPool,
    pub(super) input: (&'a Image, &'a [f32]),
    pub(super) output: (&'a Image, &'a mut [f32]),
}

impl WithSimd for MaxRun<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let ((image, input), (output_image, output)) = (self.input, self.output);
        let ([rows, columns], [down, right]) = (self.layer.window, self.layer.steps);
        for y in 0..output_image.height {
            for x in 0..output_image.width {
                let pixel = &mut output[output_image.at(y, x)..][..output_image.stride];
                let pixel = S::as_mut_simd_f32s(pixel).0;
                for row in 0..rows {
                    for column in 0..columns {
                        let at = image.at(y * down + row, x * right + column);
                        let values = S::as_simd_f32s(&input[at..at + image.stride]).0;
                        for (greatest, value) in pixel.iter_mut().zip(values) {
                            let first = row + column == 0;
                            *greatest = if first { *value } else { simd.max_f32s(*greatest, *value) };
                        }
                    }
                }
            }
        }
    }
}

/// The mean of each channel.
#[derive(Debug)]
pub(super) struct Mean {
    pub(super) input: usize,
    pub(super) output: usize,
}

/// One run of a layer.
pub(super) struct MeanRun<'a> {
    pub(super) input: (&'a Image, &'a [f32]),
    pub(super) output: &'a mut [f32],
}

impl WithSimd for MeanRun<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let (image, input) = self.input;
        let sums = S::as_mut_simd_f32s(&mut self.output[..image.stride]).0;
        sums.fill(simd.splat_f32s(0.0));
        for y in 0..image.height {
            for x in 0..image.width {
                let at = image.at(y, x);
                for (sum, value) in sums.iter_mut().zip(S::as_simd_f32s(&input[at..at + image.stride]).0) {
                    *sum = simd.add_f32s(*sum, *value);
                }
            }
        }
        let share = simd.splat_f32s(1.0 / (image.height * image.width) as f32);
        for sum in sums {
            *sum = simd.mul_f32s(*sum, share);
        }
    }
}
