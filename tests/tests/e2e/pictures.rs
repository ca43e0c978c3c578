//! JPEGs to send: synthetic ones, and a rendered person from `../shared` where it is there.

use dactyl_tests::recordings::shared;
use jpeg_encoder::{ColorType, Encoder};

/// A picture without a person: a gradient that moves with `seed`.
pub fn gradient(width: u16, height: u16, seed: u32) -> Vec<u8> {
    encode(&gradient_pixels(width, height, seed), width, height, |_| ())
}

/// RGB pixels of [`gradient`].
pub fn gradient_pixels(width: u16, height: u16, seed: u32) -> Vec<u8> {
    let mut pixels = Vec::with_capacity(usize::from(width) * usize::from(height) * 3);
    for y in 0..u32::from(height) {
        for x in 0..u32::from(width) {
            let value = |step: u32| u8::try_from((x * step + y + seed * 7) % 256).unwrap_or(0);
            pixels.extend([value(1), value(2), value(3)]);
        }
    }
    pixels
}

/// Encodes RGB pixels as the caller sets the encoder.
pub fn encode(
    pixels: &[u8],
    width: u16,
    height: u16,
    set: impl FnOnce(&mut Encoder<&mut Vec<u8>>),
) -> Vec<u8> {
    let mut jpeg = Vec::new();
    let mut encoder = Encoder::new(&mut jpeg, 90);
    set(&mut encoder);
    encoder.encode(pixels, width, height, ColorType::Rgb).expect("pixels of that size");
    jpeg
}

/// The first `count` frames of the rendered person, as JPEGs; `None` as [`shared`] says.
pub fn person(count: usize) -> Option<Vec<Vec<u8>>> {
    let frame = |index: usize| {
        let (pixels, width, height) = person_pixels(index)?;
        Some(encode(&pixels, width, height, |_| ()))
    };
    // Forwards, backwards, forwards: a clip of any length without a jump.
    (0..count).map(|index| frame(if (index / 59) % 2 == 0 { index % 59 } else { 59 - index % 59 })).collect()
}

/// RGB pixels, width and height of one of the 60 pictures of [`person`].
pub fn person_pixels(index: usize) -> Option<(Vec<u8>, u16, u16)> {
    let path = shared("golden/avatar")?.join(format!("{index:03}.png"));
    let file = std::fs::File::open(path).expect("60 frames");
    let mut reader = png::Decoder::new(std::io::BufReader::new(file)).read_info().expect("a PNG");
    let mut pixels = vec![0; reader.output_buffer_size().expect("fits in memory")];
    let info = reader.next_frame(&mut pixels).expect("a PNG");
    Some((pixels, info.width.try_into().expect("small"), info.height.try_into().expect("small")))
}
