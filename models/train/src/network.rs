//! The classifier. Several small networks of dense layers read the shape of the hand in every frame; the mean of what they
//! say is a distribution over the letters. An LSTM reads those distributions with presence and movement over the window,
//! and what a dense layer makes of its last state corrects the window's mean distribution. Further small networks, which learn
//! by themselves, say of every frame whether the hand shows none of the labels; the mean over the window is taken from the labels'
//! probabilities, whose proportions stay.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use anyhow::{Context, Result, ensure};
use candle_core::{D, DType, Device, Tensor, Var};
use dactyl_letters::features::{HAND_1, MOVEMENT, SHAPE};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng as Random;

/// Widths of the layers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Sizes {
    /// Networks that read a frame: they differ in their first weights and in dropout.
    pub readers: usize,
    /// First dense layer.
    pub wide: usize,
    /// Second dense layer.
    pub narrow: usize,
    /// State of the LSTM.
    pub hidden: usize,
    /// Labels.
    pub classes: usize,
    /// Networks that tell whether a hand shows none of the labels, half as wide as those that read a frame; 0 where no such hands
    /// are known.
    #[serde(default)]
    pub other_readers: usize,
}

impl Sizes {
    /// What is trained, in this order.
    pub fn parts(self) -> Vec<Part> {
        let mut parts = vec![Part::Frame, Part::Window];
        if self.other_readers > 0 {
            parts.push(Part::Other);
        }
        parts
    }

    /// Values per frame that the LSTM reads: a distribution, presence, movement.
    pub fn reading(self) -> usize {
        self.classes + 1 + MOVEMENT
    }
}

/// The weights. Matrices are `[in, out]`, those that read a frame `[readers, in, out]`; the gates of the LSTM stand in ONNX's order: input, output, forget, cell.
#[derive(Debug, Clone)]
pub struct Network {
    /// Widths of the layers.
    pub sizes: Sizes,
    variables: BTreeMap<&'static str, Var>,
}

/// Mean and deviation of the training's shapes, by which shapes are scaled; not trained.
const SCALE: [&str; 2] = ["shape.mean", "shape.deviation"];
/// The dense layers that read a frame.
const FRAME: [&str; 6] =
    ["wide.weight", "wide.bias", "narrow.weight", "narrow.bias", "letter.weight", "letter.bias"];
/// What reads the window.
const WINDOW: [&str; 5] = ["lstm.input", "lstm.recurrent", "lstm.bias", "output.weight", "output.bias"];

/// The dense layers that tell whether a hand shows none of the labels.
const OTHER: [&str; 6] = [
    "other.wide.weight",
    "other.wide.bias",
    "other.narrow.weight",
    "other.narrow.bias",
    "other.letter.weight",
    "other.letter.bias",
];

/// Added to a probability before its logarithm is taken.
pub const LEAST: f64 = 1e-3;

/// A part of the network: the frame part is trained first, then the window part on what it says, then by itself the part that
/// tells hands that show none of the labels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum Part {
    /// The dense layers that read a frame.
    Frame,
    /// LSTM and output layer.
    Window,
    /// The dense layers that tell whether a hand shows none of the labels.
    Other,
}

/// Share of values to zero, and what draws them. `None` outside of training.
pub type Dropout<'a> = Option<(f32, &'a mut Random)>;

impl Network {
    /// Random weights, uniform as by Glorot and Bengio 2010; the forget gate's bias is 1 (Jozefowicz 2015).
    ///
    /// # Errors
    /// As candle gives them.
    pub fn new(sizes: Sizes, seed: u64) -> Result<Self> {
        let mut random = Random::seed_from_u64(seed);
        let mut variables = BTreeMap::new();
        for name in names(sizes) {
            let shape = shape(name, sizes);
            let count = shape.iter().product();
            let values: Vec<f32> = match shape[..] {
                [.., from, to] if from > 1 => {
                    // The four gates are four matrices of their own.
                    let gates = if name.starts_with("lstm") { 4 } else { 1 };
                    let limit = (6.0 / (from + to / gates) as f32).sqrt();
                    (0..count).map(|_| random.random_range(-limit..limit)).collect()
                }
                _ if name == "shape.deviation" => vec![1.0; count],
                _ => vec![0.0; count],
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
        let tensors = candle_core::safetensors::load(path, &Device::Cpu)
            .with_context(|| format!("{} can't be read", path.display()))?;
        let mut network = Self::new(sizes, 0)?;
        network.set(&tensors, "").with_context(|| format!("{} does not fit", path.display()))?;
        Ok(network)
    }

    /// Takes over the tensors whose names begin with `prefix`.
    ///
    /// # Errors
    /// A tensor is missing or has another shape.
    pub fn set(&mut self, tensors: &HashMap<String, Tensor>, prefix: &str) -> Result<()> {
        for (name, variable) in &self.variables {
            let tensor =
                tensors.get(&format!("{prefix}{name}")).with_context(|| format!("no tensor {name}"))?;
            ensure!(tensor.dims() == variable.dims(), "{name} has the shape {:?}", tensor.dims());
            variable.set(tensor)?;
        }
        Ok(())
    }

    /// Writes the weights as safetensors.
    ///
    /// # Errors
    /// As the system gives them.
    pub fn save(&self, path: &Path) -> Result<()> {
        let tensors: HashMap<String, Tensor> = self.tensors("").collect();
        Ok(candle_core::safetensors::save(&tensors, path)?)
    }

    /// Every tensor, its name behind `prefix`.
    pub fn tensors(&self, prefix: &str) -> impl Iterator<Item = (String, Tensor)> {
        self.variables
            .iter()
            .map(move |(name, variable)| (format!("{prefix}{name}"), variable.as_tensor().clone()))
    }

    /// The trainable variables of a part, by name.
    pub fn trainable(&self, part: Part) -> Vec<(&'static str, Var)> {
        let names: &[&'static str] = match part {
            Part::Frame => &FRAME,
            Part::Window => &WINDOW,
            Part::Other => &OTHER,
        };
        names.iter().map(|name| (*name, self.variables[name].clone())).collect()
    }

    /// Values of one tensor, row-major.
    ///
    /// # Errors
    /// As candle gives them.
    pub fn values(&self, name: &str) -> Result<Vec<f32>> {
        let variable = self.variables.get(name).with_context(|| format!("no tensor {name}"))?;
        Ok(variable.flatten_all()?.to_vec1()?)
    }

    /// Adds to the logit of one label, whatever the window.
    ///
    /// # Errors
    /// As candle gives them.
    pub fn adjust(&mut self, label: usize, logit: f32) -> Result<()> {
        let mut bias = self.values("output.bias")?;
        bias[label] += logit;
        Ok(self.variables["output.bias"].set(&Tensor::from_vec(bias, self.sizes.classes, &Device::Cpu)?)?)
    }

    /// Scales shapes so that these, `[count, SHAPE]` row-major, have mean 0 and deviation 1.
    ///
    /// # Errors
    /// As candle gives them.
    pub fn scale_to(&mut self, shapes: &[f32]) -> Result<()> {
        let count = (shapes.len() / SHAPE).max(1) as f64;
        let column = |index: usize| shapes.chunks_exact(SHAPE).map(move |row| f64::from(row[index]));
        let mean: Vec<f64> = (0..SHAPE).map(|index| column(index).sum::<f64>() / count).collect();
        // A value that hardly varies must not be blown up.
        let deviation = (0..SHAPE).map(|index| {
            let variance = column(index).map(|value| (value - mean[index]).powi(2)).sum::<f64>() / count;
            variance.sqrt().max(0.05) as f32
        });
        let deviation: Vec<f32> = deviation.collect();
        let mean: Vec<f32> = mean.into_iter().map(|value| value as f32).collect();
        for (name, values) in SCALE.into_iter().zip([mean, deviation]) {
            self.variables[name].set(&Tensor::from_vec(values, SHAPE, &Device::Cpu)?)?;
        }
        Ok(())
    }

    /// Logits `[readers, count, classes]` of single frames' shapes `[count, SHAPE]`.
    ///
    /// With `dropout`, that share of the dense layers' outputs is zeroed, the rest scaled up.
    ///
    /// # Errors
    /// As candle gives them.
    pub fn frame_logits(&self, shapes: &Tensor, dropout: &mut Dropout) -> Result<Tensor> {
        self.read_shapes("", self.sizes.readers, shapes, dropout)
    }

    /// Logits `[readers, count, 1]` of single frames' shapes `[count, SHAPE]` that the hand shows none of the labels.
    ///
    /// # Errors
    /// As candle gives them.
    pub fn other_logits(&self, shapes: &Tensor, dropout: &mut Dropout) -> Result<Tensor> {
        self.read_shapes("other.", self.sizes.other_readers, shapes, dropout)
    }

    /// What the dense layers whose names begin with `prefix` make of shapes, for each of their readers.
    fn read_shapes(
        &self,
        prefix: &str,
        readers: usize,
        shapes: &Tensor,
        dropout: &mut Dropout,
    ) -> Result<Tensor> {
        let scaled =
            shapes.broadcast_sub(self.tensor("shape.mean"))?.broadcast_div(self.tensor("shape.deviation"))?;
        let everybody = scaled.broadcast_left(readers)?.contiguous()?;
        let wide = dropped(self.dense(&format!("{prefix}wide"), &everybody)?.relu()?, dropout)?;
        let narrow = dropped(self.dense(&format!("{prefix}narrow"), &wide)?.relu()?, dropout)?;
        self.dense(&format!("{prefix}letter"), &narrow)
    }

    /// What the LSTM reads of windows of rows, row-major `[windows, frames, HAND_1]`: frame by frame `[windows, reading]`.
    ///
    /// # Errors
    /// As candle gives them.
    pub fn readings(&self, windows: &[f32], frames: usize, dropout: &mut Dropout) -> Result<Vec<Tensor>> {
        let count = windows.len() / (frames * HAND_1);
        let (shapes, motion) = shapes_and_motion(windows, frames)?;
        let mut logits = self.frame_logits(&shapes, dropout)?;
        if let Some((_, random)) = dropout {
            // A stranger's hand is read with less certainty than one of the training's.
            let certainty: Vec<f32> = (0..count).map(|_| random.random_range(0.25..1.0)).collect();
            let certainty = Tensor::from_vec(certainty, (1, count, 1), &Device::Cpu)?;
            logits = logits.broadcast_mul(&certainty.repeat((1, frames, 1))?)?;
        }
        let letters = candle_nn::ops::softmax(&logits, D::Minus1)?.mean(0)?;
        // Where no hand is, no letter is.
        let letters = letters.broadcast_mul(&motion.narrow(1, 0, 1)?)?;
        let readings = Tensor::cat(&[letters, motion], 1)?.detach();
        (0..frames).map(|frame| Ok(readings.narrow(0, frame * count, count)?.contiguous()?)).collect()
    }

    /// Logits `[windows, classes]` of what [`Self::readings`] gives.
    ///
    /// # Errors
    /// As candle gives them.
    pub fn window_logits(&self, readings: &[Tensor], dropout: &mut Dropout) -> Result<Tensor> {
        let batch = readings.first().context("a window has at least one frame")?.dim(0)?;
        let hidden = self.sizes.hidden;
        let mut state = Tensor::zeros((batch, hidden), DType::F32, &Device::Cpu)?;
        let mut cell = state.clone();
        for reading in readings {
            let gates = ((reading.matmul(self.tensor("lstm.input"))?
                + state.matmul(self.tensor("lstm.recurrent"))?)?
                + self.bias("lstm", reading)?)?;
            let sigmoid = candle_nn::ops::sigmoid(&gates.narrow(1, 0, 3 * hidden)?)?;
            let input = sigmoid.narrow(1, 0, hidden)?;
            let output = sigmoid.narrow(1, hidden, hidden)?;
            let forget = sigmoid.narrow(1, 2 * hidden, hidden)?;
            let new = gates.narrow(1, 3 * hidden, hidden)?.tanh()?;
            cell = ((forget * &cell)? + (input * new)?)?;
            state = (output * cell.tanh()?)?;
        }
        let correction = self.dense("output", &dropped(state, dropout)?)?;
        let classes = self.sizes.classes;
        let sum = readings.iter().skip(1).try_fold(readings[0].clone(), |sum, reading| sum + reading)?;
        let seen = (sum.narrow(1, classes, 1)? + LEAST)?;
        let mean = (sum.narrow(1, 0, classes)?.broadcast_div(&seen)? + LEAST)?;
        Ok((correction + mean.log()?)?)
    }

    /// Mean over the frames with a hand of the probability that it shows none of the labels, `[windows, 1]`, of windows as for
    /// [`Self::probabilities`].
    fn other_probability(&self, windows: &[f32], frames: usize) -> Result<Tensor> {
        let count = windows.len() / (frames * HAND_1);
        let (shapes, motion) = shapes_and_motion(windows, frames)?;
        let other = candle_nn::ops::sigmoid(&self.other_logits(&shapes, &mut None)?)?.mean(0)?;
        let presence = motion.narrow(1, 0, 1)?;
        let sum = |frames_by_windows: &Tensor| frames_by_windows.reshape((frames, count, 1))?.sum(0);
        Ok((sum(&(other * &presence)?)? / (sum(&presence)? + LEAST)?)?)
    }

    /// Probabilities `[windows, classes]` of windows of rows, row-major `[windows, frames, HAND_1]`; what they lack to 1 is that
    /// the hand shows none of the labels.
    ///
    /// # Errors
    /// As candle gives them.
    pub fn probabilities(&self, windows: &[f32], frames: usize, temperature: f64) -> Result<Vec<Vec<f32>>> {
        let mut all = Vec::new();
        for chunk in windows.chunks(256 * frames * HAND_1) {
            let readings = self.readings(chunk, frames, &mut None)?;
            let logits = (self.window_logits(&readings, &mut None)? / temperature)?;
            let mut labels = candle_nn::ops::softmax(&logits, D::Minus1)?;
            if self.sizes.other_readers > 0 {
                let shown = self.other_probability(chunk, frames)?.affine(-1.0, 1.0)?;
                labels = labels.broadcast_mul(&shown)?;
            }
            all.extend(labels.to_vec2::<f32>()?);
        }
        Ok(all)
    }

    /// Mean over the frames of the frame part's probabilities, of windows as for [`Self::probabilities`].
    ///
    /// # Errors
    /// As candle gives them.
    pub fn frame_probabilities(&self, windows: &[f32], frames: usize) -> Result<Vec<Vec<f32>>> {
        let mut all = Vec::new();
        for chunk in windows.chunks(256 * frames * HAND_1) {
            let readings = Tensor::stack(&self.readings(chunk, frames, &mut None)?, 0)?.mean(0)?;
            all.extend(readings.narrow(1, 0, self.sizes.classes)?.to_vec2::<f32>()?);
        }
        Ok(all)
    }

    fn tensor(&self, name: &str) -> &Tensor {
        self.variables[name].as_tensor()
    }

    fn dense(&self, name: &str, input: &Tensor) -> Result<Tensor> {
        let product = input.matmul(self.tensor(&format!("{name}.weight")))?;
        Ok((product + self.bias(name, input)?)?)
    }

    /// The bias of a layer for every row of its `input`, as a product: candle's gradient of a broadcast takes as long as
    /// all the products of a step.
    fn bias(&self, name: &str, input: &Tensor) -> Result<Tensor> {
        let bias = self.tensor(&format!("{name}.bias"));
        let bias = if bias.rank() == 1 { bias.unsqueeze(0)? } else { bias.clone() };
        let mut shape = input.dims().to_vec();
        *shape.last_mut().context("a layer's input has rows")? = 1;
        Ok(Tensor::ones(shape, DType::F32, &Device::Cpu)?.matmul(&bias)?)
    }
}

fn dropped(tensor: Tensor, dropout: &mut Dropout) -> Result<Tensor> {
    let Some((share, random)) = dropout else { return Ok(tensor) };
    let keep = 1.0 / (1.0 - *share);
    let mut drawn = vec![0u16; tensor.elem_count()];
    random.fill(&mut drawn[..]);
    let limit = (*share * 65_536.0) as u16;
    let mask: Vec<f32> = drawn.iter().map(|value| if *value < limit { 0.0 } else { keep }).collect();
    Ok((&tensor * Tensor::from_vec(mask, tensor.shape(), &Device::Cpu)?)?)
}

/// Values of rows, row-major `[windows, frames, HAND_1]`, frame by frame: the hands' shapes `[frames * windows, SHAPE]`, and
/// presence and movement `[frames * windows, 1 + MOVEMENT]`.
fn shapes_and_motion(windows: &[f32], frames: usize) -> Result<(Tensor, Tensor)> {
    let count = windows.len() / (frames * HAND_1);
    let mut shapes = Vec::with_capacity(frames * count * SHAPE);
    let mut motion = Vec::with_capacity(frames * count * (1 + MOVEMENT));
    for frame in 0..frames {
        for window in windows.chunks_exact(frames * HAND_1) {
            let row = &window[frame * HAND_1..(frame + 1) * HAND_1];
            shapes.extend_from_slice(&row[..SHAPE]);
            motion.push(row[0]);
            motion.extend_from_slice(&row[SHAPE..]);
        }
    }
    let shapes = Tensor::from_vec(shapes, (frames * count, SHAPE), &Device::Cpu)?;
    let motion = Tensor::from_vec(motion, (frames * count, 1 + MOVEMENT), &Device::Cpu)?;
    Ok((shapes, motion))
}

fn names(sizes: Sizes) -> impl Iterator<Item = &'static str> {
    let other = OTHER.into_iter().filter(move |_| sizes.other_readers > 0);
    SCALE.into_iter().chain(FRAME).chain(WINDOW).chain(other)
}

fn shape(name: &str, sizes: Sizes) -> Vec<usize> {
    let Sizes { readers, wide, narrow, hidden, classes, other_readers } = sizes;
    match name {
        "wide.weight" => vec![readers, SHAPE, wide],
        "wide.bias" => vec![readers, 1, wide],
        "narrow.weight" => vec![readers, wide, narrow],
        "narrow.bias" => vec![readers, 1, narrow],
        "letter.weight" => vec![readers, narrow, classes],
        "letter.bias" => vec![readers, 1, classes],
        "output.bias" => vec![classes],
        "other.wide.weight" => vec![other_readers, SHAPE, wide / 2],
        "other.wide.bias" => vec![other_readers, 1, wide / 2],
        "other.narrow.weight" => vec![other_readers, wide / 2, narrow / 2],
        "other.narrow.bias" => vec![other_readers, 1, narrow / 2],
        "other.letter.weight" => vec![other_readers, narrow / 2, 1],
        "other.letter.bias" => vec![other_readers, 1, 1],
        "lstm.input" => vec![sizes.reading(), 4 * hidden],
        "lstm.recurrent" => vec![hidden, 4 * hidden],
        "lstm.bias" => vec![4 * hidden],
        "output.weight" => vec![hidden, classes],
        _ => vec![SHAPE],
    }
}
