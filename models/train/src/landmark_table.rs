//! Tables of hand landmarks as other programs publish them: CSV, Python pickles, HDF5, NumPy arrays.

use std::fmt;
use std::io::Read;

use anyhow::{Context, Result, bail, ensure};
use clap::{Args, ValueEnum};
use dactyl_config::natural_order;
use ndarray::{Array, Array2, Dimension, Ix1};
use ndarray_npy::ReadNpyExt;
use serde::Deserialize;

use crate::data::Hand;

/// Values of x, y and z of a hand.
pub const HAND_VALUES: usize = 63;

/// One hand of such a table.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// What it shows.
    pub label: String,
    /// In the table's own units; z is NaN where it has none.
    pub hand: Hand,
    /// Number of the film that it is a frame of, in the order of the frames; `None` for a picture by itself.
    pub film: Option<i32>,
}

/// Which coordinates a row of a CSV file holds, and in what order.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Coordinates {
    /// x and y of every landmark: 42 values.
    #[default]
    Xy,
    /// x, y and z of every landmark: 63 values.
    Xyz,
    /// x of all landmarks, then y of all, then z of all: 63 values.
    ByAxis,
}

/// What the columns of a CSV file hold: a label, and the coordinates of the 21 landmarks in MediaPipe's order.
#[derive(Debug, Clone, Copy, Default, Args, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Columns {
    /// The label stands in the last column instead of the first
    #[arg(long, conflicts_with = "unlabelled")]
    pub label_last: bool,
    /// No column holds the label: it is the file's name
    #[arg(long)]
    pub unlabelled: bool,
    /// Columns to skip before the coordinates
    #[arg(long, default_value_t = 0)]
    pub skip_before: usize,
    /// Columns to skip after the coordinates
    #[arg(long, default_value_t = 0)]
    pub skip_after: usize,
    /// Which coordinates, in what order
    #[arg(long, value_enum, default_value_t = Coordinates::Xy)]
    pub coordinates: Coordinates,
}

impl Coordinates {
    fn count(self) -> usize {
        if self == Self::Xy { 42 } else { HAND_VALUES }
    }

    fn hand(self, values: &[f32]) -> Hand {
        std::array::from_fn(|point| match self {
            Self::Xy => [values[2 * point], values[2 * point + 1], f32::NAN],
            Self::Xyz => [values[3 * point], values[3 * point + 1], values[3 * point + 2]],
            Self::ByAxis => [values[point], values[21 + point], values[42 + point]],
        })
    }
}

impl fmt::Display for Coordinates {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Xy => "x and y",
            Self::Xyz => "x, y and z",
            Self::ByAxis => "all x, all y, all z",
        })
    }
}

/// Reads a CSV file. Its first line may be a heading. `name` is the label of all lines if the columns hold none.
///
/// # Errors
/// A line without a label, or whose coordinates are too few, too many or no numbers.
pub fn csv(source: impl Read, columns: Columns, name: &str) -> Result<Vec<Row>> {
    let mut reader = csv::ReaderBuilder::new().has_headers(false).flexible(true).from_reader(source);
    let Columns { label_last, unlabelled, skip_before, skip_after, coordinates } = columns;
    let expected = coordinates.count();
    let mut rows = Vec::new();
    for (index, record) in reader.records().enumerate() {
        let record = record?;
        let line = record.position().map_or(index as u64 + 1, csv::Position::line);
        let mut cells: Vec<&str> = record.iter().map(|cell| cell.trim_matches(['\u{feff}', ' '])).collect();
        // A record has a cell at least.
        let label = match () {
            () if unlabelled => name,
            () if label_last => cells.pop().unwrap_or_default(),
            () => cells.remove(0),
        };
        let is_number = |cell: &&str| cell.parse::<f32>().is_ok();
        if index == 0 && !cells.iter().all(is_number) {
            continue;
        }
        let count = cells.len().saturating_sub(skip_before + skip_after);
        ensure!(
            count == expected,
            "line {line} has {count} coordinates where {expected} are expected ({coordinates} of 21 landmarks): \
             say what its columns hold"
        );
        let values = cells[skip_before..skip_before + expected].iter().map(|cell| cell.parse::<f32>());
        let values = values
            .collect::<Result<Vec<_>, _>>()
            .with_context(|| format!("line {line} holds a coordinate that is no number"))?;
        ensure!(!label.is_empty(), "line {line} has no label");
        rows.push(Row { label: label.to_owned(), hand: coordinates.hand(&values), film: None });
    }
    Ok(rows)
}

/// Reads a pickled dictionary of `data`, lists of 42 or 63 numbers, and `labels`, texts. Rows of two hands are left out.
///
/// # Errors
/// Another pickle, or a row that is no hand.
pub fn pickle(bytes: &[u8]) -> Result<Vec<Row>> {
    #[derive(Deserialize)]
    struct Table {
        data: Vec<Vec<f32>>,
        labels: Vec<String>,
    }
    let Table { data, labels } = serde_pickle::from_slice(bytes, serde_pickle::DeOptions::new())
        .context("it is no pickled dictionary of `data` and `labels`")?;
    ensure!(data.len() == labels.len(), "it has {} rows and {} labels", data.len(), labels.len());
    let mut rows = Vec::new();
    for (number, (values, label)) in data.iter().zip(labels).enumerate() {
        let coordinates = match values.len() {
            42 => Coordinates::Xy,
            HAND_VALUES => Coordinates::Xyz,
            84 | 126 => continue,
            other => bail!("row {number} has {other} values, which are no hand of 21 landmarks"),
        };
        rows.push(Row { label, hand: coordinates.hand(values), film: None });
    }
    Ok(rows)
}

/// Reads an HDF5 file of one label: every dataset is a picture `[1, values]` or a film `[1, frames, values]` whose values
/// begin with x, y and z of 21 landmarks. Films are numbered from `first_film`.
///
/// # Errors
/// Another file, or a dataset of another shape.
pub fn hdf5(bytes: Vec<u8>, label: &str, first_film: i32) -> Result<Vec<Row>> {
    let root = hdf5_pure::File::from_bytes(bytes)?.root();
    let mut names = root.datasets()?;
    names.sort_by(|a, b| natural_order::compare(a, b));
    let mut rows = Vec::new();
    let mut films = first_film..;
    for name in names {
        let dataset = root.dataset(&name)?;
        let shape = dataset.shape()?;
        let width = shape.last().map_or(0, |width| *width as usize);
        ensure!(
            matches!(shape.as_slice(), [1, _] | [1, _, _]) && width >= HAND_VALUES,
            "{name} has the shape {shape:?}"
        );
        let film = if shape.len() == 3 { films.next() } else { None };
        let values: Vec<f32> = dataset.read_f64()?.into_iter().map(|value| value as f32).collect();
        let hands = values.chunks_exact(width).map(xyz);
        rows.extend(hands.map(|hand| Row { label: label.to_owned(), hand, film }));
    }
    Ok(rows)
}

/// The values of a NumPy array `[values]`, float32 or float64.
///
/// # Errors
/// Another file, or an array of another shape.
pub fn npy_values(bytes: &[u8]) -> Result<Vec<f32>> {
    Ok(floats::<Ix1>(bytes)?.to_vec())
}

fn floats<Axes: Dimension>(bytes: &[u8]) -> Result<Array<f32, Axes>> {
    Array::<f64, Axes>::read_npy(bytes)
        .map(|values| values.mapv(|value| value as f32))
        .or_else(|_| Array::<f32, Axes>::read_npy(bytes))
        .with_context(|| {
            let axes = Axes::NDIM.unwrap_or_default();
            format!("it is no array of float32 or float64 with {axes} axes")
        })
}

/// The hand whose x, y and z these [`HAND_VALUES`] are.
pub fn xyz(values: &[f32]) -> Hand {
    Coordinates::Xyz.hand(values)
}

/// Reads a NumPy array `[rows, values]` of one label, float32 or float64: 63 values, x, y and z of the 21 landmarks, are a
/// picture, a multiple of them the frames of a film. One more value at the end, which numbers the label, is left out. Films
/// are numbered from `first_film`.
///
/// # Errors
/// Another file, or an array of another shape.
pub fn npy(bytes: &[u8], label: &str, first_film: i32) -> Result<Vec<Row>> {
    let values: Array2<f32> = floats(bytes)?;
    let (count, width) = values.dim();
    let (frames, rest) = (width / HAND_VALUES, width % HAND_VALUES);
    ensure!(frames > 0 && rest <= 1, "it has the shape [{count}, {width}], which is no row of 21 landmarks");
    let mut rows = Vec::new();
    for (row, film) in values.rows().into_iter().zip(first_film..) {
        let row: Vec<f32> = row.iter().copied().take(frames * HAND_VALUES).collect();
        let film = (frames > 1).then_some(film);
        let hands = row.chunks_exact(HAND_VALUES).map(xyz);
        rows.extend(hands.map(|hand| Row { label: label.to_owned(), hand, film }));
    }
    Ok(rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Landmark i at (i, 100 + i, 200 + i).
    fn invented() -> Hand {
        std::array::from_fn(|point| [0.0, 100.0, 200.0].map(|base| base + point as f32))
    }

    fn line(cells: impl IntoIterator<Item = f32>) -> String {
        cells.into_iter().map(|cell| cell.to_string()).collect::<Vec<_>>().join(",")
    }

    #[test]
    fn every_order_of_columns_gives_the_same_hand() {
        let points = line(invented().into_iter().flatten());
        let axes = line((0..3).flat_map(|axis| invented().map(|point| point[axis])));
        let xyz = Columns { coordinates: Coordinates::Xyz, ..Columns::default() };
        for (text, columns) in [
            (format!("\u{feff}label,{}\nA,{points}\n", ["x"; 63].join(",")), xyz),
            (format!("A,{axes}\n"), Columns { coordinates: Coordinates::ByAxis, ..xyz }),
            (
                format!("0.5,{points},7,8,A\n"),
                Columns { label_last: true, skip_before: 1, skip_after: 2, ..xyz },
            ),
        ] {
            let rows = csv(text.as_bytes(), columns, "").unwrap();
            assert_eq!(rows, [Row { label: "A".to_owned(), hand: invented(), film: None }], "{text}");
        }
        let flat = line(invented().into_iter().flat_map(|[x, y, _]| [x, y]));
        let rows = csv(format!("3,{flat}\n3,{flat}\n").as_bytes(), Columns::default(), "").unwrap();
        assert_eq!(rows.len(), 2);
        assert_eq!(rows[1].hand[20][..2], [20.0, 120.0]);
        assert!(rows[1].hand[20][2].is_nan());
    }

    #[test]
    fn a_line_that_is_no_hand_is_named() {
        let good = format!("A,{}\n", line([0.5; 42]));
        for (bad, complaint) in [
            (format!("A,{}\n", line([0.5; 63])), "line 2 has 63 coordinates where 42 are expected"),
            (good.replace("0.5,0.5\n", "0.5,?\n"), "line 2 holds a coordinate that is no number"),
            (good.replace('A', ""), "line 2 has no label"),
        ] {
            let error = csv(format!("{good}{bad}").as_bytes(), Columns::default(), "").unwrap_err();
            assert!(error.to_string().contains(complaint), "{error:?}");
        }
    }

    #[test]
    fn pickled_lists_are_read_and_rows_of_two_hands_left_out() {
        #[derive(serde::Serialize)]
        struct Table {
            data: Vec<Vec<f64>>,
            labels: Vec<&'static str>,
        }
        let pickled =
            |data, labels| serde_pickle::to_vec(&Table { data, labels }, Default::default()).unwrap();
        let bytes = pickled(vec![vec![0.25; 42], vec![0.5; 84]], vec!["0", "1"]);
        let rows = pickle(&bytes).unwrap();
        assert_eq!(rows.len(), 1);
        assert_eq!((rows[0].label.as_str(), rows[0].hand[20][1]), ("0", 0.25));
        let error = pickle(&pickled(vec![vec![0.5; 41]], vec!["0"])).unwrap_err().to_string();
        assert!(error.contains("row 0 has 41 values"), "{error}");
        let error = pickle(b"no pickle").unwrap_err().to_string();
        assert!(error.contains("no pickled dictionary"), "{error}");
    }

    #[test]
    fn datasets_are_pictures_and_films_in_the_order_of_their_numbers() {
        let frame = |x: f64| {
            let mut frame = vec![0.0; 70];
            frame[0] = x;
            frame
        };
        let mut file = hdf5_pure::FileBuilder::new();
        file.create_dataset("J_10").with_f64_data(&frame(10.0)).with_shape(&[1, 70]);
        let film = [frame(2.0), frame(2.5)].concat();
        file.create_dataset("J_2").with_f64_data(&film).with_shape(&[1, 2, 70]);
        let rows = hdf5(file.finish().unwrap(), "J", 5).unwrap();
        let seen: Vec<_> = rows.iter().map(|row| (row.hand[0][0], row.film)).collect();
        assert_eq!(seen, [(2.0, Some(5)), (2.5, Some(5)), (10.0, None)]);

        let mut file = hdf5_pure::FileBuilder::new();
        file.create_dataset("J_0").with_f64_data(&[0.0; 4]).with_shape(&[2, 2]);
        let error = hdf5(file.finish().unwrap(), "J", 0).unwrap_err().to_string();
        assert!(error.contains("J_0 has the shape [2, 2]"), "{error}");
    }

    #[test]
    fn rows_of_an_array_are_pictures_or_films() {
        use ndarray_npy::WriteNpyExt;

        fn written<T: ndarray_npy::WritableElement + Clone>(width: usize, value: T) -> Vec<u8> {
            let mut bytes = Vec::new();
            Array2::from_elem((2, width), value).write_npy(&mut bytes).unwrap();
            bytes
        }
        let seen = |bytes: &[u8]| -> Vec<_> {
            npy(bytes, "Z", 5).unwrap().iter().map(|row| (row.hand[20][2], row.film)).collect()
        };
        assert_eq!(seen(&written(63, 0.25_f64)), [(0.25, None), (0.25, None)]);
        let films = [(0.5, Some(5)), (0.5, Some(5)), (0.5, Some(6)), (0.5, Some(6))];
        assert_eq!(seen(&written(2 * 63 + 1, 0.5_f32)), films, "the number of the label is left out");
        let error = npy(&written(42, 0.5_f64), "Z", 0).unwrap_err().to_string();
        assert!(error.contains("shape [2, 42]"), "{error}");
        let error = npy(&written(63, 1_i32), "Z", 0).unwrap_err().to_string();
        assert!(error.contains("no array of float32 or float64 with 2 axes"), "{error}");
    }
}
