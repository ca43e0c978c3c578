//! More than can be analysed: how much is answered, how fairly, and how old the answers are.

use std::time::Duration;

use anyhow::Result;

use super::bench::{Bench, block_on, start};
use super::latency::probe;
use crate::client::{Messages, QUERY, Session};
use crate::figures::percentile;
use crate::server::Server;
use crate::table::Comparison;

/// Sessions that stream at the same time.
pub(super) const SESSIONS: usize = 8;
const FPS: f64 = 30.0;
/// Answers of every session before counting begins: all windows are full then.
const WARM_UP: usize = 3;
/// Without an answer for so long, the frame that a single one waits behind is gone.
const QUIET: Duration = Duration::from_millis(600);

struct Answered {
    /// Answers a second, of each session.
    fps: Vec<f64>,
    /// From single frames to their answers while the other sessions stream, in milliseconds.
    ages: Vec<f64>,
}

pub(super) fn run(bench: &Bench) -> Result<String> {
    let contenders = bench.servers();
    let messages = bench.messages()?;
    let time = Duration::from_secs(bench.either(3, 15));
    let probes = bench.either(10, 60);
    let mut table = Comparison::new(&contenders);
    bench.rounds(&contenders, |contender| {
        let server = start(bench, contender)?;
        let answered = block_on(measure(&server, &messages, time, probes))?;
        let total: f64 = answered.fps.iter().sum();
        let slowest = answered.fps.iter().copied().fold(f64::INFINITY, f64::min);
        let fastest = answered.fps.iter().copied().fold(0.0, f64::max);
        table.enter("answered, frames a second in all", 1, contender, total);
        table.enter("slowest / fastest session", 2, contender, slowest / fastest);
        for percent in [50.0, 95.0, 99.0] {
            let age = percentile(&answered.ages, percent).unwrap_or(f64::NAN);
            let measure = format!("single frame to feedback while seven stream, p{percent}, ms");
            table.enter(&measure, 1, contender, age);
        }
        Ok(format!("{total:.1} frames a second, slowest / fastest {:.2}", slowest / fastest))
    })?;
    Ok(table.to_string())
}

async fn measure(server: &Server, messages: &Messages, time: Duration, probes: usize) -> Result<Answered> {
    let mut sessions = open(server, QUERY, messages, SESSIONS, FPS).await?;
    drain(&mut sessions);
    tokio::time::sleep(time).await;
    let fps = drain(&mut sessions).iter().map(|&answers| answers as f64 / time.as_secs_f64()).collect();
    let single = &mut sessions[0];
    single.stop_streaming().await?;
    tokio::time::sleep(QUIET).await;
    let ages = probe(single, probes).await?;
    Ok(Answered { fps, ages })
}

/// So many sessions that stream, all of them with full windows.
pub(super) async fn open(
    server: &Server,
    query: &str,
    messages: &Messages,
    count: usize,
    fps: f64,
) -> Result<Vec<Session>> {
    let mut sessions = Vec::new();
    for number in 0..count {
        let mut session = Session::open_with(server.address, query, messages, number).await?;
        session.start_streaming(fps)?;
        sessions.push(session);
        // Frames of different sessions come at different times.
        tokio::time::sleep(Duration::from_secs_f64(1.0 / fps / count as f64)).await;
    }
    for session in &mut sessions {
        for _ in 0..WARM_UP {
            session.answer().await?;
        }
    }
    Ok(sessions)
}

/// The number of answers of each session since the last time.
pub(super) fn drain(sessions: &mut [Session]) -> Vec<usize> {
    sessions.iter_mut().map(|session| session.drain().len()).collect()
}
