//! Pictures that say how they lie are turned upright before they are looked at.

use std::time::Duration;

use serde_json::Value;

use crate::client::Client;
use crate::pictures::{encode, person_pixels};
use crate::server::Server;

/// RGB pixels, row after row.
#[derive(Clone)]
struct Picture {
    pixels: Vec<[u8; 3]>,
    width: usize,
    height: usize,
}

impl Picture {
    /// As a camera holds it that has to be turned as `orientation` of Exif says (CIPA DC-008, 4.6.4) to be this picture.
    fn lying(&self, orientation: u8) -> Self {
        let [width, height] =
            if orientation > 4 { [self.height, self.width] } else { [self.width, self.height] };
        let pixels = (0..height).flat_map(|row| (0..width).map(move |column| (row, column)));
        let pixels = pixels.map(|(row, column)| {
            let (right, below) = (width - 1 - column, height - 1 - row);
            // Which edges of the upright picture the first row and the first column are.
            let (x, y) = match orientation {
                1 => (column, row),
                2 => (right, row),
                3 => (right, below),
                4 => (column, below),
                5 => (row, column),
                6 => (below, column),
                7 => (below, right),
                8 => (row, right),
                other => panic!("no orientation {other}"),
            };
            self.pixels[y * self.width + x]
        });
        Self { pixels: pixels.collect(), width, height }
    }

    /// A JPEG with its orientation in Exif metadata.
    fn jpeg(&self, orientation: u8) -> Vec<u8> {
        let side = |side: usize| u16::try_from(side).expect("a small picture");
        let mut jpeg = encode(&self.pixels.concat(), side(self.width), side(self.height), |encoder| {
            encoder.set_quality(100);
        });
        let metadata = [
            &b"\xFF\xE1\0\x22Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0"[..],
            &[orientation, 0, 0, 0, 0, 0, 0],
        ];
        jpeg.splice(2..2, metadata.concat());
        jpeg
    }
}

/// Colours of the quarters of a picture: top left, top right, bottom left, bottom right.
const QUARTERS: [[u8; 3]; 4] = [[220, 30, 30], [30, 220, 30], [30, 30, 220], [220, 220, 220]];
/// Width and height of such a picture.
const SIZE: [usize; 2] = [64, 48];

fn quarters() -> Picture {
    let [width, height] = SIZE;
    let quarter = |index: usize| usize::from(index % width >= width / 2) + 2 * (index / width / (height / 2));
    let pixels = (0..width * height).map(|index| QUARTERS[quarter(index)]).collect();
    Picture { pixels, width, height }
}

/// What is in front of the tracker, in a file for each frame.
const SEEN: &str = r#"
description = "As recognise, and the pictures that are looked at are kept"
launch = """
appsrc name=frames is-live=true format=time do-timestamp=true leaky-type=downstream max-buffers=1 max-bytes=0
  ! queue leaky=downstream max-size-buffers=1 max-size-bytes=0 max-size-time=0
  ! jpegdec idct-method=islow
  ! videoconvert
  ! videoflip video-direction=auto
  ! tee name=upright
upright.
  ! holistic-keypoints parts=pose
  ! lstm-classifier
  ! feedback-throttle format=json
  ! appsink name=feedback sync=false
upright.
  ! queue
  ! videoconvert
  ! video/x-raw,format=RGB
  ! multifilesink location=FOLDER/%05d.rgb async=false sync=false
"""
"#;

/// Frames are dropped and resets empty the queues, and still each frame that is left is turned as it says itself.
#[tokio::test(flavor = "multi_thread")]
async fn every_frame_is_turned_as_it_says_itself() {
    let folder = tempfile::tempdir().expect("a folder");
    let pipeline = SEEN.replace("FOLDER", folder.path().to_str().expect("UTF-8"));
    std::fs::write(folder.path().join("seen.toml"), pipeline).expect("written");
    let server = Server::start_with(|config| {
        config.pipeline.directory = folder.path().display().to_string();
        config.pipeline.name = "seen".to_owned();
    })
    .await;
    let frames: Vec<Vec<u8>> =
        (1..=8).map(|orientation| quarters().lying(orientation).jpeg(orientation)).collect();
    let mut client = Client::connect(&server).await;
    let mut sent = 0.0;
    for round in 0..24_usize {
        for step in 0..10 {
            client.send_frame(&frames[(round * 7 + step * (1 + round % 4)) % 8]).await;
            sent += 1.0;
            tokio::time::sleep(Duration::from_millis(u64::try_from(step % 3).expect("small") * 8)).await;
        }
        client.send_letter("A").await;
    }
    server.wait_for_metric("dactyl_frames_received_total", |received| received == sent).await;
    server.wait_for_metric("dactyl_frames_in_flight", |in_flight| in_flight == 0.0).await;
    assert!(server.metric("dactyl_frames_dropped_total{reason=\"busy\"}").await > 0.0);
    server.stop().await;
    let [width, height] = SIZE;
    let mut seen = 0;
    for file in std::fs::read_dir(folder.path()).expect("a folder") {
        let path = file.expect("a file").path();
        let picture = std::fs::read(&path).expect("a file");
        // The server warms up with a picture of its own.
        if path.extension().is_none_or(|end| end != "rgb") || picture.len() == 128 * 96 * 3 {
            continue;
        }
        assert_eq!(picture.len(), width * height * 3);
        for (quarter, colour) in QUARTERS.iter().enumerate() {
            let [x, y] = [width / 4 + quarter % 2 * width / 2, height / 4 + quarter / 2 * height / 2];
            let pixel = &picture[(y * width + x) * 3..][..3];
            let off = pixel.iter().zip(colour).map(|(one, other)| one.abs_diff(*other)).max();
            assert!(off < Some(30), "{}: {pixel:?} in quarter {quarter}", path.display());
        }
        seen += 1;
    }
    assert!(seen > 24, "{seen}");
}

/// x and y of every landmark of the pose and the right hand.
fn positions(answer: &Value) -> Vec<f64> {
    let landmarks = &answer["landmarks"];
    ["pose", "right_hand"]
        .iter()
        .flat_map(|part| landmarks[part].as_array().expect("the part is found"))
        .flat_map(|landmark| [0, 1].map(|side| landmark[side].as_f64().expect("a number")))
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_turned_person_gives_the_landmarks_of_an_upright_one() {
    let Some((pixels, width, height)) = person_pixels(20) else { return };
    let (pixels, _) = pixels.as_chunks();
    let upright = Picture { pixels: pixels.to_vec(), width: width.into(), height: height.into() };
    let server = Server::start().await;
    let mut all = Vec::new();
    for orientation in 1..=8 {
        let mut client = Client::connect_to(&server, "?extras=landmarks").await.expect("a session");
        client.send_frame(&upright.lying(orientation).jpeg(orientation)).await;
        all.push(positions(&client.answer().await));
    }
    for (positions, orientation) in all.iter().zip(1..) {
        assert_eq!(positions.len(), all[0].len());
        let off = positions.iter().zip(&all[0]).map(|(one, other)| (one - other).abs()).fold(0.0, f64::max);
        println!("orientation {orientation}: off by {off:.4}");
        assert!(off < 0.01, "orientation {orientation} is off by {off}");
    }
    server.stop().await;
}
