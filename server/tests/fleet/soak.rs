//! Clients come and go for a long time, in every way in which clients go. What the server holds must not grow.

use std::fmt::Write;
use std::fs;
use std::path::Path;
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep, timeout};
use tokio_tungstenite::tungstenite::Message;

use crate::instance::Instance;
use crate::{learner, numbers};

/// Sessions that are opened in a second.
const A_SECOND: u32 = 10;
/// Share of the run before caches, pools and the allocator have what they need.
const WARM_UP: f64 = 0.25;
/// Growth over the rest of the run, by the line of best fit, that counts as none: a share of the mean.
const NONE: f64 = 0.05;

/// What a process holds.
#[derive(Debug, Clone, Copy)]
struct Sample {
    minutes: f64,
    /// MiB, threads, file descriptors.
    held: [f64; 3],
}

/// Names of what is held, and how much more of each is no growth however little there is.
const HELD: [(&str, f64); 3] = [("resident MiB", 8.0), ("threads", 4.0), ("file descriptors", 8.0)];

fn sample(process: u32, begin: Instant) -> Sample {
    let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let number = |name: &str| -> f64 {
        let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
        line.split_whitespace().next().unwrap().parse().unwrap()
    };
    let descriptors = fs::read_dir(format!("/proc/{process}/fd")).unwrap().count();
    Sample {
        minutes: begin.elapsed().as_secs_f64() / 60.0,
        held: [number("VmRSS:") / 1024.0, number("Threads:"), descriptors as f64],
    }
}

/// How much more is held at the end than after the warm-up, by the line of best fit, and the mean.
fn growth(samples: &[Sample], which: usize) -> (f64, f64) {
    let end = samples.last().unwrap().minutes;
    let points: Vec<(f64, f64)> = samples
        .iter()
        .filter(|sample| sample.minutes >= WARM_UP * end)
        .map(|sample| (sample.minutes, sample.held[which]))
        .collect();
    let count = points.len() as f64;
    let mean = |of: fn(&(f64, f64)) -> f64| points.iter().map(of).sum::<f64>() / count;
    let (x, y) = (mean(|point| point.0), mean(|point| point.1));
    let covariance: f64 = points.iter().map(|point| (point.0 - x) * (point.1 - y)).sum();
    let variance: f64 = points.iter().map(|point| (point.0 - x).powi(2)).sum();
    (covariance / variance * (1.0 - WARM_UP) * end, y)
}

/// What grew.
fn grown(samples: &[Sample]) -> Vec<String> {
    let of = |(which, (name, least)): (usize, (&str, f64))| {
        let (growth, mean) = growth(samples, which);
        println!("{name}: {growth:+.1} over the run after the warm-up, mean {mean:.1}");
        (growth > (NONE * mean).max(least))
            .then(|| format!("{name} grew by {growth:.1} from a mean of {mean:.1}"))
    };
    HELD.into_iter().enumerate().filter_map(of).collect()
}

/// One curve under the other, each from 0 to its maximum.
fn plot(samples: &[Sample]) -> String {
    const WIDTH: f64 = 800.0;
    const HEIGHT: f64 = 140.0;
    let end = samples.last().unwrap().minutes;
    let total = HEIGHT * HELD.len() as f64;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {total}\" font-family=\"sans-serif\">\n"
    );
    for (which, (name, _)) in HELD.into_iter().enumerate() {
        let most = samples.iter().map(|sample| sample.held[which]).fold(0.0, f64::max);
        let bottom = HEIGHT * (which + 1) as f64 - 10.0;
        let points: Vec<String> = samples
            .iter()
            .map(|sample| {
                let x = sample.minutes / end * WIDTH;
                format!("{x:.1},{:.1}", bottom - sample.held[which] / most * (HEIGHT - 40.0))
            })
            .collect();
        writeln!(
            svg,
            "<text x=\"4\" y=\"{}\">{name}, at most {most:.0}, {end:.0} minutes</text>",
            bottom - HEIGHT + 26.0
        )
        .unwrap();
        writeln!(svg, "<polyline fill=\"none\" stroke=\"#06c\" points=\"{}\"/>", points.join(" ")).unwrap();
    }
    svg + "</svg>\n"
}

/// One session, which ends in one of six ways.
async fn come_and_go(instance: std::net::SocketAddr, number: u32) {
    let frame: &[u8] = include_bytes!("../../src/pipeline/warm_up.jpg");
    let Ok(stream) = TcpStream::connect(instance).await else { return };
    if number.is_multiple_of(6) {
        // Half a request, and gone.
        let mut stream = stream;
        let _ = stream.write_all(b"GET /ws HTTP/1.1\r\nHost").await;
        return;
    }
    // A server that is full says so.
    let Ok(mut socket) = learner::open(stream, &instance.to_string(), "").await else { return };
    let _ = socket.send("{\"jpeg_blob\": null, \"new_letter\": \"A\"}".into()).await;
    for _ in 0..number % 5 {
        let _ = socket.send(Message::Binary(frame.into())).await;
        sleep(Duration::from_millis(40)).await;
    }
    match number % 6 {
        1 => drop(socket.close(None).await),
        2 => {
            let _ = socket.send("no JSON".into()).await;
            let _ = socket.send(Message::Binary(frame[..40].into())).await;
            let _ = timeout(Duration::from_secs(2), async { while socket.next().await.is_some() {} }).await;
        }
        3 => {
            let _ = socket.get_mut().write_all(&[0x82, 0xff, 0, 0, 0, 0, 0, 1]).await;
        }
        4 => {
            let _ = socket.get_mut().write_all(b"\xff\xff\xff not the protocol").await;
        }
        // Without a word.
        _ => {}
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes as many minutes as DACTYL_SOAK_MINUTES says: make soak"]
async fn nothing_grows_while_clients_come_and_go() {
    let minutes = std::env::var("DACTYL_SOAK_MINUTES").map_or(30.0, |text| text.parse::<f64>().unwrap());
    let instance = Instance::alone(numbers(), &["log.level=error"]);
    let (begin, address) = (Instant::now(), instance.address());
    let mut samples = vec![sample(instance.process(), begin)];
    let mut number = 0;
    while begin.elapsed().as_secs_f64() < minutes * 60.0 {
        number += 1;
        tokio::spawn(come_and_go(address, number));
        tokio::time::sleep_until(begin + Duration::from_secs(1) * number / A_SECOND).await;
        // Twenty samples are a line also where the run takes a few minutes only.
        if begin.elapsed().as_secs_f64() / 60.0 >= samples.len() as f64 * (minutes / 20.0).min(1.0) {
            let sample = sample(instance.process(), begin);
            let [memory, threads, descriptors] = sample.held;
            println!(
                "{:6.1} min {number:7} sessions {memory:7.1} MiB {threads:4} threads {descriptors:4} descriptors",
                sample.minutes
            );
            samples.push(sample);
        }
    }
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join("soak.svg");
    fs::write(&path, plot(&samples)).unwrap();
    println!("{}", path.display());
    assert_eq!(grown(&samples), [""; 0]);
}

#[test]
fn a_slope_is_found_and_noise_is_none() {
    let samples = |slope: f64| -> Vec<Sample> {
        (0..=30)
            .map(|minute| {
                let noise = f64::from(minute * 7 % 5);
                let minutes = f64::from(minute);
                Sample { minutes, held: [120.0 + noise + slope * minutes, 10.0 + noise / 5.0, 40.0] }
            })
            .collect()
    };
    assert_eq!(grown(&samples(0.0)), [""; 0]);
    let grown = grown(&samples(1.0));
    assert!(grown.len() == 1 && grown[0].starts_with("resident MiB grew by 22"), "{grown:?}");
    assert!(plot(&samples(0.0)).matches("polyline").count() == 3);
}
