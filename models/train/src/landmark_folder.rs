//! Folders of hand landmarks as other programs record them: a folder of films or a file for every label.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use dactyl_config::natural_order;

use crate::landmark_table::{self, Columns, HAND_VALUES, Row};

/// Reads a folder whose entries are named after their labels:
///
/// - `LABEL/FILM/FRAME.npy`, each an array of 63 values, x, y and z of one hand's landmarks, or of more, of which the last
///   126 are those of the left and the right hand (`MP_Data` of many tutorials). A hand of zeros was not found. A film shows
///   the hand that is in more of its frames; a left one is reversed.
/// - `LABEL.npy` as [`landmark_table::npy`] reads it.
/// - `LABEL.csv` as [`landmark_table::csv`] reads it.
///
/// What is hidden, and files of other kinds, are passed over.
///
/// # Errors
/// A folder or file that can't be read or holds something else.
pub fn read(folder: &Path, columns: Columns) -> Result<Vec<Row>> {
    let mut rows: Vec<Row> = Vec::new();
    for path in entries(folder)? {
        let label = stem(&path);
        let films = rows.iter().rev().find_map(|row| row.film).map_or(0, |film| film + 1);
        let is = |kind: &str| path.extension().is_some_and(|extension| extension == kind);
        let read = || -> Result<Vec<Row>> {
            Ok(match () {
                () if path.is_dir() => self::films(&path, &label, films)?,
                () if is("npy") => landmark_table::npy(&fs::read(&path)?, &label, films)?,
                () if is("csv") => landmark_table::csv(fs::read(&path)?.as_slice(), columns, &label)?,
                () => Vec::new(),
            })
        };
        rows.extend(read().with_context(|| format!("{} can't be read", path.display()))?);
    }
    Ok(rows)
}

/// The films of one label, numbered from `first_film`.
fn films(folder: &Path, label: &str, first_film: i32) -> Result<Vec<Row>> {
    let mut rows = Vec::new();
    let films = entries(folder)?.into_iter().filter(|path| path.is_dir());
    for (path, film) in films.zip(first_film..) {
        let mut sides = [Vec::new(), Vec::new()];
        for frame in entries(&path)?.iter().filter(|path| path.extension().is_some_and(|kind| kind == "npy"))
        {
            let values = landmark_table::npy_values(&fs::read(frame)?)
                .with_context(|| format!("{} can't be read", frame.display()))?;
            let hands = match values.len() {
                HAND_VALUES => &values[..],
                more if more >= 2 * HAND_VALUES => &values[more - 2 * HAND_VALUES..],
                other => bail!("{} has {other} values, which are no hand of 21 landmarks", frame.display()),
            };
            let last = sides.len() - hands.len() / HAND_VALUES;
            for (side, hand) in sides[last..].iter_mut().zip(hands.chunks_exact(HAND_VALUES)) {
                if hand.iter().any(|value| *value != 0.0) {
                    side.push(landmark_table::xyz(hand));
                }
            }
        }
        let [left, right] = sides;
        let shown = if left.len() > right.len() {
            left.into_iter().map(|hand| hand.map(|[x, y, z]| [-x, y, z])).collect()
        } else {
            right
        };
        rows.extend(shown.into_iter().map(|hand| Row { label: label.to_owned(), hand, film: Some(film) }));
    }
    ensure!(!rows.is_empty(), "{} holds no folders of frames (.npy) with a hand", folder.display());
    Ok(rows)
}

/// What a folder holds, in natural order, but for what is hidden.
fn entries(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut paths = fs::read_dir(folder)
        .and_then(|entries| {
            entries.map(|entry| entry.map(|entry| entry.path())).collect::<Result<Vec<_>, _>>()
        })
        .with_context(|| format!("{} can't be read", folder.display()))?;
    paths.retain(|path| !stem(path).starts_with('.'));
    paths.sort_by(|a, b| natural_order::compare(&stem(a), &stem(b)));
    Ok(paths)
}

/// A name without its extension.
fn stem(path: &Path) -> String {
    path.file_stem().unwrap_or_default().to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    use ndarray::Array1;
    use ndarray_npy::WriteNpyExt;

    fn frame(folder: &Path, name: &str, values: Vec<f64>) {
        let path = folder.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        Array1::from_vec(values).write_npy(fs::File::create(path).unwrap()).unwrap();
    }

    #[test]
    fn films_show_the_hand_that_is_in_more_of_their_frames() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        let two = |left: f64, right: f64| [vec![left; HAND_VALUES], vec![right; HAND_VALUES]].concat();
        frame(folder, "a/0/10.npy", two(0.0, 0.3));
        frame(folder, "a/0/2.npy", two(0.9, 0.2));
        // Pose and face before the hands, as in 1662 values.
        frame(folder, "a/1/0.npy", [vec![0.7; 1536], two(0.5, 0.0)].concat());
        frame(folder, "a/1/1.npy", two(0.0, 0.0));
        frame(folder, "b/0/0.npy", vec![0.4; HAND_VALUES]);
        fs::write(folder.join("notes.txt"), "no landmarks").unwrap();
        fs::create_dir(folder.join(".git")).unwrap();
        let rows = read(folder, Columns::default()).unwrap();
        let seen: Vec<_> = rows.iter().map(|row| (row.label.as_str(), row.film, row.hand[3][0])).collect();
        assert_eq!(
            seen,
            [("a", Some(0), 0.2), ("a", Some(0), 0.3), ("a", Some(1), -0.5), ("b", Some(2), 0.4)]
        );

        frame(folder, "c/0/0.npy", vec![0.4; 42]);
        let error = format!("{:#}", read(folder, Columns::default()).unwrap_err());
        assert!(error.contains("0.npy has 42 values"), "{error}");
    }

    #[test]
    fn a_file_is_named_after_its_label() {
        let folder = tempfile::tempdir().unwrap();
        let line = vec!["0.5"; 42].join(",");
        fs::write(folder.path().join("A.csv"), format!("{line}\n{line}\n")).unwrap();
        let rows = read(folder.path(), Columns { unlabelled: true, ..Columns::default() }).unwrap();
        let seen: Vec<_> = rows.iter().map(|row| (row.label.as_str(), row.film)).collect();
        assert_eq!(seen, [("A", None), ("A", None)]);
    }
}
