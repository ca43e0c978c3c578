//! The loop: pictures and windows in, weights out. Several networks may learn from one stream of examples, each leaving
//! out those that show somebody it must not know.

use std::io::{self, Write};
use std::path::Path;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread;

use anyhow::{Context, Result, ensure};
use candle_core::{D, Device, Tensor};
use dactyl_letters::features::{HAND_1, SHAPE, hand_1_rows, shape};
use indicatif::{ProgressBar, ProgressStyle};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng as Random;
use rayon::ThreadPoolBuilder;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::checkpoint::{Checkpoint, Learner};
use crate::data::{self, Data, Signer, Z};
use crate::evaluation::{HeldOut, Score};
use crate::network::{Network, Part};
use crate::optimizer::AdamW;
use crate::recipe::{Recipe, Schedule};
use crate::signs::Signs;
use crate::windows::{Examples, FRAMES, OtherStill, People, Windows};

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
    /// Names of the sets that were looked at while training.
    pub held_out: Vec<String>,
    /// Steps after which the weights of each part were kept.
    pub kept: Vec<usize>,
    /// Score on the held-out sets, if any. Steps were chosen by it: it flatters a little.
    pub score: Option<Score>,
    /// Divides the logits before the softmax.
    pub temperature: f64,
}

/// File of the weights in a run's folder.
pub const WEIGHTS: &str = "weights.safetensors";
/// File of the [`Run`] in a run's folder.
pub const RUN: &str = "run.json";

/// Added to Z's logit in the end (logit adjustment, Menon et al. 2021): a drawn Z of somebody unknown is missed more often than
/// a held index finger is taken for one.
const Z_ADJUSTMENT: f32 = 0.6;

/// Trains one network on the data's signers, looks at `held_out` now and then and stops when they gain nothing any more. Weights
/// and record go to `out`; a training that was killed goes on from there.
///
/// # Errors
/// Nothing to train on, or a folder that can't be written or holds an unfinished training of another kind.
pub fn train(
    data: &Data,
    held_out: &[Signer],
    recipe: &Recipe,
    out: &Path,
    bar: &ProgressBar,
) -> Result<Run> {
    let judges = HeldOut::new(held_out, &data.labels);
    let mut learners =
        [Learner { network: Network::new(recipe.sizes, recipe.seed)?, strangers: People::default() }];
    let look = |network: &Network, half| judges.score(network, half, 1.0);
    let kept = learn(data, &mut learners, &look, recipe, out, bar)?;
    let [Learner { network, .. }] = &learners;
    let names = |signers: &[Signer]| signers.iter().map(|signer| signer.name.clone()).collect();
    let run = Run {
        recipe: recipe.clone(),
        labels: data.labels.clone(),
        trained_on: names(&data.signers),
        held_out: names(held_out),
        kept,
        score: judges.score(network, Part::Window, 1.0)?,
        temperature: judges.temperature(network)?,
    };
    save(&run, network, out)?;
    Checkpoint::remove(out)?;
    Ok(run)
}

/// What the held-out signers say about a network of which this part was trained last; `None` where nobody is held out.
pub type Look<'a> = &'a (dyn Fn(&Network, Part) -> Result<Option<Score>> + Sync);

/// Trains every learner, and says after how many steps of each part the weights were kept. `look` judges the first one.
///
/// # Errors
/// As of [`train`].
pub fn learn(
    data: &Data,
    learners: &mut [Learner],
    look: Look,
    recipe: &Recipe,
    out: &Path,
    bar: &ProgressBar,
) -> Result<Vec<usize>> {
    let Data { labels, signers } = data;
    ensure!(!signers.is_empty(), "no signers are left to train on");
    ensure!(
        signers.len() <= People::MOST,
        "{} sets are more than the {} that a training takes",
        signers.len(),
        People::MOST
    );
    let classes = recipe.sizes.classes;
    ensure!(classes == labels.len(), "a network of {classes} classes can't learn {} labels", labels.len());
    ensure!(
        recipe.sizes.other_readers == 0 || data.knows_others(),
        "nobody shows hands that show none of the labels: they can't be learnt"
    );
    std::fs::create_dir_all(out).with_context(|| format!("{} can't be made", out.display()))?;
    let names: Vec<String> = signers.iter().map(|signer| signer.name.clone()).collect();
    let mut resumed = Checkpoint::read(out, recipe, labels, &names, learners)?;
    bar.set_style(ProgressStyle::with_template("{bar:30} {pos}/{len} steps, {eta} left, {msg}")?);
    if resumed.is_none() {
        let mut examples = examples(data, recipe.seed);
        let shapes: Vec<f32> =
            (0..4000).filter_map(|_| examples.draw_still()).flat_map(|still| shape(&still.hand)).collect();
        ensure!(!shapes.is_empty(), "no clip shows a hand in at least three frames");
        for learner in &mut *learners {
            learner.network.scale_to(&shapes)?;
        }
    }
    // Parts that are in the checkpoint were done before.
    let mut kept = resumed.as_ref().map_or_else(Vec::new, |checkpoint| checkpoint.kept.clone());
    let parts = recipe.sizes.parts();
    for part in parts.into_iter().skip(kept.len()) {
        let state = State::new(learners, part, resumed.take())?;
        let done =
            Loop { data, names: &names, look, recipe, out, bar, kept: &kept }.run(learners, part, state)?;
        kept.push(done);
    }
    if *labels == data::alphabet() {
        for learner in learners {
            learner.network.adjust(Z, Z_ADJUSTMENT)?;
        }
    }
    bar.finish();
    Ok(kept)
}

/// Where a part is.
struct State {
    /// Steps done.
    step: usize,
    optimizers: Vec<AdamW>,
    /// Step and loss of the best look so far.
    best: Option<(usize, f32)>,
}

impl State {
    fn new(learners: &[Learner], part: Part, resumed: Option<Checkpoint>) -> Result<Self> {
        let mut optimizers = learners
            .iter()
            .map(|learner| AdamW::new(learner.network.trainable(part)))
            .collect::<Result<Vec<_>>>()?;
        let Some(checkpoint) = resumed else { return Ok(Self { step: 0, optimizers, best: None }) };
        checkpoint.restore(&mut optimizers)?;
        Ok(Self { step: checkpoint.step, optimizers, best: checkpoint.best })
    }
}

struct Loop<'a> {
    data: &'a Data,
    names: &'a [String],
    look: Look<'a>,
    recipe: &'a Recipe,
    out: &'a Path,
    bar: &'a ProgressBar,
    /// Steps after which the weights of the parts before were kept.
    kept: &'a [usize],
}

impl Loop<'_> {
    /// Trains one part of every learner; returns the step whose weights it has at the end.
    fn run(&self, learners: &mut [Learner], part: Part, mut state: State) -> Result<usize> {
        let schedule = self.recipe.schedule(part);
        self.bar.set_length(schedule.steps as u64);
        let (send, receive) = sync_channel(4);
        let first = state.step + 1;
        // The products of one network are too small to be worth dividing: more threads than networks only wait.
        let threads = thread::available_parallelism().map_or(1, usize::from).min(learners.len());
        let pool = ThreadPoolBuilder::new().num_threads(threads).build()?;
        thread::scope(|scope| -> Result<()> {
            // Drawing examples takes as long as learning from them: one thread each.
            let (data, recipe) = (self.data, self.recipe);
            scope.spawn(move || draw(data, recipe, part, first, &send));
            let mut mean_loss = f32::NAN;
            for step in first..=schedule.steps {
                let batch = receive.recv().context("the thread that draws examples ended early")?;
                let rate = rate(schedule, step);
                let update = |(index, (learner, optimizer)): (usize, (&mut Learner, &mut AdamW))| {
                    let seed = self.recipe.seed_of(part, step) ^ ((index as u64 + 1) << 48);
                    let loss = self.loss(learner, part, &batch, &mut Random::seed_from_u64(seed))?;
                    optimizer.step(&loss.backward()?, rate, self.recipe.weight_decay)?;
                    let loss = loss.to_scalar::<f32>()?;
                    ensure!(loss.is_finite(), "the loss is {loss} at step {step}: lower the learning rate");
                    Ok(loss)
                };
                let losses: Vec<f32> = pool.install(|| {
                    let updated = learners.par_iter_mut().zip(&mut state.optimizers).enumerate().map(update);
                    updated.collect::<Result<_>>()
                })?;
                for loss in losses {
                    mean_loss = if mean_loss.is_nan() { loss } else { 0.98 * mean_loss + 0.02 * loss };
                }
                state.step = step;
                self.bar.set_position(step as u64);
                self.bar.set_message(format!("{part:?}: loss {mean_loss:.3}"));
                if (step % self.recipe.look_every == 0 || step == schedule.steps)
                    && self.pause(learners, part, &mut state, mean_loss)?
                {
                    break;
                }
            }
            drop(receive);
            Ok(())
        })?;
        match state.best {
            Some((step, _)) if step != state.step => {
                let first = learners.first_mut().context("somebody learns")?;
                Checkpoint::restore_best(self.out, &mut first.network)?;
                Ok(step)
            }
            _ => Ok(state.step),
        }
    }

    /// Looks at the held-out signers and saves; whether they have gained nothing for too long.
    fn pause(&self, learners: &[Learner], part: Part, state: &mut State, loss: f32) -> Result<bool> {
        let mut message = format!("{part:?} step {}: loss {loss:.3}", state.step);
        let mut is_done = false;
        let first = learners.first().context("somebody learns")?;
        if let Some(score) = (self.look)(&first.network, part)? {
            message = format!("{message}, held out: {score}");
            let judged = score.mean(|signer| signer.loss);
            if state.best.is_none_or(|(_, best)| judged < best) {
                state.best = Some((state.step, judged));
                Checkpoint::save_best(self.out, &first.network)?;
            }
            let best = state.best.map_or(0, |(step, _)| step);
            is_done = state.step - best >= self.recipe.patience * self.recipe.look_every;
        }
        if self.bar.is_hidden() {
            tell(&message);
        } else {
            self.bar.println(message);
        }
        let checkpoint = Checkpoint {
            recipe: self.recipe.clone(),
            labels: self.data.labels.clone(),
            sets: self.names.to_vec(),
            part,
            step: state.step,
            best: state.best,
            kept: self.kept.to_vec(),
            tensors: Default::default(),
        };
        checkpoint.write(self.out, learners, &state.optimizers)?;
        Ok(is_done)
    }

    fn loss(&self, learner: &Learner, part: Part, batch: &Batch, random: &mut Random) -> Result<Tensor> {
        let width = batch.rows.len() / batch.people.len();
        let values = batch.targets.len() / batch.people.len();
        let (mut rows, mut targets) = (Vec::new(), Vec::new());
        for (index, people) in batch.people.iter().enumerate() {
            if people.are_strangers_to(learner.strangers) && batch.near[index].are_among(learner.strangers) {
                rows.extend_from_slice(&batch.rows[index * width..(index + 1) * width]);
                targets.extend_from_slice(&batch.targets[index * values..(index + 1) * values]);
            }
        }
        let count = targets.len() / values;
        ensure!(count > 0, "a step without a single example: make the batch larger");
        let mut dropout = Some((self.recipe.dropout, random));
        let targets = Tensor::from_vec(targets, (count, values), &Device::Cpu)?;
        let shapes = |rows| Tensor::from_vec(rows, (count, SHAPE), &Device::Cpu);
        let logits = match part {
            Part::Frame => learner.network.frame_logits(&shapes(rows)?, &mut dropout)?,
            Part::Window => {
                let readings = learner.network.readings(&rows, FRAMES, &mut dropout)?;
                learner.network.window_logits(&readings, &mut dropout)?
            }
            Part::Other => {
                // Of two outcomes one logit tells: the other one's is 0.
                let other = learner.network.other_logits(&shapes(rows)?, &mut dropout)?;
                Tensor::cat(&[other.zeros_like()?, other], D::Minus1)?
            }
        };
        let log = candle_nn::ops::log_softmax(&logits, D::Minus1)?;
        // Every reader of a frame learns by itself.
        let answers = (logits.elem_count() / values) as f64;
        Ok(log.broadcast_mul(&targets)?.sum_all()?.affine(-1.0 / answers, 0.0)?)
    }
}

/// Examples of one step.
struct Batch {
    /// `[examples, SHAPE]` or `[examples, FRAMES, HAND_1]`, row-major.
    rows: Vec<f32>,
    /// `[examples, classes]`, or `[examples, 2]`: whether a hand shows a label, and whether it shows none.
    targets: Vec<f32>,
    people: Vec<People>,
    /// Whose letters each is near although it shows none.
    near: Vec<People>,
}

fn draw(data: &Data, recipe: &Recipe, part: Part, first: usize, send: &SyncSender<Batch>) {
    let mut examples = examples(data, recipe.seed);
    let Schedule { steps, batch, .. } = recipe.schedule(part);
    for step in first..=steps {
        examples.reseed(recipe.seed_of(part, step));
        let mut drawn = Batch { rows: Vec::new(), targets: Vec::new(), people: Vec::new(), near: Vec::new() };
        drawn.rows.reserve(batch * if part == Part::Window { FRAMES * HAND_1 } else { SHAPE });
        while drawn.people.len() < batch {
            let (target, people, near) = match part {
                Part::Frame => {
                    let Some(still) = examples.draw_still() else { return };
                    drawn.rows.extend(shape(&still.hand));
                    let mut target = vec![0.0; recipe.sizes.classes];
                    target[still.letter] = 1.0;
                    (target, still.people, People::default())
                }
                Part::Window => {
                    let example = examples.draw();
                    drawn.rows.extend(hand_1_rows(&example.hands));
                    (example.target, example.people, People::default())
                }
                Part::Other => {
                    let other =
                        if drawn.people.len().is_multiple_of(2) { examples.draw_other() } else { None };
                    match other {
                        Some(OtherStill { hand, people, near }) => {
                            drawn.rows.extend(shape(&hand));
                            (vec![0.0, 1.0], people, near)
                        }
                        None => {
                            let Some(still) = examples.draw_still() else { return };
                            drawn.rows.extend(shape(&still.hand));
                            (vec![1.0, 0.0], still.people, People::default())
                        }
                    }
                }
            };
            drawn.targets.extend(smoothed(&target, recipe.label_smoothing));
            drawn.people.push(people);
            drawn.near.push(near);
        }
        // The receiver goes when training stops early.
        if send.send(drawn).is_err() {
            return;
        }
    }
}

/// Writes a finished training.
///
/// # Errors
/// A folder that can't be written.
pub fn save(run: &Run, network: &Network, out: &Path) -> Result<()> {
    std::fs::create_dir_all(out).with_context(|| format!("{} can't be made", out.display()))?;
    network.save(&out.join(WEIGHTS))?;
    let path = out.join(RUN);
    let text = serde_json::to_vec_pretty(run)?;
    std::fs::write(&path, text).with_context(|| format!("{} can't be written", path.display()))
}

/// Reads a finished training.
///
/// # Errors
/// A folder that holds none.
pub fn open(folder: &Path) -> Result<(Run, Network)> {
    let path = folder.join(RUN);
    let text =
        std::fs::read(&path).with_context(|| format!("{} can't be read: train first", path.display()))?;
    let run: Run = serde_json::from_slice(&text).with_context(|| format!("{} is damaged", path.display()))?;
    let network = Network::load(&folder.join(WEIGHTS), run.recipe.sizes)?;
    Ok((run, network))
}

fn rate(schedule: Schedule, step: usize) -> f64 {
    let rise = (schedule.steps / 20).max(1);
    let part = step as f64 / schedule.steps as f64;
    let falling = 0.5 * (1.0 + (std::f64::consts::PI * part).cos());
    schedule.learning_rate * falling.max(0.002) * (step as f64 / rise as f64).min(1.0)
}

/// The letters have examples of their own: J and Z are drawn, the others held.
fn examples(data: &Data, seed: u64) -> Box<dyn Examples + '_> {
    if data.labels == data::alphabet() {
        Box::new(Windows::new(&data.signers, seed))
    } else {
        Box::new(Signs::new(data, seed))
    }
}

fn smoothed(target: &[f32], share: f32) -> impl Iterator<Item = f32> {
    target.iter().map(move |value| value * (1.0 - share) + share / target.len() as f32)
}

/// The progress of a program without a terminal. Hours of learning do not end because nobody watches them.
fn tell(line: &str) {
    let _ = writeln!(io::stderr(), "{line}");
}
