//! The keypoint sets as clips of one signer's hand.

use std::collections::{HashMap, HashSet};
use std::fs::File;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use dactyl_config::natural_order;
use dactyl_letters::features::{self, HandPoints, Observation, Side};
use ndarray::{Array1, Array3, Axis, Ix1, Ix3, OwnedRepr};
use ndarray_npy::{NpzReader, ReadableElement};

use crate::keypoint_file;
use crate::notes::{Note, Notes};

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
/// Index behind the labels: a hand that shows none of them.
pub const OTHER: usize = LETTERS;

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

/// What somebody shows that is no letter.
#[derive(Debug, Clone)]
pub struct OtherSign {
    /// What its file calls it.
    pub label: String,
    /// The clip; its `letter` is [`OTHER`].
    pub clip: Clip,
}

/// One public set: one person (a few, in two of them).
#[derive(Debug, Clone, Default)]
pub struct Signer {
    /// Name of the file.
    pub name: String,
    /// The clips.
    pub clips: Vec<Clip>,
    /// Clips of what is no letter, and has no letter's shape.
    pub others: Vec<OtherSign>,
    /// People that it shows, about: 0 counts as 1.
    pub people: usize,
    /// Whether it came from the second folder: trained on, but counted by itself.
    pub is_further: bool,
}

/// What a folder of sets holds.
#[derive(Debug, Clone)]
pub struct Data {
    /// Every label of the sets that are read, in natural order; a clip's `letter` is an index into it.
    pub labels: Vec<String>,
    /// The sets.
    pub signers: Vec<Signer>,
}

impl Data {
    /// Whether somebody shows hands that show none of the labels.
    pub fn knows_others(&self) -> bool {
        self.signers.iter().any(|signer| !signer.others.is_empty())
    }

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
/// of a second folder. One of the first two may be missing. What they show that is no letter lies in `other/` of both, in files of
/// the same names, perhaps with `_other` behind them, or of people who show no letters; `labels.toml` says which of it has a
/// letter's shape and is left out.
///
/// # Errors
/// A file that is missing or not as its README says, or an `other/` beside other labels than the alphabet's.
pub fn read(directory: &Path, further: Option<&Path>, without: &[String]) -> Result<Data> {
    let folders: Vec<_> = ["full", "hands"]
        .map(|folder| directory.join(folder))
        .into_iter()
        .filter(|folder| folder.exists())
        .collect();
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
    let notes = Notes::read()?;
    let mut signers = Vec::new();
    for Set { path, name, is_further } in sets {
        let note = notes.of(&name);
        let clips = read_clips(&path, &note, &labels).with_context(|| unexpected(&path))?;
        signers.push(Signer { name, clips, others: Vec::new(), people: note.people, is_further });
    }
    for (folder, is_further) in [(Some(directory), false), (further, true)] {
        let Some(folder) = folder.map(|folder| folder.join("other")).filter(|folder| folder.exists()) else {
            continue;
        };
        ensure!(
            labels == alphabet(),
            "{} is there, but what is none of the labels is learnt beside all letters A to Z alone",
            folder.display()
        );
        let sets = sets_in(&folder, is_further);
        for Set { path, name, .. } in sets.with_context(|| format!("{} can't be listed", folder.display()))? {
            let name = name.strip_suffix("_other").unwrap_or(&name).to_owned();
            if without.contains(&name) {
                continue;
            }
            let others = read_others(&path, &notes.of(&name)).with_context(|| unexpected(&path))?;
            match signers.iter_mut().find(|signer| signer.name == name) {
                Some(signer) => signer.others.extend(others),
                None => signers.push(Signer { name, others, is_further, ..Signer::default() }),
            }
        }
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
fn kind(labels: &[String], letter: usize, moves: impl FnOnce(&str) -> bool) -> Kind {
    if labels != alphabet() {
        Kind::Moving
    } else if letter != J && letter != Z {
        Kind::Still
    } else if moves(&labels[letter]) {
        Kind::Moving
    } else {
        Kind::HeldShape
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

/// The clips of a file, of whole people or of single hands.
fn read_clips(path: &Path, note: &Note, known: &[String]) -> Result<Vec<Clip>> {
    let mut npz = open(path)?;
    if has(&mut npz, "hand")? { read_hands(npz, note, known) } else { read_full(npz, note, known) }
}

/// What a file shows that is no letter.
fn read_others(path: &Path, note: &Note) -> Result<Vec<OtherSign>> {
    let mut labels = keypoint_file::labels(&mut open(path)?)?;
    labels.sort();
    labels.dedup();
    let others = read_clips(path, note, &labels)?.into_iter().map(|clip| OtherSign {
        label: labels[clip.letter].clone(),
        clip: Clip { letter: OTHER, kind: Kind::Still, ..clip },
    });
    Ok(others.collect())
}

fn has(npz: &mut Npz, column: &str) -> Result<bool> {
    Ok(npz.names()?.iter().any(|name| name == column))
}

/// Frame by frame, whole pictures. Repeated pictures are left out: a camera's repeats are no new frames.
fn read_full(mut npz: Npz, note: &Note, known: &[String]) -> Result<Vec<Clip>> {
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
        if note.is_left_out(label) {
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
        let kind = kind(known, letter, |letter| note.recording_moves(letter));
        clips.push(Clip { letter, kind, frames, other, ordered: true });
    }
    Ok(clips)
}

/// Single hands, wrist at the origin. Their letters make one clip each, and so does every film.
fn read_hands(mut npz: Npz, note: &Note, known: &[String]) -> Result<Vec<Clip>> {
    let hands = landmarks(&mut npz, "hand.npy")?;
    let labels: Vec<String> =
        keypoint_file::labels(&mut npz)?.into_iter().map(|label| note.mended(label)).collect();
    let rows = labels.len();
    if hands.shape() != [rows, 21, 3] {
        bail!("hands have the shape {:?}", hands.shape());
    }
    let unclear =
        if note.hands_under_one_label { rows_under_several_labels(&hands, &labels) } else { HashSet::new() };
    // Few sets tell where the wrist was.
    let path = if has(&mut npz, "wrist")? {
        let path = npz.by_name::<OwnedRepr<f32>, ndarray::Ix2>("wrist.npy").context("column wrist")?;
        ensure!(path.len_of(Axis(0)) == rows && path.len_of(Axis(1)) == 2, "wrist has the wrong shape");
        Some(path)
    } else {
        None
    };
    let films =
        if has(&mut npz, "sequence")? { Some(column::<i32>(&mut npz, "sequence.npy")?) } else { None };
    ensure!(films.as_ref().is_none_or(|films| films.len() == rows), "sequence has the wrong length");
    let wider = note.stretch();

    let mut clips: Vec<(Option<i32>, Clip)> = Vec::new();
    for (row, label) in labels.iter().enumerate() {
        if note.is_left_out(label) || unclear.contains(&row) {
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
                let kind = kind(known, letter, |letter| film.is_some() || note.hands_move(letter));
                let ordered = if films.is_some() { film.is_some() } else { !note.pictures };
                clips.push((
                    film,
                    Clip { letter, kind, frames: vec![Some(hand)], other: Vec::new(), ordered },
                ));
            }
        }
    }
    Ok(clips.into_iter().map(|(_, clip)| clip).collect())
}
