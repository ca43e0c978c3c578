//! Many sessions that send landmarks: how many frames are answered, how old the answers are, and what a session takes.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context, Result};
use futures_util::{SinkExt, StreamExt};
use gstdactyl::jpeg::{self, Limits};
use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;
use tokio_tungstenite::tungstenite::Message;

use super::bench::{Bench, block_on, start};
use super::load;
use crate::client::{Messages, Session};
use crate::clip;
use crate::contender::Contender;
use crate::figures::percentile;
use crate::server::Server;
use crate::table::Comparison;

/// Sessions that stream at the same time, and frames a second of each.
const SESSIONS: usize = 200;
const FPS: f64 = 15.0;
/// Frames whose landmarks are sent over and over.
const FRAMES: usize = 64;

/// A frame as it is sent: of every hand that was found 21 x (x, y, z), float32.
#[derive(Serialize)]
struct Frame {
    landmarks: BTreeMap<&'static str, ByteBuf>,
    width: u16,
    height: u16,
}

/// What the server tells of a picture.
#[derive(Deserialize)]
struct Told {
    landmarks: Hands,
}

#[derive(Deserialize)]
struct Hands {
    left_hand: Option<Vec<[f32; 4]>>,
    right_hand: Option<Vec<[f32; 4]>>,
}

/// What a number of sessions takes.
struct Taken {
    megabytes: f64,
    threads: f64,
}

pub(super) fn run(bench: &Bench) -> Result<String> {
    let contenders = [Contender::ours("Dactyl", &[("pipeline.allowed", r#"["landmarks"]"#)])];
    let clip = bench.clips.first().context("no --clip was given")?;
    let jpegs = clip::read(&clip.folder)?;
    let jpegs = &jpegs[..jpegs.len().min(FRAMES)];
    let time = Duration::from_secs(bench.either(3, 15));
    let mut table = Comparison::new(&contenders);
    bench.rounds(&contenders, |contender| {
        let server = start(bench, contender)?;
        let messages = block_on(found(&server, jpegs))?;
        let few = block_on(stream(&server, &messages, 1, time / 3))?.1;
        let (ages, many) = block_on(stream(&server, &messages, SESSIONS, time))?;
        let answered = ages.len() as f64 / time.as_secs_f64();
        table.enter(
            &format!("answered, frames a second of {}", SESSIONS as f64 * FPS),
            0,
            contender,
            answered,
        );
        for percent in [50.0, 99.0] {
            let age = percentile(&ages, percent).unwrap_or(f64::NAN);
            table.enter(&format!("arrival to answer, p{percent}, ms"), 2, contender, age);
        }
        let further = |many: f64, few: f64| (many - few) / (SESSIONS - 1) as f64;
        let megabytes = further(many.megabytes, few.megabytes);
        table.enter("memory of a session, MB", 2, contender, megabytes);
        table.enter("threads of a session", 1, contender, further(many.threads, few.threads));
        Ok(format!("{answered:.0} frames a second, {megabytes:.2} MB a session"))
    })?;
    Ok(table.to_string())
}

/// The landmarks of pictures, as the server finds them.
async fn found(server: &Server, jpegs: &[Vec<u8>]) -> Result<Messages> {
    let url = format!("ws://{}/ws?extras=landmarks", server.address);
    let (mut socket, _) =
        tokio_tungstenite::connect_async(url).await.context("the server refuses a session")?;
    let mut frames = Vec::new();
    for jpeg in jpegs {
        socket.send(Message::binary(jpeg.clone())).await.context("the server closed a session")?;
        let hands = loop {
            let message = socket.next().await.context("the server closed a session")??;
            // Feedback and pings come too.
            if let Some(told) =
                message.to_text().ok().and_then(|text| serde_json::from_str::<Told>(text).ok())
            {
                break told.landmarks;
            }
        };
        let header = jpeg::check(jpeg, Limits { max_pixels: u32::MAX, max_scans: u32::MAX })?;
        let found = [("left_hand", hands.left_hand), ("right_hand", hands.right_hand)];
        let landmarks = found.into_iter().filter_map(|(key, hand)| Some((key, packed(&hand?)))).collect();
        let frame = Frame { landmarks, width: header.width, height: header.height };
        frames.push(Message::binary(rmp_serde::to_vec_named(&frame)?));
    }
    Ok(Messages::of(frames))
}

fn packed(hand: &[[f32; 4]]) -> ByteBuf {
    hand.iter()
        .flat_map(|[x, y, z, _]| [x, y, z])
        .flat_map(|value| value.to_le_bytes())
        .collect::<Vec<u8>>()
        .into()
}

/// Ages of the answers of that time, in milliseconds, and what the sessions took.
async fn stream(
    server: &Server,
    messages: &Messages,
    count: usize,
    time: Duration,
) -> Result<(Vec<f64>, Taken)> {
    let query = "pipeline=landmarks&extras=frame,timings";
    let mut sessions = load::open(server, query, messages, count, FPS).await?;
    load::drain(&mut sessions);
    tokio::time::sleep(time).await;
    let answers = sessions.iter_mut().flat_map(Session::drain);
    let ages = answers.filter_map(|answer| answer.age).collect();
    let taken = Taken { megabytes: server.resident_mb()?, threads: server.threads()? };
    Ok((ages, taken))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hand_is_sent_in_252_bytes() {
        let hand = [[0.5, 0.25, -0.01, 0.0]; 21];
        let bytes = packed(&hand);
        assert_eq!(bytes.len(), 252);
        assert_eq!(bytes[4..8], 0.25f32.to_le_bytes());
    }
}
