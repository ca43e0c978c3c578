//! The hand network with 8-bit integers against the float one, on the hands of fixed frames.

use dactyl_models::holistic::{Parts, hand_crop};
use dactyl_models::runtime::{Cancel, Network, has_vnni};

use crate::reference::Clip;
use crate::tracker;

/// Frames from one that is looked at to the next.
const STEP: usize = 4;

/// Landmarks of a crop in its pixels, and the probability that it shows a hand.
fn run(network: &Network, crop: &[f32]) -> (Vec<f32>, f32) {
    let mut outputs: Vec<Vec<f32>> =
        network.outputs().iter().map(|output| vec![0.0; output.values()]).collect();
    let mut slices: Vec<&mut [f32]> = outputs.iter_mut().map(Vec::as_mut_slice).collect();
    network.run(&[crop], &mut slices, &Cancel::new()).expect("a crop of the right size");
    let presence = outputs[1][0];
    (outputs.swap_remove(0), presence)
}

/// The limits are mean distances in pixels of the crop.
#[test]
fn quantised_hand_network_sees_the_same_hands() {
    if !has_vnni() {
        println!("skipped: Dactyl runs the float network on a processor without VNNI");
        return;
    }
    let models = dactyl_config::find_or_place(&dactyl_config::Config::builtin().models.directory);
    for (name, limit) in [("avatar", 0.6), ("squats", 0.6)] {
        let Some(clip) = Clip::open(name) else { return };
        let mut tracker = tracker(Parts { hands: true, face: false });
        let [float, int8] = ["hand_landmark.onnx", "hand_landmark.int8.onnx"]
            .map(|file| Network::from_file(&models.join(file)).expect("set-up makes it: run make test"));
        let (mut distances, mut crops, mut differing) = (Vec::new(), 0, 0);
        for index in (0..clip.len()).step_by(STEP) {
            let picture = clip.picture(index);
            let frame = picture.frame();
            let tracked =
                tracker.process(&frame, index as i64 * 33_333, &Cancel::new()).expect("not cancelled");
            for region in
                [tracked.trace.left_hand.region, tracked.trace.right_hand.region].into_iter().flatten()
            {
                let crop = hand_crop(&frame, &region);
                let ((expected, expected_presence), (found, presence)) =
                    (run(&float, &crop), run(&int8, &crop));
                crops += 1;
                differing += usize::from((expected_presence > 0.5) != (presence > 0.5));
                if expected_presence > 0.5 {
                    let points = expected.chunks_exact(3).zip(found.chunks_exact(3));
                    distances.extend(points.map(|(a, b)| (a[0] - b[0]).hypot(a[1] - b[1])));
                }
            }
        }
        assert!(!distances.is_empty(), "{name} shows no hand");
        let mean = distances.iter().sum::<f32>() / distances.len() as f32;
        println!("{name}: mean {mean:.3} px of the crop; presence differs in {differing} of {crops} crops");
        assert!(mean <= limit, "{name}: {mean} px");
        assert!(differing * 20 <= crops, "{name}: presence differs in {differing} of {crops} crops");
    }
}
