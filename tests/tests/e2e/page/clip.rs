//! Clips in place of a camera: files of JPEGs one after the other, which Chromium plays over and over at 30 a second.

use std::io::Write;
use std::path::PathBuf;

use tempfile::NamedTempFile;

use crate::pictures;

/// A file of pictures; it goes with this value.
pub fn clip(pictures: &[Vec<u8>]) -> NamedTempFile {
    let mut file = tempfile::Builder::new().suffix(".mjpeg").tempfile().expect("a file");
    for picture in pictures {
        file.write_all(picture).expect("written");
    }
    file
}

/// The rendered person, forwards and backwards; `None` as [`pictures::person`].
pub fn person() -> Option<NamedTempFile> {
    Some(clip(&pictures::person(118)?))
}

/// The head of a clip of which no picture follows.
pub fn empty() -> NamedTempFile {
    let mut file = tempfile::Builder::new().suffix(".y4m").tempfile().expect("a file");
    file.write_all(b"YUV4MPEG2 W640 H480 F30:1 Ip A1:1 C420jpeg\nFRAME\n").expect("written");
    file
}

/// A grey wall.
pub fn wall() -> NamedTempFile {
    clip(&[plain(150)])
}

/// One after the other, a few seconds each: a dark room, an empty room, and the rendered person far away.
pub fn trouble() -> Option<NamedTempFile> {
    let far = far_person()?;
    let pictures: Vec<Vec<u8>> = [plain(6), plain(150), far]
        .into_iter()
        .flat_map(|picture| std::iter::repeat_n(picture, 240))
        .collect();
    Some(clip(&pictures))
}

fn plain(grey: u8) -> Vec<u8> {
    pictures::encode(&vec![grey; 576 * 576 * 3], 576, 576, |_| ())
}

/// The first picture of the person at half its size on a grey wall.
fn far_person() -> Option<Vec<u8>> {
    const SHRINK: usize = 2;
    let (pixels, width, height) = pictures::person_pixels(0)?;
    let (width, height) = (usize::from(width), usize::from(height));
    let mut far = vec![150; width * height * 3];
    for y in 0..height / SHRINK {
        for x in 0..width / SHRINK {
            let (from, to) = ((y * SHRINK * width + x * SHRINK) * 3, ((y + 150) * width + x + 140) * 3);
            far[to..to + 3].copy_from_slice(&pixels[from..from + 3]);
        }
    }
    Some(pictures::encode(&far, 576, 576, |_| ()))
}

/// Pictures of a signer who spells one letter after the other, and the letters: a folder with a subfolder per letter,
/// named 0 for A to 25 for Z, of JPEGs named by their number. `None`, said on standard output, where the environment
/// variable `DACTYL_FRAMES` names none.
pub fn signer(letters: &str, pictures_each: usize) -> Option<NamedTempFile> {
    let Some(folder) = std::env::var_os("DACTYL_FRAMES").map(PathBuf::from) else {
        println!("skipped: DACTYL_FRAMES names no folder of a signer's pictures");
        return None;
    };
    let mut pictures = Vec::new();
    for letter in letters.bytes() {
        let folder = folder.join((letter - b'A').to_string());
        let picture = |number: usize| std::fs::read(folder.join(format!("{number}.jpg")));
        let count = (0..).take_while(|number| picture(*number).is_ok()).count();
        assert!(count > 30, "{} holds {count} pictures", folder.display());
        // To and fro, each picture shown twice: sets are recorded at about 15 a second.
        let walk =
            (0..).map(|step| if (step / count) % 2 == 0 { step % count } else { count - 1 - step % count });
        pictures.extend(walk.flat_map(|number| [number, number]).take(pictures_each).flat_map(picture));
    }
    Some(clip(&pictures))
}
