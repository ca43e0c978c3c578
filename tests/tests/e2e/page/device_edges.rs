//! Hands that are found in the browser, at the edges: what the server offers changes, cameras are switched, choices are changed while
//! something loads, the tracker fails in the middle. What was said of pictures holds in all of it.

use std::net::SocketAddr;
use std::path::Path;

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::browser::{Browser, Camera, opened, run};
use super::clip;
use super::wire::{Message, Wire};
use crate::keys::Files;
use crate::server::Server;

const WHERE: &str = "document.getElementById('where').textContent";
const LETTER: &str = "document.getElementById('letter').textContent";
const ON_DEVICE: &str = "Your hand is found on this device.";
const STOPPED: &str = "Nothing is sent.";
const IS_PAUSED: &str = "document.getElementById('stage').classList.contains('paused')";
const RECEIVED: &str = "dactyl_frames_received_total";

/// Lists the threads of trackers, and whether they were ended.
const WATCH_TRACKERS: &str = "globalThis.trackers = [];
    const Own = Worker;
    globalThis.Worker = class extends Own {
        isEnded = false;
        constructor(url, options) {
            super(url, options);
            if (String(url).includes('tracker-worker')) trackers.push(this);
        }
        terminate() {
            this.isEnded = true;
            super.terminate();
        }
    };";
const ALIVE: &str = "trackers.filter(({ isEnded }) => !isEnded).length";

async fn before_the_page(browser: &Browser, script: &str) {
    browser.devtools("Page.addScriptToEvaluateOnNewDocument", json!({"source": script})).await;
}

async fn until_where(browser: &Browser, part: &str) {
    browser.until(&format!("{part:?} below the picture"), &format!("{WHERE}.includes({part:?})")).await;
}

/// Opens the page with what an earlier visit has left. Every device counts as quick enough, however busy the machine is.
async fn open(browser: &Browser, address: SocketAddr, tracking: &str, key: &str) {
    browser.open(&format!("http://{address}/")).await;
    browser.skip_framing().await;
    let settings = json!({"tracking": tracking}).to_string();
    browser
        .value(&format!("[localStorage.setItem('dactyl.settings', {settings:?}), sessionStorage.setItem('dactyl.key', {key:?})]"))
        .await;
    browser.driver.refresh().await.expect("loaded again");
    browser.until("the letter", LETTER).await;
    run(browser, "(await import('/web/device.js')).Device.leastRate = 0.5;").await;
}

async fn sends_more(server: &Server) {
    let before = server.metric(RECEIVED).await;
    server.wait_for_metric(RECEIVED, |now| now > before + 5.0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pipeline_that_records_gets_no_picture_because_it_takes_pictures() {
    let server = Server::start_with(|config| {
        config.pipeline.name = "landmarks".to_owned();
        config.pipeline.allowed = vec!["record".to_owned()];
    })
    .await;
    let wire = Wire::to(server.address, None).await;
    let clip = clip::wall();
    let browser = Browser::start(Camera::Clip(clip.path())).await;
    open(&browser, wire.address, "server", "").await;
    // There is nothing to choose: the server takes landmarks, as far as the page knows what becomes of things there.
    assert_eq!(browser.value("document.getElementById('tracking').hidden").await, true);
    browser.click("#start").await;
    until_where(&browser, ON_DEVICE).await;
    sends_more(&server).await;
    assert!(!wire.messages().iter().any(Message::is_picture));
    assert!(!wire.requests().iter().any(|request| request.contains("record")), "{:?}", wire.requests());
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_camera_that_is_switched_while_the_device_is_tried_sends_no_picture() {
    let server = Server::start().await;
    let wire = Wire::to(server.address, None).await;
    let clip = clip::wall();
    let browser = Browser::start(Camera::Clip(clip.path())).await;
    open(&browser, wire.address, "device", "").await;
    // The other camera is a slow one: it opens after half a second, and shows pictures for a second before it counts as playing.
    let switch = "new MutationObserver((_, observer) => {
            if (!document.getElementById('where').textContent.includes('Trying whether')) return;
            observer.disconnect();
            const wait = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
            const video = document.getElementById('video');
            const [devices, { play }] = [navigator.mediaDevices, video];
            const { getUserMedia } = devices;
            devices.getUserMedia = async (how) => {
                await wait(500);
                return getUserMedia.call(devices, how);
            };
            video.play = async () => {
                await play.call(video);
                await wait(1000);
                globalThis.isSwitched = true;
            };
            document.querySelector('[name=camera]').dispatchEvent(new Event('change', { bubbles: true }));
        }).observe(document.getElementById('where'), { childList: true })";
    browser.value(switch).await;
    browser.click("#start").await;
    browser.until("another camera", "globalThis.isSwitched").await;
    until_where(&browser, ON_DEVICE).await;
    sends_more(&server).await;
    assert!(!wire.messages().iter().any(Message::is_picture));
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_choice_that_is_changed_while_the_tracker_loads_leaves_one_tracker() {
    let server = Server::start().await;
    let clip = clip::wall();
    let browser = Browser::start(Camera::Clip(clip.path())).await;
    before_the_page(&browser, WATCH_TRACKERS).await;
    open(&browser, server.address, "device", "").await;
    browser.click("#start").await;
    browser.until("a tracker that loads", "trackers.length").await;
    let alive = format!(
        "const field = document.querySelector('[name=tracking]');
         for (const value of ['server', 'device', 'server', 'device']) {{
             field.value = value;
             field.dispatchEvent(new Event('change', {{ bubbles: true }}));
             await new Promise((resolve) => setTimeout(resolve, 20));
         }}
         return [trackers.length > 2, {ALIVE}];"
    );
    assert_eq!(run(&browser, &alive).await, json!([true, 1]));
    until_where(&browser, ON_DEVICE).await;
    sends_more(&server).await;
    assert_eq!(browser.value(ALIVE).await, 1);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_server_has_is_asked_for_once_at_a_time() {
    let server = Server::start().await;
    let browser = Browser::start(Camera::None).await;
    let delay = "globalThis.asked = { now: 0, most: 0, all: 0 };
        const own = fetch;
        globalThis.fetch = async (url, how) => {
            if (url !== 'info') return own(url, how);
            asked.all += 1;
            asked.most = Math.max(asked.most, (asked.now += 1));
            await new Promise((resolve) => {
                const end = () => { asked.now -= 1; resolve(); };
                const timer = setTimeout(end, 2000);
                how.signal?.addEventListener('abort', () => { clearTimeout(timer); end(); });
            });
            return own(url, how);
        };";
    before_the_page(&browser, delay).await;
    browser.open(&format!("http://{}/", server.address)).await;
    for key in ["one", "two"] {
        browser.value(&format!("location.hash = '#key={key}'")).await;
    }
    browser.until("the letter", LETTER).await;
    assert_eq!(browser.value("asked").await, json!({"now": 0, "most": 1, "all": 3}));
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tracker_that_fails_in_the_middle_sends_nothing_until_the_learner_chooses() {
    let server = Server::start().await;
    let wire = Wire::to(server.address, None).await;
    let clip = clip::wall();
    let browser = Browser::start(Camera::Clip(clip.path())).await;
    before_the_page(&browser, WATCH_TRACKERS).await;
    open(&browser, wire.address, "device", "").await;
    browser.click("#start").await;
    let fail = "trackers.at(-1).dispatchEvent(new ErrorEvent('error', { message: 'out of memory' }))";
    for _ in 0..2 {
        until_where(&browser, ON_DEVICE).await;
        sends_more(&server).await;
        browser.value(fail).await;
        until_where(&browser, STOPPED).await;
        let said = browser.text(WHERE).await;
        assert!(said.contains("has failed") && said.contains("out of memory"), "{said}");
        assert_eq!(browser.value(IS_PAUSED).await, true);
        // Going on is trying once more.
        browser.click("#pause").await;
    }
    until_where(&browser, ON_DEVICE).await;
    browser.value(fail).await;
    until_where(&browser, STOPPED).await;
    assert!(!wire.messages().iter().any(Message::is_picture));
    browser.choose("tracking", "server").await;
    browser.click("#pause").await;
    sends_more(&server).await;
    assert!(wire.messages().iter().any(Message::is_picture));
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_without_the_pipeline_for_landmarks_sends_no_pictures_instead() {
    let files = Files::new(&[("both", ""), ("pictures", "pipelines = [\"recognise\"]")]);
    let server = Server::start_with(|config| files.ask_for_keys(config)).await;
    let wire = Wire::to(server.address, None).await;
    let clip = clip::wall();
    let browser = Browser::start(Camera::Clip(clip.path())).await;
    open(&browser, wire.address, "device", "both").await;
    browser.click("#start").await;
    until_where(&browser, ON_DEVICE).await;
    sends_more(&server).await;
    browser.value("location.hash = '#key=pictures'").await;
    until_where(&browser, STOPPED).await;
    assert_eq!(browser.value(IS_PAUSED).await, true);
    assert!(!wire.messages().iter().any(Message::is_picture));
    // What can be chosen is shown.
    assert_eq!(browser.value("document.getElementById('tracking').hidden").await, false);
    browser.choose("tracking", "server").await;
    browser.click("#pause").await;
    sends_more(&server).await;
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pipeline_that_a_reload_took_away_is_not_asked_for_for_ever() {
    let mut server = Server::start().await;
    let wire = Wire::to(server.address, None).await;
    let clip = clip::wall();
    let browser = Browser::start(Camera::Clip(clip.path())).await;
    open(&browser, wire.address, "server", "").await;
    server.reload(|config| config.pipeline.allowed = Vec::new()).await;
    browser.choose("tracking", "device").await;
    browser.click("#start").await;
    until_where(&browser, STOPPED).await;
    let said = browser.text(WHERE).await;
    assert!(said.contains("has nothing that finds your hand on this device"), "{said}");
    assert!(!wire.messages().iter().any(Message::is_picture));
    server.stop().await;
}

/// The tracker is the test's own, so that it is known which picture is where.
#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_starts_anew_sends_nothing_of_before_and_waits_for_no_old_picture() {
    let (server, browser) = opened().await;
    let send = "
        const { DactylClient } = await import('/web/client.js');
        const client = new DactylClient('/ws?pipeline=landmarks', { extras: ['status'] });
        const video = Object.assign(document.createElement('canvas'), { videoWidth: 64, videoHeight: 48, readyState: 1 });
        const wait = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
        const until = async (is) => { while (!is()) await wait(5); };
        const problems = [], found = [], told = [];
        let state = '';
        client.addEventListener('state', ({ detail }) => (state = detail.state));
        client.addEventListener('problem', ({ detail }) => problems.push(detail));
        client.addEventListener('landmarks', ({ detail }) => found.push(detail.right_hand[0][0]));
        client.addEventListener('status', ({ detail: { status, handOnly } }) => told.push([status, handOnly]));

        // It tracks for as long as `held` is there, and rejects a second picture as the real one does.
        let pictures = 0, held, busy = 0, handOnly = false;
        const hold = () => { held = {}; held.promise = new Promise((resolve, reject) => Object.assign(held, { resolve, reject })); };
        const trackerOf = () => {
            let isTracking = false;
            return { reset: () => {}, track: async () => {
                if (isTracking) { busy += 1; throw new Error('busy', { cause: 'busy' }); }
                isTracking = true;
                const picture = (pictures += 1);
                try { await held?.promise; } finally { isTracking = false; }
                const right_hand = Array.from({ length: 21 }, (_, point) => [picture / 1000, point / 40, 0, 0]);
                return { width: 64, height: 48, handOnly, parts: { pose: null, face: null, left_hand: null, right_hand } };
            } };
        };
        client.connect();
        await until(() => state === 'open');
        const tracker = trackerOf();
        client.start(video, { tracker });
        await wait(200);
        const withoutPicture = pictures;

        hold();
        video.readyState = 2;
        await until(() => pictures === 1);
        client.stop();
        client.start(video, { tracker });
        await until(() => busy > 2);
        held.resolve();
        held = undefined;
        await until(() => found.length > 2);
        const first = found[0];

        await until(() => told.length && told.at(-1)[0] !== 'warming');
        await wait(200);
        const [statusBefore, aloneBefore] = told.at(-1);
        handOnly = true;
        await until(() => told.at(-1)[1]);
        const [statusAfter] = told.at(-1);

        hold();
        const before = pictures;
        await until(() => pictures > before);
        const late = held;
        held = undefined;
        const sent = found.length;
        client.start(video, { tracker: trackerOf() });
        await until(() => found.length > sent + 2);
        late.reject(new Error('out of paper'));
        const more = found.length;
        await until(() => found.length > more + 2);
        client.close();
        client.stop();
        return { withoutPicture, first, problems, aloneBefore, isSameStatus: statusBefore === statusAfter };";
    let seen = run(&browser, send).await;
    assert_eq!(
        seen,
        json!({"withoutPicture": 0, "first": 0.002, "problems": [], "aloneBefore": false, "isSameStatus": true})
    );
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tracker_closes_the_pictures_that_it_takes_and_leaves_nobody_waiting() {
    let server = Server::start().await;
    let browser = Browser::start(Camera::None).await;
    before_the_page(&browser, WATCH_TRACKERS).await;
    browser.open(&format!("http://{}/", server.address)).await;
    let track = "
        const { Tracker } = await import('/web/tracker.js');
        const ending = new AbortController();
        const tracker = await Tracker.load({ signal: ending.signal });
        const why = (promise) => promise.then(() => 'done', ({ cause }) => cause);
        const bitmaps = [];
        const own = createImageBitmap;
        globalThis.createImageBitmap = async (...of) => {
            const bitmap = await own(...of);
            bitmaps.push(bitmap);
            return bitmap;
        };
        const canvas = Object.assign(document.createElement('canvas'), { width: 64, height: 48 });
        canvas.getContext('2d');
        const empty = await why(tracker.track(document.createElement('video'), 0));
        const good = await why(tracker.track(canvas, 1));
        // An answer that cannot be read.
        trackers[0].postMessage = () => trackers[0].dispatchEvent(new MessageEvent('messageerror'));
        const asked = [empty, good, await why(tracker.track(canvas, 2))];
        delete trackers[0].postMessage;
        const cut = why(tracker.track(canvas, 3));
        ending.abort();
        asked.push(await cut, await why(tracker.track(canvas, 4)));
        const early = await why(Tracker.load({ signal: ending.signal }));
        return { asked, early, widths: [bitmaps[0].width, bitmaps[2].width], ended: trackers.map(({ isEnded }) => isEnded) };";
    let seen = run(&browser, track).await;
    assert_eq!(
        seen,
        json!({
            "asked": ["no_picture", "done", "failed", "closed", "closed"],
            "early": "closed",
            "widths": [0, 0],
            "ended": [true, true],
        })
    );
    server.stop().await;
}

/// Gives the page's files away in a few folders, and in each but the first something as a broken server or a proxy may.
async fn broken() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("bound");
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(answer_broken(stream));
        }
    });
    address
}

async fn answer_broken(mut stream: TcpStream) -> std::io::Result<()> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await?);
    }
    let head = String::from_utf8(head).expect("a head");
    let path = head.split(' ').nth(1).expect("a path");
    let (how, name) = path.split_once("/web/").unwrap_or(("", "index"));
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../server/web").join(name);
    let content = match (how, name) {
        (_, "index") => b"<!doctype html>".to_vec(),
        (_, "models/networks.json") => b"[]".to_vec(),
        ("/garbage", "tracker.wasm") => b"no program".to_vec(),
        _ => std::fs::read(file)?,
    };
    let kind = match name.rsplit_once('.') {
        Some((_, "js")) => "text/javascript",
        Some((_, "json")) => "application/json",
        Some((_, "wasm")) if how != "/plain" => "application/wasm",
        _ => "text/html",
    };
    let policy = if how == "/policy" { "Content-Security-Policy: script-src 'self'\r\n" } else { "" };
    let length = content.len();
    let left = if (how, name) == ("/cut", "tracker.wasm") { length / 2 } else { length };
    let head = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\n{policy}Connection: close\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).await?;
    stream.write_all(&content[..left]).await?;
    stream.shutdown().await
}

#[tokio::test(flavor = "multi_thread")]
async fn why_the_program_does_not_start_is_told_apart() {
    let address = broken().await;
    let browser = Browser::start(Camera::None).await;
    browser.open(&format!("http://{address}/")).await;
    let load = "return Promise.all(['fine', 'garbage', 'cut', 'plain', 'policy'].map(async (how) => {
            const { Tracker } = await import(`/${how}/web/tracker.js`);
            return Tracker.load().then(() => 'loaded', ({ cause, message }) => [cause, message]);
        }));";
    let seen = run(&browser, load).await;
    let causes: Vec<&Value> = (0..5).map(|index| &seen[index][0]).collect();
    // The first has its program, and no networks.
    assert_eq!(causes, ["failed", "unsupported", "unreachable", "unreachable", "forbidden"], "{seen}");
    let policy = seen[4][1].as_str().expect("a message");
    assert!(policy.contains("tracker-worker.js") && policy.contains("'wasm-unsafe-eval'"), "{policy}");
}
