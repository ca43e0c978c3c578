//! How heavy the practice page is: time to its first paint, and the work of its main thread while it sends 640 x 480 pictures.
//! With `--screenshots DIR` it takes pictures of the page instead, and with `--track` it measures the tracker in the browser, on the
//! rendered person or, with `--track DIR`, on a folder's JPEGs in the order of their names.

#![allow(clippy::expect_used, clippy::panic, reason = "a failed measurement has nothing to report")]
#![allow(clippy::print_stdout, reason = "what it is run for")]
#![allow(dead_code, reason = "the modules are shared with the tests")]

#[path = "../tests/e2e/page/browser.rs"]
mod browser;
#[path = "../tests/e2e/page/clip.rs"]
mod clip;
#[path = "../tests/e2e/pictures.rs"]
mod pictures;
#[path = "../tests/e2e/server.rs"]
mod server;

use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::browser::{Browser, Camera, decoded, run};
use crate::server::Server;

const ROUNDS: usize = 3;
const SENDING: Duration = Duration::from_secs(10);
/// Until a hand that spells is in the middle of a letter.
const READING: Duration = Duration::from_millis(300);
const SIZES: [(u32, u32); 4] = [(390, 844), (844, 390), (768, 1024), (1440, 900)];

#[tokio::main]
async fn main() {
    let Some(clip) = person() else { return };
    let arguments: Vec<String> = std::env::args().collect();
    let after = |name: &str| {
        let at = arguments.iter().position(|argument| argument == name)?;
        Some(arguments.get(at + 1).filter(|argument| !argument.starts_with("--")))
    };
    match (after("--screenshots"), after("--track")) {
        (Some(Some(folder)), _) => take_screenshots(clip.path(), Path::new(folder)).await,
        (_, Some(folder)) => track(folder.map(Path::new)).await,
        _ => measure(clip.path()).await,
    }
}

/// Pictures that are tracked, and how often.
const TRACKED: usize = 60;

/// The tracker of the page, on the pictures of a folder or the rendered person.
async fn track(folder: Option<&Path>) {
    let pictures = match folder {
        Some(folder) => jpegs(folder),
        None => pictures::person(TRACKED).expect("the rendered person of ../shared"),
    };
    let server = Server::start().await;
    for profile in ["exact", "fast"] {
        let (mut loads, mut times) = (Vec::new(), Vec::new());
        for _ in 0..ROUNDS {
            let browser = Browser::start(Camera::None).await;
            browser.open(&format!("http://{}/", server.address)).await;
            give(&browser, &pictures).await;
            let seen = run(
                &browser,
                &format!(
                    "const begin = performance.now();
                    const {{ Tracker }} = await import('/web/tracker.js');
                    const tracker = await Tracker.load({{ profile: {profile:?} }});
                    const copy = (picture) => createImageBitmap(picture);
                    await tracker.track(await copy(pictures[0]), 0);
                    const first = performance.now() - begin;
                    tracker.reset();
                    const times = [];
                    for (const [index, picture] of pictures.entries()) {{
                        const given = await copy(picture);
                        const start = performance.now();
                        await tracker.track(given, (index * 1000) / 30);
                        times.push(performance.now() - start);
                    }}
                    tracker.close();
                    return {{ first, mean: times.reduce((sum, time) => sum + time) / times.length }};"
                ),
            )
            .await;
            loads.push(seen["first"].as_f64().expect("milliseconds"));
            times.push(seen["mean"].as_f64().expect("milliseconds"));
        }
        println!(
            "{profile}: {:.1} ms a picture, {:.1} pictures a second (median of {ROUNDS}: {times:.1?}); first landmarks {:.0} ms \
             after the tracker was asked for, networks not yet in the browser's cache ({loads:.0?})",
            median(&times),
            1000.0 / median(&times),
            median(&loads),
        );
    }
    let browser = Browser::start(Camera::None).await;
    browser.open(&format!("http://{}/", server.address)).await;
    let size = run(
        &browser,
        "const answer = await fetch('/web/tracker.wasm');
        const { instance: { exports: program } } = await WebAssembly.instantiateStreaming(answer);
        let bytes = 0;
        for (const [index, { url }] of (await (await fetch('/web/models/networks.json')).json()).entries()) {
            const content = new Uint8Array(await (await fetch('/web/models/' + url)).arrayBuffer());
            bytes += content.length;
            const at = program.reserve(content.length);
            new Uint8Array(program.memory.buffer, at, content.length).set(content);
            program.add_network(index, content.length);
        }
        program.start(0);
        program.reserve(640 * 480 * 4);
        program.track(640, 480, 0);
        await new Promise((resolve) => setTimeout(resolve, 500));
        const sent = performance.getEntriesByType('resource').find(({ name }) => name.endsWith('tracker.wasm'));
        return { bytes, program: sent.encodedBodySize, memory: program.memory.buffer.byteLength };",
    )
    .await;
    assert!(size.is_object(), "{size}");
    println!(
        "downloaded: networks {} bytes, tracker.wasm {} bytes; its memory {} bytes",
        size["bytes"], size["program"], size["memory"]
    );
    server.stop().await;
}

/// Hands the pictures to the page, decoded, as `pictures`.
async fn give(browser: &Browser, pictures: &[Vec<u8>]) {
    run(browser, "globalThis.pictures = []").await;
    for picture in pictures {
        run(browser, &format!("pictures.push(await {})", decoded(picture))).await;
    }
}

/// The first JPEGs of a folder.
fn jpegs(folder: &Path) -> Vec<Vec<u8>> {
    let mut names: Vec<_> = std::fs::read_dir(folder)
        .expect("the folder")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "jpg"))
        .collect();
    names.sort();
    names.iter().take(TRACKED).map(|path| std::fs::read(path).expect("a picture")).collect()
}

async fn measure(clip: &Path) {
    // As cheap as it gets, so that few cores analyse as many frames as are sent: the page sends no more.
    let server = Server::start_with(|config| {
        config.holistic.parts = vec![dactyl_config::Part::Pose, dactyl_config::Part::Hands];
        config.holistic.profile = dactyl_config::Profile::Fast;
    })
    .await;
    let url = format!("http://{}/", server.address);
    let mut paints = Vec::new();
    for _ in 0..ROUNDS {
        let browser = Browser::start(Camera::Clip(clip)).await;
        browser.open("about:blank").await;
        browser.open(&url).await;
        let paint = "performance.getEntriesByName('first-contentful-paint')[0]?.startTime";
        paints.push(browser.until("a paint", paint).await.as_f64().expect("milliseconds"));
    }
    println!(
        "first contentful paint, cold: {} ms (median of {ROUNDS}: {paints:.0?})",
        median(&paints).round()
    );

    let browser = Browser::start(Camera::Clip(clip)).await;
    browser.open_and_start(&url).await;
    browser.devtools("Performance.enable", json!({})).await;
    server.wait_for_metric("dactyl_frames_analysed_total", |frames| frames > 30.0).await;
    let mut shares = Vec::new();
    let mut rates = Vec::new();
    for _ in 0..ROUNDS {
        let (begin, worked) = (Instant::now(), task_seconds(&browser).await);
        let frames = server.metric("dactyl_frames_received_total").await;
        tokio::time::sleep(SENDING).await;
        let worked = task_seconds(&browser).await - worked;
        let frames = server.metric("dactyl_frames_received_total").await - frames;
        let seconds = begin.elapsed().as_secs_f64();
        shares.push(100.0 * worked / seconds);
        rates.push(frames / seconds);
    }
    println!(
        "main thread while sending 640 x 480: {:.1} % of the wall time at {:.1} frames a second \
         (medians of {ROUNDS}: {shares:.1?}, {rates:.1?})",
        median(&shares),
        median(&rates)
    );
    server.stop().await;
}

/// The rendered person in the middle of a grey wall of 640 x 480, cut where the picture is larger.
fn person() -> Option<tempfile::NamedTempFile> {
    let (width, height) = (640, 480);
    let pictures: Option<Vec<Vec<u8>>> = (0..118)
        .map(|index: usize| {
            let (pixels, own_width, own_height) =
                pictures::person_pixels(if index < 59 { index } else { 118 - index })?;
            let (own_width, own_height) = (usize::from(own_width), usize::from(own_height));
            let mut wall = vec![150; width * height * 3];
            let (columns, rows) = (own_width.min(width), own_height.min(height));
            let (left, top) = ((width - columns) / 2, own_height - rows);
            for row in 0..rows {
                let (from, to) = ((row + top / 3) * own_width * 3, (row * width + left) * 3);
                wall[to..to + columns * 3].copy_from_slice(&pixels[from..from + columns * 3]);
            }
            Some(pictures::encode(&wall, width.try_into().ok()?, height.try_into().ok()?, |_| ()))
        })
        .collect();
    Some(clip::clip(&pictures?))
}

async fn task_seconds(browser: &Browser) -> f64 {
    let metrics = browser.devtools("Performance.getMetrics", json!({})).await;
    let metrics = metrics["metrics"].as_array().expect("metrics").clone();
    let duration = metrics.iter().find(|metric| metric["name"] == "TaskDuration");
    duration.and_then(|metric| metric["value"].as_f64()).expect("TaskDuration")
}

fn median(values: &[f64]) -> f64 {
    let mut values = values.to_vec();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

async fn take_screenshots(clip: &Path, folder: &Path) {
    std::fs::create_dir_all(folder).expect("the folder");
    let server = Server::start().await;
    let browser = Browser::start(Camera::Clip(clip)).await;
    let url = format!("http://{}/", server.address);
    browser.open(&url).await;
    let statistics: serde_json::Map<_, _> = ('A'..='T')
        .zip([
            3.1, 1.9, 2.4, 5.2, 8.8, 2.2, 3.9, 4.1, 1.7, 6.5, 3.3, 1.4, 9.7, 7.9, 2.6, 4.4, 5.8, 2.9, 6.1,
            4.8,
        ])
        .map(|(letter, seconds)| (letter.to_string(), json!({"won": 1, "skipped": 0, "seconds": seconds})))
        .collect();
    let statistics = json!(statistics).to_string();
    browser.value(&format!("localStorage.setItem('dactyl.statistics', {statistics:?})")).await;
    browser.value(r#"localStorage.setItem('dactyl.settings', '{"details": true, "list": "own", "ownList": "joy"}')"#).await;
    for (width, height) in SIZES {
        for theme in ["light", "dark"] {
            let metrics = json!({"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width.min(height) < 500});
            browser.devtools("Emulation.setDeviceMetricsOverride", metrics).await;
            let features = json!({"features": [{"name": "prefers-color-scheme", "value": theme}]});
            browser.devtools("Emulation.setEmulatedMedia", features).await;
            let take = async |name: &str| {
                let file = folder.join(format!("{width}x{height}-{theme}-{name}.png"));
                std::fs::write(&file, browser.driver.screenshot().await.expect("a screenshot"))
                    .expect("written");
            };
            browser.open(&url).await;
            browser.until("the letter", "document.getElementById('letter').textContent").await;
            take("welcome").await;
            browser.value("localStorage.removeItem('dactyl.framed')").await;
            browser.click("#start").await;
            browser.until("the check", "!document.getElementById('framing').hidden").await;
            take("framing").await;
            browser.click("#framing-skip").await;
            browser.until("a hint", "document.getElementById('hint').textContent").await;
            take("practise").await;
            browser.click("[data-show=explore]").await;
            browser.until("letters", "document.querySelectorAll('#top li').length").await;
            take("explore").await;
            browser.click("[data-show=progress]").await;
            take("progress").await;
            browser.click("[data-show=read]").await;
            browser.click("#read-next").await;
            tokio::time::sleep(READING).await;
            take("read").await;
            browser.click("#open-settings").await;
            take("settings").await;
        }
    }
    server.stop().await;
}
