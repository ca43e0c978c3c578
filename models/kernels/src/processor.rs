//! What a processor must have.

use pulp::Arch;

/// The processor lacks what the kernels are made of.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "this processor lacks {missing}: networks need vectors with fused multiplications, AVX2 and FMA or NEON"
)]
pub struct UnsupportedProcessor {
    missing: String,
}

/// Whether this processor has vectors with fused multiplications. Without, these are computed in software, and a frame
/// takes seconds.
pub(crate) fn check_processor() -> Result<(), UnsupportedProcessor> {
    if matches!(Arch::new(), Arch::Scalar) { Err(unsupported(&features())) } else { Ok(()) }
}

/// What the kernels are made of, and whether it is there.
pub(crate) fn features() -> Vec<(&'static str, bool)> {
    #[cfg(target_arch = "x86_64")]
    {
        use std::arch::is_x86_feature_detected as has;
        vec![("AVX2", has!("avx2")), ("FMA", has!("fma")), ("BMI2", has!("bmi2")), ("LZCNT", has!("lzcnt"))]
    }
    #[cfg(target_arch = "aarch64")]
    {
        vec![("NEON", std::arch::is_aarch64_feature_detected!("neon"))]
    }
    #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
    {
        vec![("AVX2", false), ("FMA", false)]
    }
}

pub(crate) fn unsupported(features: &[(&str, bool)]) -> UnsupportedProcessor {
    let missing = features.iter().filter(|(_, is_there)| !is_there).map(|(name, _)| *name);
    UnsupportedProcessor { missing: missing.collect::<Vec<_>>().join(" and ") }
}
