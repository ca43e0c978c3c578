//! Downloads by the machine's own pip, which knows its mirrors and proxies.

use std::ffi::OsString;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use crate::error::{FetchError, io_error};
use crate::manifest::Archive;

/// Wheels for this platform and Python are asked for, whatever the machine has: nothing of them is installed or run.
const PLATFORM: &str = "manylinux_2_28_x86_64";
const PYTHON: &str = "3.11";
/// So many of pip's last lines go into an error message.
const TAIL: usize = 12;

/// How pip is called: program and first arguments.
#[derive(Clone, Debug)]
pub(super) struct Pip(Vec<OsString>);

impl Pip {
    /// The ways in which pip is found on a machine, most usual first.
    pub(super) fn candidates() -> Vec<Self> {
        [&["pip3"] as &[_], &["pip"], &["python3", "-m", "pip"]]
            .iter()
            .map(|words| Self(words.iter().map(OsString::from).collect()))
            .collect()
    }

    #[cfg(test)]
    pub(super) fn program(path: &Path) -> Self {
        Self(vec![path.into()])
    }

    /// `None` when there is no such program, or it is a Python without pip.
    fn run(&self, arguments: &[OsString], scratch: &Path) -> Result<Option<Output>, FetchError> {
        let Some((program, first)) = self.0.split_first() else {
            return Ok(None);
        };
        let output = Command::new(program).args(first).args(arguments).env("TMPDIR", scratch).output();
        match output {
            Ok(output) if String::from_utf8_lossy(&output.stderr).contains("No module named pip") => Ok(None),
            Ok(output) => Ok(Some(output)),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(io_error(Path::new(program), error)),
        }
    }
}

/// Downloads one archive into `folder`, with the first pip of the list that exists.
pub(super) fn download(pips: &[Pip], archive: &Archive, folder: &Path) -> Result<PathBuf, FetchError> {
    let scratch = folder.join("pip");
    fs::create_dir_all(&scratch).map_err(|error| io_error(&scratch, error))?;
    let requirements = folder.join(format!("{}.txt", archive.package));
    fs::write(&requirements, archive.requirement() + "\n").map_err(|error| io_error(&requirements, error))?;
    let mut arguments: Vec<OsString> = [
        "download",
        "--no-deps",
        "--require-hashes",
        "--only-binary=:all:",
        "--platform",
        PLATFORM,
        "--python-version",
        PYTHON,
        "--no-input",
        "--disable-pip-version-check",
        "--progress-bar",
        "off",
        "-r",
    ]
    .map(OsString::from)
    .to_vec();
    arguments.extend([requirements.into(), "-d".into(), folder.into()]);
    for pip in pips {
        let Some(output) = pip.run(&arguments, &scratch)? else {
            continue;
        };
        let path = folder.join(&archive.file);
        if output.status.success() && path.is_file() {
            return Ok(path);
        }
        return Err(FetchError::Download {
            package: archive.name(),
            status: output.status.to_string(),
            output: tail(&output),
        });
    }
    Err(FetchError::NoPip)
}

fn tail(output: &Output) -> String {
    let text = [&output.stdout, &output.stderr].map(|bytes| String::from_utf8_lossy(bytes));
    let lines: Vec<&str> = text.iter().flat_map(|text| text.lines()).collect();
    lines[lines.len().saturating_sub(TAIL)..].join("\n")
}
