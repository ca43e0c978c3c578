//! Crops and networks on fixed pixels: OpenCV's crop of a drawn picture, and what the TFLite runtime makes of it. Recorded
//! by `scripts/record_drawn_person.py`.

use dactyl_kernels::{Cancel, Tensor};
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::{Clip, networks};
use crate::crop::{Border, Cutout, Range, cut};
use crate::frame::RgbFrame;
use crate::networks::NamedNetwork;
use crate::networks::Networks;

fn drawn_looks() -> Vec<Value> {
    serde_json::from_str(include_str!("../../tests/drawn_person/looks.json")).expect("a JSON list")
}

fn numbers(value: &Value) -> Vec<f32> {
    serde_json::from_value(value.clone()).expect("numbers")
}

/// SHA-256 of the crop's 8-bit levels.
fn digest(tensor: &[f32]) -> String {
    let levels: Vec<u8> = tensor.iter().map(|value| (value * 255.0).round() as u8).collect();
    Sha256::digest(levels).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The crop of one recorded look.
fn crop(look: &Value, frame: &RgbFrame<'_>, border: Border) -> Vec<f32> {
    let [x, y, width, height, rotation] = numbers(&look["region"])[..] else { panic!("a region") };
    let cutout = Cutout { center: [x, y], size: [width, height], rotation, pad_x: 0.0, pad_y: 0.0 };
    let side = look["side"].as_u64().expect("a number") as usize;
    let mut tensor = vec![0.0; side * side * 3];
    cut(frame, &cutout, side, Range::Unit, border, &mut tensor);
    tensor
}

#[test]
fn crops_are_opencv_s_byte_for_byte() {
    let picture = Clip::drawn().picture(0);
    for look in drawn_looks() {
        for (border, recorded) in [(Border::Replicate, "crop_sha256"), (Border::Zero, "black_border_sha256")]
        {
            let found = digest(&crop(&look, &picture.frame(), border));
            assert_eq!(
                Some(found.as_str()),
                look[recorded].as_str(),
                "{border:?} crop of {}",
                look["region"]
            );
        }
    }
}

/// The network, and for each recorded output its place among the network's outputs and by how much it may differ.
fn network<'a>(networks: &'a Networks, name: &str) -> (&'a NamedNetwork, Vec<(usize, f32)>) {
    let hands = networks.hands.as_ref().expect("all parts");
    let face = networks.face.as_ref().expect("all parts");
    match name {
        "hand_recrop" => (&hands.recrop, vec![(0, 1e-3)]),
        "hand_landmark" => (&hands.landmark, vec![(0, 1e-3), (1, 1e-5)]),
        "face_landmark" => (&face.landmark, vec![(0, 1e-3), (1, 1e-3)]),
        // Depths reach hundreds of pixels.
        "pose_landmark" => (&networks.pose_landmark, vec![(0, 5e-3), (1, 1e-5), (3, 1e-4)]),
        name => panic!("unknown network {name}"),
    }
}

#[test]
fn networks_give_what_tflite_gives_for_the_same_crop() {
    let networks = networks();
    let picture = Clip::drawn().picture(0);
    for look in drawn_looks() {
        let name = look["network"].as_str().expect("a name");
        let (network, recorded) = network(&networks, name);
        let tensor = crop(&look, &picture.frame(), Border::Replicate);
        let mut outputs: Vec<Vec<f32>> =
            network.outputs().iter().map(Tensor::values).map(|values| vec![0.0; values]).collect();
        let mut slices: Vec<&mut [f32]> = outputs.iter_mut().map(Vec::as_mut_slice).collect();
        network.run(&[&tensor], &mut slices, &Cancel::new()).expect("not cancelled");
        let references = look["outputs"].as_array().expect("a list");
        assert_eq!(references.len(), recorded.len(), "{name}");
        for ((output, limit), reference) in recorded.into_iter().zip(references) {
            let reference = numbers(reference);
            assert_eq!(outputs[output].len(), reference.len(), "{name}, output {output}");
            let differences = outputs[output].iter().zip(&reference).map(|(a, b)| (a - b).abs());
            let most = differences.fold(0.0, f32::max);
            println!("{name}, output {output}: largest difference {most:.1e}");
            assert!(most <= limit, "{name}, output {output}: differs by {most}, not {limit}");
        }
    }
}
