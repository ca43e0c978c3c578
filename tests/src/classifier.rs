//! Classifiers of which a test knows the answers, as ONNX files built by hand.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::Path;

use dactyl_onnx::{GraphProto, Message, ModelProto, NodeProto, TensorProto, ValueInfoProto};

/// Values of a frame in the layout `holistic-1662`: pose 33 x 4, face 468 x 3, left hand 21 x 3, right hand 21 x 3.
pub const ROW: usize = 1662;
/// Where a row holds the x of the right hand's wrist.
pub const RIGHT_WRIST: usize = 33 * 4 + 468 * 3 + 21 * 3;

/// A classifier on `holistic-1662` whose logits are weighted sums of the values in its window.
pub struct WeightedSums {
    labels: Vec<String>,
    window: usize,
    weights: Vec<f32>,
}

impl WeightedSums {
    /// All weights are 0: every label is equally likely.
    pub fn new(labels: &[&str], window: usize) -> Self {
        let labels: Vec<String> = labels.iter().map(|label| (*label).to_owned()).collect();
        let weights = vec![0.0; window * ROW * labels.len()];
        Self { labels, window, weights }
    }

    /// How much a label's logit grows with a value of a frame of the window.
    ///
    /// # Panics
    /// Beyond the window, the row or the labels.
    pub fn weigh(&mut self, frame: usize, value: usize, label: usize, weight: f32) {
        assert!(value < ROW && label < self.labels.len());
        self.weights[(frame * ROW + value) * self.labels.len() + label] = weight;
    }

    /// The file's content.
    ///
    /// # Panics
    /// Never with sizes that fit into memory.
    pub fn model(&self) -> ModelProto {
        let size = |count: usize| i64::try_from(count).unwrap();
        let (values, labels) = (size(self.window * ROW), size(self.labels.len()));
        let graph = GraphProto {
            name: "sums".to_owned(),
            node: vec![
                NodeProto::new("Flatten", &["frames"], "values"),
                NodeProto::new("MatMul", &["values", "weights"], "logits"),
            ],
            initializer: vec![TensorProto::floats("weights", &[values, labels], &self.weights)],
            input: vec![ValueInfoProto::floats("frames", &[1, size(self.window), size(ROW)])],
            output: vec![ValueInfoProto::floats("logits", &[1, labels])],
        };
        let metadata = [
            ("labels", format!("{:?}", self.labels)),
            ("window", self.window.to_string()),
            ("features", "holistic-1662".to_owned()),
            ("output", "logits".to_owned()),
        ];
        ModelProto::new(graph, 13, metadata)
    }

    /// Writes the file.
    ///
    /// # Panics
    /// If it can't be written.
    pub fn write(&self, path: &Path) {
        std::fs::write(path, self.model().encode_to_vec()).unwrap();
    }
}

/// Frames in the window of [`write_by_wrist`].
pub const WINDOW: u32 = 4;

/// Writes a classifier of two signs over a window of 4 frames: the first one as soon as the right wrist of the last frame lies right
/// of the picture's left edge, the second one left of it.
///
/// # Panics
/// If the file can't be written.
pub fn write_by_wrist(path: &Path, labels: [&str; 2]) {
    let mut sums = WeightedSums::new(&labels, WINDOW as usize);
    sums.weigh(WINDOW as usize - 1, RIGHT_WRIST, 0, 50.0);
    sums.write(path);
}

/// Half the width of the hole of [`write_with_hole`].
const HOLE: f32 = 1e-4;

/// Writes a classifier of `A` and `B`, equally likely, that takes a root of how far a value of the last frame is from `hole`, less
/// a ten-thousandth: at the hole the answer is NaN.
///
/// # Panics
/// If the file can't be written.
pub fn write_with_hole(path: &Path, window: usize, value: usize, hole: f32) {
    let mut sums = WeightedSums::new(&["A", "B"], window);
    for label in 0..2 {
        sums.weigh(window - 1, value, label, 1.0);
    }
    let mut model = sums.model();
    let graph = model.graph.as_mut().unwrap();
    graph.initializer.push(TensorProto::floats("hole", &[2], &[hole; 2]));
    graph.initializer.push(TensorProto::floats("width", &[2], &[HOLE; 2]));
    graph.node[1] = NodeProto::new("MatMul", &["values", "weights"], "value");
    graph.node.extend([
        NodeProto::new("Sub", &["value", "hole"], "difference"),
        NodeProto::new("Abs", &["difference"], "distance"),
        NodeProto::new("Sub", &["distance", "width"], "outside"),
        NodeProto::new("Sqrt", &["outside"], "logits"),
    ]);
    std::fs::write(path, model.encode_to_vec()).unwrap();
}
