//! What the hand network sees in folders of frames.

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};

use dactyl_models::holistic::{Networks, Options, Parts, RgbFrame, Tracker, hand_crop};
use dactyl_models::runtime::Cancel;

/// Microseconds from frame to frame.
const FRAME_TIME: i64 = 33_333;
/// Of the crops without a hand, one in so many is kept.
const WITHOUT_HAND: usize = 8;

/// At most `most` crops of both hands, 224 x 224 RGB from 0 to 1, spread evenly over the first `frames` frames of `folder`
/// and of each folder in it.
pub fn collect(
    folder: &Path,
    models: &Path,
    frames: usize,
    most: usize,
) -> Result<Vec<Vec<f32>>, Box<dyn Error>> {
    let networks = Networks::load(models, Parts { hands: true, face: false })?;
    let mut crops = Vec::new();
    let mut without = 0;
    for folder in folders(folder)? {
        let mut tracker = Tracker::new(networks.clone(), Options::default());
        for (index, path) in entries(&folder, Path::is_file)?.iter().take(frames).enumerate() {
            let picture =
                image::open(path).map_err(|error| format!("{}: {error}", path.display()))?.to_rgb8();
            let (width, height) = picture.dimensions();
            let frame = RgbFrame::new(&picture, width, height, width as usize * 3)?;
            let tracked = tracker.process(&frame, index as i64 * FRAME_TIME, &Cancel::new())?;
            for hand in [tracked.trace.left_hand, tracked.trace.right_hand] {
                let (Some(region), Some(presence)) = (hand.region, hand.presence) else { continue };
                without += usize::from(presence <= 0.5);
                if presence > 0.5 || without.is_multiple_of(WITHOUT_HAND) {
                    crops.push(hand_crop(&frame, &region));
                }
            }
        }
    }
    if crops.is_empty() {
        return Err(format!("{}: the tracker finds nobody in its frames", folder.display()).into());
    }
    let step = crops.len().div_ceil(most);
    Ok(crops.into_iter().step_by(step).collect())
}

/// The folder and all in it, in a fixed order.
fn folders(folder: &Path) -> Result<Vec<PathBuf>, Box<dyn Error>> {
    let mut all = vec![folder.to_owned()];
    for inner in entries(folder, Path::is_dir)? {
        all.extend(folders(&inner)?);
    }
    Ok(all)
}

/// What is in a folder, 10 after 9.
fn entries(folder: &Path, wanted: fn(&Path) -> bool) -> Result<Vec<PathBuf>, Box<dyn Error>> {
    let mut paths = Vec::new();
    for entry in fs::read_dir(folder).map_err(|error| format!("{}: {error}", folder.display()))? {
        let path = entry?.path();
        if wanted(&path) {
            paths.push(path);
        }
    }
    paths.sort_by_key(|path| (path.as_os_str().len(), path.clone()));
    Ok(paths)
}
