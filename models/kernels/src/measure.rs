//! A network's layers by themselves, what they cost, and the peak that they are measured against: for the benchmark `kernels` and
//! for `fuzz/`.

use std::collections::BTreeMap;
use std::fmt;
use std::hint::black_box;

use pulp::{Simd, WithSimd};

use crate::cancel::Cancel;
use crate::layer::Layer;
use crate::memory::Values;
use crate::network::{Network, RunError};
use crate::processor::{Instructions, UnsupportedProcessor};

/// What the speed of a layer depends on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Class {
    /// A dense convolution of a picture's colours.
    Colours,
    /// A dense convolution that reads and writes at least 32 channels.
    Wide,
    /// Any other dense convolution.
    Narrow,
    /// A depthwise convolution with a square window of so many columns.
    Depthwise(usize),
    /// Additions, pooling, enlargement, parts of pictures: values written instead of multiplications.
    Other,
}

impl fmt::Display for Class {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Colours => f.write_str("dense, colours"),
            Self::Wide => f.write_str("dense, 32 channels and more"),
            Self::Narrow => f.write_str("dense, fewer channels"),
            Self::Depthwise(kernel) => write!(f, "depthwise, {kernel} x {kernel}"),
            Self::Other => f.write_str("no convolution"),
        }
    }
}

/// The layers of a network.
pub struct Layers {
    network: Network,
    values: Values,
}

impl Layers {
    /// Those of a network that has run once on a black picture, so that there is something to compute with.
    ///
    /// # Errors
    /// As [`Network::run`].
    pub fn new(network: Network) -> Result<Self, RunError> {
        let inputs: Vec<Vec<f32>> =
            network.inputs().iter().map(|tensor| vec![0.5; tensor.values()]).collect();
        let inputs: Vec<&[f32]> = inputs.iter().map(Vec::as_slice).collect();
        let mut outputs: Vec<Vec<f32>> =
            network.outputs().iter().map(|tensor| vec![0.0; tensor.values()]).collect();
        let mut outputs: Vec<&mut [f32]> = outputs.iter_mut().map(Vec::as_mut_slice).collect();
        network.run(&inputs, &mut outputs, &Cancel::new())?;
        // What the run left there.
        let values = Values::take(network.plan.values);
        Ok(Self { network, values })
    }

    /// Multiplications by class; of [`Class::Other`], values.
    pub fn classes(&self) -> BTreeMap<Class, usize> {
        let mut classes = BTreeMap::new();
        for layer in &self.network.plan.layers {
            let (class, multiplications) = class_of(layer, &self.network);
            *classes.entry(class).or_default() += multiplications;
        }
        classes
    }

    /// Runs the layers of a class, each for all rows of its feature map.
    pub fn run(&mut self, class: Class) {
        let Self { network, values } = self;
        for layer in network.plan.layers.iter().filter(|layer| class_of(layer, network).0 == class) {
            let rows = 0..network.plan.maps[layer.output()].height;
            network.layer(layer, &mut values.0, rows, &Cancel::new());
        }
    }
}

/// A layer's class and its multiplications; of [`Class::Other`], values.
fn class_of(layer: &Layer, network: &Network) -> (Class, usize) {
    let map = |index: usize| &network.plan.maps[index];
    let output = map(layer.output());
    let values = output.height * output.width * output.channels;
    match layer {
        Layer::Dense(layer) => {
            let input = map(layer.input);
            let class = if network.plan.inputs.contains(&layer.input) {
                Class::Colours
            } else if input.channels.min(output.channels) < 32 {
                Class::Narrow
            } else {
                Class::Wide
            };
            (class, values * layer.depth(input))
        }
        Layer::Depthwise(layer) => {
            let kernel = layer.window().rows;
            (Class::Depthwise(kernel), values * kernel * kernel)
        }
        _ => (Class::Other, values),
    }
}

/// What a run of a network costs: its multiplications, and the values between its layers.
pub fn work(network: &Network) -> usize {
    let layers = network.plan.layers.iter().map(|layer| class_of(layer, network).1);
    layers.fold(network.plan.values, usize::saturating_add)
}

/// Multiplications of one call of [`multiply`].
pub const PEAK_MULTIPLICATIONS: usize = 1 << 22;

/// Does nothing but fused multiplications, as many at the same time as keep the processor busy: its peak.
///
/// # Errors
/// [`UnsupportedProcessor`] if the processor lacks the instructions.
pub fn multiply(instructions: Instructions) -> Result<(), UnsupportedProcessor> {
    /// So many that each has its result when its turn comes again, and all fit into registers.
    const SUMS: usize = 12;

    struct Multiply;
    impl WithSimd for Multiply {
        type Output = ();

        #[inline(always)]
        fn with_simd<S: Simd>(self, simd: S) {
            let [factor, addend] = [0.5, 0.25].map(|value| simd.splat_f32s(black_box(value)));
            let mut sums = [addend; SUMS];
            for _ in 0..PEAK_MULTIPLICATIONS / (SUMS * S::F32_LANES) {
                for sum in &mut sums {
                    *sum = simd.mul_add_f32s(*sum, factor, addend);
                }
            }
            black_box(sums);
        }
    }
    instructions.arch()?.dispatch(Multiply);
    Ok(())
}
