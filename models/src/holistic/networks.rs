//! The six networks, shared by all trackers of the process.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use dactyl_config::Part;

use crate::convnet;
use crate::runtime::{Cancel, LoadError, Network, RunError, TensorInfo, has_vnni};

use super::tracker::Profile;

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
        Self::load_for(Profile::Exact, directory, parts)
    }

    /// As [`Self::load`]. The hand network of the fast profile has 8-bit integers if the processor is fast with them.
    ///
    /// # Errors
    /// As [`Self::load`].
    pub fn load_for(profile: Profile, directory: &Path, parts: Parts) -> Result<Self, LoadError> {
        let hand = match profile {
            Profile::Fast if has_vnni() => "hand_landmark.int8",
            Profile::Exact | Profile::Fast => "hand_landmark",
        };
        let hands = || {
            Ok::<_, LoadError>(HandNetworks {
                recrop: shared(directory, "hand_recrop", 256 * 256 * 3, &[4])?,
                landmark: shared(directory, hand, 224 * 224 * 3, &[63, 1, 1, 63])?,
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

    /// Runs every network once on a black picture: the first run takes the memory that lies between the layers, and is
    /// slower than the others.
    ///
    /// # Errors
    /// [`RunError`] if ONNX Runtime fails.
    pub fn warm(&self) -> Result<(), RunError> {
        let hands = self.hands.iter().flat_map(|hands| [&hands.recrop, &hands.landmark]);
        let face = self.face.iter().flat_map(|face| [&face.detection, &face.landmark]);
        for network in [&self.pose_detection, &self.pose_landmark].into_iter().chain(hands).chain(face) {
            let zeros = |tensors: &[TensorInfo]| -> Vec<Vec<f32>> {
                tensors.iter().map(|tensor| vec![0.0; tensor.values()]).collect()
            };
            let (inputs, mut outputs) = (zeros(network.inputs()), zeros(network.outputs()));
            let inputs: Vec<&[f32]> = inputs.iter().map(Vec::as_slice).collect();
            let mut outputs: Vec<&mut [f32]> = outputs.iter_mut().map(Vec::as_mut_slice).collect();
            network.run(&inputs, &mut outputs, &Cancel::new())?;
        }
        Ok(())
    }
}

/// Whether a network runs on our own kernels, which compute to the last bit what MediaPipe computes: if the processor has
/// vectors and the network is not quantised.
fn has_kernels(name: &str) -> bool {
    convnet::is_fast() && !name.ends_with(".int8")
}

/// The file of a network in set-up's folder, in the form that runs here.
fn network_file(directory: &Path, name: &str) -> PathBuf {
    directory.join(if has_kernels(name) { format!("tflite/{name}.tflite") } else { format!("{name}.onnx") })
}

/// The network of that name with one input of `input` values and outputs of `outputs` values.
fn shared(directory: &Path, name: &str, input: usize, outputs: &[usize]) -> Result<Arc<Network>, LoadError> {
    static LOADED: Mutex<Option<HashMap<PathBuf, Weak<Network>>>> = Mutex::new(None);

    let path = network_file(directory, name);
    // Held while loading, so that two streams that start together load a network once.
    let mut loaded = LOADED.lock().unwrap_or_else(PoisonError::into_inner);
    let loaded = loaded.get_or_insert_default();
    if let Some(network) = loaded.get(&path).and_then(Weak::upgrade) {
        return Ok(network);
    }
    let network = if has_kernels(name) {
        // As the importer leaves it out: the segmentation mask, which nobody reads.
        let pruned_outputs: &[usize] = if name == "pose_landmark" { &[2] } else { &[] };
        Network::from_tflite(&path, pruned_outputs)?
    } else {
        Network::from_file(&path)?
    };
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_network_that_is_loaded_can_be_warmed() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../.cache/models");
        assert!(folder.join("pose_landmark.onnx").is_file(), "no models: run make test");
        for parts in [Parts::ALL, Parts { hands: false, face: false }] {
            Networks::load(&folder, parts).unwrap().warm().unwrap();
            Networks::load_for(Profile::Fast, &folder, parts).unwrap().warm().unwrap();
        }
    }
}
