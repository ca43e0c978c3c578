//! What a training needs to go on after it was killed, bit for bit as if it had not been.

use std::collections::HashMap;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use candle_core::{Device, Tensor, safetensors};
use serde::{Deserialize, Serialize};

use crate::data;
use crate::network::{Network, Part};
use crate::optimizer::AdamW;
use crate::recipe::Recipe;
use crate::windows::People;

const STATE: &str = "unfinished.json";
const BEST: &str = "unfinished-best.safetensors";
/// Tensors lie in a file of their own step, so that a kill while writing leaves the state before with its tensors.
const TENSORS: &str = "unfinished-step-";

/// A network in training.
pub struct Learner {
    /// The network.
    pub network: Network,
    /// Whose hands it must not see.
    pub strangers: People,
}

/// The state after a step.
#[derive(Debug, Serialize, Deserialize)]
pub struct Checkpoint {
    /// Of the training.
    pub recipe: Recipe,
    /// In the order of the outputs.
    #[serde(default = "data::alphabet")]
    pub labels: Vec<String>,
    /// Names of the sets.
    pub sets: Vec<String>,
    /// The part that is learning.
    pub part: Part,
    /// Steps of this part that are done.
    pub step: usize,
    /// Step and loss of the best look so far.
    pub best: Option<(usize, f32)>,
    /// Steps after which the weights of the parts before it were kept.
    pub kept: Vec<usize>,
    /// Weights and moments.
    #[serde(skip)]
    pub tensors: HashMap<String, Tensor>,
}

impl Checkpoint {
    /// Reads what lies in `folder`, if anything, and gives the learners their weights.
    ///
    /// # Errors
    /// It belongs to another training, or is damaged.
    pub fn read(
        folder: &Path,
        recipe: &Recipe,
        labels: &[String],
        sets: &[String],
        learners: &mut [Learner],
    ) -> Result<Option<Self>> {
        let path = folder.join(STATE);
        if !path.exists() {
            return Ok(None);
        }
        let text = std::fs::read(&path).with_context(|| format!("{} can't be read", path.display()))?;
        let mut checkpoint: Self =
            serde_json::from_slice(&text).with_context(|| format!("{} is damaged", path.display()))?;
        ensure!(
            checkpoint.recipe == *recipe && checkpoint.labels == labels && checkpoint.sets == sets,
            "{} belongs to an unfinished training with another recipe, other labels or other sets: remove it, or choose another folder",
            path.display()
        );
        let path = folder.join(checkpoint.file());
        checkpoint.tensors = safetensors::load(&path, &Device::Cpu)
            .with_context(|| format!("{} can't be read", path.display()))?;
        for (index, learner) in learners.iter_mut().enumerate() {
            learner
                .network
                .set(&checkpoint.tensors, &prefix(index))
                .with_context(|| format!("{} does not fit", path.display()))?;
        }
        Ok(Some(checkpoint))
    }

    /// Gives the optimizers their moments.
    ///
    /// # Errors
    /// Moments are missing.
    pub fn restore(&self, optimizers: &mut [AdamW]) -> Result<()> {
        for (index, optimizer) in optimizers.iter_mut().enumerate() {
            optimizer.set(&self.tensors, &prefix(index), i32::try_from(self.step)?)?;
        }
        Ok(())
    }

    /// Writes everything.
    ///
    /// # Errors
    /// A folder that can't be written.
    pub fn write(&self, folder: &Path, learners: &[Learner], optimizers: &[AdamW]) -> Result<()> {
        let mut tensors = HashMap::new();
        for (index, (learner, optimizer)) in learners.iter().zip(optimizers).enumerate() {
            tensors.extend(learner.network.tensors(&prefix(index)));
            tensors.extend(optimizer.tensors(&prefix(index)));
        }
        let file = self.file();
        replace(&folder.join(&file), |path| Ok(safetensors::save(&tensors, path)?))?;
        let text = serde_json::to_vec(self)?;
        replace(&folder.join(STATE), |path| Ok(std::fs::write(path, &text)?))?;
        remove_tensors(folder, &file)
    }

    /// Keeps the weights of the best look.
    ///
    /// # Errors
    /// A folder that can't be written.
    pub fn save_best(folder: &Path, network: &Network) -> Result<()> {
        replace(&folder.join(BEST), |path| network.save(path))
    }

    /// Gives a network the weights of the best look.
    ///
    /// # Errors
    /// A file that can't be read.
    pub fn restore_best(folder: &Path, network: &mut Network) -> Result<()> {
        let path = folder.join(BEST);
        let tensors = safetensors::load(&path, &Device::Cpu)
            .with_context(|| format!("{} can't be read", path.display()))?;
        network.set(&tensors, "")
    }

    /// Removes what a finished training needs no more.
    ///
    /// # Errors
    /// A folder that can't be written.
    pub fn remove(folder: &Path) -> Result<()> {
        [STATE, BEST].iter().try_for_each(|name| remove(&folder.join(name)))?;
        remove_tensors(folder, "")
    }

    fn file(&self) -> String {
        format!("{TENSORS}{:?}-{}.safetensors", self.part, self.step)
    }
}

fn prefix(index: usize) -> String {
    format!("{index}.")
}

fn replace(path: &Path, write: impl FnOnce(&Path) -> Result<()>) -> Result<()> {
    let new = path.with_extension("new");
    write(&new)
        .and_then(|()| Ok(std::fs::rename(&new, path)?))
        .with_context(|| format!("{} can't be written", path.display()))
}

/// Removes the tensors of every step but those in the file `kept`.
fn remove_tensors(folder: &Path, kept: &str) -> Result<()> {
    for entry in std::fs::read_dir(folder).with_context(|| format!("{} can't be listed", folder.display()))? {
        let name = entry?.file_name();
        let name = name.to_string_lossy();
        if name.starts_with(TENSORS) && name != kept {
            remove(&folder.join(&*name))?;
        }
    }
    Ok(())
}

fn remove(path: &Path) -> Result<()> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("{} can't be removed", path.display()))
        }
        _ => Ok(()),
    }
}
