//! Download, check, unpack and import of everything in `weights/manifest.toml`.

use std::path::{Path, PathBuf};

/// Where the archives come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// The `pip` of this machine downloads them.
    Pip,
    /// A folder that already holds them, for machines without network.
    Directory(PathBuf),
}

/// What [`ensure`] is doing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Progress {
    /// Everything is there already; nothing is done.
    Complete,
    /// An archive is being downloaded.
    Downloading {
        /// Name and version.
        package: String,
    },
    /// An archive's SHA-256 is being compared with the manifest's.
    Verifying {
        /// File name of the archive.
        archive: String,
    },
    /// A member of an archive is written as it is.
    Unpacking {
        /// Name of the file in the models folder.
        file: String,
    },
    /// A TFLite member of an archive is compiled to ONNX.
    Importing {
        /// Name of the file in the models folder.
        file: String,
    },
}

/// Why the models could not be fetched. The models folder is as it was before.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// A file or folder cannot be read or written.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
}

/// State of one file of the models folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status {
    /// File name in the models folder.
    pub file: String,
    /// Licence of the work it is made from (SPDX).
    pub licence: String,
    /// Package and version it comes from.
    pub package: String,
    /// Whether it is there as the last fetch wrote it.
    pub state: FileState,
}

/// Whether a file of the models folder is as it should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileState {
    /// There, with the SHA-256 that was recorded when it was written, from this manifest and this importer.
    Ready,
    /// There, but written from another manifest or by another importer.
    Outdated,
    /// There, but changed since it was written.
    Changed,
    /// Not there.
    Missing,
}

/// Makes `directory` hold every file of the manifest: downloads, verifies, unpacks and imports what is missing or
/// outdated. Does nothing, and needs no network, when all is there.
///
/// # Errors
/// See [`FetchError`]; the folder is then as it was before.
pub fn ensure(
    directory: &Path,
    source: Source,
    _progress: &mut dyn FnMut(Progress),
) -> Result<(), FetchError> {
    Err(FetchError::Io {
        path: match source {
            Source::Pip => directory.to_owned(),
            Source::Directory(archives) => archives,
        },
        source: std::io::Error::new(std::io::ErrorKind::Unsupported, "this build cannot fetch models"),
    })
}

/// State of every file of the manifest in `directory`.
pub fn list(_directory: &Path) -> Vec<Status> {
    Vec::new()
}
