//! The classifier: two dense layers on every frame, an LSTM over the window, a dense layer on its last state.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use anyhow::{Context, Result};
use candle_core::{D, Device, Tensor, Var};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng as Random;

/// Widths of the layers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Sizes {
    /// Values per frame.
    pub features: usize,
    /// First dense layer.
    pub wide: usize,
    /// Second dense layer.
    pub narrow: usize,
    /// State of the LSTM.
    pub hidden: usize,
    /// Labels.
    pub classes: usize,
}

/// The weights. Matrices are `[in, out]`; the gates of the LSTM stand in ONNX's order: input, output, forget, cell.
#[derive(Debug, Clone)]
pub struct Network {
    /// Widths of the layers.
    pub sizes: Sizes,
    variables: BTreeMap<&'static str, Var>,
}

const NAMES: [&str; 9] = [
    "wide.weight",
    "wide.bias",
    "narrow.weight",
    "narrow.bias",
    "lstm.input",
    "lstm.recurrent",
    "lstm.bias",
    "output.weight",
    "output.bias",
];

impl Network {
    /// Random weights, uniform as by Glorot and Bengio 2010; the forget gate's bias is 1 (Jozefowicz 2015).
    ///
    /// # Errors
    /// As candle gives them.
    pub fn new(sizes: Sizes, seed: u64) -> Result<Self> {
        let mut random = Random::seed_from_u64(seed);
        let mut variables = BTreeMap::new();
        for (name, shape) in NAMES.into_iter().zip(shapes(sizes)) {
            let values: Vec<f32> = match shape[..] {
                [from, to] => {
                    // The four gates are four matrices of their own.
                    let gates = if name.starts_with("lstm") { 4 } else { 1 };
                    let limit = (6.0 / (from + to / gates) as f32).sqrt();
                    (0..from * to).map(|_| random.random_range(-limit..limit)).collect()
                }
                _ => vec![0.0; shape.iter().product()],
            };
            variables.insert(name, Var::from_vec(values, shape, &Device::Cpu)?);
        }
        let mut bias = vec![0.0f32; 4 * sizes.hidden];
        bias[2 * sizes.hidden..3 * sizes.hidden].fill(1.0);
        variables["lstm.bias"].set(&Tensor::from_vec(bias, 4 * sizes.hidden, &Device::Cpu)?)?;
        Ok(Self { sizes, variables })
    }

    /// Reads weights written by [`Self::save`].
    ///
    /// # Errors
    /// A file that is missing or holds other tensors.
    pub fn load(path: &Path, sizes: Sizes) -> Result<Self> {
        let tensors = candle_core::safetensors::load(path, &Device::Cpu)?;
        let mut variables = BTreeMap::new();
        for (name, shape) in NAMES.into_iter().zip(shapes(sizes)) {
            let tensor =
                tensors.get(name).with_context(|| format!("{} has no tensor {name}", path.display()))?;
            anyhow::ensure!(
                tensor.dims() == shape,
                "{name} has the shape {:?}, not {shape:?}",
                tensor.dims()
            );
            variables.insert(name, Var::from_tensor(tensor)?);
        }
        Ok(Self { sizes, variables })
    }

    /// Writes the weights as safetensors.
    ///
    /// # Errors
    /// As the system gives them.
    pub fn save(&self, path: &Path) -> Result<()> {
        let tensors: HashMap<&str, Tensor> =
            self.variables.iter().map(|(name, variable)| (*name, variable.as_tensor().clone())).collect();
        Ok(candle_core::safetensors::save(&tensors, path)?)
    }

    /// The trainable variables.
    pub fn variables(&self) -> Vec<Var> {
        self.variables.values().cloned().collect()
    }

    /// Values of one tensor, row-major.
    ///
    /// # Errors
    /// As candle gives them.
    pub fn values(&self, name: &str) -> Result<Vec<f32>> {
        let variable = self.variables.get(name).with_context(|| format!("no tensor {name}"))?;
        Ok(variable.flatten_all()?.to_vec1()?)
    }

    /// Logits `[batch, classes]` of windows given frame by frame, each `[batch, features]`.
    ///
    /// With `dropout`, that share of the dense layers' outputs and of the last state is zeroed, the rest scaled up.
    ///
    /// # Errors
    /// As candle gives them.
    pub fn logits(&self, frames: &[Tensor], mut dropout: Option<(f32, &mut Random)>) -> Result<Tensor> {
        let variable = |name: &str| self.variables[name].as_tensor();
        let batch = frames.first().context("a window has at least one frame")?.dim(0)?;
        let hidden = self.sizes.hidden;
        let mut state = Tensor::zeros((batch, hidden), candle_core::DType::F32, &Device::Cpu)?;
        let mut cell = state.clone();
        // One mask for the whole window, as by Gal and Ghahramani 2016.
        let mask = |width: usize, dropout: &mut Option<(f32, &mut Random)>| -> Result<Option<Tensor>> {
            let Some((share, random)) = dropout else { return Ok(None) };
            let keep = 1.0 / (1.0 - *share);
            let values: Vec<f32> = (0..batch * width)
                .map(|_| if random.random::<f32>() < *share { 0.0 } else { keep })
                .collect();
            Ok(Some(Tensor::from_vec(values, (batch, width), &Device::Cpu)?))
        };
        let wide_mask = mask(self.sizes.wide, &mut dropout)?;
        let narrow_mask = mask(self.sizes.narrow, &mut dropout)?;
        let state_mask = mask(hidden, &mut dropout)?;
        let masked = |tensor: Tensor, mask: &Option<Tensor>| match mask {
            Some(mask) => tensor * mask,
            None => Ok(tensor),
        };
        for frame in frames {
            let wide = frame.matmul(variable("wide.weight"))?.broadcast_add(variable("wide.bias"))?.relu()?;
            let wide = masked(wide, &wide_mask)?;
            let narrow =
                wide.matmul(variable("narrow.weight"))?.broadcast_add(variable("narrow.bias"))?.relu()?;
            let narrow = masked(narrow, &narrow_mask)?;
            let gates = (narrow.matmul(variable("lstm.input"))?
                + state.matmul(variable("lstm.recurrent"))?)?
            .broadcast_add(variable("lstm.bias"))?;
            let sigmoid = candle_nn::ops::sigmoid(&gates.narrow(1, 0, 3 * hidden)?)?;
            let input = sigmoid.narrow(1, 0, hidden)?;
            let output = sigmoid.narrow(1, hidden, hidden)?;
            let forget = sigmoid.narrow(1, 2 * hidden, hidden)?;
            let new = gates.narrow(1, 3 * hidden, hidden)?.tanh()?;
            cell = ((forget * &cell)? + (input * new)?)?;
            state = (output * cell.tanh()?)?;
        }
        let state = masked(state, &state_mask)?;
        Ok(state.matmul(variable("output.weight"))?.broadcast_add(variable("output.bias"))?)
    }

    /// Probabilities `[windows, classes]` of windows of rows, row-major `[windows, frames, features]`.
    ///
    /// # Errors
    /// As candle gives them.
    pub fn probabilities(&self, windows: &[f32], frames: usize, temperature: f64) -> Result<Vec<Vec<f32>>> {
        let mut all = Vec::new();
        for chunk in windows.chunks(256 * frames * self.sizes.features) {
            let logits = (self.logits(&split(chunk, frames, self.sizes.features)?, None)? / temperature)?;
            all.extend(candle_nn::ops::softmax(&logits, D::Minus1)?.to_vec2::<f32>()?);
        }
        Ok(all)
    }
}

/// Windows of rows, row-major `[windows, frames, features]`, frame by frame.
///
/// # Errors
/// As candle gives them.
pub fn split(windows: &[f32], frames: usize, features: usize) -> Result<Vec<Tensor>> {
    let count = windows.len() / (frames * features);
    (0..frames)
        .map(|frame| {
            let mut values = Vec::with_capacity(count * features);
            for window in windows.chunks_exact(frames * features) {
                values.extend_from_slice(&window[frame * features..(frame + 1) * features]);
            }
            Ok(Tensor::from_vec(values, (count, features), &Device::Cpu)?)
        })
        .collect()
}

/// Shapes in the order of [`NAMES`].
fn shapes(sizes: Sizes) -> [Vec<usize>; 9] {
    let Sizes { features, wide, narrow, hidden, classes } = sizes;
    [
        vec![features, wide],
        vec![wide],
        vec![wide, narrow],
        vec![narrow],
        vec![narrow, 4 * hidden],
        vec![hidden, 4 * hidden],
        vec![4 * hidden],
        vec![hidden, classes],
        vec![classes],
    ]
}
