//! Keypoints of one signer as a file: what extraction writes and training reads.
//!
//! An npz file of these arrays, N rows, one per frame, clip after clip:
//!
//! | array | type | holds |
//! |---|---|---|
//! | `pose` | float32 `[N, 33, 4]` | x, y, z, visibility |
//! | `left`, `right` | float32 `[N, 21, 3]` | the person's hands: x, y, z |
//! | `face` | float32 `[N, 7, 3]` | face landmarks 1, 10, 33, 61, 152, 263, 291: x, y, z |
//! | `letter` | uint8 `[N]` | ASCII code, in files of nothing but letters A to Z |
//! | `label` | bytes `[N]` | UTF-8, in all other files |
//! | `frame` | int32 `[N]` | index in the clip |
//! | `sequence` | int32 `[N]` | number of the clip; each was followed by a tracker of its own |
//! | `size` | int32 `[2]` | width and height of the picture |
//! | `duplicate` | uint8 `[N]` | 1 where the picture is exactly the one before |
//!
//! x and z are in picture widths, y in heights; NaN where a part was not found.

use std::fs::{self, File};
use std::io::{self, BufWriter, Read};
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use dactyl_holistic::keypoints::{FACE, Keypoints, LEFT_HAND, Landmark, POSE, RIGHT_HAND};
use ndarray::{Array1, ArrayD, Ix1, IxDyn, OwnedRepr};
use ndarray_npy::{NpzReader, NpzWriter, ReadDataError, ReadableElement, WritableElement, WriteDataError};
use py_literal::Value;

/// Longest label, in bytes of UTF-8.
pub const LONGEST_LABEL: usize = 64;

/// Landmarks of the face that are kept: nose, forehead, chin, corners of the eyes and of the mouth.
const KEPT_FACE: [usize; 7] = [1, 10, 33, 61, 152, 263, 291];

/// Values of one frame in each array of landmarks.
const WIDTHS: [(&str, &[usize]); 4] =
    [("pose", &[33, 4]), ("left", &[21, 3]), ("right", &[21, 3]), ("face", &[7, 3])];

/// Frames of one clip, in order.
#[derive(Debug, Clone, PartialEq)]
pub struct Clip {
    /// What it shows.
    pub label: String,
    /// Width and height of its pictures.
    pub size: [i32; 2],
    /// Landmarks by array, in the order of [`WIDTHS`], row-major.
    landmarks: [Vec<f32>; 4],
    /// 1 where a picture repeats the one before.
    duplicates: Vec<u8>,
}

impl Clip {
    /// A clip without frames.
    pub fn new(label: &str, size: [i32; 2]) -> Self {
        Self { label: label.to_owned(), size, landmarks: Default::default(), duplicates: Vec::new() }
    }

    /// Adds the next frame.
    pub fn push(&mut self, keypoints: &Keypoints, is_duplicate: bool) {
        let [pose, left, right, face] = &mut self.landmarks;
        pose.extend(keypoints.part(POSE).iter().flatten());
        let points = |landmarks: &[Landmark], into: &mut Vec<f32>| {
            into.extend(landmarks.iter().flat_map(|landmark| &landmark[..3]));
        };
        points(keypoints.part(LEFT_HAND), left);
        points(keypoints.part(RIGHT_HAND), right);
        let whole_face = keypoints.part(FACE);
        points(&KEPT_FACE.map(|index| whole_face[index]), face);
        self.duplicates.push(u8::from(is_duplicate));
    }

    /// Frames, those of them in which a hand was found, and those that repeat the one before.
    pub fn counts(&self) -> [usize; 3] {
        let [_, left, right, _] = &self.landmarks;
        let found = |hand: &[f32]| hand.first().is_some_and(|x| x.is_finite());
        let with_hand = (left.chunks_exact(63).zip(right.chunks_exact(63)))
            .filter(|(left, right)| found(left) || found(right))
            .count();
        let repeated = self.duplicates.iter().filter(|duplicate| **duplicate == 1).count();
        [self.duplicates.len(), with_hand, repeated]
    }

    /// The same landmarks in widths and heights of another picture, so that every place keeps its pixel.
    fn measured_in(&self, size: [i32; 2]) -> Self {
        let [x, y] = [0, 1].map(|axis| self.size[axis] as f32 / size[axis] as f32);
        let mut clip = Self { size, ..self.clone() };
        for (landmarks, (_, shape)) in clip.landmarks.iter_mut().zip(WIDTHS) {
            for point in landmarks.chunks_exact_mut(shape[1]) {
                point[0] *= x;
                point[1] *= y;
                point[2] *= x;
            }
        }
        clip
    }
}

/// Writes the clips of one signer; the first one's picture is the file's. A file that is there is replaced at once.
///
/// # Errors
/// No clips, or what the system says.
pub fn write(path: &Path, clips: &[Clip]) -> Result<()> {
    let size = clips.first().context("there are no clips to write")?.size;
    let clips: Vec<Clip> = clips.iter().map(|clip| clip.measured_in(size)).collect();
    write_arrays(path, |npz| {
        for (index, (name, shape)) in WIDTHS.into_iter().enumerate() {
            let values = clips.iter().flat_map(|clip| &clip.landmarks[index]).copied().collect();
            npz.add_array(name, &table(shape, values)?)?;
        }
        let by_frame = clips
            .iter()
            .flat_map(|clip| clip.duplicates.iter().map(|_| clip.label.as_str()))
            .collect::<Vec<_>>();
        add_labels(npz, &by_frame)?;
        let numbered =
            |values: Vec<usize>| values.into_iter().map(|value| value as i32).collect::<Array1<_>>();
        let frames = clips.iter().flat_map(|clip| 0..clip.duplicates.len()).collect();
        npz.add_array("frame", &numbered(frames))?;
        let sequences = (clips.iter().enumerate())
            .flat_map(|(number, clip)| clip.duplicates.iter().map(move |_| number))
            .collect();
        npz.add_array("sequence", &numbered(sequences))?;
        npz.add_array("size", &Array1::from(size.to_vec()))?;
        let duplicates = clips.iter().flat_map(|clip| &clip.duplicates).copied();
        npz.add_array("duplicate", &duplicates.collect::<Array1<u8>>())?;
        Ok(())
    })
}

/// Writes one finished clip; `source` says what it was made from.
///
/// # Errors
/// As the system says.
pub fn write_part(path: &Path, clip: &Clip, source: &str) -> Result<()> {
    write_arrays(path, |npz| {
        for ((name, shape), values) in WIDTHS.into_iter().zip(&clip.landmarks) {
            npz.add_array(name, &table(shape, values.clone())?)?;
        }
        npz.add_array("size", &Array1::from(clip.size.to_vec()))?;
        npz.add_array("duplicate", &Array1::from(clip.duplicates.clone()))?;
        npz.add_array("source", &Array1::from(source.as_bytes().to_vec()))?;
        Ok(())
    })
}

/// Reads a clip of [`write_part`]; `None` if it is not there or was made from something else.
///
/// # Errors
/// A file that can't be read or is damaged.
pub fn read_part(path: &Path, label: &str, source: &str) -> Result<Option<Clip>> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    let mut npz = NpzReader::new(file)?;
    let made_from: Array1<u8> = npz.by_name::<OwnedRepr<u8>, Ix1>("source")?;
    if made_from.iter().ne(source.as_bytes()) {
        return Ok(None);
    }
    let size = npz.by_name::<OwnedRepr<i32>, Ix1>("size")?;
    ensure!(size.len() == 2, "size has {} values", size.len());
    let mut clip = Clip::new(label, [size[0], size[1]]);
    clip.duplicates = npz.by_name::<OwnedRepr<u8>, Ix1>("duplicate")?.to_vec();
    for ((name, shape), values) in WIDTHS.into_iter().zip(&mut clip.landmarks) {
        *values = npz.by_name::<OwnedRepr<f32>, IxDyn>(name)?.into_iter().collect();
        ensure!(values.len() == clip.duplicates.len() * shape[0] * shape[1], "{name} has the wrong length");
    }
    Ok(Some(clip))
}

/// The label of every row.
///
/// # Errors
/// A file with neither `letter` nor `label`, or with one that is no text.
pub fn labels<R: Read + io::Seek>(npz: &mut NpzReader<R>) -> Result<Vec<String>> {
    let names = npz.names()?;
    if names.iter().any(|name| name == "letter") {
        let codes = npz.by_name::<OwnedRepr<u8>, Ix1>("letter").context("letter")?;
        return codes
            .into_iter()
            .map(|code| {
                ensure!(code.is_ascii_uppercase(), "letter holds {code}, which is no letter A to Z");
                Ok(char::from(code).to_string())
            })
            .collect();
    }
    ensure!(names.iter().any(|name| name == "label"), "it has neither `letter` nor `label`");
    npz.by_name::<OwnedRepr<Label>, Ix1>("label").context("label")?.into_iter().map(Label::text).collect()
}

/// Adds the label of every row: `letter` if all are letters, else `label`.
///
/// # Errors
/// A label of more than [`LONGEST_LABEL`] bytes, or what the system says.
pub fn add_labels(npz: &mut NpzWriter<BufWriter<File>>, labels: &[&str]) -> Result<()> {
    let letters: Option<Array1<u8>> = labels.iter().map(|label| letter_of(label)).collect();
    if let Some(letters) = letters {
        npz.add_array("letter", &letters)?;
        return Ok(());
    }
    if let Some(label) = labels.iter().find(|label| label.len() > LONGEST_LABEL) {
        bail!("the label {label} has more than {LONGEST_LABEL} bytes");
    }
    npz.add_array("label", &labels.iter().map(|label| Label::new(label)).collect::<Array1<_>>())?;
    Ok(())
}

fn letter_of(label: &str) -> Option<u8> {
    match label.as_bytes() {
        [code] if code.is_ascii_uppercase() => Some(*code),
        _ => None,
    }
}

fn table(shape: &[usize], values: Vec<f32>) -> Result<ArrayD<f32>> {
    let rows = values.len() / (shape[0] * shape[1]);
    Ok(ArrayD::from_shape_vec(vec![rows, shape[0], shape[1]], values)?)
}

/// Writes arrays to a file that has its name only once it is whole.
///
/// # Errors
/// What `write` or the system says.
pub fn write_arrays(
    path: &Path,
    write: impl FnOnce(&mut NpzWriter<BufWriter<File>>) -> Result<()>,
) -> Result<()> {
    let unfinished = path.with_extension("unfinished");
    let unwritable = || format!("{} can't be written", path.display());
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).with_context(unwritable)?;
    }
    let mut npz =
        NpzWriter::new_compressed(BufWriter::new(File::create(&unfinished).with_context(unwritable)?));
    write(&mut npz).with_context(unwritable)?;
    let file = npz.finish()?.into_inner().map_err(io::IntoInnerError::into_error).with_context(unwritable)?;
    // A machine that loses power must not leave an empty file under the final name.
    file.sync_all().with_context(unwritable)?;
    fs::rename(&unfinished, path).with_context(unwritable)
}

/// A text as numpy's `S` types hold it: bytes, filled up with zeros.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Label(Vec<u8>);

impl Label {
    fn new(text: &str) -> Self {
        let mut bytes = text.as_bytes().to_vec();
        bytes.resize(LONGEST_LABEL, 0);
        Self(bytes)
    }

    fn text(self) -> Result<String> {
        let end = self.0.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
        let text = String::from_utf8(self.0[..end].to_vec()).context("a label is no UTF-8")?;
        ensure!(!text.is_empty(), "a label is empty");
        Ok(text)
    }
}

impl WritableElement for Label {
    fn type_descriptor() -> Value {
        Value::String(format!("|S{LONGEST_LABEL}"))
    }

    fn write<W: io::Write>(&self, mut writer: W) -> Result<(), WriteDataError> {
        Ok(writer.write_all(&self.0)?)
    }

    fn write_slice<W: io::Write>(slice: &[Self], mut writer: W) -> Result<(), WriteDataError> {
        slice.iter().try_for_each(|label| label.write(&mut writer))
    }
}

impl ReadableElement for Label {
    fn read_to_end_exact_vec<R: Read>(
        mut reader: R,
        type_desc: &Value,
        len: usize,
    ) -> Result<Vec<Self>, ReadDataError> {
        let width = type_desc
            .as_string()
            .and_then(|name| name.strip_prefix("|S")?.parse::<usize>().ok())
            .filter(|width| *width > 0)
            .ok_or_else(|| ReadDataError::WrongDescriptor(type_desc.clone()))?;
        let mut bytes = Vec::new();
        reader.read_to_end(&mut bytes)?;
        match bytes.len().checked_sub(width * len) {
            None => Err(ReadDataError::MissingData),
            Some(0) => Ok(bytes.chunks_exact(width).map(|label| Self(label.to_vec())).collect()),
            Some(extra) => Err(ReadDataError::ExtraBytes(extra)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn clip(label: &str, size: [i32; 2]) -> Clip {
        let mut clip = Clip::new(label, size);
        let mut keypoints = Keypoints::absent();
        for point in keypoints.part_mut(RIGHT_HAND) {
            *point = [0.5, 0.25, 0.1, 0.0];
        }
        clip.push(&keypoints, false);
        clip.push(&Keypoints::absent(), true);
        clip
    }

    fn labels_in(path: &Path) -> Result<Vec<String>> {
        labels(&mut NpzReader::new(File::open(path)?)?)
    }

    #[test]
    fn labels_are_read_as_they_were_written() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("new/me.npz");
        let longest = "x".repeat(LONGEST_LABEL);
        for labels in [["thank you", "naïve"], ["A", "B"], [&longest, "a"]] {
            write(&path, &labels.map(|label| clip(label, [640, 480]))).unwrap();
            assert_eq!(labels_in(&path).unwrap(), [labels[0], labels[0], labels[1], labels[1]]);
        }
    }

    #[test]
    fn a_part_is_read_back_unless_its_source_has_changed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("part.npz");
        let clip = clip("hello", [640, 480]);
        write_part(&path, &clip, "one.mp4 5").unwrap();
        let read = read_part(&path, "hello", "one.mp4 5").unwrap().unwrap();
        // NaN is not equal to itself.
        assert_eq!(format!("{read:?}"), format!("{clip:?}"));
        assert_eq!(read.counts(), [2, 1, 1]);
        assert_eq!(read_part(&path, "hello", "one.mp4 6").unwrap(), None);
        assert_eq!(read_part(&folder.path().join("nowhere.npz"), "hello", "").unwrap(), None);
    }

    #[test]
    fn a_place_keeps_its_pixel_in_a_picture_of_another_size() {
        let moved = clip("hello", [320, 240]).measured_in([640, 120]);
        assert_eq!(moved.landmarks[2][..3], [0.25, 0.5, 0.05]);
        assert_eq!(moved.size, [640, 120]);
    }
}
