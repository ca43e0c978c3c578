//! A classifier of which a test knows the answers, and keypoints to ask it with.

use std::path::Path;

use dactyl_holistic::keypoints::{self, Keypoints};
use dactyl_letters::metadata::key;
use dactyl_onnx::{GraphProto, Message, ModelProto, NodeProto, TensorProto, ValueInfoProto};

/// Frames in the model's window.
pub const WINDOW: u32 = 4;
const ROW: usize = 1662;
/// Where a row holds the x of the right hand's wrist: after pose, face and left hand.
const RIGHT_WRIST: usize = 33 * 4 + 468 * 3 + 21 * 3;

/// Writes a classifier of `A` and `B`; see [`write_with_labels`].
pub fn write(path: &Path) {
    write_with_labels(path, ["A", "B"]);
}

/// Writes a classifier of two signs over a window of 4 frames: the first one as soon as the right wrist of the last frame
/// lies right of the picture's left edge, the second one left of it.
pub fn write_with_labels(path: &Path, labels: [&str; 2]) {
    let window = usize::try_from(WINDOW).unwrap();
    let mut weights = vec![0.0; window * ROW * 2];
    weights[((window - 1) * ROW + RIGHT_WRIST) * 2] = 50.0;
    let metadata = [
        (key::LABELS, format!("{labels:?}")),
        (key::WINDOW, WINDOW.to_string()),
        (key::FEATURES, "holistic-1662".to_owned()),
        (key::OUTPUT, "logits".to_owned()),
    ];
    let sides = |columns: usize| i64::try_from(columns).unwrap();
    let graph = GraphProto {
        name: "wrist".to_owned(),
        node: vec![
            NodeProto::new("Flatten", &["frames"], "values"),
            NodeProto::new("MatMul", &["values", "weights"], "logits"),
        ],
        initializer: vec![TensorProto::floats("weights", &[sides(window * ROW), 2], &weights)],
        input: vec![ValueInfoProto::floats("frames", &[1, sides(window), sides(ROW)])],
        output: vec![ValueInfoProto::floats("logits", &[1, 2])],
    };
    let model = ModelProto::new(graph, 13, metadata);
    std::fs::write(path, model.encode_to_vec()).unwrap();
}

/// Where the right wrist of the last frame must not lie for [`write_dividing`].
pub const HOLE: f32 = 0.75;

/// Writes a classifier of `A` and `B`, equally likely, that divides by how far the right wrist of the last frame is from
/// [`HOLE`]: at that x it gives NaN.
pub fn write_dividing(path: &Path) {
    write(path);
    let mut model = ModelProto::decode(&*std::fs::read(path).unwrap()).unwrap();
    let graph = model.graph.as_mut().unwrap();
    let window = usize::try_from(WINDOW).unwrap();
    let at = ((window - 1) * ROW + RIGHT_WRIST) * 2;
    let mut weights = vec![0.0; window * ROW * 2];
    weights[at..at + 2].fill(1.0);
    let rows = i64::try_from(window * ROW).unwrap();
    graph.initializer = vec![
        TensorProto::floats("weights", &[rows, 2], &weights),
        TensorProto::floats("hole", &[2], &[HOLE; 2]),
    ];
    graph.node[1] = NodeProto::new("MatMul", &["values", "weights"], "wrist");
    graph.node.push(NodeProto::new("Sub", &["wrist", "hole"], "distance"));
    graph.node.push(NodeProto::new("Div", &["distance", "distance"], "logits"));
    std::fs::write(path, model.encode_to_vec()).unwrap();
}

/// Writes a classifier of `A` and `B` over a window of 4 frames that has so many weights that a run is costly.
pub fn write_costly(path: &Path) {
    const LAYERS: usize = 2;
    const WIDTH: i64 = 1024;
    let window = i64::from(WINDOW);
    let row = i64::try_from(ROW).unwrap();
    let widths = [window * row, WIDTH, WIDTH, 2];
    let weights = |name: &str, at: usize| {
        let shape = &widths[at..at + 2];
        let values = vec![0.01; usize::try_from(shape[0] * shape[1]).unwrap()];
        TensorProto::floats(name, shape, &values)
    };
    let mut nodes = vec![
        NodeProto::new("Flatten", &["frames"], "values"),
        NodeProto::new("MatMul", &["values", "first"], "layer0"),
    ];
    for layer in 0..LAYERS {
        let product = format!("product{layer}");
        nodes.push(NodeProto::new("MatMul", &[&format!("layer{layer}"), "same"], &product));
        nodes.push(NodeProto::new("Tanh", &[&product], &format!("layer{}", layer + 1)));
    }
    nodes.push(NodeProto::new("MatMul", &[&format!("layer{LAYERS}"), "last"], "logits"));
    let graph = GraphProto {
        name: "costly".to_owned(),
        node: nodes,
        initializer: vec![weights("first", 0), weights("same", 1), weights("last", 2)],
        input: vec![ValueInfoProto::floats("frames", &[1, window, row])],
        output: vec![ValueInfoProto::floats("logits", &[1, 2])],
    };
    let metadata = [
        (key::LABELS, format!("{:?}", ["A", "B"])),
        (key::WINDOW, WINDOW.to_string()),
        (key::FEATURES, "holistic-1662".to_owned()),
        (key::OUTPUT, "logits".to_owned()),
    ];
    std::fs::write(path, ModelProto::new(graph, 13, metadata).encode_to_vec()).unwrap();
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
