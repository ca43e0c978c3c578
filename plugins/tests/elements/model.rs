//! A classifier of which a test knows the answers, and keypoints to ask it with.

use std::path::Path;

use dactyl_holistic::keypoints::{self, Keypoints};
use dactyl_onnx::{Message, NodeProto, TensorProto};
pub use dactyl_tests::classifier::WINDOW;
use dactyl_tests::classifier::{self, RIGHT_WRIST, ROW, WeightedSums};

/// Writes a classifier of `A` and `B`; see [`classifier::write_by_wrist`].
pub fn write(path: &Path) {
    classifier::write_by_wrist(path, ["A", "B"]);
}

/// Where the right wrist of the last frame must not lie for [`write_with_hole`].
pub const HOLE: f32 = 0.75;

/// Writes a classifier that gives NaN where the right wrist of the last frame is at [`HOLE`].
pub fn write_with_hole(path: &Path) {
    classifier::write_with_hole(path, WINDOW as usize, RIGHT_WRIST, HOLE);
}

/// Writes a classifier of `A` and `B` over a window of 4 frames that has so many weights that a run is costly.
pub fn write_costly(path: &Path) {
    const WIDTH: usize = 1024;
    let widths = [WINDOW as usize * ROW, WIDTH, WIDTH, 2].map(|width| i64::try_from(width).unwrap());
    let weights = |name: &str, at: usize| {
        let shape = &widths[at..at + 2];
        let values = vec![0.01; usize::try_from(shape[0] * shape[1]).unwrap()];
        TensorProto::floats(name, shape, &values)
    };
    let mut model = WeightedSums::new(&["A", "B"], WINDOW as usize).model();
    let graph = model.graph.as_mut().unwrap();
    graph.initializer = vec![weights("first", 0), weights("second", 1), weights("third", 2)];
    graph.node.truncate(1);
    graph.node.extend([
        NodeProto::new("MatMul", &["values", "first"], "one"),
        NodeProto::new("MatMul", &["one", "second"], "two"),
        NodeProto::new("MatMul", &["two", "third"], "logits"),
    ]);
    std::fs::write(path, model.encode_to_vec()).unwrap();
}

/// Bytes of a frame in which the right hand lies at this x; nobody is there without one.
pub fn frame(x: Option<f32>) -> Vec<u8> {
    let mut frame = Keypoints::absent();
    if let Some(x) = x {
        frame.part_mut(keypoints::POSE).fill([0.5, 0.5, 0.0, 1.0]);
        frame.part_mut(keypoints::RIGHT_HAND).fill([x, 0.5, 0.0, 0.0]);
    }
    let mut bytes = vec![0; keypoints::BYTES];
    frame.write_le_bytes(&mut bytes);
    bytes
}
