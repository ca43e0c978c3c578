//! Resident memory of a server by its sessions and slots.

use std::time::Duration;

use anyhow::Result;

use super::bench::{Bench, block_on};
use crate::client::{Messages, Session};
use crate::contender::Contender;
use crate::figures::median;
use crate::server::Server;
use crate::table::Comparison;

/// Sessions at the same time, in ascending order. A session of the rival takes some hundred MB.
const OURS: [usize; 4] = [1, 8, 32, 64];
const RIVAL: [usize; 3] = [1, 2, 4];
/// Frames a second, of all sessions together: slow enough that all are analysed.
const SLOW: f64 = 16.0;
/// Frames of each session before its memory is read.
const WARM_UP: f64 = 8.0;
/// Readings, and the time between two.
const READINGS: usize = 10;
const PAUSE: Duration = Duration::from_millis(200);
/// Sessions and frames a second of each that keep eight slots busy.
const BUSY: (usize, f64) = (8, 15.0);
const BUSY_TIME: Duration = Duration::from_secs(4);

pub(super) fn run(bench: &Bench) -> Result<String> {
    let contenders = bench.servers();
    let messages = bench.messages()?;
    let mut table = Comparison::new(&contenders);
    bench.rounds(&contenders, |contender| {
        let steps = match contender {
            Contender::Rival => RIVAL.as_slice(),
            Contender::Ours { .. } => &OURS,
        };
        let server = super::bench::start(bench, contender)?;
        let resident = block_on(by_sessions(&server, &messages, steps))?;
        for (sessions, megabytes) in &resident {
            let measure = match sessions {
                1 => "1 session, MB".to_owned(),
                _ => format!("{sessions} sessions, MB"),
            };
            table.enter(&measure, 0, contender, *megabytes);
        }
        let further = each_further(&resident);
        table.enter("each further session, MB", 1, contender, further);
        drop(server);
        if matches!(contender, Contender::Ours { .. }) {
            for slots in ["1", "8"] {
                let server = Server::start(&bench.programs, contender, &[("inference.slots", slots)])?;
                let megabytes = block_on(busy(&server, &messages))?;
                let measure = format!("8 busy sessions, `inference.slots = {slots}`, MB");
                table.enter(&measure, 0, contender, megabytes);
            }
        }
        Ok(format!("one session {:.0} MB, each further one {further:.1} MB", resident[0].1))
    })?;
    Ok(table.to_string())
}

/// From the first step to the last.
fn each_further(resident: &[(usize, f64)]) -> f64 {
    match (resident.first(), resident.last()) {
        (Some((few, low)), Some((many, high))) => (high - low) / (*many as f64 - *few as f64),
        _ => f64::NAN,
    }
}

/// Megabytes with each number of sessions, which stream slowly.
async fn by_sessions(server: &Server, messages: &Messages, steps: &[usize]) -> Result<Vec<(usize, f64)>> {
    let mut sessions: Vec<Session> = Vec::new();
    let mut resident = Vec::new();
    for &step in steps {
        while sessions.len() < step {
            sessions.push(Session::open(server.address, messages, sessions.len()).await?);
        }
        let fps = (SLOW / step as f64).min(8.0);
        stream(&mut sessions, fps, Duration::from_secs_f64(WARM_UP / fps)).await?;
        resident.push((step, reading(server).await?));
        for session in &mut sessions {
            session.stop_streaming().await?;
        }
    }
    Ok(resident)
}

async fn busy(server: &Server, messages: &Messages) -> Result<f64> {
    let mut sessions = Vec::new();
    for number in 0..BUSY.0 {
        sessions.push(Session::open(server.address, messages, number).await?);
    }
    stream(&mut sessions, BUSY.1, BUSY_TIME).await?;
    reading(server).await
}

async fn stream(sessions: &mut [Session], fps: f64, time: Duration) -> Result<()> {
    for session in sessions {
        session.start_streaming(fps)?;
    }
    tokio::time::sleep(time).await;
    Ok(())
}

async fn reading(server: &Server) -> Result<f64> {
    let mut readings = Vec::with_capacity(READINGS);
    for _ in 0..READINGS {
        readings.push(server.resident_mb()?);
        tokio::time::sleep(PAUSE).await;
    }
    Ok(median(&readings).unwrap_or(f64::NAN))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_further_session_costs_the_mean_of_all_but_the_first() {
        assert_eq!(each_further(&[(1, 100.0), (2, 103.0), (5, 120.0)]), 5.0);
        assert!(each_further(&[]).is_nan());
    }
}
