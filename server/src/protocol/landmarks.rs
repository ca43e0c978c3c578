//! Landmarks in a client's message. What is wrong with them costs that frame and nothing else: they are read to their end,
//! so that the letter beside them counts, and the first problem is told with its place.

use std::borrow::Cow;
use std::cell::OnceCell;
use std::fmt;
use std::ops::Range;

use dactyl_holistic::keypoints::{FACE, Keypoints, LEFT_HAND, Landmark, POSE, RIGHT_HAND};
use gstdactyl::jpeg::MAX_SIDE;
use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess};

use super::found::{Contents, Finder, Found, Nothing};
use super::refusal::{ErrorCode, Refusal};
use super::words::{HEIGHT, LANDMARKS, WIDTH};

/// Landmarks that a client has found, and the size of the picture that they are shares of.
#[derive(Debug, Clone, PartialEq)]
pub struct Landmarks {
    /// Every coordinate of a part that was sent is finite; the other parts are absent.
    pub keypoints: Keypoints,
    /// Width of the picture in pixels, 1 to [`MAX_SIDE`].
    pub width: u32,
    /// Height of the picture in pixels, 1 to [`MAX_SIDE`].
    pub height: u32,
}

/// The parts by their keys.
const PARTS: [(&str, Range<usize>); 4] =
    [("left_hand", LEFT_HAND), ("right_hand", RIGHT_HAND), ("pose", POSE), ("face", FACE)];
/// Number of the frame, which `?extras=landmarks` tells among the parts: what it sends may be sent back as it is.
const FRAME: &str = "frame";
/// The numbers of a landmark. The last one may be missing, and is 0 then.
const AXES: [&str; 4] = ["x", "y", "z", "visibility"];
/// Parts outside of the picture are guessed to lie some widths from it. Coordinates in pixels lie farther.
const FARTHEST: f64 = 100.0;

/// What a key says: nothing, or something, or what is wrong with it.
pub(super) type Said<Value> = Option<Result<Value, Refusal>>;

/// What the keys of a message say of landmarks.
pub(super) fn combine(keypoints: Said<Keypoints>, width: Said<u32>, height: Said<u32>) -> Said<Landmarks> {
    let side = |said: Said<u32>, key| {
        said.unwrap_or_else(|| {
            let cure = "send the size of the picture in pixels";
            Err(bad(format!("{key:?} is missing beside {LANDMARKS:?}: {cure}")))
        })
    };
    let keypoints = keypoints?;
    Some(keypoints.and_then(|keypoints| {
        Ok(Landmarks { keypoints, width: side(width, WIDTH)?, height: side(height, HEIGHT)? })
    }))
}

fn bad(message: String) -> Refusal {
    Refusal::new(ErrorCode::BadLandmarks, message)
}

/// Reads a side of the picture; holds its key.
pub(super) struct Side(pub(super) &'static str);

impl<'de> DeserializeSeed<'de> for Side {
    type Value = Said<u32>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        Ok(match Finder::new(Nothing).deserialize(deserializer)? {
            Found::Null => None,
            Found::Number(pixels)
                if pixels.fract() == 0.0 && (1.0..=f64::from(MAX_SIDE)).contains(&pixels) =>
            {
                Some(Ok(pixels as u32))
            }
            found => {
                let cure = format!("send a whole number of pixels from 1 to {MAX_SIDE}");
                Some(Err(bad(format!("{:?} is {found}: {cure}", self.0))))
            }
        })
    }
}

/// What is wrong.
struct Report {
    /// That of a message which is not of the right shape.
    code: ErrorCode,
    /// The first problem in spite of which the message can be read on.
    bad: OnceCell<Refusal>,
    /// Why it can't.
    unreadable: OnceCell<Refusal>,
}

impl Report {
    fn say(&self, message: String) {
        self.bad.get_or_init(|| bad(message));
    }

    fn stop<E: Error>(&self, refusal: Refusal) -> E {
        self.unreadable.get_or_init(|| refusal);
        E::custom("refused")
    }
}

/// Reads the value of `landmarks`.
pub(super) struct Parts<'a> {
    /// That of a message which is not of the right shape.
    pub(super) code: ErrorCode,
    /// Why nothing more of the message can be read.
    pub(super) problem: &'a mut Option<Refusal>,
}

impl<'de> DeserializeSeed<'de> for Parts<'_> {
    type Value = Said<Keypoints>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        let report = Report { code: self.code, bad: OnceCell::new(), unreadable: OnceCell::new() };
        let found = Finder::new(Keys(&report)).deserialize(deserializer);
        if let Some(refusal) = report.unreadable.into_inner() {
            *self.problem = Some(refusal);
        }
        let keypoints = match found? {
            Found::Null => return Ok(None),
            Found::Object(keypoints) => keypoints,
            found => {
                let cure =
                    r#"send {"left_hand": null, "right_hand": [[x, y, z], ...], "pose": null, "face": null}"#;
                return Ok(Some(Err(bad(format!("{LANDMARKS:?} is {found}: {cure}")))));
            }
        };
        Ok(match report.bad.into_inner() {
            None => keypoints.map(Ok),
            Some(refusal) => Some(Err(refusal)),
        })
    }
}

/// The parts of one frame.
struct Keys<'a>(&'a Report);

impl<'de> Contents<'de> for Keys<'_> {
    type Content = Option<Keypoints>;

    fn object<A: MapAccess<'de>>(self, mut entries: A) -> Result<Self::Content, A::Error> {
        let Self(report) = self;
        let mut keypoints = Keypoints::absent();
        let mut came = [false; PARTS.len()];
        while let Some(key) = entries.next_key::<Cow<'de, str>>()? {
            if key == FRAME {
                entries.next_value::<IgnoredAny>()?;
                continue;
            }
            let known = PARTS.into_iter().zip(&mut came).find(|((part, _), _)| *part == key);
            let Some(((part, range), came)) = known else {
                return Err(report.stop(Refusal::unknown_key(&key, &PARTS.map(|(part, _)| part))));
            };
            if std::mem::replace(came, true) {
                return Err(report.stop(Refusal::twice(report.code, part)));
            }
            let landmarks = keypoints.part_mut(range);
            entries.next_value_seed(Part { part, landmarks, report })?;
        }
        Ok(Some(keypoints))
    }
}

/// The landmarks of one part, in a list or packed.
struct Part<'a> {
    part: &'static str,
    landmarks: &'a mut [Landmark],
    report: &'a Report,
}

impl<'de> DeserializeSeed<'de> for Part<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(mut self, deserializer: D) -> Result<Self::Value, D::Error> {
        match Finder::new(&mut self).deserialize(deserializer)? {
            Found::Null | Found::List(()) => {}
            Found::Bytes(bytes) => self.unpack(&bytes),
            // msgpackr writes the kind of a typed array before its bytes.
            Found::Extension(bytes) if bytes.len() % size_of::<f32>() == 1 => self.unpack(&bytes[1..]),
            Found::Extension(bytes) => self.unpack(&bytes),
            found => {
                let cure = format!("send a list of {} landmarks [x, y, z]", self.landmarks.len());
                self.report.say(format!("{} is {found}: {cure}, or null if it was not found", self.part));
            }
        }
        Ok(())
    }
}

impl<'de> Contents<'de> for &mut Part<'_> {
    type Content = ();

    fn list<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        let Part { part, landmarks, report } = self;
        let (part, report) = (*part, *report);
        let mut count = 0;
        let mut beyond = Landmark::default();
        loop {
            let landmark = landmarks.get_mut(count).unwrap_or(&mut beyond);
            let place = Place { part, landmark: count, axis: 0 };
            if items.next_element_seed(Axes { place, landmark, report })?.is_none() {
                break;
            }
            count += 1;
        }
        let wanted = landmarks.len();
        if count != wanted {
            report.say(format!("{part} has {count} landmarks: send {wanted}, or null if it was not found"));
        }
        Ok(())
    }
}

impl Part<'_> {
    /// float32 little-endian, three or four of them a landmark.
    fn unpack(&mut self, bytes: &[u8]) {
        let Self { part, landmarks, report } = self;
        let part = *part;
        let [short, long] = [AXES.len() - 1, AXES.len()].map(|axes| axes * size_of::<f32>());
        let Some(size) = [short, long].into_iter().find(|size| landmarks.len() * size == bytes.len()) else {
            let [short, long] = [short, long].map(|size| landmarks.len() * size);
            let cure = format!("send {short} (x, y, z as float32, little-endian) or {long} (visibility too)");
            return report.say(format!("{part} has {} bytes: {cure}", bytes.len()));
        };
        for (index, (landmark, bytes)) in landmarks.iter_mut().zip(bytes.chunks_exact(size)).enumerate() {
            *landmark = Landmark::default();
            for (axis, value) in bytes.chunks_exact(size_of::<f32>()).enumerate() {
                let value = f32::from_le_bytes([value[0], value[1], value[2], value[3]]);
                Place { part, landmark: index, axis }.put(value.into(), landmark, report);
            }
        }
    }
}

/// Where a number stands: `right_hand[7].y`.
#[derive(Clone, Copy)]
struct Place {
    part: &'static str,
    landmark: usize,
    axis: usize,
}

impl fmt::Display for Place {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}[{}].{}", self.part, self.landmark, AXES[self.axis])
    }
}

impl Place {
    fn put(self, value: f64, landmark: &mut Landmark, report: &Report) {
        let is_visibility = self.axis == AXES.len() - 1;
        let possible = if is_visibility { 0.0..=1.0 } else { -FARTHEST..=FARTHEST };
        if !value.is_finite() {
            report.say(self.is_not_finite());
        } else if possible.contains(&value) {
            landmark[self.axis] = value as f32;
        } else {
            let cure = match is_visibility {
                true => "leave it out if it is not known",
                false => "send shares of the picture: pixels of x and z by its width, of y by its height",
            };
            let (least, most) = possible.into_inner();
            report.say(format!("{self} is {value:?}, beyond {least} to {most}: {cure}"));
        }
    }

    fn is_not_finite(self) -> String {
        format!("{self} is not a finite number: send null for a part that was not found")
    }
}

/// One landmark, `[x, y, z]` or `[x, y, z, visibility]`.
struct Axes<'a> {
    place: Place,
    landmark: &'a mut Landmark,
    report: &'a Report,
}

impl<'de> DeserializeSeed<'de> for Axes<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(mut self, deserializer: D) -> Result<Self::Value, D::Error> {
        match Finder::new(&mut self).deserialize(deserializer)? {
            Found::List(()) => {}
            found => {
                let Place { part, landmark, .. } = self.place;
                self.report.say(format!("{part}[{landmark}] is {found}: send [x, y, z]"));
            }
        }
        Ok(())
    }
}

impl<'de> Contents<'de> for &mut Axes<'_> {
    type Content = ();

    fn list<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        let Axes { place, landmark, report } = self;
        let report = *report;
        **landmark = Landmark::default();
        let mut count = 0;
        while count < AXES.len() {
            let place = Place { axis: count, ..*place };
            match items.next_element_seed(Coordinate { place, report })? {
                None => break,
                Some(value) => value.into_iter().for_each(|value| place.put(value, landmark, report)),
            }
            count += 1;
        }
        while items.next_element::<IgnoredAny>()?.is_some() {
            count += 1;
        }
        if count + 1 != AXES.len() && count != AXES.len() {
            let Place { part, landmark, .. } = place;
            let cure = "send [x, y, z] or [x, y, z, visibility]";
            report.say(format!("{part}[{landmark}] has {count} numbers: {cure}"));
        }
        Ok(())
    }
}

/// One number; `None` of what is none.
struct Coordinate<'a> {
    place: Place,
    report: &'a Report,
}

impl<'de> DeserializeSeed<'de> for Coordinate<'_> {
    type Value = Option<f64>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        let Self { place, report } = self;
        match Finder::new(Nothing).deserialize(deserializer) {
            Ok(Found::Number(value)) => return Ok(Some(value)),
            // JavaScript writes NaN and infinities so.
            Ok(Found::Null) => report.say(place.is_not_finite()),
            Ok(found) => report.say(format!("{place} is {found}: send a number")),
            Err(error) => {
                // JSON has no words for them; Python writes them all the same.
                if report.code == ErrorCode::BadJson {
                    report.unreadable.get_or_init(|| bad(place.is_not_finite()));
                }
                return Err(error);
            }
        }
        Ok(None)
    }
}

#[cfg(test)]
mod tests;
