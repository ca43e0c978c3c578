//! Where a relative path of the configuration is looked up.

use std::{
    env, fmt,
    path::{Path, PathBuf},
    sync::{PoisonError, RwLock},
};

use thiserror::Error;

/// Folders of the configuration files of this process, the last laid first.
static CONFIG_FOLDERS: RwLock<Vec<PathBuf>> = RwLock::new(Vec::new());

/// What is looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A file.
    File,
    /// A folder.
    Directory,
}

/// Nothing of that name in any of the places.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("no {kind} {relative:?}; looked for {}", list(places))]
pub struct NotFound {
    /// What was looked for.
    pub kind: Kind,
    /// The path as it was configured.
    pub relative: String,
    /// Every path that was tried.
    pub places: Vec<PathBuf>,
}

/// Finds a path of the configuration: an absolute one as it is, a relative one in the folder of the configuration file
/// (the last given first), then in `DACTYL_HOME`, then in the installation (the program's folder and `../share/dactyl`
/// beside it), then in the repository that holds the program or, for the plugin in somebody else's program, in the one
/// that holds a folder of `GST_PLUGIN_PATH`.
///
/// # Errors
///
/// When no place has it; the error lists them.
pub fn find(relative: &str, kind: Kind) -> Result<PathBuf, NotFound> {
    let places = places(relative);
    let found = places.iter().find(|path| match kind {
        Kind::File => path.is_file(),
        Kind::Directory => path.is_dir(),
    });
    found.cloned().ok_or_else(|| NotFound { kind, relative: relative.to_owned(), places: places.clone() })
}

/// As [`find`] for a folder; if there is none, the path at which one belongs: in `DACTYL_HOME`, else in the repository,
/// else beside the program.
pub fn find_or_place(relative: &str) -> PathBuf {
    find(relative, Kind::Directory).unwrap_or_else(|_| {
        let base =
            home().or_else(|| repositories().into_iter().next()).or_else(|| executable_folders().pop());
        base.unwrap_or_default().join(relative)
    })
}

/// Makes the folders of these configuration files the first places of [`find`].
pub(crate) fn set_config_files(files: &[PathBuf]) {
    let mut folders: Vec<PathBuf> = Vec::new();
    for folder in files.iter().rev().filter_map(|file| file.parent()) {
        if !folders.iter().any(|known| known == folder) {
            folders.push(folder.to_owned());
        }
    }
    *CONFIG_FOLDERS.write().unwrap_or_else(PoisonError::into_inner) = folders;
}

fn places(relative: &str) -> Vec<PathBuf> {
    if Path::new(relative).is_absolute() {
        return vec![PathBuf::from(relative)];
    }
    let mut bases = CONFIG_FOLDERS.read().unwrap_or_else(PoisonError::into_inner).clone();
    bases.extend(home());
    for folder in executable_folders() {
        bases.push(folder.clone());
        bases.extend(folder.parent().map(|prefix| prefix.join("share/dactyl")));
    }
    bases.extend(repositories());
    let mut places: Vec<PathBuf> = Vec::new();
    for base in bases {
        let place = base.join(relative);
        if !places.contains(&place) {
            places.push(place);
        }
    }
    places
}

fn home() -> Option<PathBuf> {
    env::var_os("DACTYL_HOME").filter(|home| !home.is_empty()).map(PathBuf::from)
}

fn executable_folders() -> Vec<PathBuf> {
    env::current_exe().ok().and_then(|exe| exe.parent().map(Path::to_owned)).into_iter().collect()
}

/// Checkouts of the source that hold the program or a plugin folder.
fn repositories() -> Vec<PathBuf> {
    let plugin_folders =
        env::var_os("GST_PLUGIN_PATH").map(|paths| env::split_paths(&paths).collect::<Vec<_>>());
    let build = cfg!(debug_assertions).then(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")));
    let starts = executable_folders().into_iter().chain(plugin_folders.into_iter().flatten()).chain(build);
    starts.filter_map(|start| repository_above(&start)).collect()
}

fn repository_above(start: &Path) -> Option<PathBuf> {
    let is_repository =
        |folder: &&Path| folder.join("Cargo.toml").is_file() && folder.join("pipelines").is_dir();
    start.ancestors().find(is_repository).map(Path::to_owned)
}

fn list(places: &[PathBuf]) -> String {
    places.iter().map(|place| place.display().to_string()).collect::<Vec<_>>().join(", ")
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::File => "file",
            Self::Directory => "folder",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_absolute_path_is_taken_as_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("a.onnx");
        std::fs::write(&file, "x").unwrap();
        assert_eq!(find(file.to_str().unwrap(), Kind::File).unwrap(), file);
        assert!(find(file.to_str().unwrap(), Kind::Directory).is_err());
    }

    #[test]
    fn the_error_lists_every_place() {
        let error = find("no-such-thing/at-all.onnx", Kind::File).unwrap_err();
        assert!(error.places.len() >= 2, "{error}");
        let text = error.to_string();
        for place in &error.places {
            assert!(text.contains(place.to_str().unwrap()), "{text}");
        }
    }

    #[test]
    fn a_repository_is_known_by_its_manifest_and_its_pipelines() {
        let folder = tempfile::tempdir().unwrap();
        let deep = folder.path().join("target/debug/deps");
        std::fs::create_dir_all(&deep).unwrap();
        assert_ne!(repository_above(&deep).as_deref(), Some(folder.path()));
        std::fs::write(folder.path().join("Cargo.toml"), "").unwrap();
        std::fs::create_dir(folder.path().join("pipelines")).unwrap();
        assert_eq!(repository_above(&deep).as_deref(), Some(folder.path()));
    }
}
