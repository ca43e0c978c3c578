//! The tracker in Chromium against MediaPipe's landmarks, with the WebAssembly and the networks that the server hands out.

use std::path::{Path, PathBuf};

use dactyl_tests::recordings::shared;
use ndarray::{Array3, ArrayView2};
use serde_json::{Value, json};

use super::browser::{Browser, decoded, opened, run};
use crate::server::Server;

/// MediaPipe's Python solution steps its filters by this many milliseconds a frame.
const FRAME_MS: f64 = 33.333;
/// In the order of the layout, with the landmarks of each.
const PARTS: [(&str, usize); 4] = [("pose", 33), ("face", 468), ("left_hand", 21), ("right_hand", 21)];

/// Pictures, and what MediaPipe finds in them: frames x 543 x (x, y, z, visibility), NaN where a part is absent.
struct Clip {
    folder: PathBuf,
    landmarks: Array3<f32>,
}

impl Clip {
    fn open(folder: PathBuf) -> Self {
        let landmarks = ndarray_npy::read_npy(folder.join("landmarks.npy")).expect("landmarks");
        Self { folder, landmarks }
    }

    /// The drawn person of `models/holistic`.
    fn drawn() -> Self {
        Self::open(Path::new(env!("CARGO_MANIFEST_DIR")).join("../models/holistic/tests/drawn_person"))
    }

    fn picture(&self, index: usize) -> Vec<u8> {
        std::fs::read(self.folder.join(format!("{index:03}.png"))).expect("a picture")
    }

    fn found(&self, index: usize) -> ArrayView2<'_, f32> {
        self.landmarks.index_axis(ndarray::Axis(0), index)
    }
}

/// A page in which `tracker` is one of the exact profile. It multiplies and adds with one rounding, as this processor can, which
/// Chromium lets it.
async fn tracking() -> (Server, Browser) {
    let (server, browser) = opened().await;
    let load = "const { Tracker } = await import('/web/tracker.js');
        globalThis.tracker = await Tracker.load({ profile: 'exact' });
        return tracker.isFused;";
    let is_fused = run(&browser, load).await;
    assert_eq!(is_fused, true);
    (server, browser)
}

/// The landmarks that the page's tracker finds in a picture of a clip, and the picture's width and height.
async fn track(browser: &Browser, clip: &Clip, index: usize) -> (Value, [f32; 2]) {
    let (picture, time) = (decoded(&clip.picture(index)), FRAME_MS * index as f64);
    let seen = run(browser, &format!("return tracker.track(await {picture}, {time});")).await;
    let side = |name: &str| seen[name].as_f64().unwrap_or_else(|| panic!("{seen}")) as f32;
    (seen["parts"].clone(), [side("width"), side("height")])
}

/// The largest distance of a landmark from MediaPipe's, in pixels, and whether all values are the same to the bit. `None` if only one
/// of them finds a part.
fn compare(seen: &Value, [width, height]: [f32; 2], wanted: &ArrayView2<'_, f32>) -> Option<(f32, bool)> {
    let (mut furthest, mut is_same, mut at) = (0.0_f32, true, 0);
    for (part, count) in PARTS {
        let points: Option<Vec<[f32; 4]>> =
            serde_json::from_value(seen[part].clone()).expect("points or null");
        let is_wanted = !wanted[[at, 0]].is_nan();
        match points {
            Some(points) if is_wanted => {
                assert_eq!(points.len(), count, "{part}");
                for (index, point) in points.iter().enumerate() {
                    let expected = wanted.row(at + index);
                    let away = [(point[0] - expected[0]) * width, (point[1] - expected[1]) * height];
                    furthest = furthest.max(away[0].hypot(away[1]));
                    is_same &=
                        point.iter().zip(expected).all(|(one, other)| one.to_bits() == other.to_bits());
                }
            }
            None if !is_wanted => {}
            _ => return None,
        }
        at += count;
    }
    Some((furthest, is_same))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_browser_finds_mediapipe_s_landmarks() {
    let (server, browser) = tracking().await;
    let clip = Clip::drawn();
    for index in 0..clip.landmarks.dim().0 {
        let (seen, size) = track(&browser, &clip, index).await;
        let (furthest, is_same) = compare(&seen, size, &clip.found(index)).expect("the same parts");
        println!("drawn person, {index}: {furthest} pixels, same bits: {is_same}");
        // The first picture goes through six networks; later ones build on mathematical functions that may differ in the last bit.
        assert!(index > 0 || is_same, "{furthest} pixels");
        assert!(furthest < 1.0, "picture {index}: {furthest} pixels");
    }
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_browser_follows_a_moving_person_as_mediapipe_does() {
    let Some(folder) = shared("golden/avatar") else { return };
    let clip = Clip::open(folder);
    let (server, browser) = tracking().await;
    let frames = clip.landmarks.dim().0;
    let mut distances = Vec::new();
    for index in 0..frames {
        let (seen, size) = track(&browser, &clip, index).await;
        distances.extend(compare(&seen, size, &clip.found(index)).map(|(pixels, _)| pixels));
    }
    distances.sort_by(f32::total_cmp);
    let (median, furthest) = (distances[distances.len() / 2], distances[distances.len() - 1]);
    let alike = distances.len();
    println!(
        "the same parts in {alike} of {frames} pictures; at most {furthest} pixels away, the median {median}"
    );
    // The last bit of an angle moves a crop by less than a level of a pixel's colour, or by one; the loop of region, crop and
    // landmarks makes tenths of a pixel of that, of a quick hand some pixels, and MediaPipe is in two minds about some hands.
    assert!(alike + 3 >= frames, "the same parts in {alike} of {frames} pictures");
    assert!(median < 1.5 && furthest < 15.0, "at most {furthest} pixels away, the median {median}");
    server.stop().await;
}

/// Browsers without relaxed SIMD get it; Chromium has both.
#[tokio::test(flavor = "multi_thread")]
async fn without_relaxed_simd_landmarks_are_nearly_the_same() {
    let (server, browser) = opened().await;
    let clip = Clip::drawn();
    let find = format!(
        "const {{ instance }} = await WebAssembly.instantiateStreaming(fetch('/web/tracker-plain.wasm'));
        const program = instance.exports;
        const write = (bytes) => {{
            const at = program.reserve(bytes.length);
            new Uint8Array(program.memory.buffer, at, bytes.length).set(bytes);
        }};
        const networks = await (await fetch('/web/models/networks.json')).json();
        for (const [index, {{ url }}] of networks.entries()) {{
            const content = new Uint8Array(await (await fetch('/web/models/' + url)).arrayBuffer());
            write(content);
            program.add_network(index, content.length);
        }}
        const started = program.start(0);
        const picture = await {picture};
        const {{ width, height }} = picture;
        const context = new OffscreenCanvas(width, height).getContext('2d');
        context.drawImage(picture, 0, 0);
        write(context.getImageData(0, 0, width, height).data);
        const tracked = program.track(width, height, 0);
        const values = new Float32Array(program.memory.buffer, program.landmarks(), program.landmarks_length());
        const part = (first, count) => Array.from({{ length: count }}, (_, index) =>
            [...values.subarray(5 + 4 * (first + index), 9 + 4 * (first + index))]);
        return {{ started, tracked, isFused: program.is_fused(), width, height, found: [...values.subarray(0, 5)],
            parts: {{ pose: part(0, 33), left_hand: part(33, 21), right_hand: part(54, 21), face: part(75, 468) }} }};",
        picture = decoded(&clip.picture(0))
    );
    let seen = run(&browser, &find).await;
    assert_eq!(
        (&seen["started"], &seen["tracked"], &seen["isFused"]),
        (&json!(0), &json!(0), &json!(0)),
        "{seen}"
    );
    assert_eq!(seen["found"], json!([1, 1, 1, 1, 0]));
    let size = ["width", "height"].map(|name| seen[name].as_f64().expect("a side") as f32);
    let (furthest, _) = compare(&seen["parts"], size, &clip.found(0)).expect("the same parts");
    println!("without relaxed SIMD: at most {furthest} pixels away");
    assert!(furthest < 1.0, "{furthest} pixels");
    server.stop().await;
}
