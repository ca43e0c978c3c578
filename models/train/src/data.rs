//! The keypoint sets as clips of one signer's hand, and every place where their labels are not taken at their word.

use std::collections::{HashMap, HashSet};
use std::fs::File;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use dactyl_config::natural_order;
use dactyl_letters::features::{self, HandPoints, Observation, Side};
use ndarray::{Array1, Array3, Axis, Ix1, Ix3, OwnedRepr};
use ndarray_npy::{NpzReader, ReadableElement};

use crate::keypoint_file;

/// Letters of the alphabet.
pub const LETTERS: usize = 26;
/// Index of J among the labels.
pub const J: usize = 9;
/// Index of Z among the labels.
pub const Z: usize = 25;
/// Index of I among the labels.
pub const I: usize = 8;
/// Index of D among the labels.
pub const D: usize = 3;
/// Index of X among the labels.
pub const X: usize = 23;

/// 21 landmarks of a right hand: x right, y down, z away from the camera, equal units. z is NaN where the source has none.
pub type Hand = [[f32; 3]; 21];

/// What a clip's label is worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// It shows its letter throughout.
    Still,
    /// It shows the movement of J or Z, or a sign that is no letter.
    Moving,
    /// It is labelled J or Z but holds still: hand shapes to draw paths with, and to be told from J and Z.
    HeldShape,
}

/// Frames of one letter by one signer, in capture order unless `ordered` says otherwise.
#[derive(Debug, Clone)]
pub struct Clip {
    /// Index of the label.
    pub letter: usize,
    /// What the label is worth.
    pub kind: Kind,
    /// The signing hand of each frame; `None` where none was found.
    pub frames: Vec<Option<Hand>>,
    /// The other hand of each frame, in the same view; empty where the source has none.
    pub other: Vec<Option<Hand>>,
    /// Whether neighbours in `frames` are neighbours in time.
    pub ordered: bool,
}

/// One public set: one person (a few, in two of them).
#[derive(Debug, Clone)]
pub struct Signer {
    /// Name of the file.
    pub name: String,
    /// The clips.
    pub clips: Vec<Clip>,
    /// Whether it came from the second folder: trained on, but counted by itself.
    pub is_further: bool,
}

/// Labels that are not what they say, by set and letter, and why. These frames are left out. The reasons are measured: the
/// median hand of the letter has, in hand sizes, what another letter has in every other set, and not what its own has.
const WRONG: [(&str, u8, &str); 8] = [
    ("Hands4All", b'K', "looks like U"),
    ("Hands4All", b'G', "the middle finger is straight beside the index finger: H"),
    ("Hands4All", b'E', "the fingers are bent as in its O, and meet the thumb's tip"),
    ("Hands4All", b'J', "a held pose, not the movement"),
    ("Mrunalisa", b'J', "three held stages of the movement"),
    ("prestonglee", b'D', "only the little finger is straight"),
    ("prestonglee", b'K', "the thumb lies across the palm: V"),
    ("prestonglee", b'N', "three fingers lie over the thumb: M"),
];

/// Letters of a set that carry each other's label. In kevinjosethomas' M two fingers lie over the thumb and in N three: the ring
/// fingertip is 0.5 and 1.1 times as far from the wrist as the middle one. In the M and N of others it is 0.7 to 1.1 and 0.5 to
/// 0.8 times, but for the N of PredaAlin, which is close to its E, and that of prestonglee.
const EXCHANGED: [(&str, [u8; 2]); 1] = [("kevinjosethomas", [b'M', b'N'])];

/// Sets in which one and the same hand, to the last bit, stands under several labels: one under 23 letters, six under E and S.
/// Such a hand shows one of them at most and is left out.
const UNDER_SEVERAL_LABELS: [&str; 1] = ["SigNN"];

/// Sets whose neighbouring rows are no neighbours in time: augmented copies of photographs, rows in shuffled order, and left
/// and right hands in turn (from row to row an index finger of G jumps by three hand sizes).
const PICTURES: [&str; 6] = ["DavidLee", "prestonglee", "SigNN", "13lack13lood", "Insitee", "Fawziya20"];

/// Sets whose x was scaled for another aspect than their pictures have, and what mends it. In their B the palm is 0.90 and
/// 0.49 as wide as long; in the sets whose size of picture is known it is 0.55 to 0.63. Which of 4:3 and 16:9 was taken for
/// the other explains both.
const ASPECT: [(&str, f32); 2] = [("SigNN", 3.0 / 4.0), ("asl-ai", 4.0 / 3.0)];

/// Recordings whose J or Z is a held shape. In every other recording it is taken to be moved.
const HELD: [(&str, u8); 6] = [
    ("gunsai75", b'J'),
    ("gunsai75", b'Z'),
    ("Hands4All", b'Z'),
    ("Lolzorus", b'J'),
    ("Lolzorus", b'Z'),
    ("PredaAlin", b'J'),
];

/// Sets of single hands whose J or Z is moved, beside the films of [`crate::hands_file`]. In every other set it is a held shape.
/// Of asl-ai's Z the wrist's path is not there, but the hand turns: the index fingertip crosses one hand size in 32 frames.
const MOVING: [(&str, u8); 3] = [("asl-ai", b'Z'), ("kevinjosethomas", b'J'), ("kevinjosethomas", b'Z')];

/// What a folder of sets holds.
#[derive(Debug, Clone)]
pub struct Data {
    /// Every label of the sets that are read, in natural order; a clip's `letter` is an index into it.
    pub labels: Vec<String>,
    /// The sets.
    pub signers: Vec<Signer>,
}

impl Data {
    /// The same clips under other labels, such as a model's; clips whose label is none of them are left out.
    pub fn relabelled(mut self, labels: &[String]) -> Self {
        let index = |letter: usize| labels.iter().position(|label| *label == self.labels[letter]);
        for signer in &mut self.signers {
            signer.clips.retain_mut(|clip| {
                let index = index(clip.letter);
                clip.letter = index.unwrap_or(clip.letter);
                index.is_some()
            });
        }
        Self { labels: labels.to_vec(), signers: self.signers }
    }
}

/// A to Z.
pub fn alphabet() -> Vec<String> {
    (0..LETTERS).map(|letter| name(letter).to_string()).collect()
}

/// A letter's label.
pub fn name(letter: usize) -> char {
    char::from(b'A' + letter as u8)
}

/// Reads every set of the folder's `full/` and `hands/`, less those named in `without`, and further people's from the `hands/`
/// of a second folder. One of the first two may be missing.
///
/// # Errors
/// A file that is missing or not as its README says.
pub fn read(directory: &Path, further: Option<&Path>, without: &[String]) -> Result<Data> {
    let full = directory.join("full");
    let folders: Vec<_> =
        [full.clone(), directory.join("hands")].into_iter().filter(|folder| folder.exists()).collect();
    ensure!(
        !folders.is_empty(),
        "{} has neither `full/` nor `hands/`: `dactyl-train extract` makes one",
        directory.display()
    );
    let mut sets = Vec::new();
    for folder in folders {
        sets.extend(
            sets_in(&folder, false).with_context(|| format!("{} can't be listed", folder.display()))?,
        );
    }
    if let Some(further) = further {
        let hands = further.join("hands");
        sets.extend(sets_in(&hands, true).with_context(|| {
            format!("{} can't be listed: `dactyl-train people` makes it", hands.display())
        })?);
    }
    sets.retain(|set| !without.contains(&set.name));
    ensure!(!sets.is_empty(), "{} holds no sets", directory.display());
    for (index, set) in sets.iter().enumerate() {
        if let Some(same) = sets[..index].iter().find(|other| other.name == set.name) {
            bail!("{} and {} have one name: rename one", same.path.display(), set.path.display());
        }
    }

    let unexpected = |path: &Path| format!("{} is not as expected", path.display());
    let mut labels = Vec::new();
    for Set { path, .. } in &sets {
        labels.extend(
            open(path)
                .and_then(|mut npz| keypoint_file::labels(&mut npz))
                .with_context(|| unexpected(path))?,
        );
    }
    labels.sort_by(|a, b| natural_order::compare(a, b));
    labels.dedup();
    let mut signers = Vec::new();
    for Set { path, name, is_further } in sets {
        let is_full = path.parent() == Some(&full);
        let clips =
            if is_full { read_full(&path, &name, &labels) } else { read_hands(&path, &name, &labels) };
        let clips = clips.with_context(|| unexpected(&path))?;
        signers.push(Signer { name, clips, is_further });
    }
    Ok(Data { labels, signers })
}

/// A file of one signer.
struct Set {
    path: PathBuf,
    name: String,
    is_further: bool,
}

fn sets_in(folder: &Path, is_further: bool) -> std::io::Result<Vec<Set>> {
    let entries = std::fs::read_dir(folder)?.map(|entry| Ok(entry?.path()));
    let mut paths = entries.collect::<std::io::Result<Vec<_>>>()?;
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "npz"));
    paths.sort();
    let set = |path: PathBuf| {
        let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        Set { path, name, is_further }
    };
    Ok(paths.into_iter().map(set).collect())
}

type Npz = NpzReader<File>;

fn open(path: &Path) -> Result<Npz> {
    Ok(NpzReader::new(File::open(path)?)?)
}

fn column<T: ReadableElement>(npz: &mut Npz, name: &str) -> Result<Array1<T>> {
    npz.by_name::<OwnedRepr<T>, Ix1>(name).with_context(|| format!("column {name}"))
}

fn landmarks(npz: &mut Npz, name: &str) -> Result<Array3<f32>> {
    npz.by_name::<OwnedRepr<f32>, Ix3>(name).with_context(|| format!("column {name}"))
}

fn index_of(labels: &[String], label: &str) -> Result<usize> {
    labels.iter().position(|known| known == label).with_context(|| format!("the label {label} is unknown"))
}

/// J and Z of the alphabet need their movement, which `moves` tells of; other signs are taken as they were recorded.
fn kind(labels: &[String], letter: usize, moves: impl FnOnce(u8) -> bool) -> Kind {
    if labels != alphabet() {
        Kind::Moving
    } else if letter != J && letter != Z {
        Kind::Still
    } else if moves(b'A' + letter as u8) {
        Kind::Moving
    } else {
        Kind::HeldShape
    }
}

fn is_wrong(name: &str, label: &str) -> bool {
    WRONG.iter().any(|(set, code, _)| *set == name && label.as_bytes() == [*code])
}

/// The label that a hand of a set should carry.
fn mended(name: &str, label: String) -> String {
    let exchanged = EXCHANGED.iter().find(|(set, _)| *set == name).map(|(_, letters)| *letters);
    match (exchanged, label.as_bytes()) {
        (Some([one, other]), [code]) if *code == one => char::from(other).to_string(),
        (Some([one, other]), [code]) if *code == other => char::from(one).to_string(),
        _ => label,
    }
}

/// Rows whose hand stands under several labels.
fn rows_under_several_labels(hands: &Array3<f32>, labels: &[String]) -> HashSet<usize> {
    let mut by_hand: HashMap<Vec<u32>, Vec<usize>> = HashMap::new();
    for (row, hand) in hands.outer_iter().enumerate() {
        by_hand.entry(hand.iter().map(|value| value.to_bits()).collect()).or_default().push(row);
    }
    let several = |rows: &Vec<usize>| rows.iter().any(|row| labels[*row] != labels[rows[0]]);
    by_hand.into_values().filter(several).flatten().collect()
}

fn hand(points: &Array3<f32>, row: usize, scale: [f32; 3]) -> Option<Hand> {
    let mut hand = [[0.0; 3]; 21];
    for (index, point) in hand.iter_mut().enumerate() {
        for axis in 0..3 {
            point[axis] = points[[row, index, axis]] * scale[axis];
        }
    }
    hand.iter().all(|point| point[0].is_finite() && point[1].is_finite()).then_some(hand)
}

/// Hand size in the hand's units.
pub fn size(hand: &Hand) -> f32 {
    features::size(&flat(hand))
}

/// The hand as the picture shows it.
pub fn flat(hand: &Hand) -> HandPoints {
    hand.map(|point| [point[0], point[1]])
}

/// Frame by frame, whole pictures. Repeated pictures are left out: a camera's repeats are no new frames.
fn read_full(path: &Path, name: &str, known: &[String]) -> Result<Vec<Clip>> {
    let mut npz = open(path)?;
    let left = landmarks(&mut npz, "left.npy")?;
    let right = landmarks(&mut npz, "right.npy")?;
    let labels = keypoint_file::labels(&mut npz)?;
    let sequences = column::<i32>(&mut npz, "sequence.npy")?;
    let duplicates = column::<u8>(&mut npz, "duplicate.npy")?;
    let size = column::<i32>(&mut npz, "size.npy")?;
    ensure!(size.len() == 2, "size has {} values", size.len());
    let rows = labels.len();
    for table in [&left, &right] {
        ensure!(table.shape() == [rows, 21, 3], "hands have the shape {:?}", table.shape());
    }
    let scale = [size[0] as f32, size[1] as f32, size[0] as f32];

    let mut clips = Vec::new();
    let mut start = 0;
    for end in 1..=rows {
        if end < rows && labels[end] == labels[start] && sequences[end] == sequences[start] {
            continue;
        }
        let label = &labels[start];
        let letter = index_of(known, label)?;
        let kept: Vec<usize> = (start..end).filter(|row| duplicates[*row] == 0).collect();
        start = end;
        if is_wrong(name, label) {
            continue;
        }
        let hands: Vec<[Option<Hand>; 2]> =
            kept.iter().map(|row| [hand(&left, *row, scale), hand(&right, *row, scale)]).collect();
        let observations: Vec<Observation> = hands
            .iter()
            .map(|[left, right]| Observation {
                left: left.as_ref().map(flat),
                right: right.as_ref().map(flat),
            })
            .collect();
        let side = features::signing_side(&observations);
        let mirrored = |hand: Option<Hand>| hand.map(|hand| hand.map(|[x, y, z]| [-x, y, z]));
        let (frames, other) = hands
            .into_iter()
            .map(|[left, right]| match side {
                Side::Right => (right, left),
                Side::Left => (mirrored(left), mirrored(right)),
            })
            .unzip();
        let kind = kind(known, letter, |code| !HELD.contains(&(name, code)));
        clips.push(Clip { letter, kind, frames, other, ordered: true });
    }
    Ok(clips)
}

/// Single hands, wrist at the origin. Their letters make one clip each, and so does every film.
fn read_hands(path: &Path, name: &str, known: &[String]) -> Result<Vec<Clip>> {
    let mut npz = open(path)?;
    let hands = landmarks(&mut npz, "hand.npy")?;
    let labels: Vec<String> =
        keypoint_file::labels(&mut npz)?.into_iter().map(|label| mended(name, label)).collect();
    let rows = labels.len();
    if hands.shape() != [rows, 21, 3] {
        bail!("hands have the shape {:?}", hands.shape());
    }
    let unclear = if UNDER_SEVERAL_LABELS.contains(&name) {
        rows_under_several_labels(&hands, &labels)
    } else {
        HashSet::new()
    };
    let names = npz.names()?;
    let has = |column: &str| names.iter().any(|name| name == column);
    // Few sets tell where the wrist was.
    let path = if has("wrist") {
        let path = npz.by_name::<OwnedRepr<f32>, ndarray::Ix2>("wrist.npy").context("column wrist")?;
        ensure!(path.len_of(Axis(0)) == rows && path.len_of(Axis(1)) == 2, "wrist has the wrong shape");
        Some(path)
    } else {
        None
    };
    let films = if has("sequence") { Some(column::<i32>(&mut npz, "sequence.npy")?) } else { None };
    ensure!(films.as_ref().is_none_or(|films| films.len() == rows), "sequence has the wrong length");
    let wider = ASPECT.iter().find(|(set, _)| *set == name).map_or(1.0, |(_, factor)| *factor);

    let mut clips: Vec<(Option<i32>, Clip)> = Vec::new();
    for (row, label) in labels.iter().enumerate() {
        if is_wrong(name, label) || unclear.contains(&row) {
            continue;
        }
        let letter = index_of(known, label)?;
        let Some(mut hand) = hand(&hands, row, [wider, 1.0, 1.0]) else { continue };
        if let Some(path) = &path {
            for point in &mut hand {
                point[0] += path[[row, 0]];
                point[1] += path[[row, 1]];
            }
        }
        let film = films.as_ref().map(|films| films[row]).filter(|film| *film >= 0);
        match clips.iter_mut().find(|(known, clip)| clip.letter == letter && *known == film) {
            Some((_, clip)) => clip.frames.push(Some(hand)),
            None => {
                let kind = kind(known, letter, |code| film.is_some() || MOVING.contains(&(name, code)));
                let ordered = if films.is_some() { film.is_some() } else { !PICTURES.contains(&name) };
                clips.push((
                    film,
                    Clip { letter, kind, frames: vec![Some(hand)], other: Vec::new(), ordered },
                ));
            }
        }
    }
    Ok(clips.into_iter().map(|(_, clip)| clip).collect())
}
