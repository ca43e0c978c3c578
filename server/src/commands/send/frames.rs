//! Which files are sent, and in which order.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use dactyl_config::natural_order;

use crate::exit::Usage;

/// The files themselves as they were named; of a folder its JPEGs in natural order.
///
/// # Errors
/// A path that does not exist, a folder that can't be read or holds no JPEG.
pub(super) fn collect(paths: &[PathBuf]) -> Result<Vec<PathBuf>> {
    let mut frames = Vec::new();
    for path in paths {
        if path.is_dir() {
            let mut inside = jpegs(path)?;
            if inside.is_empty() {
                return Err(Usage(format!("{}: no .jpg or .jpeg in this folder", path.display())).into());
            }
            inside.sort_by(|a, b| natural_order::compare(&a.to_string_lossy(), &b.to_string_lossy()));
            frames.append(&mut inside);
        } else if path.exists() {
            frames.push(path.clone());
        } else {
            return Err(Usage(format!("{}: no such file or folder", path.display())).into());
        }
    }
    Ok(frames)
}

fn jpegs(folder: &Path) -> Result<Vec<PathBuf>> {
    let unreadable = || format!("{} can't be read", folder.display());
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).with_context(unreadable)? {
        let path = entry.with_context(unreadable)?.path();
        let is_jpeg = path
            .extension()
            .is_some_and(|end| end.eq_ignore_ascii_case("jpg") || end.eq_ignore_ascii_case("jpeg"));
        if is_jpeg && path.is_file() {
            files.push(path);
        }
    }
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_gives_its_jpegs_and_a_file_itself() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["10.jpg", "9.JPEG", "notes.txt", "1.jpg"] {
            fs::write(folder.path().join(name), "x").unwrap();
        }
        let notes = folder.path().join("notes.txt");
        let frames = collect(&[folder.path().to_owned(), notes]).unwrap();
        let names: Vec<_> = frames.iter().map(|path| path.file_name().unwrap().to_str().unwrap()).collect();
        assert_eq!(names, ["1.jpg", "9.JPEG", "10.jpg", "notes.txt"]);
    }

    #[test]
    fn a_folder_without_jpegs_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let error = collect(&[folder.path().to_owned()]).unwrap_err();
        assert!(error.to_string().contains("no .jpg or .jpeg"), "{error}");
    }
}
