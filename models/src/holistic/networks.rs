//! The six networks, shared by all trackers of the process.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use dactyl_config::Part;

use crate::runtime::{LoadError, Network, TensorInfo};

/// Which networks run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Parts {
    /// Both hands.
    pub hands: bool,
    /// The face.
    pub face: bool,
}

impl Parts {
    /// Pose, hands and face.
    pub const ALL: Self = Self { hands: true, face: true };
}

impl From<&[Part]> for Parts {
    /// The pose always runs: hands and face start from it.
    fn from(parts: &[Part]) -> Self {
        Self { hands: parts.contains(&Part::Hands), face: parts.contains(&Part::Face) }
    }
}

/// Networks in memory. Clones and other trackers' networks from the same files are the same ones.
#[derive(Debug, Clone)]
pub struct Networks {
    pub(super) pose_detection: Arc<Network>,
    pub(super) pose_landmark: Arc<Network>,
    pub(super) hands: Option<HandNetworks>,
    pub(super) face: Option<FaceNetworks>,
}

/// The networks of the hands.
#[derive(Debug, Clone)]
pub struct HandNetworks {
    pub(super) recrop: Arc<Network>,
    pub(super) landmark: Arc<Network>,
}

/// The networks of the face.
#[derive(Debug, Clone)]
pub struct FaceNetworks {
    pub(super) detection: Arc<Network>,
    pub(super) landmark: Arc<Network>,
}

impl Networks {
    /// The networks in `directory`, as set-up imports them. Those that are in memory already are taken from there.
    ///
    /// # Errors
    /// [`LoadError`] if a file is missing, is no network or has other inputs and outputs than it should.
    pub fn load(directory: &Path, parts: Parts) -> Result<Self, LoadError> {
        let hands = || {
            Ok::<_, LoadError>(HandNetworks {
                recrop: shared(directory, "hand_recrop", 256 * 256 * 3, &[4])?,
                landmark: shared(directory, "hand_landmark", 224 * 224 * 3, &[63, 1, 1, 63])?,
            })
        };
        let face = || {
            Ok::<_, LoadError>(FaceNetworks {
                detection: shared(directory, "face_detection", 128 * 128 * 3, &[896 * 16, 896])?,
                landmark: shared(directory, "face_landmark", 192 * 192 * 3, &[1404, 1])?,
            })
        };
        Ok(Self {
            pose_detection: shared(directory, "pose_detection", 224 * 224 * 3, &[2254 * 12, 2254])?,
            pose_landmark: shared(directory, "pose_landmark", 256 * 256 * 3, &[195, 1, 64 * 64 * 39, 117])?,
            hands: parts.hands.then(hands).transpose()?,
            face: parts.face.then(face).transpose()?,
        })
    }
}

/// The network of that name with one input of `input` values and outputs of `outputs` values.
fn shared(directory: &Path, name: &str, input: usize, outputs: &[usize]) -> Result<Arc<Network>, LoadError> {
    static LOADED: Mutex<Option<HashMap<PathBuf, Weak<Network>>>> = Mutex::new(None);

    let path = directory.join(format!("{name}.onnx"));
    // Held while loading, so that two streams that start together load a network once.
    let mut loaded = LOADED.lock().unwrap_or_else(PoisonError::into_inner);
    let loaded = loaded.get_or_insert_default();
    if let Some(network) = loaded.get(&path).and_then(Weak::upgrade) {
        return Ok(network);
    }
    let network = Network::from_file(&path)?;
    let found_inputs: Vec<_> = network.inputs().iter().map(TensorInfo::values).collect();
    let found_outputs: Vec<_> = network.outputs().iter().map(TensorInfo::values).collect();
    if found_inputs != [input] || found_outputs != outputs {
        return Err(LoadError::Network {
            name: path.display().to_string(),
            cause: format!(
                "its inputs hold {found_inputs:?} values and its outputs {found_outputs:?}, not {:?} and {outputs:?}; \
                 run `dactyl models fetch` to import it anew",
                [input]
            ),
        });
    }
    let network = Arc::new(network);
    loaded.insert(path, Arc::downgrade(&network));
    Ok(network)
}
