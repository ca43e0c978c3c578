//! The seven networks, shared by all trackers of the process.

use std::sync::Arc;

use dactyl_kernels::{Cancel, Instructions, Problem, RunError, Tensor, UnsupportedProcessor};

/// Which networks run. The pose always does: hands and face start from it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Parts {
    /// Both hands.
    pub hands: bool,
    /// A hand without a body, where nobody is found; not without `hands`.
    pub hands_alone: bool,
    /// The face.
    pub face: bool,
}

impl Parts {
    /// Pose, hands and face.
    pub const ALL: Self = Self { hands: true, hands_alone: true, face: true };
    /// Those of MediaPipe Holistic, which finds no hand without a body.
    pub const HOLISTIC: Self = Self { hands_alone: false, ..Self::ALL };
}

/// The networks could not be loaded.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LoadError {
    /// The processor lacks the vectors of the kernels.
    #[error(transparent)]
    Processor(#[from] UnsupportedProcessor),
    /// A file can't be read.
    #[error("{file} can't be read: {cause}")]
    Read {
        /// The network's file.
        file: String,
        /// What the system said.
        cause: String,
    },
    /// There are no kernels for a file's operators, or it is damaged.
    #[error("{file} can't be computed: {problem}")]
    Network {
        /// The network's file.
        file: String,
        /// What is wrong, and where.
        problem: Problem,
    },
    /// A file holds another network than its name says.
    #[error(
        "{file} is another network: its inputs hold {inputs:?} values and its outputs {outputs:?}; run `dactyl models fetch`"
    )]
    Shape {
        /// The network's file.
        file: String,
        /// Values of each of its inputs.
        inputs: Vec<usize>,
        /// Values of each of its outputs.
        outputs: Vec<usize>,
    },
}

/// One of the networks, and what its file must hold.
#[derive(Debug)]
pub(crate) struct Model {
    name: &'static str,
    /// Values of its one input: the side of a square RGB picture.
    side: usize,
    /// Values of its outputs, those that are pruned left out.
    outputs: &'static [usize],
    /// Outputs that nobody reads, by their place in the file.
    pruned: &'static [usize],
}

const POSE_DETECTION: Model =
    Model { name: "pose_detection", side: 224, outputs: &[2254 * 12, 2254], pruned: &[] };
/// Without the segmentation mask, which takes nearly half of the time.
const POSE_LANDMARK: Model =
    Model { name: "pose_landmark", side: 256, outputs: &[195, 1, 64 * 64 * 39, 117], pruned: &[2] };
const PALM_DETECTION: Model =
    Model { name: "palm_detection", side: 192, outputs: &[2016 * 18, 2016], pruned: &[] };
const HAND_RECROP: Model = Model { name: "hand_recrop", side: 256, outputs: &[4], pruned: &[] };
const HAND_LANDMARK: Model =
    Model { name: "hand_landmark", side: 224, outputs: &[63, 1, 1, 63], pruned: &[] };
const FACE_DETECTION: Model =
    Model { name: "face_detection", side: 128, outputs: &[896 * 16, 896], pruned: &[] };
const FACE_LANDMARK: Model = Model { name: "face_landmark", side: 192, outputs: &[1404, 1], pruned: &[] };

const MODELS: [&Model; 7] = [
    &POSE_DETECTION,
    &POSE_LANDMARK,
    &PALM_DETECTION,
    &HAND_RECROP,
    &HAND_LANDMARK,
    &FACE_DETECTION,
    &FACE_LANDMARK,
];

impl Model {
    /// Its file in the folder of fetched models.
    pub(crate) fn file(&self) -> String {
        format!("tflite/{}.tflite", self.name)
    }

    /// Makes the network of its file's content, for the processor's fastest instructions.
    pub(crate) fn parse(&self, bytes: &[u8]) -> Result<NamedNetwork, LoadError> {
        self.parse_on(Instructions::fastest()?, bytes)
    }

    fn parse_on(&self, instructions: Instructions, bytes: &[u8]) -> Result<NamedNetwork, LoadError> {
        let network = dactyl_kernels::Network::new_on(instructions, bytes, self.pruned).map_err(
            |problem| match problem {
                Problem::Processor(lacking) => LoadError::Processor(lacking),
                problem => LoadError::Network { file: self.file(), problem },
            },
        )?;
        let values = |tensors: &[Tensor]| tensors.iter().map(Tensor::values).collect::<Vec<_>>();
        let (inputs, outputs) = (values(network.inputs()), values(network.outputs()));
        if inputs != [self.side * self.side * 3] || outputs != self.outputs {
            return Err(LoadError::Shape { file: self.file(), inputs, outputs });
        }
        Ok(NamedNetwork {
            name: self.name,
            network,
            #[cfg(test)]
            observer: observer::Observer::default(),
        })
    }
}

/// A network that says when it runs.
#[derive(Debug)]
pub(crate) struct NamedNetwork {
    #[cfg_attr(target_arch = "wasm32", expect(dead_code, reason = "nobody asks a browser for it"))]
    name: &'static str,
    network: dactyl_kernels::Network,
    #[cfg(test)]
    pub(crate) observer: observer::Observer,
}

impl NamedNetwork {
    /// Its file without folder and extension.
    #[cfg(test)]
    pub(crate) fn name(&self) -> &'static str {
        self.name
    }

    /// As [`dactyl_kernels::Network::run`]. A trace span `network` with the network's `name` lasts as long as the run.
    pub(crate) fn run(
        &self,
        inputs: &[&[f32]],
        outputs: &mut [&mut [f32]],
        cancel: &Cancel,
    ) -> Result<(), RunError> {
        #[cfg(not(target_arch = "wasm32"))]
        let _span = tracing::trace_span!("network", name = self.name).entered();
        #[cfg(test)]
        self.observer.run_begins(cancel);
        self.network.run(inputs, outputs, cancel)
    }

    /// What [`NamedNetwork::run`] writes.
    #[cfg(test)]
    pub(crate) fn outputs(&self) -> &[Tensor] {
        self.network.outputs()
    }

    /// What a run gives for zeros.
    fn run_on_zeros(&self) -> Result<Vec<Vec<f32>>, RunError> {
        let zeros = |tensors: &[Tensor]| -> Vec<Vec<f32>> {
            tensors.iter().map(|tensor| vec![0.0; tensor.values()]).collect()
        };
        let (inputs, mut outputs) = (zeros(self.network.inputs()), zeros(self.network.outputs()));
        let inputs: Vec<&[f32]> = inputs.iter().map(Vec::as_slice).collect();
        let mut slices: Vec<&mut [f32]> = outputs.iter_mut().map(Vec::as_mut_slice).collect();
        self.run(&inputs, &mut slices, &Cancel::new())?;
        Ok(outputs)
    }
}

/// Networks in memory. Clones are the same ones.
#[derive(Debug, Clone)]
pub struct Networks {
    pub(crate) pose_detection: Arc<NamedNetwork>,
    pub(crate) pose_landmark: Arc<NamedNetwork>,
    pub(crate) hands: Option<HandNetworks>,
    pub(crate) face: Option<FaceNetworks>,
}

/// The networks of the hands.
#[derive(Debug, Clone)]
pub(crate) struct HandNetworks {
    /// Finds a hand without a body; `None` if nobody looks for one.
    pub(crate) palm: Option<Arc<NamedNetwork>>,
    pub(crate) recrop: Arc<NamedNetwork>,
    pub(crate) landmark: Arc<NamedNetwork>,
}

/// The networks of the face.
#[derive(Debug, Clone)]
pub(crate) struct FaceNetworks {
    pub(crate) detection: Arc<NamedNetwork>,
    pub(crate) landmark: Arc<NamedNetwork>,
}

impl Networks {
    /// The networks' TFLite files in the folder of fetched models, all parts.
    pub fn files() -> [String; 7] {
        MODELS.map(Model::file)
    }

    /// Checks that `bytes` are the network of that file name, one of [`Networks::files`].
    ///
    /// # Errors
    /// [`LoadError`] if they are not, or the processor cannot run it.
    pub fn check(file: &str, bytes: &[u8]) -> Result<(), LoadError> {
        let model = MODELS.into_iter().find(|model| model.file() == file);
        let model = model
            .ok_or_else(|| LoadError::Read { file: file.to_owned(), cause: "no such network".to_owned() })?;
        model.parse(bytes).map(drop)
    }

    /// The networks of `parts`; `read` gives the content of a file of [`Networks::files`].
    ///
    /// # Errors
    /// [`LoadError`] if the processor cannot run them, or a file is none of the network that its name says; what `read`
    /// gives.
    pub fn from_bytes<B: AsRef<[u8]>>(
        parts: Parts,
        mut read: impl FnMut(&str) -> Result<B, LoadError>,
    ) -> Result<Self, LoadError> {
        Self::assemble(parts, |model| Ok(Arc::new(model.parse(read(&model.file())?.as_ref())?)))
    }

    /// As [`Networks::from_bytes`], on other instructions than the processor's fastest ones, for tests.
    ///
    /// # Errors
    /// As [`Networks::from_bytes`].
    #[doc(hidden)]
    pub fn from_bytes_on<B: AsRef<[u8]>>(
        instructions: Instructions,
        parts: Parts,
        mut read: impl FnMut(&str) -> Result<B, LoadError>,
    ) -> Result<Self, LoadError> {
        Self::assemble(parts, |model| {
            Ok(Arc::new(model.parse_on(instructions, read(&model.file())?.as_ref())?))
        })
    }

    pub(crate) fn assemble(
        parts: Parts,
        mut get: impl FnMut(&'static Model) -> Result<Arc<NamedNetwork>, LoadError>,
    ) -> Result<Self, LoadError> {
        let pose_detection = get(&POSE_DETECTION)?;
        let pose_landmark = get(&POSE_LANDMARK)?;
        let mut hands = || {
            let palm = parts.hands_alone.then(|| get(&PALM_DETECTION)).transpose()?;
            Ok::<_, LoadError>(HandNetworks {
                palm,
                recrop: get(&HAND_RECROP)?,
                landmark: get(&HAND_LANDMARK)?,
            })
        };
        let hands = parts.hands.then(&mut hands).transpose()?;
        let face = || {
            Ok::<_, LoadError>(FaceNetworks {
                detection: get(&FACE_DETECTION)?,
                landmark: get(&FACE_LANDMARK)?,
            })
        };
        let face = parts.face.then(face).transpose()?;
        Ok(Self { pose_detection, pose_landmark, hands, face })
    }

    /// Runs every network once on a black picture: the first run takes the memory that lies between the layers, and is
    /// slower than the others.
    ///
    /// # Errors
    /// [`RunError`] if one fails.
    pub fn warm(&self) -> Result<(), RunError> {
        let hands = self
            .hands
            .iter()
            .flat_map(|hands| [&hands.recrop, &hands.landmark].into_iter().chain(&hands.palm));
        let face = self.face.iter().flat_map(|face| [&face.detection, &face.landmark]);
        for network in [&self.pose_detection, &self.pose_landmark].into_iter().chain(hands).chain(face) {
            network.run_on_zeros()?;
        }
        Ok(())
    }
}

/// Lets tests count a network's runs, and cancel one of them.
#[cfg(test)]
pub(crate) mod observer {
    use std::sync::OnceLock;

    use super::Cancel;

    type Notify = dyn Fn(&Cancel) + Send + Sync;

    #[derive(Default)]
    pub(crate) struct Observer(OnceLock<Box<Notify>>);

    impl Observer {
        /// Has `notify` called whenever a run begins, with the handle that can end it.
        pub(crate) fn set(&self, notify: Box<Notify>) {
            assert!(self.0.set(notify).is_ok(), "observed twice");
        }

        pub(crate) fn run_begins(&self, cancel: &Cancel) {
            if let Some(notify) = self.0.get() {
                notify(cancel);
            }
        }
    }

    impl std::fmt::Debug for Observer {
        fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            formatter.write_str("Observer")
        }
    }
}
