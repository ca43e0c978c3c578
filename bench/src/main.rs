//! Dactyl and MediaPipe Holistic in Python, measured side by side.

mod analysis;
mod cli;
mod client;
mod clip;
mod contender;
mod figures;
mod machine;
mod metrics;
mod pictures;
mod sections;
mod server;
mod stages;
mod table;

use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::Parser;
use serde::Serialize;

use cli::{Child, Cli, Frames};

fn main() -> ExitCode {
    let cli = Cli::parse();
    let done = match &cli.child {
        None => sections::run(&cli.measure),
        Some(Child::Analyse(frames)) => as_child(frames, analysis::of_folder),
        Some(Child::Stages(frames)) => as_child(frames, stages::of_folder),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // The exit code is all that is left where standard error is closed too.
            let _ = writeln!(io::stderr(), "dactyl-bench: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Installs the configuration and prints what the measurement gives.
fn as_child<Outcome: Serialize>(
    frames: &Frames,
    measure: impl FnOnce(&Path, usize) -> Result<Outcome>,
) -> Result<()> {
    let mut loader = dactyl_config::Loader::new();
    for setting in &frames.settings {
        let (key, value) = setting.split_once('=').with_context(|| format!("{setting}: not KEY=VALUE"))?;
        loader = loader.flag("--set", key, value);
    }
    dactyl_config::install_loaded(&loader.load()?);
    gst::init().context("GStreamer does not start")?;
    gstdactyl::plugin_register_static().context("the elements can't be registered")?;
    writeln!(io::stdout(), "{}", serde_json::to_string(&measure(&frames.folder, frames.frames)?)?)?;
    Ok(())
}
