//! How far the quantised network is from the float one, and how much faster.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use dactyl_models::runtime::Network;

use crate::crops::collect;
use crate::run;

/// Frames looked at in each folder of a signer, and crops taken of each signer.
const FRAMES: usize = 40;
const CROPS: usize = 250;
/// Landmarks of a hand, three values each.
const HAND: usize = 21;

/// Prints a line for each folder: deviation of the landmarks in pixels of the 224 x 224 crop, where the float network sees
/// a hand; crops in which only one of the two sees one; median and least time of both, run in turn.
pub fn compare(
    float: &[u8],
    quantized: &[u8],
    folders: &[PathBuf],
    models: &Path,
) -> Result<(), Box<dyn Error>> {
    let networks = [Network::from_bytes("float", float)?, Network::from_bytes("int8", quantized)?];
    println!(
        "folder: crops, with a hand; mean, 99th percentile (px); presence differs; median float, int8 (ms), ratio; least \
         float, int8 (ms), ratio"
    );
    for folder in folders {
        let crops = collect(folder, models, FRAMES, CROPS)?;
        let (mut distances, mut differing, mut times) = (Vec::new(), 0, [const { Vec::new() }; 2]);
        for crop in &crops {
            let mut outputs = Vec::new();
            for (network, times) in networks.iter().zip(&mut times) {
                // The first run fetches the weights into the processor's caches, as it does in a stream.
                run(network, crop)?;
                let start = Instant::now();
                outputs.push(run(network, crop)?);
                times.push(start.elapsed());
            }
            let presence = [0, 1].map(|network: usize| outputs[network][1][0] > 0.5);
            differing += usize::from(presence[0] != presence[1]);
            if presence[0] {
                let points = outputs[0][0].chunks_exact(3).zip(outputs[1][0].chunks_exact(3));
                distances.extend(points.map(|(a, b)| (a[0] - b[0]).hypot(a[1] - b[1])));
            }
        }
        distances.sort_unstable_by(f32::total_cmp);
        if distances.is_empty() {
            return Err(format!("{}: the float network sees no hand", folder.display()).into());
        }
        let [[float, least_float], [int8, least_int8]] = times.map(median_and_least);
        println!(
            "{}: {}, {}; {:.3}, {:.3}; {differing}; {float:.2}, {int8:.2}, {:.2}; \
             {least_float:.2}, {least_int8:.2}, {:.2}",
            folder.display(),
            crops.len(),
            distances.len() / HAND,
            distances.iter().sum::<f32>() / distances.len() as f32,
            distances[distances.len() * 99 / 100],
            float / int8,
            least_float / least_int8
        );
    }
    Ok(())
}

/// In milliseconds.
fn median_and_least(mut times: Vec<Duration>) -> [f64; 2] {
    times.sort_unstable();
    [times.len() / 2, 0].map(|place| times.get(place).map_or(0.0, Duration::as_secs_f64) * 1e3)
}
