//! `dactyl serve`: the server.

use std::process::ExitCode;

use anyhow::{Result, bail};

use super::check;
use crate::cli;
use crate::logging;

pub(super) fn run(arguments: &cli::Serve) -> Result<ExitCode> {
    let loaded = arguments.layers.load(&arguments.overrides)?;
    dactyl_config::install_loaded(&loaded);
    logging::start(&loaded)?;
    check::networks_are_there(&loaded.config)?;
    bail!("this build has no server in it")
}
