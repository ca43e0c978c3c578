//! The program `dactyl`: arguments and a call.

mod cli;
mod commands;
mod exit;
mod logging;

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    commands::run(cli::Cli::parse().command)
}
