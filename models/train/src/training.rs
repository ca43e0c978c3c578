//! The loop: windows in, weights out.

use std::path::{Path, PathBuf};
use std::sync::mpsc::sync_channel;
use std::thread;

use anyhow::{Context, Result, ensure};
use candle_core::{D, Device, Tensor};
use candle_nn::{AdamW, Optimizer, ParamsAdamW};
use dactyl_models::letters::features::{HAND_1, hand_1_rows};
use indicatif::{ProgressBar, ProgressStyle};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng as Random;
use serde::{Deserialize, Serialize};

use crate::data::{self, Data, LETTERS, Signer};
use crate::evaluation::{HeldOut, Score};
use crate::network::{Network, Sizes, split};
use crate::signs::Signs;
use crate::windows::{Example, FRAMES, Windows};

/// Everything that decides what comes out of a training.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Recipe {
    /// Seed of weights, windows and dropout.
    pub seed: u64,
    /// Updates of the weights.
    pub steps: usize,
    /// Windows per update.
    pub batch: usize,
    /// Largest learning rate: it rises over the first hundredth of the steps and falls as a cosine.
    pub learning_rate: f64,
    /// Weight decay of AdamW.
    pub weight_decay: f64,
    /// Share of values zeroed in training.
    pub dropout: f32,
    /// Share of the target spread evenly over all letters.
    pub label_smoothing: f32,
    /// Steps between two looks at the held-out signers.
    pub look_every: usize,
    /// Looks without a better one after which to stop.
    pub patience: usize,
    /// Widths of the layers.
    pub sizes: Sizes,
}

impl Default for Recipe {
    fn default() -> Self {
        Self {
            seed: 1,
            steps: 2500,
            batch: 64,
            learning_rate: 2e-3,
            weight_decay: 0.02,
            dropout: 0.25,
            label_smoothing: 0.05,
            look_every: 250,
            patience: 6,
            sizes: Sizes { features: HAND_1, wide: 96, narrow: 64, hidden: 64, classes: LETTERS },
        }
    }
}

/// What a finished training says about itself; lies beside the weights.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Run {
    /// As it was run.
    pub recipe: Recipe,
    /// In the order of the outputs.
    #[serde(default = "data::alphabet")]
    pub labels: Vec<String>,
    /// Names of the sets trained on.
    pub trained_on: Vec<String>,
    /// Names of the sets it was judged by while training, and the step whose weights were kept.
    pub held_out: Vec<String>,
    /// Step whose weights were kept.
    pub best_step: usize,
    /// Its score on the held-out sets, if any.
    pub score: Option<Score>,
    /// Divides the logits before the softmax.
    pub temperature: f64,
    /// Wall-clock seconds.
    pub seconds: u64,
}

/// File of the weights in a run's folder.
pub const WEIGHTS: &str = "weights.safetensors";
/// File of the [`Run`] in a run's folder.
pub const RUN: &str = "run.json";

/// Trains on the data's signers, looks at `held_out` now and then, and keeps the best weights in `out` (the last, if there
/// is nobody to look at).
///
/// # Errors
/// Nothing to train on, or a folder that can't be written.
pub fn train(
    Data { labels, signers }: &Data,
    held_out: &[Signer],
    recipe: &Recipe,
    out: &Path,
    bar: &ProgressBar,
) -> Result<Run> {
    ensure!(!signers.is_empty(), "no signers are left to train on");
    let classes = recipe.sizes.classes;
    ensure!(classes == labels.len(), "a network of {classes} classes can't learn {} labels", labels.len());
    std::fs::create_dir_all(out).with_context(|| format!("{} can't be made", out.display()))?;
    let started = std::time::Instant::now();
    let judges = HeldOut::new(held_out, labels);
    let network = Network::new(recipe.sizes, recipe.seed)?;
    let parameters =
        ParamsAdamW { lr: recipe.learning_rate, weight_decay: recipe.weight_decay, ..ParamsAdamW::default() };
    let mut optimizer = AdamW::new(network.variables(), parameters)?;
    let mut random = Random::seed_from_u64(recipe.seed ^ 0x5eed);

    bar.set_length(recipe.steps as u64);
    bar.set_style(ProgressStyle::with_template("{bar:30} {pos}/{len} steps, {eta} left, {msg}")?);
    let mut run = Run {
        recipe: recipe.clone(),
        labels: labels.clone(),
        trained_on: signers.iter().map(|signer| signer.name.clone()).collect(),
        held_out: held_out.iter().map(|signer| signer.name.clone()).collect(),
        best_step: 0,
        score: None,
        temperature: 1.0,
        seconds: 0,
    };

    let (send, receive) = sync_channel(4);
    thread::scope(|scope| -> Result<()> {
        // Drawing windows takes as long as learning from them: one thread each.
        scope.spawn(move || {
            let mut draw = examples(labels, signers, recipe.seed);
            for _ in 0..recipe.steps {
                let mut rows = Vec::with_capacity(recipe.batch * FRAMES * HAND_1);
                let mut targets = Vec::with_capacity(recipe.batch * classes);
                for _ in 0..recipe.batch {
                    let example = draw();
                    rows.extend(hand_1_rows(&example.hands));
                    targets.extend(smoothed(&example.target, recipe.label_smoothing));
                }
                // The receiver goes when training stops early.
                if send.send((rows, targets)).is_err() {
                    return;
                }
            }
        });

        let mut message = String::new();
        let mut mean_loss = f32::NAN;
        for step in 1..=recipe.steps {
            let (rows, targets) = receive.recv().context("the thread that draws windows ended early")?;
            let targets = Tensor::from_vec(targets, (recipe.batch, classes), &Device::Cpu)?;
            optimizer.set_learning_rate(rate(recipe, step));
            let frames = split(&rows, FRAMES, HAND_1)?;
            let logits = network.logits(&frames, Some((recipe.dropout, &mut random)))?;
            let log = candle_nn::ops::log_softmax(&logits, D::Minus1)?;
            let loss = (targets * log)?.sum_all()?.affine(-1.0 / recipe.batch as f64, 0.0)?;
            optimizer.backward_step(&loss)?;
            let loss = loss.to_scalar::<f32>()?;
            ensure!(loss.is_finite(), "the loss is {loss} at step {step}: lower the learning rate");
            mean_loss = if mean_loss.is_nan() { loss } else { 0.98 * mean_loss + 0.02 * loss };
            bar.set_position(step as u64);

            if step % recipe.look_every == 0 || step == recipe.steps {
                let score = judges.score(&network, 1.0)?;
                if let Some(score) = &score {
                    message = format!("held out: {score}");
                }
                let better = match (&score, &run.score) {
                    (Some(new), Some(best)) => new.rank() > best.rank(),
                    _ => true,
                };
                if better {
                    run.best_step = step;
                    run.score = score;
                    run.seconds = started.elapsed().as_secs();
                    network.save(&out.join(WEIGHTS))?;
                    write(&run, out)?;
                }
                if bar.is_hidden() {
                    tell(&format!("step {step}: loss {mean_loss:.3}, {message}"));
                }
                if step - run.best_step >= recipe.patience * recipe.look_every {
                    break;
                }
            }
            bar.set_message(format!("loss {mean_loss:.3}, {message}"));
        }
        drop(receive);
        Ok(())
    })?;
    bar.finish();
    if !judges.is_empty() {
        run.temperature = judges.temperature(&load(out, &run)?)?;
    }
    run.seconds = started.elapsed().as_secs();
    write(&run, out)?;
    Ok(run)
}

fn write(run: &Run, out: &Path) -> Result<()> {
    let path = out.join(RUN);
    let text = serde_json::to_vec_pretty(run)?;
    std::fs::write(&path, text).with_context(|| format!("{} can't be written", path.display()))
}

/// Reads a finished training.
///
/// # Errors
/// A folder that holds none.
pub fn open(folder: &Path) -> Result<(Run, Network)> {
    let path: PathBuf = folder.join(RUN);
    let text =
        std::fs::read(&path).with_context(|| format!("{} can't be read: train first", path.display()))?;
    let run: Run = serde_json::from_slice(&text).with_context(|| format!("{} is damaged", path.display()))?;
    let network = load(folder, &run)?;
    Ok((run, network))
}

fn load(folder: &Path, run: &Run) -> Result<Network> {
    Network::load(&folder.join(WEIGHTS), run.recipe.sizes)
}

fn rate(recipe: &Recipe, step: usize) -> f64 {
    let rise = (recipe.steps / 100).max(1);
    let part = step as f64 / recipe.steps as f64;
    let falling = 0.5 * (1.0 + (std::f64::consts::PI * part).cos());
    recipe.learning_rate * falling.max(0.002) * (step as f64 / rise as f64).min(1.0)
}

/// The letters have windows of their own: J and Z are drawn, the others held.
fn examples<'a>(labels: &[String], signers: &'a [Signer], seed: u64) -> Box<dyn FnMut() -> Example + 'a> {
    if labels == data::alphabet() {
        let mut windows = Windows::new(signers, seed);
        Box::new(move || windows.draw())
    } else {
        let mut signs = Signs::new(signers, labels.len(), seed);
        Box::new(move || signs.draw())
    }
}

fn smoothed(target: &[f32], share: f32) -> Vec<f32> {
    target.iter().map(|value| value * (1.0 - share) + share / target.len() as f32).collect()
}

#[expect(clippy::print_stderr, reason = "the progress of a program without a terminal")]
fn tell(line: &str) {
    eprintln!("{line}");
}
