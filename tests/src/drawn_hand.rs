//! Pictures of a drawn hand and nobody, crops of the drawn person's in `models/holistic/tests/drawn_person`.

#![allow(clippy::expect_used, reason = "a test fails by panicking")]

use std::fs::File;
use std::io::BufReader;
use std::path::Path;

/// Left, top, right and bottom of the crop, as in `scripts/record_hands_alone.py`: round the person's right hand.
const CROP: [usize; 4] = [16, 76, 229, 288];
/// Columns of the pictures.
pub const WIDTH: usize = CROP[2] - CROP[0];
/// Rows of the pictures.
pub const HEIGHT: usize = CROP[3] - CROP[1];
/// The last three of the drawn person's pictures, in which the palm detector finds the hand.
const FOUND: [usize; 3] = [5, 6, 7];

/// RGB pixels of one of the pictures, which repeat themselves; the hand moves.
///
/// # Panics
/// If there is no such file.
pub fn pixels(index: usize) -> Vec<u8> {
    let name = format!("../models/holistic/tests/drawn_person/{:03}.png", FOUND[index % FOUND.len()]);
    let file = File::open(Path::new(env!("CARGO_MANIFEST_DIR")).join(name)).expect("a picture");
    let mut reader = png::Decoder::new(BufReader::new(file)).read_info().expect("a PNG");
    let mut pixels = vec![0; reader.output_buffer_size().expect("fits in memory")];
    let info = reader.next_frame(&mut pixels).expect("a whole PNG");
    let rows = pixels.chunks_exact(info.width as usize * 3).skip(CROP[1]).take(HEIGHT);
    rows.flat_map(|row| &row[CROP[0] * 3..CROP[2] * 3]).copied().collect()
}
