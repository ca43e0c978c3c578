//! Leave signers out: for every signer a network that has never seen them, trained by the recipe and with nobody looking on,
//! then measured on that signer.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result};
use dactyl_letters::{Classifier, Overrides};
use gstdactyl::models;
use indicatif::ProgressBar;

use crate::checkpoint::Checkpoint;
use crate::checkpoint::Learner;
use crate::data::{Data, Signer};
use crate::evaluation::HeldOut;
use crate::export;
use crate::measure::{Measured, measure};
use crate::network::Network;
use crate::recipe::Recipe;
use crate::training::{self, RUN, Run};
use crate::windows::People;

/// Trains the networks of one seed, one for each group of signers by their indices, unless they are there: all at once, from one
/// stream of examples, of which each network leaves out those made of its own group's hands.
///
/// # Errors
/// As of [`training::train`].
pub fn train(
    data: &Data,
    groups: &[Vec<usize>],
    recipe: &Recipe,
    out: &Path,
    bar: &ProgressBar,
) -> Result<()> {
    let Data { labels, signers } = data;
    let folder = seed_folder(out, recipe.seed);
    if groups.iter().flatten().all(|signer| folder.join(&signers[*signer].name).join(RUN).exists()) {
        return Ok(());
    }
    let mut learners = (groups.iter())
        .map(|group| {
            let network = Network::new(recipe.sizes, recipe.seed)?;
            let one = |strangers: People, signer: &usize| strangers.with(People::one(*signer));
            Ok(Learner { network, strangers: group.iter().fold(People::default(), one) })
        })
        .collect::<Result<Vec<_>>>()?;
    let kept = training::learn(data, &mut learners, &|_, _| Ok(None), recipe, &folder, bar)?;
    for (group, learner) in groups.iter().zip(&learners) {
        let others = signers.iter().enumerate().filter(|(other, _)| !group.contains(other));
        let run = Run {
            recipe: recipe.clone(),
            labels: labels.clone(),
            trained_on: others.map(|(_, other)| other.name.clone()).collect(),
            held_out: Vec::new(),
            kept: kept.clone(),
            score: None,
            temperature: 1.0,
        };
        for signer in group {
            training::save(&run, &learner.network, &folder.join(&signers[*signer].name))?;
        }
    }
    Checkpoint::remove(&folder)
}

/// Measures the networks of one seed, each on the signer that it has not seen, at one temperature for all.
///
/// # Errors
/// Networks that are not there, or an answer that can't be had.
pub fn measure_all(signers: &[&Signer], seed: u64, temperature: f64, out: &Path) -> Result<Vec<Measured>> {
    let folder = seed_folder(out, seed);
    let one = |signer: &Signer| -> Result<Measured> {
        let run = folder.join(&signer.name);
        let path = run.join(format!("measured-at-{temperature}.json"));
        if path.exists() {
            return serde_json::from_slice(&std::fs::read(&path)?)
                .with_context(|| format!("{} is damaged or of another trainer: remove it", path.display()));
        }
        let (Run { labels, .. }, network) = training::open(&run)?;
        let file = export::onnx(&network, &export::contract(labels), temperature, &Default::default())?;
        let classifier =
            Classifier::from_bytes(&models::onnx_runtime()?, &signer.name, &file, &Overrides::default())?;
        let measured = measure(&Arc::new(classifier), signer, seed)?;
        std::fs::write(&path, serde_json::to_vec(&measured)?)
            .with_context(|| format!("{} can't be written", path.display()))?;
        Ok(measured)
    };
    signers.iter().copied().map(one).collect()
}

/// The temperature that gives left-out signers the least loss, mean over signers of these seeds' networks.
///
/// # Errors
/// Networks that are not there.
pub fn temperature(signers: &[&Signer], seeds: &[u64], out: &Path) -> Result<f64> {
    let mut sum = 0.0;
    for seed in seeds {
        for &signer in signers {
            let (run, network) = training::open(&seed_folder(out, *seed).join(&signer.name))?;
            sum += HeldOut::new(std::slice::from_ref(signer), &run.labels).temperature(&network)?.ln();
        }
    }
    let mean = (sum / (seeds.len() * signers.len()).max(1) as f64).exp();
    Ok((mean * 20.0).round() / 20.0)
}

fn seed_folder(out: &Path, seed: u64) -> PathBuf {
    out.join(format!("seed-{seed}"))
}
