//! Recordings to keypoints: what is written, what is kept, what is refused.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use dactyl_tests::recordings::shared;
use jpeg_encoder::{ColorType, Encoder, SamplingFactor};
use ndarray::{Array, Dimension, Ix1, Ix3, OwnedRepr};
use ndarray_npy::{NpzReader, ReadableElement};

fn extract(data: &Path, recordings: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_dactyl-train"));
    command.arg("extract").arg(recordings).arg("--data").arg(data).args(["--signer", "me"]);
    command
}

fn run(command: &mut Command) -> Output {
    command.output().unwrap()
}

fn succeed(command: &mut Command) -> String {
    let output = run(command);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn fail(command: &mut Command) -> String {
    let output = run(command);
    assert!(!output.status.success());
    String::from_utf8(output.stderr).unwrap()
}

fn array<T: ReadableElement, D: Dimension>(file: &Path, name: &str) -> Array<T, D> {
    NpzReader::new(File::open(file).unwrap()).unwrap().by_name::<OwnedRepr<T>, D>(name).unwrap()
}

/// A picture without a person; every `seed` gives another.
fn picture(path: &Path, [width, height]: [u16; 2], seed: u8) {
    let pixels: Vec<u8> = (0..usize::from(width) * usize::from(height))
        .flat_map(|index| {
            let [x, y] = [index % usize::from(width), index / usize::from(width)];
            [(2 * x) as u8, (3 * y) as u8, seed.wrapping_mul(40)]
        })
        .collect();
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    Encoder::new_file(path, 90).unwrap().encode(&pixels, width, height, ColorType::Rgb).unwrap();
}

/// Two labels of two takes each, the second of them with a repeated picture.
fn recordings(folder: &Path) -> PathBuf {
    let recordings = folder.join("recordings");
    for (label, first) in [("thank you", 0), ("hello", 3)] {
        for take in ["1", "2"] {
            for (frame, seed) in [(9, first), (10, first + 1), (11, first + 1), (12, first + 2)] {
                picture(&recordings.join(label).join(take).join(format!("{frame}.jpg")), [96, 72], seed);
            }
        }
    }
    recordings
}

#[test]
fn every_frame_is_a_row_with_its_label_take_and_repeats() {
    let folder = tempfile::tempdir().unwrap();
    let recordings = recordings(folder.path());
    let told = succeed(&mut extract(&folder.path().join("data"), &recordings));
    assert!(told.contains("hello/1 "), "{told}");
    assert!(told.contains("4 frames,     0 with a hand, 1 repeated  FEW HANDS"), "{told}");

    let file = folder.path().join("data/full/me.npz");
    assert_eq!(array::<i32, Ix1>(&file, "size").to_vec(), [96, 72]);
    assert_eq!(array::<i32, Ix1>(&file, "frame").to_vec(), [0, 1, 2, 3].repeat(4));
    let takes: Vec<i32> = (0..4).flat_map(|take| [take; 4]).collect();
    assert_eq!(array::<i32, Ix1>(&file, "sequence").to_vec(), takes);
    assert_eq!(array::<u8, Ix1>(&file, "duplicate").to_vec(), [0, 0, 1, 0].repeat(4));
    assert_eq!(array::<f32, Ix3>(&file, "pose").shape(), [16, 33, 4]);
    assert_eq!(array::<f32, Ix3>(&file, "face").shape(), [16, 7, 3]);
    assert!(array::<f32, Ix3>(&file, "left").iter().all(|value| value.is_nan()));
    // As numpy writes bytes; labels in natural order.
    let bytes = fs::read(&file).unwrap();
    assert!(bytes.starts_with(b"PK"));
    let names = NpzReader::new(File::open(&file).unwrap()).unwrap().names().unwrap();
    assert!(names.contains(&"label".to_owned()) && !names.contains(&"letter".to_owned()), "{names:?}");
}

#[test]
fn a_run_whose_output_nobody_reads_is_done_all_the_same() {
    let folder = tempfile::tempdir().unwrap();
    picture(&folder.path().join("recordings/A/1.jpg"), [96, 72], 1);
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let mut extract = extract(&folder.path().join("data"), &folder.path().join("recordings"));
    let status = extract.stdout(writer.try_clone().unwrap()).stderr(writer).status().unwrap();
    assert_eq!(status.code(), Some(0));
    assert!(folder.path().join("data/full/me.npz").is_file());
}

#[test]
fn recordings_of_letters_can_join_the_sets_of_letters() {
    let folder = tempfile::tempdir().unwrap();
    for letter in ["A", "B"] {
        picture(&folder.path().join("recordings").join(letter).join("1.jpg"), [96, 72], 1);
    }
    succeed(&mut extract(&folder.path().join("data"), &folder.path().join("recordings")));
    let letters = array::<u8, Ix1>(&folder.path().join("data/full/me.npz"), "letter");
    assert_eq!(letters.to_vec(), [b'A', b'B']);
}

#[test]
fn the_same_recordings_give_the_same_file() {
    let folder = tempfile::tempdir().unwrap();
    let recordings = recordings(folder.path());
    let files = ["one", "two"].map(|data| {
        succeed(&mut extract(&folder.path().join(data), &recordings));
        fs::read(folder.path().join(data).join("full/me.npz")).unwrap()
    });
    assert!(files[0] == files[1]);
}

/// Killed as soon as one take is done; the next run must keep that one and end with what an undisturbed run gives.
#[test]
fn a_killed_run_goes_on_where_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let recordings = recordings(folder.path());
    for frame in 13..60 {
        picture(&recordings.join("thank you/2").join(format!("{frame}.jpg")), [96, 72], frame);
    }
    succeed(&mut extract(&folder.path().join("undisturbed"), &recordings));

    let data = folder.path().join("data");
    let mut child = extract(&data, &recordings).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let first = data.join("takes/me/hello/1.npz");
    let begin = Instant::now();
    while !first.exists() {
        assert!(begin.elapsed() < Duration::from_secs(60), "no take was finished");
        std::thread::sleep(Duration::from_millis(2));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(!data.join("full/me.npz").exists(), "the run was over before it was killed");
    let made = fs::metadata(&first).unwrap().modified().unwrap();

    succeed(&mut extract(&data, &recordings));
    assert_eq!(fs::metadata(&first).unwrap().modified().unwrap(), made);
    let file = |data: &str| fs::read(folder.path().join(data).join("full/me.npz")).unwrap();
    assert!(file("data") == file("undisturbed"));
}

#[test]
fn a_take_that_has_changed_is_done_again_and_a_damaged_one_too() {
    let folder = tempfile::tempdir().unwrap();
    let (recordings, data) = (recordings(folder.path()), folder.path().join("data"));
    succeed(&mut extract(&data, &recordings));
    fs::remove_file(recordings.join("hello/2/9.jpg")).unwrap();
    fs::write(data.join("takes/me/thank you/1.npz"), "no archive").unwrap();
    succeed(&mut extract(&data, &recordings));
    let frames = array::<i32, Ix1>(&data.join("full/me.npz"), "frame");
    assert_eq!(frames.to_vec(), [0, 1, 2, 3, 0, 1, 2, 0, 1, 2, 3, 0, 1, 2, 3]);
}

#[test]
fn takes_that_cannot_be_used_are_all_named_and_the_others_kept() {
    let folder = tempfile::tempdir().unwrap();
    let (recordings, data) = (recordings(folder.path()), folder.path().join("data"));
    fs::write(recordings.join("hello/2/10.jpg"), "no picture").unwrap();
    picture(&recordings.join("thank you/1/11.jpg"), [64, 48], 1);
    fs::write(recordings.join("thank you/film.mp4"), "no film").unwrap();
    let sound = "audiotestsrc num-buffers=20 ! audioconvert ! wavenc ! filesink location=sound.avi";
    let mut recorded = Command::new("gst-launch-1.0");
    recorded.arg("-q").args(sound.split(' ')).current_dir(recordings.join("hello"));
    assert!(recorded.status().unwrap().success());
    let said = fail(&mut extract(&data, &recordings)).replace(recordings.to_str().unwrap(), "RECORDINGS");
    assert!(
        said.contains("4 of 6 takes can't be used (the others are done and will not be done again)"),
        "{said}"
    );
    for expected in [
        "RECORDINGS/hello/2/10.jpg can't be decoded: ",
        "record or convert it anew, or remove it",
        "RECORDINGS/thank you/1/11.jpg has 64 x 48 pixels, the pictures before it 96 x 72: a take is one size",
        "RECORDINGS/thank you/film.mp4 can't be decoded: ",
        "RECORDINGS/hello/sound.avi can't be decoded: it holds no video; ",
    ] {
        assert!(said.contains(expected), "{expected}\n{said}");
    }
    assert!(data.join("takes/me/hello/1.npz").exists());
    assert!(!data.join("full/me.npz").exists());
}

#[test]
fn takes_of_another_size_keep_their_pixels() {
    let Some(avatar) = shared("golden/avatar") else { return };
    let folder = tempfile::tempdir().unwrap();
    let recordings = folder.path().join("recordings");
    picture(&recordings.join("a/1.jpg"), [96, 72], 1);
    fs::create_dir_all(recordings.join("b/1")).unwrap();
    for frame in 0..4 {
        let name = format!("{frame:03}.png");
        fs::copy(avatar.join(&name), recordings.join("b/1").join(&name)).unwrap();
    }
    let data = folder.path().join("data");
    succeed(&mut extract(&data, &recordings));
    let golden: Array<f32, Ix3> = ndarray_npy::read_npy(avatar.join("landmarks.npy")).unwrap();
    let pose = array::<f32, Ix3>(&data.join("full/me.npz"), "pose");
    assert_eq!(array::<i32, Ix1>(&data.join("full/me.npz"), "size").to_vec(), [96, 72]);
    for frame in 0..4 {
        for (axis, side) in [(0, 96.0), (1, 72.0)] {
            let [ours, theirs] = [pose[[1 + frame, 0, axis]] * side, golden[[frame, 0, axis]] * 576.0];
            assert!((ours - theirs).abs() < 1.0, "frame {frame}, axis {axis}: {ours} and {theirs}");
        }
    }
}

/// A video and its frames as pictures show the same hands, and those that MediaPipe finds.
#[test]
fn a_video_and_pictures_of_the_same_frames_agree_with_mediapipe() {
    let Some(avatar) = shared("golden/avatar") else { return };
    let folder = tempfile::tempdir().unwrap();
    let recordings = folder.path().join("recordings");
    fs::create_dir_all(recordings.join("pictures/1")).unwrap();
    fs::create_dir_all(recordings.join("video")).unwrap();
    const FRAMES: usize = 24;
    for frame in 0..FRAMES {
        let name = format!("{frame:03}.png");
        fs::copy(avatar.join(&name), recordings.join("pictures/1").join(&name)).unwrap();
    }
    // 30 pictures a second, as the clock of pictures is.
    let filmed = Command::new("gst-launch-1.0")
        .args(["-q", "multifilesrc", &format!("location={}/%03d.png", avatar.display())])
        .args([&format!("stop-index={}", FRAMES - 1), "caps=image/png,framerate=30/1"])
        .args("! pngdec ! videoconvert ! jpegenc quality=100 ! avimux ! filesink".split(' '))
        .arg(format!("location={}", recordings.join("video/1.avi").display()))
        .status()
        .unwrap();
    assert!(filmed.success());
    let data = folder.path().join("data");
    succeed(&mut extract(&data, &recordings));

    let golden: Array<f32, Ix3> = ndarray_npy::read_npy(avatar.join("landmarks.npy")).unwrap();
    let file = data.join("full/me.npz");
    for (name, first) in [("left", 501), ("right", 522)] {
        let hand = array::<f32, Ix3>(&file, name);
        assert_eq!(hand.shape(), [2 * FRAMES, 21, 3]);
        for row in 0..2 * FRAMES {
            let frame = row % FRAMES;
            // A JPEG's losses can decide where a hand is about to be lost.
            let [ours, theirs] = [hand[[row, 0, 0]], golden[[frame, first, 0]]];
            if row < FRAMES {
                assert_eq!(ours.is_nan(), theirs.is_nan(), "{name} hand of picture {frame}");
            }
            if ours.is_nan() || theirs.is_nan() {
                continue;
            }
            let distance = (0..2)
                .map(|axis| (hand[[row, 0, axis]] - golden[[frame, first, axis]]).abs() * 576.0)
                .fold(0.0, f32::max);
            let limit = if row < FRAMES { 1.5 } else { 6.0 };
            assert!(distance < limit, "{name} wrist of row {row}: {distance} pixels");
        }
    }
}

/// Sideways as a phone films: what plays it is told to turn it by 90 degrees.
fn lying_film(path: &Path) {
    let mut film = fs::read(path).unwrap();
    let header = film.windows(4).position(|name| name == b"tkhd").unwrap();
    // The matrix (ISO/IEC 14496-12, 8.3.2).
    let matrix = &mut film[header + 44..header + 64];
    assert_eq!(matrix[..4], [0, 1, 0, 0]);
    matrix.copy_from_slice(&[0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF, 0, 0, 0, 0, 0, 0]);
    fs::write(path, film).unwrap();
}

/// The same in a JPEG.
fn lying_picture(path: &Path) {
    let mut picture = fs::read(path).unwrap();
    let metadata = *b"\xFF\xE1\0\x22Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0";
    picture.splice(2..2, metadata);
    fs::write(path, picture).unwrap();
}

#[test]
fn recordings_that_lie_on_their_side_are_tracked_upright() {
    let Some(avatar) = shared("golden/avatar") else { return };
    let folder = tempfile::tempdir().unwrap();
    let recordings = folder.path().join("recordings");
    fs::create_dir_all(recordings.join("pictures/1")).unwrap();
    fs::create_dir_all(recordings.join("video")).unwrap();
    const FRAMES: usize = 8;
    for written in ["multifilesink location=pictures/1/%03d.jpg", "qtmux ! filesink location=video/1.mov"] {
        let recorded = Command::new("gst-launch-1.0")
            .args(["-q", "multifilesrc", &format!("location={}/%03d.png", avatar.display())])
            .args([&format!("stop-index={}", FRAMES - 1), "caps=image/png,framerate=30/1"])
            .args(
                "! pngdec ! videoflip video-direction=90l ! videoconvert ! jpegenc quality=100 !".split(' '),
            )
            .args(written.split(' '))
            .current_dir(&recordings)
            .status()
            .unwrap();
        assert!(recorded.success());
    }
    for picture in fs::read_dir(recordings.join("pictures/1")).unwrap() {
        lying_picture(&picture.unwrap().path());
    }
    lying_film(&recordings.join("video/1.mov"));
    let data = folder.path().join("data");
    succeed(&mut extract(&data, &recordings));

    let golden: Array<f32, Ix3> = ndarray_npy::read_npy(avatar.join("landmarks.npy")).unwrap();
    let file = data.join("full/me.npz");
    assert_eq!(array::<i32, Ix1>(&file, "size").to_vec(), [576, 576]);
    let pose = array::<f32, Ix3>(&file, "pose");
    assert_eq!(pose.shape(), [2 * FRAMES, 33, 4]);
    for row in 0..2 * FRAMES {
        let distance = (0..2)
            .map(|axis| (pose[[row, 0, axis]] - golden[[row % FRAMES, 0, axis]]).abs() * 576.0)
            .fold(0.0, f32::max);
        assert!(distance < 6.0, "nose of row {row}: {distance} pixels");
    }
}

#[test]
fn a_picture_that_the_decoder_gets_wrong_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let recordings = recordings(folder.path());
    let mut encoder = Encoder::new_file(recordings.join("hello/1/10.jpg"), 90).unwrap();
    encoder.set_sampling_factor(SamplingFactor::R_4_1_1);
    encoder.encode(&[90; 96 * 72 * 3], 96, 72, ColorType::Rgb).unwrap();
    let said = fail(&mut extract(&folder.path().join("data"), &recordings));
    let expected = "10.jpg can't be decoded: YCbCr JPEG with the sampling factors 4x1,1x1,1x1";
    assert!(said.contains(expected), "{said}");
}

#[test]
fn what_extract_needs_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let recordings = recordings(folder.path());
    let data = folder.path().join("data");
    let said = fail(extract(&data, &recordings).arg("--models").arg(folder.path()));
    assert!(said.contains("run `dactyl models fetch`, or name their folder with --models"), "{said}");
    let said = fail(&mut extract(&data, &folder.path().join("nowhere")));
    assert!(said.contains("nowhere can't be listed"), "{said}");
    let mut command = Command::new(env!("CARGO_BIN_EXE_dactyl-train"));
    command.arg("extract").arg(&recordings).arg("--data").arg(&data).args(["--signer", "a/b"]);
    assert!(fail(&mut command).contains("can't name a file"));
}
