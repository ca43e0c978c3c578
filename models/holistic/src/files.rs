//! Networks of a folder, in memory once in a process.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use crate::networks::{LoadError, NamedNetwork, Networks, Parts};

impl Networks {
    /// The networks in `directory`, which holds [`Networks::files`]. Those that are in memory already are taken from there.
    ///
    /// # Errors
    /// [`LoadError`] if the processor cannot run them, or a file is missing, is no network or is another one.
    pub fn load(directory: &Path, parts: Parts) -> Result<Self, LoadError> {
        static LOADED: Mutex<Option<HashMap<PathBuf, Weak<NamedNetwork>>>> = Mutex::new(None);

        // Held while loading, so that two streams that start together load a network once.
        let mut loaded = LOADED.lock().unwrap_or_else(PoisonError::into_inner);
        let loaded = loaded.get_or_insert_default();
        Self::assemble(parts, |model| {
            let path = directory.join(model.file());
            if let Some(network) = loaded.get(&path).and_then(Weak::upgrade) {
                return Ok(network);
            }
            let bytes = std::fs::read(&path).map_err(|error| LoadError::Read {
                file: path.display().to_string(),
                cause: error.to_string(),
            })?;
            let network = Arc::new(model.parse(&bytes)?);
            loaded.insert(path, Arc::downgrade(&network));
            Ok(network)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::folder;

    #[test]
    fn every_network_that_is_loaded_can_be_warmed() {
        for parts in [Parts::ALL, Parts { hands: false, hands_alone: false, face: false }] {
            Networks::load(&folder(), parts).unwrap().warm().unwrap();
        }
    }

    #[test]
    fn a_network_is_in_memory_once() {
        let [one, other] = [Parts::ALL, Parts { face: false, ..Parts::HOLISTIC }]
            .map(|parts| Networks::load(&folder(), parts).unwrap());
        assert!(Arc::ptr_eq(&one.pose_landmark, &other.pose_landmark));
        assert!(other.face.is_none());
        assert!(other.hands.is_some_and(|hands| hands.palm.is_none()));
    }

    #[test]
    fn a_file_of_another_network_is_refused_by_name() {
        let read = |file: &str| std::fs::read(folder().join(file)).unwrap();
        assert_eq!(Networks::check("tflite/hand_recrop.tflite", &read("tflite/hand_recrop.tflite")), Ok(()));
        let refused =
            Networks::check("tflite/hand_landmark.tflite", &read("tflite/hand_recrop.tflite")).unwrap_err();
        assert!(
            matches!(&refused, LoadError::Shape { file, .. } if file == "tflite/hand_landmark.tflite"),
            "{refused}"
        );
        let missing = Networks::load(Path::new("nowhere"), Parts::ALL).unwrap_err().to_string();
        assert!(missing.contains("nowhere/tflite/pose_detection.tflite"), "{missing}");
    }
}
