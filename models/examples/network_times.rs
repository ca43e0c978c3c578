//! Milliseconds per run of each network on one core of this machine: `make bench`, or with the folder of other models
//! as the argument.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use dactyl_models::runtime::{self, Cancel, Network};

const NETWORKS: [&str; 6] =
    ["pose_detection", "pose_landmark", "hand_recrop", "hand_landmark", "face_detection", "face_landmark"];
const WARM_UP: usize = 10;
const RUNS: usize = 200;

#[allow(clippy::print_stdout, reason = "the table is what it is for")]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = std::env::args_os()
        .nth(1)
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../.cache/models"), PathBuf::from);
    runtime::init(&folder.join(runtime::LIBRARY_NAME))?;
    println!("{:<16} {:>8} {:>8}  (ms)", "network", "median", "least");
    for name in NETWORKS {
        let network = Network::from_file(&folder.join(name).with_extension("onnx"))?;
        let buffer = |shape: &[i64]| vec![0.5f32; shape.iter().product::<i64>().max(0) as usize];
        let inputs: Vec<Vec<f32>> = network.inputs().iter().map(|i| buffer(&i.shape)).collect();
        let inputs: Vec<&[f32]> = inputs.iter().map(Vec::as_slice).collect();
        let mut outputs: Vec<Vec<f32>> = network.outputs().iter().map(|o| buffer(&o.shape)).collect();
        let cancel = Cancel::new();
        let mut times: Vec<Duration> = Vec::with_capacity(RUNS);
        for run in 0..WARM_UP + RUNS {
            let mut slices: Vec<&mut [f32]> = outputs.iter_mut().map(Vec::as_mut_slice).collect();
            let start = Instant::now();
            network.run(&inputs, &mut slices, &cancel)?;
            if run >= WARM_UP {
                times.push(start.elapsed());
            }
        }
        times.sort_unstable();
        println!(
            "{name:<16} {:>8.2} {:>8.2}",
            times[RUNS / 2].as_secs_f64() * 1e3,
            times[0].as_secs_f64() * 1e3
        );
    }
    Ok(())
}
