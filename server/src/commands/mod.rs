//! One module per command.

mod check;
mod config;
mod models;
mod send;
mod serve;

use std::process::ExitCode;

use crate::cli::Command;
use crate::exit;

/// Runs a command and reports its error.
pub(crate) fn run(command: Command) -> ExitCode {
    let done = match command {
        Command::Serve(arguments) => serve::run(&arguments),
        Command::Send(arguments) => send::run(&arguments),
        Command::Check(arguments) => check::run(&arguments),
        Command::Config(arguments) => config::run(&arguments),
        Command::Models(arguments) => models::run(&arguments.command),
    };
    done.unwrap_or_else(|error| exit::failed(&error))
}
