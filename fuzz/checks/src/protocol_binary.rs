//! A binary message of a client: a JPEG, MessagePack, or JSON in bytes.

use bytes::Bytes;
use dactyl::protocol::{Content, Request, is_bare_jpeg, read_binary};

use crate::protocol_text::{self, check_outcome, pack};

/// What the format is made of.
pub const WORDS: &[&[u8]] = &[
    b"\x80",
    b"\x81",
    b"\x82",
    b"\xDE\x00\x02",
    b"\xDF\x00\x00\x00\x02",
    b"\xA9jpeg_blob",
    b"\xAAnew_letter",
    b"\xA9landmarks",
    b"\xAAright_hand",
    b"\xA5width\x10",
    b"\xA6height\x10",
    b"\xCA\x3F\x00\x00\x00",
    b"\xC0",
    b"\xC2",
    b"\xC4\x04\xFF\xD8\xFF\xD9",
    b"\xC5\x00\x04",
    b"\xC6\x00\x00\x00\x04",
    b"\xC7\x05\x12\x01\xFF\xD8\xFF\xD9",
    b"\xD4\x00\x00",
    b"\xDC\x00\x02",
    b"\xDD\xFF\xFF\xFF\xFF",
    b"\x92",
    b"\xD0\xFF",
    b"\xCC\xFF",
    b"\xCB",
    b"\xA1B",
    b"\xDB\xFF\xFF\xFF\xFF",
    b"\xFF\xD8",
    b"\x89PNG",
];

/// Inputs of the right form.
pub fn seeds() -> Vec<Vec<u8>> {
    let request = |jpeg: Option<&'static [u8]>, letter: Option<&str>| Request {
        frame: jpeg.map(|jpeg| Ok(Content::Jpeg(Bytes::from_static(jpeg)))),
        new_letter: letter.map(str::to_owned),
    };
    let packed = [
        request(Some(b"\xFF\xD8\xFF\xD9"), None),
        request(Some(b"\xFF\xD8\xFF\xD9"), Some("B")),
        request(None, Some("thank you")),
    ];
    let mut seeds: Vec<Vec<u8>> = packed.iter().map(|request| pack(request).to_vec()).collect();
    // A hand as packed float32.
    let hand =
        [&b"\x83\xA9landmarks\x81\xAAright_hand\xC4\xFC"[..], &[0; 252], b"\xA5width\x10\xA6height\x10"];
    seeds.push(hand.concat());
    seeds.extend(
        [
            // As an extension type, as an array of numbers with and without signs, with JavaScript's undefined.
            &b"\x81\xA9jpeg_blob\xC7\x05\x12\x01\xFF\xD8\xFF\xD9"[..],
            b"\x81\xA9jpeg_blob\x94\xCC\xFF\xCC\xD8\xD0\xFF\xD0\xD9",
            b"\x82\xA9jpeg_blob\xD4\x00\x00\xAAnew_letter\xA1B",
            b"\xFF\xD8\xFF\xD9",
            b"\x89PNG\r\n\x1a\n",
        ]
        .map(<[u8]>::to_vec),
    );
    seeds.extend(protocol_text::seeds());
    seeds
}

/// Checks one message. Gives whether something of it was accepted.
///
/// # Panics
/// Where something does not hold.
pub fn check(input: &[u8]) -> bool {
    let message = Bytes::copy_from_slice(input);
    let read = read_binary(&message);
    if is_bare_jpeg(&message) {
        assert_eq!(read, Ok(Request { frame: Some(Ok(Content::Jpeg(message.clone()))), new_letter: None }));
    }
    check_outcome(&read, input.len())
}
