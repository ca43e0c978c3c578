//! Frames to measure with.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use anyhow::{Context, Result, bail};

/// A folder of numbered JPEGs and the name that it has in the tables.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Clip {
    /// Name in the tables.
    pub name: String,
    /// Folder of the frames.
    pub folder: PathBuf,
}

impl FromStr for Clip {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once('=') {
            Some((name, folder)) if !name.is_empty() && !folder.is_empty() => {
                Ok(Self { name: name.to_owned(), folder: PathBuf::from(folder) })
            }
            _ => Err("not of the form NAME=FOLDER, such as one-hand=../frames/one-hand".to_owned()),
        }
    }
}

/// The JPEGs of a folder in the order of their numbers: shorter names first, those of one length by their text. A
/// script beside this crate sorts in the same way.
///
/// # Errors
/// A folder or file that can't be read, or a folder without JPEGs.
pub fn read(folder: &Path) -> Result<Vec<Vec<u8>>> {
    let unreadable = || format!("the clip {} can't be read", folder.display());
    let mut names = Vec::new();
    for entry in fs::read_dir(folder).with_context(unreadable)? {
        let path = entry.with_context(unreadable)?.path();
        if path.extension() == Some(OsStr::new("jpg")) {
            names.push(path);
        }
    }
    if names.is_empty() {
        bail!("the clip {} holds no .jpg; name the folder that has its frames", folder.display());
    }
    names.sort_by_key(|path| (path.as_os_str().len(), path.clone()));
    let read = |path: &PathBuf| {
        fs::read(path).with_context(|| format!("the frame {} can't be read", path.display()))
    };
    names.iter().map(read).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_come_in_the_order_of_their_numbers() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["10.jpg", "9.jpg", "1.jpg", "notes.txt"] {
            fs::write(folder.path().join(name), name).unwrap();
        }
        assert_eq!(read(folder.path()).unwrap(), [&b"1.jpg"[..], b"9.jpg", b"10.jpg"]);
    }

    #[test]
    fn a_folder_without_frames_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        assert!(read(folder.path()).unwrap_err().to_string().contains("holds no .jpg"));
        assert!(read(&folder.path().join("none")).unwrap_err().to_string().contains("can't be read"));
    }

    #[test]
    fn a_clip_has_a_name_and_a_folder() {
        let clip: Clip = "one-hand=a/b=c".parse().unwrap();
        assert_eq!(clip, Clip { name: "one-hand".to_owned(), folder: PathBuf::from("a/b=c") });
        assert!("a/b".parse::<Clip>().is_err() && "=a".parse::<Clip>().is_err());
    }
}
