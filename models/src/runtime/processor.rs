//! What the processor can do.

/// Whether the processor multiplies and adds 8-bit integers without saturating in between (VNNI), which makes networks
/// with 8-bit integers both faster than float ones and as exact as they were measured to be.
///
/// ONNX Runtime's kernels for AVX2 and AVX-512 without VNNI add two products of a uint8 and an int8 in an int16, which
/// saturates for large weights; `false` says to run the float network.
pub fn has_vnni() -> bool {
    #[cfg(target_arch = "x86_64")]
    {
        std::arch::is_x86_feature_detected!("avx512vnni") || std::arch::is_x86_feature_detected!("avxvnni")
    }
    #[cfg(not(target_arch = "x86_64"))]
    {
        false
    }
}
