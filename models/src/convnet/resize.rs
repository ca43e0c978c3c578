//! Enlargement with bilinear interpolation, pixel centres at halves.

use pulp::{Simd, WithSimd};

use super::image::Image;

#[derive(Debug)]
pub(super) struct Resize {
    pub(super) input: usize,
    pub(super) output: usize,
}

/// One run of a layer.
pub(super) struct Run<'a> {
    pub(super) input: (&'a Image, &'a [f32]),
    pub(super) output: (&'a Image, &'a mut [f32]),
}

/// The two rows or columns that one of the output lies between, and how far it is to the second, 0 to 1.
fn between(at: usize, from: usize, to: usize) -> (usize, usize, f32) {
    let scale = from as f32 / to as f32;
    let place = (at as f32 * scale + (0.5 * scale - 0.5)).max(0.0);
    let first = (place as usize).min(from - 1);
    (first, (first + 1).min(from - 1), place - first as f32)
}

impl WithSimd for Run<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let ((image, input), (output_image, output)) = (self.input, self.output);
        let pixel = |y, x| S::as_simd_f32s(&input[image.at(y, x)..][..image.stride]).0;
        for y in 0..output_image.height {
            let (top, bottom, down) = between(y, image.height, output_image.height);
            let down = simd.splat_f32s(down);
            for x in 0..output_image.width {
                let (left, right, along) = between(x, image.width, output_image.width);
                let along = simd.splat_f32s(along);
                let corners =
                    [pixel(top, left), pixel(top, right), pixel(bottom, left), pixel(bottom, right)];
                let values = &mut output[output_image.at(y, x)..][..output_image.stride];
                for (vector, value) in S::as_mut_simd_f32s(values).0.iter_mut().enumerate() {
                    let [top_left, top_right, bottom_left, bottom_right] =
                        corners.map(|corner| corner[vector]);
                    let toward =
                        |from, to, share| simd.add_f32s(from, simd.mul_f32s(simd.sub_f32s(to, from), share));
                    let upper = toward(top_left, top_right, along);
                    let lower = toward(bottom_left, bottom_right, along);
                    *value = toward(upper, lower, down);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn centres_lie_at_halves_and_edges_are_repeated() {
        let places: Vec<_> = (0..6).map(|at| between(at, 3, 6)).collect();
        assert_eq!(
            places,
            [(0, 1, 0.0), (0, 1, 0.25), (0, 1, 0.75), (1, 2, 0.25), (1, 2, 0.75), (2, 2, 0.25)]
        );
    }
}
