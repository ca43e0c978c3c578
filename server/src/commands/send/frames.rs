//! Which files are sent, and in which order.

use std::cmp::Ordering;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::commands::Usage;

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
            inside.sort_by(|a, b| natural_order(&a.to_string_lossy(), &b.to_string_lossy()));
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

/// Compares runs of digits as numbers and all else as text, so that 2 comes before 10. Names that differ only in
/// leading zeros are in the order of their texts.
fn natural_order(a: &str, b: &str) -> Ordering {
    let (mut left, mut right) = (a, b);
    loop {
        match (next_piece(&mut left), next_piece(&mut right)) {
            (None, None) => return a.cmp(b),
            (None, Some(_)) => return Ordering::Less,
            (Some(_), None) => return Ordering::Greater,
            (Some(one), Some(other)) => {
                let order = compare_pieces(one, other);
                if order.is_ne() {
                    return order;
                }
            }
        }
    }
}

/// Takes a run of digits, or a single character that is none, off the text.
fn next_piece<'a>(text: &mut &'a str) -> Option<&'a str> {
    let first = text.chars().next()?;
    let end = if first.is_ascii_digit() {
        text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len())
    } else {
        first.len_utf8()
    };
    let (piece, rest) = text.split_at(end);
    *text = rest;
    Some(piece)
}

fn compare_pieces(a: &str, b: &str) -> Ordering {
    let number = |piece: &str| piece.starts_with(|c: char| c.is_ascii_digit());
    if !(number(a) && number(b)) {
        return a.cmp(b);
    }
    // Without leading zeros the longer number is the greater one; no number is too long to compare.
    let (a, b) = (a.trim_start_matches('0'), b.trim_start_matches('0'));
    a.len().cmp(&b.len()).then_with(|| a.cmp(b))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn numbers_in_names_are_compared_as_numbers() {
        let mut names =
            ["a10.jpg", "b1.jpg", "a2.jpg", "a.jpg", "a02.jpg", "a99999999999999999999999.jpg", "a1.jpg"];
        names.sort_by(|a, b| natural_order(a, b));
        assert_eq!(
            names,
            ["a.jpg", "a1.jpg", "a02.jpg", "a2.jpg", "a10.jpg", "a99999999999999999999999.jpg", "b1.jpg"]
        );
    }

    proptest! {
        #[test]
        fn the_order_is_total(a in "[0-9a-c.]{0,6}", b in "[0-9a-c.]{0,6}", c in "[0-9a-c.]{0,6}") {
            prop_assert_eq!(natural_order(&a, &b), natural_order(&b, &a).reverse());
            prop_assert_eq!(natural_order(&a, &b).is_eq(), a == b);
            if natural_order(&a, &b).is_le() && natural_order(&b, &c).is_le() {
                prop_assert!(natural_order(&a, &c).is_le());
            }
        }
    }

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
