//! A new letter: how soon its 0 % payload comes, and what of the old letter comes after it.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use tokio::time::timeout_at;

use super::bench::{Bench, block_on, start};
use super::load;
use crate::client::{Messages, QUERY, Session};
use crate::contender::Contender;
use crate::figures::percentile;
use crate::metrics::Histogram;
use crate::server::Server;
use crate::table::{Comparison, number};

/// From frame to frame where none may be dropped.
const PACE: Duration = Duration::from_millis(100);
/// From a frame to the letter that overtakes it, in milliseconds: its analysis is under way then.
const OVERTAKE: std::ops::Range<u64> = 3..20;
/// Frames offered, as a multiple of those that are answered.
const OVERLOAD: f64 = 3.0;
/// Frames a second of each session while it is found out how many are answered.
const TRIAL_FPS: f64 = 30.0;
/// From the first answer of a full window to the next letter, in milliseconds.
const PRACTICE: std::ops::Range<u64> = 0..500;
/// After a 0 % payload nothing is sent for so long: an answer that comes is one of the old letter.
const WATCH: Duration = Duration::from_millis(100);
/// What a run in flight may take to end.
const CANCEL_LIMIT: f64 = 0.001;
/// Frames in a window.
const WINDOW: u64 = 32;

/// What the letters of one round gave.
#[derive(Default)]
struct Resets {
    /// From sending a letter to its 0 % payload, in milliseconds.
    times: Vec<f64>,
    /// Answers of an old letter after the 0 % payload of the new one.
    old: usize,
    /// Frames of the new letter until its first answer; empty where frames were dropped.
    frames: Vec<u64>,
}

pub(super) fn run(bench: &Bench) -> Result<String> {
    let contenders = bench.servers();
    let messages = bench.messages()?;
    let idle_letters = bench.either(2, 24);
    let time = Duration::from_secs(bench.either(10, 60));
    let trial = Duration::from_secs(bench.either(2, 5));
    let mut table = Comparison::new(&contenders);
    let mut cancels = String::new();
    bench.rounds(&contenders, |contender| {
        let server = start(bench, contender)?;
        let idle = block_on(one_session(&server, &messages, idle_letters))?;
        let idle_p50 = percentile(&idle.times, 50.0);
        table.enter("0 % payload, one session, p50, ms", 2, contender, idle_p50.unwrap_or(f64::NAN));
        let least = idle.frames.iter().min().copied().unwrap_or_default();
        let measure = format!(
            "fewest frames of the new letter until its first answer ({WINDOW} = none of the old one)"
        );
        table.enter(&measure, 0, contender, least as f64);

        let cancelled = || anyhow::Ok(server.metrics()?.histogram("dactyl_cancel_seconds", None));
        let is_ours = matches!(contender, Contender::Ours { .. });
        let idle_cancels = if is_ours { cancelled()? } else { None };
        let busy = block_on(overloaded(&server, &messages, trial, time))?;
        for percent in [50.0, 99.0] {
            let value = percentile(&busy.times, percent).unwrap_or(f64::NAN);
            table.enter(&format!("0 % payload at 3x overload, p{percent}, ms"), 2, contender, value);
        }
        table.enter("new letters at 3x overload", 0, contender, busy.times.len() as f64);
        let old = (idle.old + busy.old) as f64;
        table.enter("answers of the old letter after the 0 % payload", 0, contender, old);
        if is_ours {
            let all = cancelled()?;
            let busy_cancels = all.zip(idle_cancels.as_ref()).map(|(all, idle)| all.since(idle));
            cancels.push_str(&cancel_line(contender, "one session", idle_cancels.as_ref()));
            cancels.push_str(&cancel_line(contender, "at 3x overload", busy_cancels.as_ref()));
        }
        Ok(format!(
            "one session p50 {} ms; at 3x overload {} letters, p50 {} ms, p99 {} ms",
            number(idle_p50, 2),
            busy.times.len(),
            number(percentile(&busy.times, 50.0), 2),
            number(percentile(&busy.times, 99.0), 2)
        ))
    })?;
    Ok(format!(
        "{table}\nOurs says of which frame an answer is, so every one of an old letter is counted. The rival does not: \
         counted are answers that come in the {} ms after the 0 % payload in which no frame is sent. What an analysis that \
         runs to its end adds to the new letter's window shows in the frames until the first answer.\n\n\
         From the flush to the end of the run in flight, by `dactyl_cancel_seconds`:\n\n{cancels}",
        WATCH.as_millis()
    ))
}

fn cancel_line(contender: &Contender, when: &str, histogram: Option<&Histogram>) -> String {
    match histogram {
        None => format!("- {contender}, {when}: this build does not measure it\n"),
        Some(histogram) => {
            let within = histogram.share_within(CANCEL_LIMIT).map(|share| 100.0 * share);
            let mean = histogram.mean().map(|seconds| seconds * 1e3);
            format!(
                "- {contender}, {when}: {} runs, {} % within 1 ms, mean {} ms\n",
                histogram.count,
                number(within, 1),
                number(mean, 2)
            )
        }
    }
}

/// One session alone; each letter overtakes a frame.
async fn one_session(server: &Server, messages: &Messages, letters: usize) -> Result<Resets> {
    let mut session = Session::open(server.address, messages, 0).await?;
    session.frames_until_answer(PACE).await?;
    let mut resets = Resets::default();
    for _ in 0..letters {
        session.frame().await?;
        tokio::time::sleep(Duration::from_millis(rand::random_range(OVERTAKE))).await;
        change_letter(&mut session, &mut resets).await?;
        resets.frames.push(session.frames_until_answer(PACE).await?);
    }
    Ok(resets)
}

/// Eight sessions that offer three times what is answered.
async fn overloaded(server: &Server, messages: &Messages, trial: Duration, time: Duration) -> Result<Resets> {
    let mut sessions = load::open(server, QUERY, messages, load::SESSIONS, TRIAL_FPS).await?;
    load::drain(&mut sessions);
    tokio::time::sleep(trial).await;
    let answered: usize = load::drain(&mut sessions).iter().sum();
    ensure!(answered > 0, "no answer in {trial:?} to eight sessions: the machine is too slow or too busy");
    let fps = OVERLOAD * answered as f64 / trial.as_secs_f64() / sessions.len() as f64;
    let end = Instant::now() + time;
    let tasks: Vec<_> =
        sessions.into_iter().map(|session| tokio::spawn(practise(session, fps, end))).collect();
    let mut all = Resets::default();
    for task in tasks {
        let mut resets = task.await??;
        all.times.append(&mut resets.times);
        all.old += resets.old;
    }
    Ok(all)
}

/// Streams, and changes the letter again and again when the window is full.
async fn practise(mut session: Session, fps: f64, end: Instant) -> Result<Resets> {
    let mut resets = Resets::default();
    session.stop_streaming().await?;
    let mut last_of_old = 0;
    while Instant::now() < end {
        session.start_streaming(fps)?;
        // The time may be over before the window is full.
        let Ok(first) = timeout_at(end.into(), session.answer()).await else { break };
        let first = first?;
        tokio::time::sleep(Duration::from_millis(rand::random_range(PRACTICE))).await;
        session.stop_streaming().await?;
        let answers = std::iter::once(first).chain(session.drain());
        resets.old += answers.filter(|answer| answer.frame.is_some_and(|frame| frame <= last_of_old)).count();
        last_of_old = change_letter(&mut session, &mut resets).await?;
    }
    Ok(resets)
}

/// Sends the letter and waits for its payload and what comes after it. Returns the number of the last frame before it.
async fn change_letter(session: &mut Session, resets: &mut Resets) -> Result<u64> {
    let last_of_old = session.last_frame()?;
    let begin = Instant::now();
    session.letter().await?;
    // Answers that were on their way come first.
    let payload = loop {
        let answer = session.answer().await?;
        if answer.at >= begin && answer.is_zero {
            break answer;
        }
    };
    resets.times.push((payload.at - begin).as_secs_f64() * 1e3);
    tokio::time::sleep(WATCH).await;
    resets.old += session.drain().len();
    Ok(last_of_old)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_build_without_the_histogram_is_said_to_have_none() {
        let exact = Contender::ours("exact", &[]);
        assert_eq!(
            cancel_line(&exact, "one session", None),
            "- exact, one session: this build does not measure it\n"
        );
        let histogram =
            Histogram { count: 4.0, sum: 0.002, buckets: vec![(0.001, 3.0), (f64::INFINITY, 4.0)] };
        assert_eq!(
            cancel_line(&exact, "at 3x overload", Some(&histogram)),
            "- exact, at 3x overload: 4 runs, 75.0 % within 1 ms, mean 0.50 ms\n"
        );
    }
}
