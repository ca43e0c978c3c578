//! JPEGs of every kind: decoded right or refused by name, and the next good frame is answered as usual.

use std::time::Duration;

use jpeg_encoder::{ColorType, Encoder, SamplingFactor};

use crate::client::Client;
use crate::pictures::{encode, gradient, gradient_pixels};
use crate::server::{Server, resident};
use dactyl_tests::recordings::shared;

const SIZE: (u16, u16) = (96, 64);

fn good(set: impl FnOnce(&mut Encoder<&mut Vec<u8>>)) -> Vec<u8> {
    encode(&gradient_pixels(SIZE.0, SIZE.1, 3), SIZE.0, SIZE.1, set)
}

fn of_type(pixel: &[u8], color: ColorType) -> Vec<u8> {
    let mut jpeg = Vec::new();
    let pixels = pixel.repeat(usize::from(SIZE.0) * usize::from(SIZE.1));
    Encoder::new(&mut jpeg, 90).encode(&pixels, SIZE.0, SIZE.1, color).expect("pixels of that size");
    jpeg
}

/// Offset of the first byte after the marker FF `code`'s length field.
fn segment(jpeg: &[u8], code: u8) -> usize {
    let mut at = 2;
    while jpeg[at + 1] != code {
        at += 2 + usize::from(u16::from_be_bytes([jpeg[at + 2], jpeg[at + 3]]));
    }
    at + 4
}

/// A baseline JPEG whose frame header is changed.
fn with_header(change: impl FnOnce(&mut [u8])) -> Vec<u8> {
    let mut jpeg = good(|_| ());
    let header = segment(&jpeg, 0xc0);
    change(&mut jpeg[header..]);
    jpeg
}

/// A progressive JPEG that repeats its last scan a thousand times.
fn bomb() -> Vec<u8> {
    let mut jpeg = good(|encoder| encoder.set_progressive(true));
    let starts: Vec<usize> =
        jpeg.windows(2).enumerate().filter(|(_, w)| *w == [0xff, 0xda]).map(|(at, _)| at).collect();
    let last = *starts.last().expect("scans");
    let scan = jpeg[last..jpeg.len() - 2].to_vec();
    jpeg.truncate(jpeg.len() - 2);
    for _ in 0..1000 {
        jpeg.extend(&scan);
    }
    jpeg.extend([0xff, 0xd9]);
    jpeg
}

#[tokio::test(flavor = "multi_thread")]
async fn jpegs_of_every_decodable_kind_are_analysed() {
    let server = Server::start().await;
    let mut client = Client::connect(&server).await;
    let kinds = [
        good(|_| ()),
        good(|encoder| encoder.set_progressive(true)),
        good(|encoder| encoder.set_sampling_factor(SamplingFactor::F_1_1)),
        good(|encoder| encoder.set_sampling_factor(SamplingFactor::F_2_1)),
        good(|encoder| encoder.set_sampling_factor(SamplingFactor::F_2_2)),
        good(|encoder| encoder.set_restart_interval(2)),
        of_type(&[90], ColorType::Luma),
        gradient(1, 1, 0),
        gradient(321, 241, 0),
        gradient(17, 1000, 0),
        [good(|_| ()), b"trailing bytes".to_vec()].concat(),
    ];
    client.send_analysed(&server, &kinds).await;
    assert_eq!(client.answer_within(Duration::from_millis(100)).await, None);
    // A picture of another size begins a new window.
    client.send_analysed(&server, &vec![good(|_| ()); 32]).await;
    client.answer().await;
    assert_eq!(server.metric("dactyl_frames_dropped_total").await, 0.0);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn undecodable_jpegs_are_refused_by_name_and_cost_no_memory() {
    let server = Server::start_with(|config| config.server.max_bad_messages = 1_000_000).await;
    let mut client = Client::connect(&server).await;
    client.send_analysed(&server, &[good(|_| ())]).await;
    let whole = good(|_| ());
    let bad = [
        (whole[..whole.len() / 2].to_vec(), "bad_jpeg"),
        (whole[..40].to_vec(), "bad_jpeg"),
        (vec![0xff, 0xd8, 0xff, 0xd9], "bad_jpeg"),
        (with_header(|header| header[1..5].copy_from_slice(&[0x75, 0x30, 0x75, 0x30])), "too_many_pixels"),
        (with_header(|header| header[0] = 12), "unsupported_jpeg"),
        (of_type(&[1, 2, 3, 4], ColorType::Cmyk), "unsupported_jpeg"),
        (with_header(|header| header[1..5].fill(0)), "bad_jpeg"),
        (bomb(), "too_many_scans"),
    ];
    let before = resident();
    for _ in 0..25 {
        for (jpeg, code) in &bad {
            client.send_frame(jpeg).await;
            assert_eq!(client.expect_error().await, *code);
        }
    }
    let grown = resident().saturating_sub(before);
    assert!(grown < 50 << 20, "{grown} bytes more are resident");
    client.send_analysed(&server, &[good(|_| ())]).await;
    server.stop().await;
}

/// A JPEG that passes the check and gives no picture: its first Huffman table has three codes of one bit.
fn without_picture() -> Vec<u8> {
    let mut jpeg = good(|_| ());
    let counts = segment(&jpeg, 0xc4) + 1;
    let longest = (counts..counts + 16).rev().find(|at| jpeg[*at] >= 3).expect("codes to take away");
    jpeg[longest] -= 3;
    jpeg[counts] += 3;
    jpeg
}

#[tokio::test(flavor = "multi_thread")]
async fn frames_that_give_no_picture_are_bad_messages_in_a_row() {
    let server = Server::start_with(|config| config.server.max_bad_messages = 5).await;
    let mut client = Client::connect(&server).await;
    for round in 1..=3_u32 {
        for _ in 0..4 {
            client.send_frame(&without_picture()).await;
            assert_eq!(client.expect_error().await, "bad_jpeg");
        }
        let counted = server.metric("dactyl_bad_messages_total{code=\"bad_jpeg\"}").await;
        assert_eq!(counted, f64::from(4 * round));
        // A frame that is analysed ends the row, and so does a letter.
        if round == 1 {
            client.send_analysed(&server, &[good(|_| ())]).await;
        } else if round == 2 {
            client.send_letter("A").await;
            client.expect_reset().await;
        }
    }
    client.send("no").await;
    assert_eq!(u16::from(client.closed().await.code), 1008);
    server.stop().await;
}

/// Some bytes anywhere are changed. What the check refuses and what gives no picture is answered with an error, everything
/// else is analysed; nothing ends the session or its pipeline.
#[tokio::test(flavor = "multi_thread")]
async fn damaged_jpegs_are_analysed_or_answered_with_an_error() {
    let server = Server::start_with(|config| {
        config.server.max_bad_messages = 1_000_000;
        // The client reads, and answers pings, only at the end.
        config.server.ping_timeout_s = 3600;
        config.server.slow_client_timeout_s = 3600;
    })
    .await;
    let mut client = Client::connect(&server).await;
    let wholes = [good(|_| ()), good(|encoder| encoder.set_progressive(true))];
    let mut random: u32 = 1;
    let mut below = |most: usize| {
        // xorshift32, Marsaglia 2003
        random ^= random << 13;
        random ^= random >> 17;
        random ^= random << 5;
        random as usize % most
    };
    for round in 0..300_u32 {
        let mut jpeg = wholes[round as usize % 2].clone();
        for _ in 0..=round % 7 {
            let at = 2 + below(jpeg.len() - 2);
            jpeg[at] = u8::try_from(below(256)).unwrap_or(0);
        }
        client.send_frame(&jpeg).await;
        let mut ended = 0.0;
        while ended <= f64::from(round) {
            ended = server.metric("dactyl_bad_messages_total").await
                + server.metric("dactyl_frames_analysed_total").await;
        }
    }
    let (mut errors, mut without_picture) = (0.0, 0.0);
    while let Some(answer) = client.answer_within(Duration::from_millis(300)).await {
        let Some(message) = answer["error"]["message"].as_str() else { continue };
        assert_ne!(answer["error"]["code"], "internal", "{answer}");
        errors += 1.0;
        without_picture += f64::from(u8::from(message.contains("could not be decoded")));
    }
    let bad = server.metric("dactyl_bad_messages_total").await;
    let dropped = server.metric("dactyl_frames_dropped_total").await;
    println!("{bad} bad, {dropped} of them without a picture");
    assert_eq!((errors, without_picture), (bad, dropped));
    assert_eq!(server.metric("dactyl_frames_dropped_total{reason=\"decode\"}").await, dropped);
    assert!(bad - dropped > 50.0 && dropped > 0.0);
    client.send_analysed(&server, &vec![good(|_| ()); 32]).await;
    client.answer().await;
    server.stop().await;
}

/// Horizontal and vertical sampling factors of the three components.
fn sampled(factors: [u8; 3]) -> Vec<u8> {
    let mut jpeg = good(|encoder| encoder.set_sampling_factor(SamplingFactor::F_2_2));
    let header = segment(&jpeg, 0xc0);
    for (component, factors) in factors.into_iter().enumerate() {
        jpeg[header + 7 + 3 * component] = factors;
    }
    jpeg
}

/// Some subsamplings make the decoder end its pipeline, and with it the window of frames.
#[tokio::test(flavor = "multi_thread")]
async fn uncommon_subsampling_fails_no_pipeline() {
    let server = Server::start_with(|config| config.server.max_bad_messages = 1_000_000).await;
    let mut client = Client::connect(&server).await;
    let (mut sent, mut analysed, mut errors) = (0.0, 0.0, 0.0);
    for luma in (1..=4).flat_map(|h| (1..=4).map(move |v| h << 4 | v)) {
        for (first, second) in
            [(0x11, 0x11), (0x21, 0x21), (0x12, 0x12), (0x22, 0x22), (0x11, 0x22), (0x21, 0x12)]
        {
            client.send_frame(&sampled([luma, first, second])).await;
            sent += 1.0;
            let refused = loop {
                let refused = server.metric("dactyl_bad_messages_total").await;
                analysed = server.metric("dactyl_frames_analysed_total").await;
                if refused + analysed >= sent {
                    break refused;
                }
            };
            if refused > errors {
                let code = client.expect_error().await;
                assert_eq!(code, "unsupported_jpeg", "{luma:x} {first:x} {second:x}");
                errors = refused;
            }
        }
    }
    assert_eq!(analysed, 5.0);
    assert_eq!(server.metric("dactyl_frames_dropped_total").await, 0.0);
    server.stop().await;
}

/// Of some of these the decoder wrote only the brightness: their colours were those of another session's frames.
#[tokio::test(flavor = "multi_thread")]
async fn jpegs_of_the_field_are_analysed_or_refused_by_name() {
    let Some(folder) = shared("cases/jpeg") else { return };
    let server = Server::start_with(|config| config.server.max_bad_messages = 1_000_000).await;
    let mut red = Client::connect(&server).await;
    let mut client = Client::connect(&server).await;
    for (name, refusal) in [
        ("411.jpg", Some("YCbCr JPEG with the sampling factors 4x1,1x1,1x1 ")),
        ("422-as-4x1-2x1.jpg", Some("YCbCr JPEG with the sampling factors 4x1,2x1,2x1 ")),
        ("440-as-2x2-2x1.jpg", Some("YCbCr JPEG with the sampling factors 2x2,2x1,2x1 ")),
        ("444-as-1x2-ffmpeg.jpg", Some("YCbCr JPEG with the sampling factors 1x2,1x2,1x2 ")),
        ("444-as-2x1.jpg", Some("YCbCr JPEG with the sampling factors 2x1,2x1,2x1 ")),
        ("adobe-t0-420.jpg", Some("RGB JPEG with the sampling factors 2x2,1x1,1x1 ")),
        ("baseline-2x2.jpg", None),
        ("exif1.jpg", None),
        ("exif6.jpg", None),
        ("quadrants-411.jpg", Some("YCbCr JPEG with the sampling factors 4x1,1x1,1x1 ")),
        ("quadrants-444-as-2x1.jpg", Some("YCbCr JPEG with the sampling factors 2x1,2x1,2x1 ")),
        ("same-picture-1x1-accepted.jpg", None),
        ("same-picture-420.jpg", None),
        ("same-picture-444-plain.jpg", None),
    ] {
        red.send_analysed(&server, &[of_type(&[255, 0, 0], ColorType::Rgb)]).await;
        let jpeg = std::fs::read(folder.join(name)).expect("one of the cases");
        let Some(refusal) = refusal else {
            client.send_analysed(&server, &[jpeg]).await;
            continue;
        };
        client.send_frame(&jpeg).await;
        let answer = client.answer().await;
        assert_eq!(answer["error"]["code"], "unsupported_jpeg", "{name}: {answer}");
        let message = answer["error"]["message"].as_str().expect("text");
        assert!(message.starts_with(refusal), "{name}: {message}");
    }
    server.stop().await;
}
