//! What the processor can do: the one place that says for which instructions kernels run.

use std::hint::black_box;
use std::sync::OnceLock;

#[cfg(not(target_arch = "wasm32"))]
pub(crate) use pulp::Arch;

use crate::arithmetic;
#[cfg(target_arch = "wasm32")]
pub(crate) use crate::wasm::Arch;

/// Environment variable that has kernels run for other instructions than the fastest ones, for tests and measurements:
/// `avx512`, `avx2` or `neon`, or `none` for a processor that has none of them.
const CHOICE: &str = "DACTYL_INSTRUCTIONS";

/// Instructions that kernels are compiled for. All compute the same, bit for bit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Instructions {
    /// AVX-512 F, BW, CD, DQ and VL: 32 registers of 16 float32 numbers.
    Avx512,
    /// AVX2 and FMA: 16 registers of 8 float32 numbers.
    Avx2,
    /// NEON: 32 registers of 4 float32 numbers.
    Neon,
    /// WebAssembly's SIMD, with relaxed SIMD or without, as it was compiled: 4 float32 numbers. Without relaxed SIMD, or where
    /// a browser does not fuse its multiplications and additions, these are rounded twice, and results differ.
    Wasm,
    /// No vectors, for tests: fused multiplications are computed in software, and a frame takes minutes.
    Scalar,
}

impl Instructions {
    /// Those that this processor has, the fastest first and [`Self::Scalar`] last.
    pub fn all() -> Vec<Self> {
        let known = [Self::Avx512, Self::Avx2, Self::Neon, Self::Wasm, Self::Scalar];
        known.into_iter().filter(|instructions| instructions.arch().is_ok()).collect()
    }

    /// The fastest of this processor.
    ///
    /// # Errors
    /// [`UnsupportedProcessor`] if it has no vectors with fused multiplications.
    pub fn fastest() -> Result<Self, UnsupportedProcessor> {
        static FASTEST: OnceLock<Result<Instructions, UnsupportedProcessor>> = OnceLock::new();
        let choose = || match std::env::var(CHOICE) {
            Ok(name) => Self::named(&name),
            Err(_) => (Self::all().into_iter())
                .find(|instructions| *instructions != Self::Scalar)
                .ok_or_else(|| UnsupportedProcessor { missing: missing(|found| found) }),
        };
        FASTEST.get_or_init(choose).clone()
    }

    /// Whether a multiplication and the addition to it are rounded once, so that results are MediaPipe's to the bit. In WebAssembly
    /// it depends on the browser.
    pub fn are_fused(self) -> bool {
        struct Square;
        impl pulp::WithSimd for Square {
            type Output = bool;

            #[inline(always)]
            fn with_simd<S: pulp::Simd>(self, simd: S) -> bool {
                // Its square is 1 + 2^-11 + 2^-24; the last term falls away where the square is rounded by itself.
                let number = simd.splat_f32s(black_box(1.0 + 1.0 / 4096.0));
                let rest = arithmetic::mul_add(
                    simd,
                    number,
                    number,
                    simd.splat_f32s(black_box(-1.0 - 1.0 / 2048.0)),
                );
                simd.reduce_max_f32s(rest) > 0.0
            }
        }
        self.arch().is_ok_and(|arch| arch.dispatch(Square))
    }

    /// Those of a name that [`CHOICE`] may have.
    fn named(name: &str) -> Result<Self, UnsupportedProcessor> {
        match name {
            "avx512" => Self::Avx512.arch().map(|_| Self::Avx512),
            "avx2" => Self::Avx2.arch().map(|_| Self::Avx2),
            "neon" => Self::Neon.arch().map(|_| Self::Neon),
            "none" => Err(UnsupportedProcessor { missing: missing(|_| false) }),
            _ => Err(UnsupportedProcessor { missing: name.to_owned() }),
        }
    }

    /// What kernels are dispatched with.
    ///
    /// # Errors
    /// [`UnsupportedProcessor`] if the processor lacks them.
    pub(crate) fn arch(self) -> Result<Arch, UnsupportedProcessor> {
        let found = match self {
            #[cfg(target_arch = "x86_64")]
            Self::Avx512 => pulp::x86::V4::try_new().map(Arch::V4),
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 => pulp::x86::V3::try_new().map(Arch::V3),
            #[cfg(target_arch = "aarch64")]
            Self::Neon => pulp::aarch64::Neon::try_new().map(Arch::Neon),
            #[cfg(target_arch = "wasm32")]
            Self::Wasm => Some(Arch::new()),
            #[cfg(not(target_arch = "wasm32"))]
            Self::Scalar => Some(Arch::Scalar),
            _ => None,
        };
        found.ok_or_else(|| UnsupportedProcessor { missing: format!("{self:?}").to_ascii_uppercase() })
    }
}

/// The processor lacks what the kernels are made of.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "this processor lacks {missing}: the networks need AVX2 and FMA, which most x86-64 processors since 2013 have, or \
     NEON; use such a processor, or have the virtual machine pass these instructions on"
)]
pub struct UnsupportedProcessor {
    missing: String,
}

/// What kernels need of a processor and `has`, given whether it was found, says is not there.
fn missing(has: impl Fn(bool) -> bool) -> String {
    #[cfg(target_arch = "x86_64")]
    let needed = [
        ("AVX2", is_x86_feature_detected!("avx2")),
        ("FMA", is_x86_feature_detected!("fma")),
        ("BMI1", is_x86_feature_detected!("bmi1")),
        ("BMI2", is_x86_feature_detected!("bmi2")),
        ("LZCNT", is_x86_feature_detected!("lzcnt")),
    ];
    #[cfg(not(target_arch = "x86_64"))]
    let needed = [("NEON", false)];
    let missing = needed.into_iter().filter(|(_, found)| !has(*found)).map(|(name, _)| name);
    missing.collect::<Vec<_>>().join(" and ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_processor_without_vectors_is_told_what_it_lacks() {
        let lacking = |name| Instructions::named(name).expect_err("they are not there").to_string();
        let needed = if cfg!(target_arch = "x86_64") { "lacks AVX2 and FMA and" } else { "lacks NEON" };
        assert!(lacking("none").contains(needed), "{}", lacking("none"));
        assert!(lacking("avx3").contains("lacks avx3:"), "{}", lacking("avx3"));
    }

    #[test]
    fn the_fastest_instructions_come_first() {
        let all = Instructions::all();
        assert_eq!(all.last(), Some(&Instructions::Scalar));
        assert_eq!(Instructions::fastest(), Ok(all[0]));
    }

    #[test]
    fn all_instructions_of_processors_round_a_multiplication_and_its_addition_once() {
        for instructions in Instructions::all() {
            assert!(instructions.are_fused(), "{instructions:?}");
        }
    }
}
