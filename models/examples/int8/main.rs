//! Calibrates the hand network with 8-bit integers, and compares it with the float one.
//!
//! ```sh
//! cargo run --release --package dactyl-models --example int8 -- calibrate FOLDER...
//! cargo run --release --package dactyl-models --example int8 -- compare FOLDER...
//! ```
//!
//! A folder holds frames of one signer as JPEG or PNG, in order of their names, or further folders of them. Dactyl's own
//! tracker goes through each and says which regions the hand network looks at. `calibrate` writes
//! `models/weights/int8/hand_landmark.json`; `dactyl models fetch` makes the network of it after the next build.

#![allow(clippy::print_stdout, reason = "the figures are what it is for")]

mod calibrate;
mod compare;
mod crops;
mod histogram;

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};

use dactyl_models::import::{self, Options};
use dactyl_models::runtime::{self, Cancel, Network};

const USAGE: &str = "calibrate FOLDER..., or compare FOLDER...";

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let command = arguments.next().ok_or(USAGE)?;
    let folders: Vec<PathBuf> = arguments.map(PathBuf::from).collect();
    if folders.is_empty() {
        return Err(USAGE.into());
    }
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    let models = package.join("../.cache/models");
    let table = package.join("weights/int8/hand_landmark.json");
    runtime::init(&models.join(runtime::LIBRARY_NAME))?;
    let options = Options { name: "hand_landmark".to_owned(), pruned_outputs: Vec::new() };
    let float = import::convert(&fs::read(models.join("tflite/hand_landmark.tflite"))?, &options)?;
    match command.as_str() {
        "calibrate" => fs::write(table, calibrate::calibrate(&float, &folders, &models)?)?,
        "compare" => {
            let table = import::Table::parse(&fs::read_to_string(table)?)?;
            let quantized = import::quantize(&float, &table, &options.name)?;
            compare::compare(&float, &quantized, &folders, &models)?;
        }
        _ => return Err(USAGE.into()),
    }
    Ok(())
}

/// Runs a network of one input; one vector an output.
fn run(network: &Network, input: &[f32]) -> Result<Vec<Vec<f32>>, runtime::RunError> {
    let mut outputs: Vec<Vec<f32>> =
        network.outputs().iter().map(|output| vec![0.0; output.values()]).collect();
    let mut slices: Vec<&mut [f32]> = outputs.iter_mut().map(Vec::as_mut_slice).collect();
    network.run(&[input], &mut slices, &Cancel::new())?;
    Ok(outputs)
}
