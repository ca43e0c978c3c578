//! Hands that are found in the browser: letters are won, no picture leaves, and what goes wrong is said and survived.

use std::path::Path;
use std::time::{Duration, Instant};

use dactyl_tests::classifier::{WINDOW, write_by_wrist};
use serde_json::{Value, json};

use super::browser::{Browser, Camera, run};
use super::clip;
use super::wire::{Damage, Message, Wire};
use crate::landmarks::example;
use crate::server::{Server, head};

const WHERE: &str = "document.getElementById('where').textContent";
const ON_DEVICE: &str = "Your hand is found on this device.";
const ON_SERVER: &str = "Your hand is found on the server.";
const WON: &str = "Object.values(JSON.parse(localStorage.getItem('dactyl.statistics') ?? '{}').letters ?? {})
    .reduce((sum, { won }) => sum + won, 0)";
/// Far below a picture.
const MOST_BYTES: usize = 8000;
const PATIENCE: Duration = Duration::from_secs(60);

/// Has the page note what its policy forbids and what nobody has caught.
async fn watch(browser: &Browser) {
    let watch = "globalThis.violations = [];
        addEventListener('securitypolicyviolation', (event) => violations.push(event.violatedDirective));
        addEventListener('error', (event) => violations.push(String(event.message)));
        addEventListener('unhandledrejection', (event) => violations.push(String(event.reason)));";
    browser.devtools("Page.addScriptToEvaluateOnNewDocument", json!({"source": watch})).await;
}

async fn until_where(browser: &Browser, part: &str) {
    browser.until(&format!("{part:?} below the picture"), &format!("{WHERE}.includes({part:?})")).await;
}

/// Opens the page and starts the camera on a device that counts as quick enough, however busy the machine is that runs the tests.
async fn open_and_start(browser: &Browser, url: &str, settings: &Value) {
    browser.open(url).await;
    browser.skip_framing().await;
    browser.value(&format!("localStorage.setItem('dactyl.settings', {:?})", settings.to_string())).await;
    browser.open(url).await;
    browser.until("the letter", "document.getElementById('letter').textContent").await;
    run(browser, "(await import('/web/device.js')).Device.leastRate = 0.5;").await;
    browser.click("#start").await;
}

/// Waits until so many frames have left as landmarks.
async fn until_sent(wire: &Wire, count: usize) {
    let begin = Instant::now();
    while frames_of(&wire.messages()).len() < count {
        assert!(begin.elapsed() < PATIENCE, "{} frames", frames_of(&wire.messages()).len());
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

fn frames_of(messages: &[Message]) -> Vec<Value> {
    let texts = messages.iter().filter(|message| message.is_text);
    let all = texts.map(|message| serde_json::from_slice::<Value>(&message.content).expect("JSON"));
    all.filter(|message| !message["landmarks"].is_null()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn only_points_of_hands_leave_a_device_that_finds_them_and_its_networks_are_loaded_once() {
    let Some(clip) = clip::person() else { return };
    let server = Server::start().await;
    let wire = Wire::to(server.address, None).await;
    let browser = Browser::start(Camera::Clip(clip.path())).await;
    watch(&browser).await;
    let url = format!("http://{}/", wire.address);
    browser.open(&url).await;
    browser.value("localStorage.setItem('dactyl.settings', '{\"tracking\":\"device\"}')").await;
    browser.open(&url).await;
    browser.until("the letter", "document.getElementById('letter').textContent").await;
    // Before it is known how quick the device is, nothing is promised, and nothing loaded.
    let privacy = browser.text("document.getElementById('privacy').textContent").await;
    assert!(privacy.contains("If it does not work on this device"), "{privacy}");
    assert!(!wire.requests().iter().any(|request| request.contains("tracker")), "{:?}", wire.requests());
    let settings = json!({"tracking": "device"});
    open_and_start(&browser, &url, &settings).await;
    until_where(&browser, ON_DEVICE).await;
    assert_eq!(
        browser.text("document.getElementById('privacy').textContent").await,
        browser.text(WHERE).await
    );
    browser.until("a drawn hand", "document.querySelector('.right .joints').getAttribute('d')").await;
    browser.until("what is seen", "document.getElementById('seen').textContent !== '–'").await;
    until_sent(&wire, 40).await;
    assert_eq!(browser.value("violations").await, json!([]));

    let messages = wire.messages();
    let frames = frames_of(&messages);
    let half = frames.len() as f64 / 2.0;
    server.wait_for_metric("dactyl_frames_analysed_total", |analysed| analysed > half).await;
    for message in &messages {
        assert!(!message.is_picture() && message.content.len() < MOST_BYTES, "{message:?}");
    }
    for frame in &frames {
        let parts: Vec<&String> = frame["landmarks"].as_object().expect("parts").keys().collect();
        assert_eq!(parts, ["left_hand", "right_hand"], "{frame}");
    }
    let hands = frames.iter().filter(|frame| !frame["landmarks"]["right_hand"].is_null()).count();
    assert!(hands > 10, "{hands} of {} frames", frames.len());

    let networks =
        |requests: Vec<String>| requests.into_iter().filter(|line| line.contains(".tflite")).count();
    assert_eq!(networks(wire.requests()), 7);
    // Chromium has relaxed SIMD.
    let asked = |name: &str| wire.requests().iter().any(|line| line.contains(name));
    assert!(asked("/web/tracker.wasm") && !asked("/web/tracker-plain.wasm"), "{:?}", wire.requests());
    let sent = frames_of(&wire.messages()).len();
    open_and_start(&browser, &url, &settings).await;
    until_where(&browser, ON_DEVICE).await;
    until_sent(&wire, sent + 10).await;
    assert_eq!(networks(wire.requests()), 7, "loaded again: {:?}", wire.requests());

    // As other settings, it can be changed while the camera runs.
    browser.choose("tracking", "server").await;
    until_where(&browser, ON_SERVER).await;
    browser.until("a drawn hand", "document.querySelector('.right .joints').getAttribute('d')").await;
    assert!(wire.messages().iter().any(Message::is_picture));
    server.stop().await;
}

/// A server that takes landmarks alone, and makes of every right hand the same sign.
async fn server_of_landmarks(model: &Path) -> Server {
    Server::start_with(|config| {
        config.pipeline.name = "landmarks".to_owned();
        config.letters.model = model.display().to_string();
        config.letters.window = WINDOW;
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn letters_and_a_word_are_won_on_the_device_where_the_server_takes_no_pictures() {
    let Some(clip) = clip::person() else { return };
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("signs.onnx");
    write_by_wrist(&path, ["A", "B"]);
    let server = server_of_landmarks(&path).await;
    let wire = Wire::to(server.address, None).await;
    let browser = Browser::start(Camera::Clip(clip.path())).await;
    let settings = json!({"list": "own", "ownList": "aa", "speed": "quick"});
    open_and_start(&browser, &format!("http://{}/", wire.address), &settings).await;
    // This classifier looks at more than hands, and the page says so.
    until_where(&browser, "points of your body, face and hands").await;
    // There is nothing to choose.
    assert_eq!(browser.value("document.getElementById('tracking').hidden").await, true);
    for wanted in 1..=3 {
        browser.until("another letter won", &format!("{WON} >= {wanted}")).await;
    }
    browser.click("#finish").await;
    browser.until("the summary", "document.getElementById('summary').open").await;
    let words = "[...document.querySelectorAll('#summary-rows div')].some(({ textContent }) => /^Words[1-9]/.test(textContent))";
    assert_eq!(browser.value(words).await, true);
    let messages = wire.messages();
    assert!(!messages.iter().any(Message::is_picture));
    assert!(frames_of(&messages).iter().any(|frame| !frame["landmarks"]["pose"].is_null()));
    server.stop().await;
}

/// The example as it stands on the page, with a camera that is played by a clip.
#[tokio::test(flavor = "multi_thread")]
async fn the_example_of_the_documentation_tracks_and_sends() {
    let Some(clip) = clip::person() else { return };
    let server = Server::start().await;
    let browser = Browser::start(Camera::Clip(clip.path())).await;
    browser.open_and_start(&format!("http://{}/", server.address)).await;
    browser.click("#pause").await;
    let code: String = example("With Dactyl's tracker in a browser")
        .lines()
        .map(|line| match line.strip_prefix("import ").and_then(|rest| rest.split_once(" from ")) {
            Some((names, address)) => {
                format!("const {names} = await import({});\n", address.trim_end_matches(';'))
            }
            None => format!("{line}\n"),
        })
        .collect();
    let played = format!(
        "const told = [];
         const console = {{ log: (...values) => told.push(values), warn: (...values) => told.push(values) }};
         {code}
         return new Promise((done) => client.addEventListener('feedback', ({{ detail }}) => {{
             if (detail.frame >= 32) {{ client.close(); client.stop(); tracker.close(); done(told); }}
         }}));"
    );
    let told = run(&browser, &played).await;
    let told = told.as_array().unwrap_or_else(|| panic!("{told}"));
    let progress: Vec<f64> = told.iter().map_while(|values| values[0].as_f64()).collect();
    assert!(progress.is_sorted() && progress.last() == Some(&1.0), "{progress:?}");
    assert!(told.iter().any(|values| values[0].as_array().is_some_and(|hand| hand.len() == 21)), "{told:?}");
    // A letter and its probability.
    let last = told.last().expect("an answer");
    assert!(last[0].is_string() && last[1].is_number(), "{last}");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signer_wins_letter_after_letter_on_this_device() {
    let Some(clip) = clip::signer("BFILWYV", 240) else { return };
    let server = Server::start_with(|config| {
        config.feedback = dactyl_config::Config::builtin().feedback;
    })
    .await;
    let wire = Wire::to(server.address, None).await;
    let browser = Browser::start(Camera::Clip(clip.path())).await;
    let settings = json!({"list": "own", "ownList": "BFILWYV", "tracking": "device"});
    open_and_start(&browser, &format!("http://{}/", wire.address), &settings).await;
    until_where(&browser, ON_DEVICE).await;
    for wanted in 1..=5 {
        browser.until("another letter won", &format!("{WON} >= {wanted}")).await;
    }
    assert!(!wire.messages().iter().any(Message::is_picture));
    server.stop().await;
}

/// However quick the device is, it counts as too slow.
#[tokio::test(flavor = "multi_thread")]
async fn a_device_that_is_too_slow_goes_on_with_pictures_and_says_so() {
    let clip = clip::wall();
    let server = Server::start().await;
    let browser = Browser::start(Camera::Clip(clip.path())).await;
    browser.open_and_start(&format!("http://{}/", server.address)).await;
    until_where(&browser, ON_SERVER).await;
    run(&browser, "(await import('/web/device.js')).Device.leastRate = 1e6;").await;
    browser.choose("tracking", "device").await;
    until_where(&browser, "This device is too slow to find your hand").await;
    let said = browser.text(WHERE).await;
    assert!(said.ends_with(&browser.text("document.getElementById('privacy').textContent").await), "{said}");
    until_where(&browser, ON_SERVER).await;
    let frames = server.metric("dactyl_frames_analysed_total").await;
    server.wait_for_metric("dactyl_frames_analysed_total", |now| now > frames + 5.0).await;
    // What was chosen is kept, and tried again with the next visit.
    assert_eq!(browser.text("document.querySelector('[name=tracking]').value").await, "device");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_network_is_refused_and_pictures_go_on() {
    let clip = clip::wall();
    let server = Server::start().await;
    let damage = Damage { name: "hand_recrop.tflite", offset: 50_000 };
    let wire = Wire::to(server.address, Some(damage)).await;
    let browser = Browser::start(Camera::Clip(clip.path())).await;
    watch(&browser).await;
    let url = format!("http://{}/", wire.address);
    browser.open_and_start_as(&url, &json!({"tracking": "device"})).await;
    until_where(&browser, "came damaged and is not used").await;
    until_where(&browser, ON_SERVER).await;
    server.wait_for_metric("dactyl_frames_analysed_total", |frames| frames > 5.0).await;
    assert!(wire.messages().iter().any(Message::is_picture));
    // It may have been the way: the network is asked for once more, past the browser's cache.
    let asked = wire.requests().into_iter().filter(|line| line.contains(damage.name)).count();
    assert_eq!(asked, 2);
    assert_eq!(browser.value("violations").await, json!([]));
    let load = "const { Tracker } = await import('/web/tracker.js');
        return Tracker.load().then(() => 'loaded', ({ name, cause, message }) => [name, cause, message]);";
    let refused = run(&browser, load).await;
    assert_eq!((&refused[0], &refused[1]), (&json!("TrackerError"), &json!("damaged")), "{refused}");
    assert!(refused[2].as_str().is_some_and(|message| message.contains("hand_recrop")), "{refused}");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_without_networks_takes_landmarks_and_offers_the_page_no_tracker() {
    let folder = tempfile::tempdir().expect("a folder");
    let models = dactyl_config::find_or_place(&dactyl_config::Config::builtin().models.directory);
    let library = dactyl_letters::LIBRARY_NAME;
    std::os::unix::fs::symlink(
        std::path::absolute(models.join(library)).expect("a path"),
        folder.path().join(library),
    )
    .expect("a link");
    let server = Server::start_with(|config| {
        config.pipeline.name = "landmarks".to_owned();
        config.models.directory = folder.path().display().to_string();
    })
    .await;
    let (status, said) = server.get("/web/models/networks.json").await;
    assert_eq!((status, said.contains("no networks")), (404, true), "{said}");
    let clip = clip::wall();
    let browser = Browser::start(Camera::Clip(clip.path())).await;
    let wire = Wire::to(server.address, None).await;
    let url = format!("http://{}/", wire.address);
    browser.open_and_start_as(&url, &json!({"tracking": "device"})).await;
    until_where(
        &browser,
        "This server has nothing that finds your hand on this device. This server takes no pictures",
    )
    .await;
    assert_eq!(browser.value("document.getElementById('tracking').hidden").await, true);
    let load = "const { Tracker } = await import('/web/tracker.js');
        return Tracker.load().then(() => 'loaded', ({ cause, message }) => [cause, message]);";
    let refused = run(&browser, load).await;
    assert_eq!(refused[0], "unavailable", "{refused}");
    assert!(refused[1].as_str().is_some_and(|message| message.contains("no networks")), "{refused}");
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert!(!wire.messages().iter().any(Message::is_picture));
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn networks_are_listed_as_the_tracker_takes_them_and_kept_for_good() {
    let server = Server::start().await;
    let host = format!("Host: {}", server.address);
    let (status, list) = server.get("/web/models/networks.json").await;
    assert_eq!(status, 200, "{list}");
    let list: Vec<Value> = serde_json::from_str(&list).expect("a list");
    let files: Vec<String> = list
        .iter()
        .map(|network| format!("tflite/{}.tflite", network["name"].as_str().expect("a name")))
        .collect();
    assert_eq!(files, dactyl_holistic::Networks::files());
    let of_list =
        head(server.address, &["GET /web/models/networks.json HTTP/1.1", &host]).await.to_lowercase();
    assert!(of_list.contains("cache-control: no-cache\r\n"), "{of_list}");
    for network in &list {
        let url = network["url"].as_str().expect("an address");
        assert!(url.starts_with(network["sha256"].as_str().expect("a hash")), "{network}");
        let request = format!("HEAD /web/models/{url} HTTP/1.1");
        let answer = head(server.address, &[&request, &host, "Accept-Encoding: gzip"]).await.to_lowercase();
        for line in [
            "http/1.1 200 ok".to_owned(),
            "cache-control: public, max-age=31536000, immutable\r\n".to_owned(),
            format!("content-length: {}\r\n", network["bytes"]),
        ] {
            assert!(answer.contains(&line), "{line}: {answer}");
        }
        assert!(!answer.contains("content-encoding"), "{answer}");
    }
    let sha256 = list[0]["sha256"].as_str().expect("a hash");
    for other in [format!("{sha256}/hand_recrop.tflite"), format!("{}/pose_detection.tflite", "0".repeat(64))]
    {
        let (status, said) = server.get(&format!("/web/models/{other}")).await;
        assert_eq!((status, said.contains("networks.json lists those")), (404, true), "{said}");
    }
    server.stop().await;
}

/// A tracker of the test's own takes the place of the real one: what it finds, how long it takes and how it fails is known.
#[tokio::test(flavor = "multi_thread")]
async fn a_client_tracks_one_picture_at_a_time_and_stops_with_a_tracker_that_fails() {
    let clip = clip::wall();
    let server = Server::start().await;
    let browser = Browser::start(Camera::Clip(clip.path())).await;
    browser.open_and_start(&format!("http://{}/", server.address)).await;
    browser.click("#pause").await;
    // The page's last pictures may still be on their way.
    let mut before = f64::NAN;
    while server.metric("dactyl_frames_received_total").await != before {
        before = server.metric("dactyl_frames_received_total").await;
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    let send = "
        const { DactylClient } = await import('/web/client.js');
        const client = new DactylClient('/ws?pipeline=landmarks', { extras: ['landmarks', 'status'] });
        const right_hand = Array.from({ length: 21 }, (_, point) => [0.5, point / 40, 0, 0]);
        let atOnce = 0, most = 0, tracked = 0, resets = 0;
        const tracker = {
            reset: () => { resets += 1; },
            track: async () => {
                most = Math.max(most, (atOnce += 1));
                await new Promise((resolve) => setTimeout(resolve, 20));
                atOnce -= 1;
                tracked += 1;
                if (tracked > 12) throw new Error('out of paper');
                return { width: 64, height: 48, handOnly: false, parts: { pose: null, face: null, left_hand: null, right_hand } };
            },
        };
        const sent = [], told = [], alone = [];
        client.addEventListener('status', ({ detail: { handOnly } }) => alone.push(handOnly));
        client.addEventListener('sent', ({ detail: { frame, width } }) => sent.push([frame, width]));
        client.addEventListener('landmarks', ({ detail }) => told.push(detail));
        client.connect();
        const problem = new Promise((resolve) => client.addEventListener('problem', ({ detail }) => resolve(detail)));
        client.start(document.getElementById('video'), { tracker });
        const { code, message } = await problem;
        await new Promise((resolve) => setTimeout(resolve, 300));
        client.close();
        return { code, message, most, tracked, resets, sent, alone, told: told.map(({ frame, right_hand }) => [frame, right_hand.length]) };";
    let seen = run(&browser, send).await;
    assert_eq!(
        (&seen["code"], &seen["message"]),
        (&json!("tracker_failed"), &json!("out of paper")),
        "{seen}"
    );
    assert_eq!(
        (&seen["most"], &seen["tracked"], &seen["resets"]),
        (&json!(1), &json!(13), &json!(1)),
        "{seen}"
    );
    let frames =
        |last: usize, value: usize| json!((1..=last).map(|frame| [frame, value]).collect::<Vec<_>>());
    assert_eq!(seen["sent"], frames(12, 64));
    // Each once: the server is not asked to tell them too.
    assert_eq!(seen["told"], frames(12, 21));
    // Whether there is a body is known to the tracker alone.
    let alone = seen["alone"].as_array().expect("a list");
    assert!(!alone.is_empty() && alone.iter().all(|alone| alone == false), "{seen}");
    assert_eq!(server.metric("dactyl_frames_received_total").await, before + 12.0);
    server.stop().await;
}
