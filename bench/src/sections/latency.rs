//! From a frame to its feedback: one session, one frame at a time.

use std::time::{Duration, Instant};

use anyhow::Result;

use super::bench::{Bench, block_on, start};
use crate::client::{Messages, Session};
use crate::figures::percentile;
use crate::server::Server;
use crate::table::{Comparison, number};

/// From an answer to the next frame, in milliseconds: about a camera's pace.
const PAUSE: std::ops::Range<u64> = 20..50;
/// Before the first frame that counts; the window is full when the first of them is answered.
const WARM_UP: usize = 20;

pub(super) fn run(bench: &Bench) -> Result<String> {
    let contenders = bench.servers();
    let messages = bench.messages()?;
    let probes = bench.either(20, 200);
    let mut table = Comparison::new(&contenders);
    bench.rounds(&contenders, |contender| {
        let server = start(bench, contender)?;
        let times = block_on(answers(&server, &messages, probes))?;
        let (p50, p95) = (percentile(&times, 50.0), percentile(&times, 95.0));
        for (measure, value) in [("p50, ms", p50), ("p95, ms", p95)] {
            table.enter(measure, 1, contender, value.unwrap_or(f64::NAN));
        }
        Ok(format!("p50 {} ms, p95 {} ms", number(p50, 1), number(p95, 1)))
    })?;
    Ok(table.to_string())
}

async fn answers(server: &Server, messages: &Messages, probes: usize) -> Result<Vec<f64>> {
    let mut session = Session::open(server.address, messages, 0).await?;
    session.frames_until_answer(Duration::from_millis(100)).await?;
    let times = probe(&mut session, WARM_UP + probes).await?;
    Ok(times[WARM_UP..].to_vec())
}

/// Sends single frames and waits for the answer to each; returns the milliseconds that each took.
pub(super) async fn probe(session: &mut Session, frames: usize) -> Result<Vec<f64>> {
    let mut times = Vec::with_capacity(frames);
    for _ in 0..frames {
        tokio::time::sleep(Duration::from_millis(rand::random_range(PAUSE))).await;
        session.drain();
        let begin = Instant::now();
        session.frame().await?;
        times.push((session.answer().await?.at - begin).as_secs_f64() * 1e3);
    }
    Ok(times)
}
