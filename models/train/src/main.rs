//! Trains letter classifiers from keypoints and exports them to ONNX.

mod checkpoint;
mod data;
mod distortion;
mod evaluation;
mod export;
mod extract;
mod hands_file;
mod import;
mod keypoint_file;
mod landmark_folder;
mod landmark_table;
mod loso;
mod measure;
mod network;
mod notes;
mod optimizer;
mod other_hands;
mod paths;
mod people;
mod recipe;
mod report;
mod signs;
mod stream;
#[cfg(test)]
mod tests;
mod training;
mod windows;

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use clap::{Args, Parser, Subcommand};
use dactyl_letters::metadata::key;
use dactyl_letters::{Classifier, Overrides};
use gstdactyl::models;
use indicatif::ProgressBar;

use crate::data::{Data, Signer};
use crate::recipe::Recipe;

/// The system's gives a step's tensors back and asks for them anew: a third of a training's time.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Trains letter classifiers from keypoints and exports them to ONNX.
#[derive(Parser)]
#[command(version)]
struct Command {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Follow a person through recordings of signs; the keypoints go to a file that `train` reads.
    Extract(extract::Extract),
    /// Make a set of a table of hand landmarks that another program recorded.
    Import(import::Import),
    /// Fetch the published landmarks of further people, for `--more`.
    People(people::People),
    /// Train a network; weights and the record of the run go to a folder.
    Train(Train),
    /// Stream sets through a model as the server would, and print a table.
    Eval(Eval),
    /// Train a network without each signer in turn and measure it on that signer; what is there already is kept.
    Loso(Loso),
    /// Write a run's weights as an ONNX file with metadata.
    Export(Export),
}

#[derive(Args)]
struct Train {
    /// Folder with `full/`, as `extract` makes it, and perhaps `hands/`.
    #[arg(long)]
    data: PathBuf,
    /// Folder with further people's `hands/`, as `people` and `import` make it.
    #[arg(long)]
    more: Option<PathBuf>,
    /// Folder for weights and record.
    #[arg(long)]
    out: PathBuf,
    /// Sets to leave out of the training and judge by.
    #[arg(long, value_delimiter = ',')]
    hold_out: Vec<String>,
    /// Sets to leave out altogether.
    #[arg(long, value_delimiter = ',')]
    without: Vec<String>,
    /// Seed of weights, windows and dropout.
    #[arg(long, default_value_t = Recipe::default().seed)]
    seed: u64,
    /// Updates of the weights of the part that reads frames.
    #[arg(long, default_value_t = Recipe::default().frame.steps)]
    frame_steps: usize,
    /// Updates of the weights of the part that reads the window.
    #[arg(long, default_value_t = Recipe::default().window.steps)]
    window_steps: usize,
}

#[derive(Args)]
struct Eval {
    /// ONNX file.
    #[arg(long)]
    model: PathBuf,
    /// Folder with `full/`, as `extract` makes it, and perhaps `hands/`.
    #[arg(long)]
    data: PathBuf,
    /// Folder with further people's `hands/`, as `people` and `import` make it.
    #[arg(long)]
    more: Option<PathBuf>,
    /// Sets to stream.
    #[arg(long, value_delimiter = ',', required = true)]
    signers: Vec<String>,
}

#[derive(Args)]
struct Loso {
    /// Folder with `full/` and `hands/`.
    #[arg(long)]
    data: PathBuf,
    /// Folder with further people's `hands/`, as `people` and `import` make it.
    #[arg(long)]
    more: Option<PathBuf>,
    /// Folder for networks, measurements, `report.md` and `confusion.svg`.
    #[arg(long)]
    out: PathBuf,
    /// Sets to leave out altogether.
    #[arg(long, value_delimiter = ',')]
    without: Vec<String>,
    /// Sets to leave out in turn; without it, every one.
    #[arg(long, value_delimiter = ',')]
    signers: Vec<String>,
    /// Leave them out in so many groups, each at once, instead of one by one: quicker, and harder.
    #[arg(long)]
    groups: Option<usize>,
    /// One training of every network for each of these.
    #[arg(long, value_delimiter = ',', default_values_t = [1, 2, 3, 4, 5])]
    seeds: Vec<u64>,
    /// Divides the logits; without it, what left-out signers say is best.
    #[arg(long)]
    temperature: Option<f64>,
}

#[derive(Args)]
struct Export {
    /// Folder of a run.
    #[arg(long)]
    run: PathBuf,
    /// ONNX file to write.
    #[arg(long)]
    out: PathBuf,
    /// Divides the logits; without it, what the run found best for its held-out signers.
    #[arg(long)]
    temperature: Option<f64>,
    /// What was measured and on whom, for the metadata.
    #[arg(long, default_value = "not measured")]
    accuracy: String,
}

fn main() -> Result<()> {
    match Command::parse().task {
        Task::Extract(options) => {
            let extracted = extract::extract(&options, &ProgressBar::new(0))?;
            say(extract::describe(&extracted).trim_end())
        }
        Task::Import(options) => say(&import::import(&options)?),
        Task::People(options) => say(&people::people(&options, &ProgressBar::new(0))?),
        Task::Train(options) => {
            compute_on_the_calling_thread();
            train(&options)
        }
        Task::Eval(options) => eval(&options),
        Task::Loso(options) => {
            compute_on_the_calling_thread();
            loso(&options)
        }
        Task::Export(options) => export(&options),
    }
}

/// Keeps candle from dividing the small products of these networks among threads that mostly wait for each other; networks
/// learn beside each other instead. An operator's own choice stays.
fn compute_on_the_calling_thread() {
    for name in ["RAYON_NUM_THREADS", "CANDLE_NUM_THREADS"] {
        if std::env::var_os(name).is_none() {
            // SAFETY: nothing has started a thread yet.
            unsafe { std::env::set_var(name, "1") };
        }
    }
}

fn train(options: &Train) -> Result<()> {
    let mut recipe = Recipe { seed: options.seed, ..Recipe::default() };
    recipe.frame.steps = options.frame_steps;
    recipe.window.steps = options.window_steps;
    let Data { labels, signers } = data::read(&options.data, options.more.as_deref(), &options.without)?;
    let (held_out, signers): (Vec<_>, Vec<_>) =
        signers.into_iter().partition(|signer| options.hold_out.contains(&signer.name));
    ensure!(
        held_out.len() == options.hold_out.len(),
        "of the sets to hold out ({}) only {} are there",
        options.hold_out.join(", "),
        held_out.len()
    );
    let data = Data { labels, signers };
    recipe.fit(&data);
    let run = training::train(&data, &held_out, &recipe, &options.out, &ProgressBar::new(0))?;
    say(&format!("kept steps {:?}, temperature {}", run.kept, run.temperature))?;
    if let Some(score) = &run.score {
        for signer in &score.signers {
            let wrong: Vec<String> = signer.wrong.iter().map(|(is, won)| format!("{is}>{won}")).collect();
            say(&format!(
                "{:20} still {:2}/{:2}  moving {}/{}  windows {:.3}  p {:.3}  loss {:.3}  {}",
                signer.name,
                signer.still.0,
                signer.still.1,
                signer.moving.0,
                signer.moving.1,
                signer.windows,
                signer.probability,
                signer.loss,
                wrong.join(" ")
            ))?;
        }
        say(&score.to_string())?;
    }
    Ok(())
}

fn eval(options: &Eval) -> Result<()> {
    let classifier =
        Arc::new(Classifier::from_file(&models::onnx_runtime()?, &options.model, &Overrides::default())?);
    let Data { labels, signers } =
        data::read(&options.data, options.more.as_deref(), &[])?.relabelled(classifier.labels());
    for name in &options.signers {
        let signer = named(name, &signers, &options.data)?;
        ensure!(
            !signer.clips.is_empty() || !signer.others.is_empty(),
            "{name} shows none of the model's labels: {}",
            labels.join(", ")
        );
        let measured = measure::measure(&classifier, signer, 0)?;
        say(&format!("{name}\n{measured}"))?;
        if labels == data::alphabet() {
            let seeds = [vec![measured]];
            let letters = if signer.clips.is_empty() { String::new() } else { report::markdown(&seeds)? };
            say(&format!("\n{letters}{}", report::others(&seeds)?))?;
        }
    }
    Ok(())
}

fn named<'a>(name: &str, signers: &'a [Signer], folder: &Path) -> Result<&'a Signer> {
    let signer = signers.iter().find(|signer| signer.name == name);
    signer.with_context(|| format!("{} holds no set {name}", folder.display()))
}

fn loso(options: &Loso) -> Result<()> {
    let data = data::read(&options.data, options.more.as_deref(), &options.without)?;
    ensure!(
        data.labels == data::alphabet(),
        "{} holds other labels than A to Z: judge by sets that `train --hold-out` leaves out",
        options.data.display()
    );
    let left_out = (data.signers.iter().enumerate())
        .filter(|(_, signer)| options.signers.is_empty() || options.signers.contains(&signer.name));
    let (left_out, signers): (Vec<usize>, Vec<&Signer>) = left_out.unzip();
    for name in &options.signers {
        named(name, &data.signers, &options.data)?;
    }
    let count = options.groups.unwrap_or(left_out.len()).clamp(1, left_out.len().max(1));
    let groups: Vec<Vec<usize>> =
        (0..count).map(|group| left_out.iter().copied().skip(group).step_by(count).collect()).collect();
    for seed in &options.seeds {
        let mut recipe = Recipe { seed: *seed, ..Recipe::default() };
        recipe.fit(&data);
        loso::train(&data, &groups, &recipe, &options.out, &ProgressBar::new(0))?;
    }
    let temperature = match options.temperature {
        Some(temperature) => temperature,
        None => loso::temperature(&signers, &options.seeds, &options.out)?,
    };
    let seeds = options
        .seeds
        .iter()
        .map(|seed| loso::measure_all(&signers, *seed, temperature, &options.out))
        .collect::<Result<Vec<_>>>()?;
    let others = report::others(&seeds)?;
    let is_further = |name: &str| signers.iter().any(|signer| signer.name == name && signer.is_further);
    let (seeds, further): (Vec<Vec<_>>, Vec<Vec<_>>) = (seeds.into_iter())
        .map(|seed| seed.into_iter().partition(|measured| !is_further(&measured.signer)))
        .unzip();
    let mut table = report::markdown(&seeds)?;
    if further.iter().any(|seed| !seed.is_empty()) {
        table = format!("{table}Further people, each left out in turn:\n\n{}", report::people(&further)?);
    }
    table.push_str(&others);
    write(&options.out.join("report.md"), &table)?;
    write(&options.out.join("confusion.svg"), &report::picture(&report::confusion(&seeds))?)?;
    say(&format!(
        "{} signers, seeds {:?}, temperature {temperature}\n\n{table}",
        signers.len(),
        options.seeds
    ))
}

fn write(path: &Path, text: &str) -> Result<()> {
    std::fs::write(path, text).with_context(|| format!("{} can't be written", path.display()))
}

fn export(options: &Export) -> Result<()> {
    let (run, network) = training::open(&options.run)?;
    let contract = export::contract(run.labels);
    let recipe = serde_json::to_string(&run.recipe)?;
    let notes = BTreeMap::from([
        (key::TRAINING_DATA.to_owned(), format!("keypoints of the sets {}", run.trained_on.join(", "))),
        (key::ACCURACY.to_owned(), options.accuracy.clone()),
        (
            key::CREATED_BY.to_owned(),
            format!("{} {}, recipe {recipe}", env!("CARGO_PKG_NAME"), env!("CARGO_PKG_VERSION")),
        ),
    ]);
    let temperature = options.temperature.unwrap_or(run.temperature);
    let file = export::onnx(&network, &contract, temperature, &notes)?;
    std::fs::write(&options.out, &file)
        .with_context(|| format!("{} can't be written", options.out.display()))?;
    say(&format!("{}: {} bytes, temperature {temperature}", options.out.display(), file.len()))
}

/// Prints what the command was asked for. Whoever no longer reads it has seen enough.
fn say(line: &str) -> Result<()> {
    match writeln!(io::stdout(), "{line}") {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        done => done.context("standard output can't be written"),
    }
}
