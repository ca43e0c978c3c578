//! What a command says, to streams that may be closed, full or unread, and how it ends: an error with its causes, the exit
//! code.

use std::fmt;
use std::io::{self, Write};
use std::process::ExitCode;
use std::sync::{LazyLock, Mutex, PoisonError};

use anyhow::Error;
use dactyl::WrongFile;
use dactyl::log_output::Unwaiting;
use dactyl_config::ConfigError;

/// The command line asks for something that can't be; the text says what and how to ask for it.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Usage(pub(crate) String);

/// Nobody reads standard output any more. Not a failure: the reader has seen enough.
#[derive(Debug, thiserror::Error)]
#[error("standard output is closed")]
pub(crate) struct OutputClosed;

/// Reports an error as a chain of causes on standard error; the exit code says whether the request or the work was wrong.
pub(crate) fn failed(error: &Error) -> ExitCode {
    if error.is::<OutputClosed>() {
        return ExitCode::SUCCESS;
    }
    tell(format_args!("dactyl: {}", Chain(error)));
    let wrong_request = error
        .chain()
        .any(|cause| cause.is::<ConfigError>() || cause.is::<Usage>() || cause.is::<WrongFile>());
    ExitCode::from(if wrong_request { 2 } else { 1 })
}

/// Writes a line to standard output.
pub(crate) fn print(line: fmt::Arguments<'_>) -> Result<(), Error> {
    writeln!(io::stdout(), "{line}").map_err(|error| match error.kind() {
        io::ErrorKind::BrokenPipe => OutputClosed.into(),
        _ => Error::new(error).context("standard output can't be written"),
    })
}

/// Writes a line to standard error, which need not be read by anybody.
pub(crate) fn tell(line: fmt::Arguments<'_>) {
    static ERROR: LazyLock<Option<Mutex<Unwaiting>>> =
        LazyLock::new(|| Unwaiting::new(&io::stderr()).ok().map(Mutex::new));
    if let Some(error) = &*ERROR {
        let mut error = error.lock().unwrap_or_else(PoisonError::into_inner);
        // Nothing is left to do about a line that can't be written.
        let _ = error.write_line(format!("{line}\n").as_bytes());
    }
}

/// An error and its causes, `; because: ` between them, leaving out what a text repeats of its own cause.
pub(crate) struct Chain<'a>(pub(crate) &'a Error);

impl fmt::Display for Chain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut said = self.0.to_string();
        f.write_str(&said)?;
        for cause in self.0.chain().skip(1) {
            let text = cause.to_string();
            if !said.contains(&text) {
                write!(f, "\n  because: {text}")?;
                said = text;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chain_says_every_cause_once() {
        let inner = io::Error::new(io::ErrorKind::NotFound, "no such file");
        let error =
            Error::new(inner).context("a.toml: no such file").context("the configuration can't be read");
        assert_eq!(
            Chain(&error).to_string(),
            "the configuration can't be read\n  because: a.toml: no such file"
        );
    }
}
