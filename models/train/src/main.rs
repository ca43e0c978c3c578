//! Trains letter classifiers from keypoints and exports them to ONNX.

mod data;
mod evaluation;
mod export;
mod extract;
mod keypoint_file;
mod network;
mod paths;
mod replay;
mod shapes;
mod signs;
#[cfg(test)]
mod tests;
mod training;
mod windows;

use std::collections::BTreeMap;
use std::path::PathBuf;

use anyhow::{Context, Result, ensure};
use clap::{Args, Parser, Subcommand};
use dactyl_models::letters::metadata::key;
use dactyl_models::letters::{Contract, Layout, Meaning};
use indicatif::ProgressBar;

use crate::data::Data;
use crate::training::Recipe;

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
    /// Train a network; weights and the record of the run go to a folder.
    Train(Train),
    /// Stream sets through a model as the server would, and print a table.
    Eval(Eval),
    /// Write a run's weights as an ONNX file with metadata.
    Export(Export),
    /// Write the mean hand shape of every letter, for the practice page, as JSON.
    Shapes(Shapes),
}

#[derive(Args)]
struct Train {
    /// Folder with `full/`, as `extract` makes it, and perhaps `hands/`.
    #[arg(long)]
    data: PathBuf,
    /// Folder for weights and record.
    #[arg(long)]
    out: PathBuf,
    /// Sets to leave out of the training and judge by.
    #[arg(long, value_delimiter = ',')]
    hold_out: Vec<String>,
    /// Sets to leave out altogether.
    #[arg(long, value_delimiter = ',', default_value = data::TEST_SIGNER)]
    without: Vec<String>,
    /// Seed of weights, windows and dropout.
    #[arg(long, default_value_t = Recipe::default().seed)]
    seed: u64,
    /// Updates of the weights.
    #[arg(long, default_value_t = Recipe::default().steps)]
    steps: usize,
    /// Windows per update.
    #[arg(long, default_value_t = Recipe::default().batch)]
    batch: usize,
    /// Largest learning rate.
    #[arg(long, default_value_t = Recipe::default().learning_rate)]
    learning_rate: f64,
    /// Share of values zeroed in training.
    #[arg(long, default_value_t = Recipe::default().dropout)]
    dropout: f32,
    /// Share of the target spread evenly over all letters.
    #[arg(long, default_value_t = Recipe::default().label_smoothing)]
    label_smoothing: f32,
    /// State of the LSTM.
    #[arg(long, default_value_t = Recipe::default().sizes.hidden)]
    hidden: usize,
}

#[derive(Args)]
struct Eval {
    /// ONNX file.
    #[arg(long)]
    model: PathBuf,
    /// Folder with `full/`, as `extract` makes it, and perhaps `hands/`.
    #[arg(long)]
    data: PathBuf,
    /// Sets to stream; only those in `full/`.
    #[arg(long, value_delimiter = ',', required = true)]
    signers: Vec<String>,
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

#[derive(Args)]
struct Shapes {
    /// Folder with `full/` and `hands/`.
    #[arg(long)]
    data: PathBuf,
    /// JSON file to write.
    #[arg(long)]
    out: PathBuf,
}

fn main() -> Result<()> {
    match Command::parse().task {
        Task::Extract(options) => {
            let extracted = extract::extract(&options, &ProgressBar::new(0))?;
            say(extract::describe(&extracted).trim_end());
            Ok(())
        }
        Task::Train(options) => train(&options),
        Task::Eval(options) => eval(&options),
        Task::Export(options) => export(&options),
        Task::Shapes(options) => write_shapes(&options),
    }
}

fn train(options: &Train) -> Result<()> {
    let mut recipe = Recipe {
        seed: options.seed,
        steps: options.steps,
        batch: options.batch,
        learning_rate: options.learning_rate,
        dropout: options.dropout,
        label_smoothing: options.label_smoothing,
        ..Recipe::default()
    };
    recipe.sizes.hidden = options.hidden;
    let Data { labels, signers } = data::read(&options.data, &options.without)?;
    recipe.sizes.classes = labels.len();
    let (held_out, signers): (Vec<_>, Vec<_>) =
        signers.into_iter().partition(|signer| options.hold_out.contains(&signer.name));
    ensure!(
        held_out.len() == options.hold_out.len(),
        "of the sets to hold out ({}) only {} are there",
        options.hold_out.join(", "),
        held_out.len()
    );
    let run =
        training::train(&Data { labels, signers }, &held_out, &recipe, &options.out, &ProgressBar::new(0))?;
    say(&format!("kept step {} after {} s, temperature {}", run.best_step, run.seconds, run.temperature));
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
            ));
        }
        say(&score.to_string());
    }
    Ok(())
}

fn eval(options: &Eval) -> Result<()> {
    for name in &options.signers {
        let path = options.data.join("full").join(format!("{name}.npz"));
        let report = replay::replay(&options.model, &path)?;
        say(&format!("{name}\n{report}"));
    }
    Ok(())
}

fn export(options: &Export) -> Result<()> {
    let (run, network) = training::open(&options.run)?;
    let contract = Contract {
        labels: run.labels.clone(),
        window: windows::FRAMES,
        features: Layout::Hand1,
        output: Meaning::Probabilities,
    };
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
    say(&format!("{}: {} bytes, temperature {temperature}", options.out.display(), file.len()));
    Ok(())
}

fn write_shapes(options: &Shapes) -> Result<()> {
    let data = data::read(&options.data, &[])?;
    ensure!(data.labels == data::alphabet(), "{} holds other signs than A to Z", options.data.display());
    let shapes = shapes::shapes(&data.signers)?;
    let mut text = serde_json::to_string(&shapes)?.replace("}},", "},\n").replace("},\"", "},\n\"");
    text.push('\n');
    std::fs::write(&options.out, &text)
        .with_context(|| format!("{} can't be written", options.out.display()))?;
    say(&format!("{}: {} letters, {} bytes", options.out.display(), shapes.len(), text.len()));
    Ok(())
}

#[expect(clippy::print_stdout, reason = "what the commands are asked for")]
fn say(line: &str) {
    println!("{line}");
}
