//! One tracker, from the networks' files to the landmarks of each picture.

use dactyl_holistic::keypoints::{FACE, LEFT_HAND, POSE, RIGHT_HAND};
use dactyl_holistic::{
    Cancel, Frame, FrameError, LoadError, Networks, Options, Parts, Profile, RgbFrame, RunError, Tracker,
};

/// The tracker can't be made, or has no landmarks of a picture.
#[derive(Debug, thiserror::Error)]
pub enum SessionError {
    /// There are seven networks.
    #[error("there is no network {0}: they are numbered from 0 to 6")]
    NoSuchNetwork(usize),
    /// A picture came before the start.
    #[error("nothing was started: pictures come after the start")]
    NotStarted,
    /// A file is missing, no network, or another one than was said.
    #[error(transparent)]
    Network(#[from] LoadError),
    /// The picture's sizes contradict each other.
    #[error(transparent)]
    Picture(#[from] FrameError),
    /// A network did not run.
    #[error(transparent)]
    Run(#[from] RunError),
}

/// A tracker and what it is made of.
#[derive(Default)]
pub struct Session {
    /// Content of [`Networks::files`].
    files: [Option<Vec<u8>>; 7],
    networks: Option<Networks>,
    tracker: Option<Tracker>,
    rgb: Vec<u8>,
    landmarks: Vec<f32>,
}

impl Session {
    /// Takes the content of a file of [`Networks::files`].
    ///
    /// # Errors
    /// [`SessionError::NoSuchNetwork`] if there are fewer files.
    pub fn add_network(&mut self, index: usize, content: Vec<u8>) -> Result<(), SessionError> {
        let file = self.files.get_mut(index).ok_or(SessionError::NoSuchNetwork(index))?;
        *file = Some(content);
        Ok(())
    }

    /// Makes a tracker that has seen nothing, of the networks that were handed over; later starts use the same ones.
    ///
    /// # Errors
    /// [`SessionError`] if one is missing or can't be computed.
    pub fn start(&mut self, profile: Profile) -> Result<(), SessionError> {
        let networks = match &self.networks {
            Some(networks) => networks.clone(),
            None => self.networks.insert(load(&self.files)?).clone(),
        };
        // They are in the networks.
        self.files = [const { None }; 7];
        self.tracker = Some(Tracker::new(networks, Options { profile, ..Options::default() }));
        Ok(())
    }

    /// Finds the landmarks of the next picture, in [`Self::landmarks`] afterwards. `rgba` holds `width` x `height` pixels of 8-bit
    /// red, green, blue and alpha, which is not looked at, row by row from the top; `time` is in microseconds and drives the
    /// smoothing filters.
    ///
    /// # Errors
    /// [`SessionError`] if nothing was started, or the picture has another size than was said.
    pub fn track(&mut self, rgba: &[u8], width: u32, height: u32, time: i64) -> Result<(), SessionError> {
        let tracker = self.tracker.as_mut().ok_or(SessionError::NotStarted)?;
        self.rgb.clear();
        self.rgb.extend(rgba.as_chunks::<4>().0.iter().flat_map(|&[red, green, blue, _]| [red, green, blue]));
        let frame = RgbFrame::new(&self.rgb, width, height, width as usize * 3)?;
        let frame = tracker.process(&frame, time, &Cancel::new())?;
        write(&frame, &mut self.landmarks);
        Ok(())
    }

    /// Of the last picture: whether body, left hand, right hand and face were found and whether a hand was found without a body,
    /// each 0 or 1; then x, y, z and visibility of 33 landmarks of the body, 21 of each hand and 468 of the face, as
    /// [`dactyl_holistic::keypoints::Landmark`] has them. Empty before the first picture.
    pub fn landmarks(&self) -> &[f32] {
        &self.landmarks
    }

    /// Forgets the person that was followed.
    pub fn reset(&mut self) {
        if let Some(tracker) = &mut self.tracker {
            tracker.reset();
        }
    }
}

/// The networks of all files.
fn load(files: &[Option<Vec<u8>>; 7]) -> Result<Networks, SessionError> {
    let names = Networks::files();
    let networks = Networks::from_bytes(Parts::ALL, |name| {
        let index = names.iter().position(|known| known == name);
        let content = index.and_then(|index| files[index].as_deref());
        let cause = "it was not handed over before the start";
        content.ok_or_else(|| LoadError::Read { file: name.to_owned(), cause: cause.to_owned() })
    })?;
    Ok(networks)
}

/// Writes what [`Session::landmarks`] gives.
fn write(frame: &Frame, values: &mut Vec<f32>) {
    let parts = [POSE, LEFT_HAND, RIGHT_HAND, FACE];
    values.clear();
    let found = parts.clone().map(|part| frame.keypoints.is_present(part));
    values.extend(found.into_iter().chain([frame.is_hand_alone]).map(f32::from));
    for part in parts {
        values.extend(frame.keypoints.part(part).as_flattened());
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    const SIDE: u32 = 64;

    fn picture() -> Vec<u8> {
        (0..SIDE * SIDE * 4).map(|value| (value % 251) as u8).collect()
    }

    /// With the networks that set-up fetches.
    fn session() -> Session {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../.cache/models");
        let mut session = Session::default();
        for (index, name) in Networks::files().iter().enumerate() {
            let content =
                std::fs::read(folder.join(name)).expect("set-up fetches the networks: run make test");
            session.add_network(index, content).unwrap();
        }
        session
    }

    #[test]
    fn what_is_missing_is_named() {
        let mut session = Session::default();
        let error = session.track(&picture(), SIDE, SIDE, 0).unwrap_err();
        assert_eq!(error.to_string(), "nothing was started: pictures come after the start");
        assert!(matches!(session.add_network(7, Vec::new()), Err(SessionError::NoSuchNetwork(7))));
        let error = session.start(Profile::Fast).unwrap_err().to_string();
        assert!(
            error.starts_with("tflite/pose_detection.tflite can't be read: it was not handed over"),
            "{error}"
        );
        session.add_network(0, Vec::new()).unwrap();
        let error = session.start(Profile::Fast).unwrap_err().to_string();
        assert!(error.starts_with("tflite/pose_detection.tflite can't be computed"), "{error}");
    }

    #[test]
    fn a_damaged_network_is_named_and_can_be_handed_over_again() {
        let mut session = session();
        let good = session.files[3].replace(vec![0; 100]);
        let error = session.start(Profile::Fast).unwrap_err().to_string();
        assert!(error.contains("tflite/hand_recrop.tflite"), "{error}");
        session.add_network(3, good.unwrap()).unwrap();
        session.start(Profile::Fast).unwrap();
    }

    #[test]
    fn a_picture_of_another_size_is_an_error_and_the_next_one_is_tracked() {
        let mut session = session();
        session.start(Profile::Exact).unwrap();
        assert!(matches!(session.track(&picture(), SIDE, SIDE + 1, 0), Err(SessionError::Picture(_))));
        assert!(matches!(session.track(&[], 0, 0, 0), Err(SessionError::Picture(_))));
        session.track(&picture(), SIDE, SIDE, 33_333).unwrap();
        assert_eq!(session.landmarks().len(), 5 + 543 * 4);
        assert_eq!(session.landmarks()[..5], [0.0; 5], "noise is nobody");
        session.reset();
        session.start(Profile::Fast).unwrap();
        session.track(&picture(), SIDE, SIDE, 0).unwrap();
    }

    #[test]
    fn parts_come_in_their_order() {
        let mut values = Vec::new();
        let mut keypoints = dactyl_holistic::keypoints::Keypoints::absent();
        keypoints.part_mut(RIGHT_HAND).fill([1.0, 2.0, 3.0, 0.0]);
        let trace = dactyl_holistic::Trace::default();
        write(&Frame { keypoints, world: None, is_hand_alone: true, trace }, &mut values);
        assert_eq!(values[..5], [0.0, 0.0, 1.0, 0.0, 1.0]);
        let right = 5 + (33 + 21) * 4;
        assert!(values[right - 1].is_nan());
        assert_eq!(values[right..right + 4], [1.0, 2.0, 3.0, 0.0]);
        assert!(values[right + 21 * 4].is_nan());
    }
}
