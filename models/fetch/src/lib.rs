#![doc = include_str!("../README.md")]

mod error;
mod manifest;
mod pip;

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

pub use error::FetchError;
use error::io_error;
use manifest::{Archive, Manifest, Member};
use pip::Pip;

const STAGING: &str = ".staging";
const LOCK: &str = ".lock";

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
}

/// State of one file of the models folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status {
    /// File name in the models folder.
    pub file: String,
    /// Licence of the work it comes from (SPDX).
    pub licence: String,
    /// Package and version it comes from.
    pub package: String,
    /// Home of that work.
    pub source: String,
    /// Size in bytes, when it is there.
    pub bytes: Option<u64>,
    /// SHA-256 in hexadecimal, when it is there.
    pub sha256: Option<String>,
    /// Whether it is there as the manifest wants it.
    pub state: FileState,
}

/// Whether a file of the models folder is as it should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileState {
    /// There, with the manifest's SHA-256.
    Ready,
    /// There, but with another SHA-256: changed since it was unpacked, or unpacked by another version.
    Changed,
    /// Not there.
    Missing,
}

/// Makes `directory` hold every file of the manifest: downloads, verifies and unpacks what is missing or changed.
/// Does nothing, and needs no network, when all is there. Processes that do it at once wait for each other.
///
/// # Errors
/// See [`FetchError`]; the folder is then as it was before.
pub fn ensure(
    directory: &Path,
    source: Source,
    progress: &mut dyn FnMut(Progress),
) -> Result<(), FetchError> {
    let archives = match source {
        Source::Pip => Archives::Pip(Pip::candidates()),
        Source::Directory(folder) => Archives::Directory(folder),
    };
    ensure_manifest(&Manifest::builtin()?, directory, &archives, progress)
}

/// State of every file of the manifest in `directory`, in the manifest's order.
///
/// # Errors
/// When a file is there and cannot be read.
pub fn list(directory: &Path) -> Result<Vec<Status>, FetchError> {
    list_manifest(&Manifest::builtin()?, directory)
}

enum Archives {
    Pip(Vec<Pip>),
    Directory(PathBuf),
}

fn list_manifest(manifest: &Manifest, directory: &Path) -> Result<Vec<Status>, FetchError> {
    let mut all = Vec::new();
    for archive in &manifest.archives {
        for member in &archive.members {
            all.push(status(directory, archive, member)?);
        }
    }
    Ok(all)
}

fn status(directory: &Path, archive: &Archive, member: &Member) -> Result<Status, FetchError> {
    let path = directory.join(&member.file);
    let sha256 = hash_file(&path)?;
    Ok(Status {
        file: member.file.clone(),
        licence: archive.licence.clone(),
        package: archive.name(),
        source: archive.source.clone(),
        bytes: path.metadata().ok().map(|metadata| metadata.len()),
        state: match &sha256 {
            None => FileState::Missing,
            Some(hash) if *hash == member.sha256 => FileState::Ready,
            Some(_) => FileState::Changed,
        },
        sha256,
    })
}

fn ensure_manifest(
    manifest: &Manifest,
    directory: &Path,
    archives: &Archives,
    progress: &mut dyn FnMut(Progress),
) -> Result<(), FetchError> {
    // Nothing is written, nor waited for, when all is there: the folder may be read-only.
    if unready(manifest, directory)?.is_empty() {
        progress(Progress::Complete);
        return Ok(());
    }
    fs::create_dir_all(directory).map_err(|error| io_error(directory, error))?;
    // Held until the end; the system lets go of it when the process dies.
    let lock = directory.join(LOCK);
    let lock_file = File::create(&lock).map_err(|error| io_error(&lock, error))?;
    lock_file.lock().map_err(|error| io_error(&lock, error))?;

    // Another process may have done it meanwhile.
    let wanted = unready(manifest, directory)?;
    if wanted.is_empty() {
        progress(Progress::Complete);
        return Ok(());
    }
    let staging = Staging::new(directory)?;
    for archive in &manifest.archives {
        if archive.members.iter().any(|member| wanted.contains(&member.file)) {
            unpack(archive, &wanted, archives, &staging, progress)?;
        }
    }
    for file in &wanted {
        staging.publish(file, directory)?;
    }
    Ok(())
}

/// The files that have to be made.
fn unready(manifest: &Manifest, directory: &Path) -> Result<Vec<String>, FetchError> {
    let all = list_manifest(manifest, directory)?;
    Ok(all.into_iter().filter(|status| status.state != FileState::Ready).map(|status| status.file).collect())
}

/// Fetches one archive, checks it, and stages its wanted members.
fn unpack(
    archive: &Archive,
    wanted: &[String],
    archives: &Archives,
    staging: &Staging,
    progress: &mut dyn FnMut(Progress),
) -> Result<(), FetchError> {
    let path = match archives {
        Archives::Pip(pips) => {
            progress(Progress::Downloading { package: archive.name() });
            pip::download(pips, archive, &staging.folder("download")?)?
        }
        Archives::Directory(folder) => folder.join(&archive.file),
    };
    progress(Progress::Verifying { archive: archive.file.clone() });
    let found = hash_file(&path)?
        .ok_or_else(|| FetchError::MissingArchive { path: path.clone(), package: archive.name() })?;
    check_hash(&path, &archive.sha256, found)?;
    let broken = |problem: String| FetchError::Archive { path: path.clone(), problem };
    let file = File::open(&path).map_err(|error| io_error(&path, error))?;
    let mut zip = zip::ZipArchive::new(file).map_err(|error| broken(error.to_string()))?;
    for member in &archive.members {
        if !wanted.contains(&member.file) {
            continue;
        }
        progress(Progress::Unpacking { file: member.file.clone() });
        let mut bytes = Vec::new();
        zip.by_name(&member.path)
            .map_err(|error| broken(format!("{}: {error}", member.path)))?
            .read_to_end(&mut bytes)
            .map_err(|error| broken(format!("{}: {error}", member.path)))?;
        let staged = staging.write(&member.file, &bytes)?;
        check_hash(&staged, &member.sha256, hash_bytes(&bytes))?;
    }
    Ok(())
}

fn check_hash(path: &Path, expected: &str, found: String) -> Result<(), FetchError> {
    if found == expected {
        return Ok(());
    }
    Err(FetchError::WrongHash { path: path.to_owned(), expected: expected.to_owned(), found })
}

/// SHA-256 in hexadecimal.
pub fn hash_bytes(content: impl AsRef<[u8]>) -> String {
    hex(&Sha256::digest(content))
}

/// Bytes as hexadecimal digits.
fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// SHA-256 of a file in hexadecimal, `None` when there is none.
fn hash_file(path: &Path) -> Result<Option<String>, FetchError> {
    let mut file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(io_error(path, error)),
    };
    let mut hasher = Sha256::new();
    let mut block = vec![0; 1 << 20];
    loop {
        let count = file.read(&mut block).map_err(|error| io_error(path, error))?;
        if count == 0 {
            return Ok(Some(hex(&hasher.finalize())));
        }
        hasher.update(&block[..count]);
    }
}

/// The folder in which files are made, inside the models folder so that moving them is one step. It goes away with the
/// value, and what a killed process left of it goes away first.
struct Staging {
    root: PathBuf,
}

impl Staging {
    fn new(directory: &Path) -> Result<Self, FetchError> {
        let root = directory.join(STAGING);
        match fs::remove_dir_all(&root) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(io_error(&root, error));
            }
            _ => {}
        }
        fs::create_dir(&root).map_err(|error| io_error(&root, error))?;
        Ok(Self { root })
    }

    fn path(&self, file: &str) -> PathBuf {
        self.root.join(file)
    }

    fn folder(&self, name: &str) -> Result<PathBuf, FetchError> {
        let path = self.path(name);
        fs::create_dir_all(&path).map_err(|error| io_error(&path, error))?;
        Ok(path)
    }

    fn write(&self, file: &str, bytes: &[u8]) -> Result<PathBuf, FetchError> {
        let path = self.path(file);
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent).map_err(|error| io_error(parent, error))?;
        }
        File::create(&path)
            .and_then(|mut staged| {
                staged.write_all(bytes)?;
                staged.sync_all()
            })
            .map_err(|error| io_error(&path, error))?;
        Ok(path)
    }

    /// Moves a staged file into place.
    fn publish(&self, file: &str, directory: &Path) -> Result<(), FetchError> {
        let target = directory.join(file);
        if let Some(parent) = target.parent() {
            fs::create_dir_all(parent).map_err(|error| io_error(parent, error))?;
        }
        fs::rename(self.path(file), &target).map_err(|error| io_error(&target, error))
    }
}

impl Drop for Staging {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.root) {
            tracing::warn!(folder = %self.root.display(), %error, "cannot remove the staging folder");
        }
    }
}

#[cfg(test)]
mod tests;
