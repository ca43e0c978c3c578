//! What a folder of recordings holds: a folder for every label, in it videos, folders of pictures, or pictures.

use std::collections::HashMap;
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use dactyl_config::natural_order;

use super::decode::Format;
use crate::keypoint_file::LONGEST_LABEL;

/// One take of one sign.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recording {
    /// The name of its label's folder.
    pub label: String,
    /// Its own name within the label: the video's, the folder's, or `pictures` for pictures without a folder.
    pub name: String,
    /// A video, or pictures in natural order (2 before 10).
    pub files: Vec<(PathBuf, Format)>,
}

/// Name of a take whose pictures lie in the label's folder itself.
const LOOSE: &str = "pictures";

impl Recording {
    /// Names, sizes and times of the files: what changes when a recording is replaced.
    ///
    /// # Errors
    /// A file that has gone.
    pub fn fingerprint(&self) -> Result<String> {
        let mut text = String::new();
        for (path, _) in &self.files {
            let about = fs::metadata(path).with_context(|| format!("{} can't be read", path.display()))?;
            let changed = about.modified()?.duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            writeln!(text, "{name} {} {}", about.len(), changed.as_nanos())?;
        }
        Ok(text)
    }
}

/// Every recording of the folder, labels and takes in natural order.
///
/// # Errors
/// A folder without labels, a label without recordings, a name that is no label, or a file that is neither a picture nor
/// a video.
pub fn recordings(folder: &Path) -> Result<Vec<Recording>> {
    let mut all = Vec::new();
    let mut spelled: HashMap<String, String> = HashMap::new();
    for path in children(folder)? {
        ensure!(
            path.is_dir(),
            "{} does not lie in the folder of a label: move it to {}/LABEL/",
            path.display(),
            folder.display()
        );
        let label = name_of(&path)?;
        ensure!(
            label.len() <= LONGEST_LABEL,
            "the label {label:?} is longer than {LONGEST_LABEL} bytes: give its folder a shorter name"
        );
        if let Some(other) = spelled.insert(label.to_lowercase(), label.clone()) {
            bail!("the labels {other:?} and {label:?} differ in case only: join their folders");
        }
        let takes = takes(&path, &label)?;
        ensure!(
            !takes.is_empty(),
            "{} is empty: put videos or pictures of {label:?} into it, or remove it",
            path.display()
        );
        all.extend(takes);
    }
    ensure!(!all.is_empty(), "{} holds no folders of labels", folder.display());
    Ok(all)
}

fn takes(folder: &Path, label: &str) -> Result<Vec<Recording>> {
    let mut takes = Vec::new();
    let mut loose = Vec::new();
    for path in children(folder)? {
        let recording = |files| -> Result<Recording> {
            Ok(Recording { label: label.to_owned(), name: name_of(&path)?, files })
        };
        if path.is_dir() {
            let pictures = children(&path)?
                .into_iter()
                .map(|picture| match Format::of(&picture) {
                    Some(format) if format.is_picture() && picture.is_file() => Ok((picture, format)),
                    _ => bail!(
                        "{} is no picture that can be read: the folder of a take holds its frames as .jpg or .png",
                        picture.display()
                    ),
                })
                .collect::<Result<Vec<_>>>()?;
            ensure!(
                !pictures.is_empty(),
                "{} is empty: put the take's frames into it, or remove it",
                path.display()
            );
            takes.push(recording(pictures)?);
        } else {
            match Format::of(&path) {
                Some(format) if format.is_picture() => loose.push((path, format)),
                Some(format) => takes.push(recording(vec![(path.clone(), format)])?),
                None => bail!(
                    "{} is neither a picture (.jpg, .png) nor a video ({}): convert it or move it away",
                    path.display(),
                    Format::VIDEOS.map(|end| format!(".{end}")).join(", ")
                ),
            }
        }
    }
    if !loose.is_empty() {
        takes.push(Recording { label: label.to_owned(), name: LOOSE.to_owned(), files: loose });
    }
    Ok(takes)
}

/// What lies in a folder, in natural order, without hidden files.
fn children(folder: &Path) -> Result<Vec<PathBuf>> {
    let unreadable = || format!("{} can't be listed", folder.display());
    let entries = fs::read_dir(folder).with_context(unreadable)?;
    let mut paths = entries
        .map(|entry| Ok(entry?.path()))
        .collect::<std::io::Result<Vec<_>>>()
        .with_context(unreadable)?;
    paths.retain(|path| !path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.')));
    paths.sort_by(|a, b| natural_order::compare(&a.to_string_lossy(), &b.to_string_lossy()));
    Ok(paths)
}

fn name_of(path: &Path) -> Result<String> {
    let name = path.file_name().and_then(|name| name.to_str());
    let name = name.with_context(|| format!("the name of {} is no UTF-8: rename it", path.display()))?;
    ensure!(name.trim() == name, "the name {name:?} begins or ends with a space: rename {}", path.display());
    Ok(name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(files: &[&str]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for file in files {
            let path = folder.path().join(file);
            if file.ends_with('/') {
                fs::create_dir_all(path).unwrap();
            } else {
                fs::create_dir_all(path.parent().unwrap()).unwrap();
                fs::write(path, "x").unwrap();
            }
        }
        folder
    }

    #[test]
    fn labels_takes_and_frames_are_in_natural_order() {
        let folder = folder(&[
            "thank you/10.mp4",
            "thank you/9.webm",
            "hello/b/frame10.jpg",
            "hello/b/frame9.JPEG",
            "hello/2.png",
            "hello/10.png",
            "hello/.hidden",
        ]);
        let found: Vec<(String, String, Vec<String>)> = recordings(folder.path())
            .unwrap()
            .into_iter()
            .map(|recording| {
                let names = recording.files.iter().map(|(path, _)| name_of(path).unwrap()).collect();
                (recording.label, recording.name, names)
            })
            .collect();
        let take = |label: &str, name: &str, files: &[&str]| {
            (label.to_owned(), name.to_owned(), files.iter().map(|&file| file.to_owned()).collect())
        };
        assert_eq!(
            found,
            [
                take("hello", "b", &["frame9.JPEG", "frame10.jpg"]),
                take("hello", "pictures", &["2.png", "10.png"]),
                take("thank you", "9.webm", &["9.webm"]),
                take("thank you", "10.mp4", &["10.mp4"]),
            ]
        );
    }

    #[test]
    fn what_cannot_be_a_recording_is_named_with_the_cure() {
        for (files, expected) in [
            (&["hello.mp4"][..], "hello.mp4 does not lie in the folder of a label"),
            (&["hello/"], "hello is empty: put videos or pictures of \"hello\" into it"),
            (&["hello/one/"], "one is empty: put the take's frames into it"),
            (&["hello/notes.txt"], "notes.txt is neither a picture (.jpg, .png) nor a video (.mp4,"),
            (&["hello/one/clip.mp4"], "clip.mp4 is no picture that can be read"),
            (&["Hello/1.jpg", "hello/1.jpg"], "differ in case only: join their folders"),
            (&["hello /1.jpg"], "begins or ends with a space"),
            (&[], "holds no folders of labels"),
        ] {
            let folder = folder(files);
            let error = recordings(folder.path()).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        }
        let long = "x".repeat(LONGEST_LABEL + 1) + "/1.jpg";
        let error = recordings(folder(&[&long]).path()).unwrap_err().to_string();
        assert!(error.contains("give its folder a shorter name"), "{error}");
    }
}
