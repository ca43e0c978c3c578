//! Mathematical functions of float32 numbers with the results of glibc, which MediaPipe has.
//!
//! Everywhere but in WebAssembly they are glibc's. There they are computed in float64 and rounded, which gives glibc's result for
//! 98.7 % of the sines and cosines, 99.9 % of the exponentials and 84 % of the angles (of a million random numbers each); the
//! others differ in the last bit.

/// Sine and cosine of an angle in radians.
pub(crate) fn sin_cos(angle: f32) -> (f32, f32) {
    if cfg!(target_arch = "wasm32") {
        let angle = f64::from(angle);
        (angle.sin() as f32, angle.cos() as f32)
    } else {
        (angle.sin(), angle.cos())
    }
}

/// Angle of a point from the x axis, radians, from -pi to pi.
pub(crate) fn atan2(y: f32, x: f32) -> f32 {
    if cfg!(target_arch = "wasm32") { f64::from(y).atan2(f64::from(x)) as f32 } else { y.atan2(x) }
}

/// e to the power of a number.
pub(crate) fn exp(power: f32) -> f32 {
    if cfg!(target_arch = "wasm32") { f64::from(power).exp() as f32 } else { power.exp() }
}
