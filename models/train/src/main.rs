//! Trains letter classifiers from keypoints and exports them to ONNX
fn main() {}
