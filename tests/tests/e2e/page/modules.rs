//! Modules of the page on their own: comparing hands, the course of a practice, and the client.

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_tungstenite::tungstenite::handshake::server::{Request, Response};
use tokio_tungstenite::tungstenite::http::HeaderValue;

use super::browser::{Browser, Camera, opened, run};
use crate::server::Server;

#[tokio::test(flavor = "multi_thread")]
async fn hands_are_compared_and_words_spelled_as_they_should_be() {
    let (server, browser) = opened().await;

    let compare = "
        const { differences, handOf } = await import('/web/compare.js');
        const letters = [...'ABCDEFGHIJKLMNOPQRSTUVWXYZ'];
        const moved = (hand, turn, scale) => hand.map(([x, y, z]) => [
            300 + scale * (x * Math.cos(turn) - y * Math.sin(turn)),
            200 + scale * (x * Math.sin(turn) + y * Math.cos(turn)), z]);
        const between = (seen, wanted) => differences(handOf(seen), handOf(wanted));
        const own = letters.filter((letter) => {
            const { turn, fingers } = differences(moved(handOf(letter), 0.3, 90), handOf(letter));
            return turn || fingers.length;
        });
        const turned = letters.every((letter) => differences(moved(handOf(letter), 1.2, 90), handOf(letter)).turn);
        return { own, turned, AB: between('A', 'B'), UV: between('U', 'V'), DU: between('D', 'U'), IY: between('I', 'Y'),
            none: handOf('Hello') ?? null };";
    let seen = run(&browser, compare).await;
    assert_eq!(seen["none"], Value::Null);
    // A hand that is moved, a little turned, and nearer or further away is the same shape.
    assert_eq!(seen["own"], json!([]));
    assert_eq!(seen["turned"], true);
    // The worst fingers are those that a person would name.
    let fingers = |pair: &str| -> Vec<(String, String)> {
        let list = seen[pair]["fingers"].as_array().expect("a list");
        let text = |value: &Value| value.as_str().expect("text").to_owned();
        list.iter().map(|finger| (text(&finger["finger"]), text(&finger["how"]))).collect()
    };
    let named =
        |pair: &str, finger: &str, how: &str| fingers(pair).contains(&(finger.to_owned(), how.to_owned()));
    assert!(fingers("AB").iter().all(|(_, how)| how == "straighten"), "{seen}");
    assert!(named("DU", "middle", "straighten"), "{seen}");
    assert!(named("IY", "thumb", "move") || named("IY", "thumb", "straighten"), "{seen}");
    assert!(!fingers("UV").is_empty(), "{seen}");

    let spelling = "
        const { Spelling, inOrder, shuffled, spell } = await import('/web/spelling.js');
        const labels = ['A', 'B', 'C', 'Hello'];
        const course = new Spelling(labels, inOrder(['cab', 'xyz', 'hello']));
        const seen = [];
        for (let step = 0; step < 6; step += 1) { seen.push(course.letter); course.advance(); }
        const random = shuffled(['one', 'two', 'three']);
        const drawn = Array.from({ length: 100 }, random);
        const held = new Spelling(labels, inOrder(['a']));
        held.holdMs = 500;
        held.begin();
        const wins = [], shares = [];
        for (const [now, probability] of [[1100, .9], [1500, .7], [1550, .2], [1600, .9], [2000, .9], [2099, .9], [2100, .9]]) {
            held.see(probability, now);
            wins.push(held.isWon(now));
            shares.push(held.held(now));
        }
        // The clock runs while the letter can be seen.
        held.begin();
        held.watch(true, 1000);
        held.watch(false, 1500);
        held.watch(true, 4000);
        const tried = held.elapsed(4250);
        const again = new Spelling(labels, inOrder(['cab', 'b']));
        again.advance(true);
        again.advance();
        const skipped = [0, 1].map((index) => again.isSkipped(index));
        again.restart();
        return { shares, tried, skipped, restarted: again.letter + again.isSkipped(0), seen, hello: spell('HELLO', labels), none: spell('hellox', labels) ?? null, wins,
            repeats: drawn.some((word, index) => word === drawn[index + 1]), all: new Set(drawn).size,
            unknown: new Spelling(labels, () => 'xyz').letter };";
    let seen = run(&browser, spelling).await;
    // Words that cannot be spelled are passed over; a sign may be a whole word.
    assert_eq!(seen["seen"], json!(["C", "A", "B", "Hello", "C", "A"]), "{seen}");
    assert_eq!((&seen["hello"], &seen["none"]), (&json!(["Hello"]), &Value::Null));
    assert_eq!((&seen["repeats"], &seen["all"]), (&json!(false), &json!(3)));
    assert_eq!(seen["unknown"], "A");
    assert_eq!(seen["shares"], json!([0, 0.8, 0, 0, 0.8, 0.998, 1]));
    assert_eq!((&seen["tried"], &seen["skipped"]), (&json!(750), &json!([true, false])));
    assert_eq!(seen["restarted"], "Cfalse");
    // Half a second without a break.
    assert_eq!(seen["wins"], json!([false, false, false, false, false, false, true]));
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_camera_that_is_started_again_and_again_is_watched_once() {
    let (server, browser) = opened().await;
    let restart = "
        const { DactylClient } = await import('/web/client.js');
        let waiting = [];
        const video = { videoWidth: 0, requestVideoFrameCallback: (callback) => waiting.push(callback) };
        const client = new DactylClient('/ws');
        const newPicture = () => { const callbacks = waiting; waiting = []; callbacks.forEach((callback) => callback()); };
        for (let times = 0; times < 4; times += 1) { client.start(video); client.stop(); }
        client.start(video);
        newPicture();
        const running = waiting.length;
        client.stop();
        newPicture();
        return { running, stopped: waiting.length };";
    assert_eq!(run(&browser, restart).await, json!({"running": 1, "stopped": 0}));
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_is_told_of_a_hand_without_a_body() {
    let (server, browser) = opened().await;
    let told = "
        const { DactylClient } = await import('/web/client.js');
        const { WebSocket } = globalThis;
        let socket;
        globalThis.WebSocket = class { constructor() { socket = this; } send() {} close() {} };
        const client = new DactylClient('/ws', { extras: ['status'] });
        const told = [];
        client.addEventListener('status', ({ detail: { status, handOnly } }) => told.push([status, handOnly]));
        client.connect();
        globalThis.WebSocket = WebSocket;
        // The first one is of a server that speaks an older version.
        const messages = [{ status: 'ready' }, { status: 'ready', hand_only: true }, { status: 'warming 3/32', hand_only: false }];
        for (const message of messages) socket.onmessage({ data: JSON.stringify(message) });
        client.close();
        return told;";
    assert_eq!(run(&browser, told).await, json!([["ready", false], ["ready", true], ["warming", false]]));
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_won_letter_that_is_begun_again_is_not_left_by_the_timer_of_the_first_time() {
    let (server, browser) = opened().await;
    let win = "
        const { PracticeView } = await import('/web/practice.js');
        const after = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
        const practised = [];
        const client = { practise: (letter) => practised.push(letter) };
        const settings = { speed: 'quick', list: 'alphabet', ownList: '', hand: 'right', mirrored: false, view: 'picture' };
        const [statistics, session, celebration] = [{ won() {}, skipped() {} }, { won() {}, skipped() {} }, { won() {} }];
        const view = new PracticeView({ client, settings, statistics, session, celebration, labels: ['A', 'B', 'C'], packs: {} });
        const win = async () => {
            view.feedback({ letter: practised.at(-1), probability: 1 });
            await after(300);
            view.analysed();
        };
        view.begin();
        await win();
        view.begin(); // another speed
        await after(1200);
        await win();
        view.renew(); // another list
        await after(1200);
        await win();
        await after(1200);
        return practised;";
    // Every win asks for the next letter at once; no timer of an earlier one leaves a letter.
    assert_eq!(run(&browser, win).await, json!(["A", "B", "B", "C", "A", "B"]));
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_server_is_asked_for_the_next_letter_while_the_last_one_is_celebrated() {
    let (server, browser) = opened().await;
    let win = "
        const { PracticeView } = await import('/web/practice.js');
        const after = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
        const ring = document.getElementById('ring');
        const letter = () => document.getElementById('letter').textContent;
        const practised = [], won = [];
        const client = { practise: (letter) => practised.push(letter) };
        const settings = { speed: 'normal', list: 'alphabet', ownList: '', hand: 'right', mirrored: false, view: 'picture' };
        const statistics = { won: (letter, seconds) => won.push([letter, seconds > 0.5 && seconds < 5]), skipped() {} };
        const [session, celebration] = [{ won() {}, skipped() {} }, { won() {} }];
        const view = new PracticeView({ client, settings, statistics, session, celebration, labels: ['A', 'B', 'C'], packs: {} });
        view.begin();
        await after(300);
        view.status({ status: 'warming', filled: 3, window: 32 });
        const warming = document.getElementById('ring-state').textContent;
        view.status({ status: 'other', filled: 0, window: 0 });
        const noLetter = document.getElementById('ring-state').textContent;
        view.status({ status: 'ready', filled: 0, window: 0 });
        view.feedback({ letter: 'B', probability: 0.1 });
        const other = document.getElementById('ring-state').textContent;
        view.feedback({ letter: 'A', probability: 0.95 });
        await after(300);
        view.analysed();
        const half = Number(ring.style.getPropertyValue('--held'));
        await after(400);
        view.analysed();
        const celebrating = [ring.classList.contains('won'), letter(), practised.join('')];
        // The next letter may be there already.
        view.feedback({ letter: 'B', probability: 0.9 });
        await after(1000);
        const next = [ring.classList.contains('won'), letter()];
        view.analysed();
        return { warming, noLetter, other, half, celebrating, next, won, second: [ring.classList.contains('won'), practised.join('')] };";
    let seen = run(&browser, win).await;
    assert_eq!((&seen["warming"], &seen["other"]), (&json!("watching…"), &json!("seen: B")));
    assert_eq!(seen["noLetter"], json!("no letter yet"));
    assert!(seen["half"].as_f64().is_some_and(|share| (30.0..95.0).contains(&share)), "{seen}");
    assert_eq!(seen["celebrating"], json!([true, "A", "AB"]), "{seen}");
    assert_eq!(seen["next"], json!([false, "B"]), "{seen}");
    assert_eq!(seen["second"], json!([true, "ABC"]), "{seen}");
    assert_eq!(seen["won"][0], json!(["A", true]), "{seen}");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn progress_is_the_median_of_the_newest_times_and_comes_back_from_a_file() {
    let (server, browser) = opened().await;
    let keep = "
        const { Statistics, median, trend } = await import('/web/statistics.js');
        localStorage.setItem('dactyl.statistics', JSON.stringify({ Q: { won: 2, skipped: 1, seconds: 9 }, X: 'no', R: null }));
        const old = new Statistics().letters.Q;
        const statistics = new Statistics();
        for (const seconds of [9, 9, 8, 8, 8, 4, 4, 4, 2, 2, 2, 2]) statistics.won('A', seconds);
        statistics.skipped('B');
        const file = await statistics.export().text();
        const before = JSON.stringify(statistics.letters), { recent } = statistics.letters.A;
        statistics.erase();
        const erased = [Object.keys(statistics.letters).length, statistics.week];
        const bad = ['', '[]', '{}', 'null', '{\"letters\": 3}'].map((text) => statistics.import(text));
        const good = [statistics.import(file), statistics.import(file)];
        const same = JSON.stringify(statistics.letters) === before;
        return { old, recent, erased, bad, good, same, week: statistics.week, median: median([3, 1, 2, 10]),
            trends: [trend(recent), trend([2, 2, 4, 4]), trend([2, 2, 2, 2]), trend([9, 1])],
            weakest: statistics.weakest(['A', 'B', 'C'], 2) };";
    let seen = run(&browser, keep).await;
    assert_eq!(seen["old"], json!({"won": 2, "skipped": 1, "recent": [4.5], "last": ""}), "{seen}");
    assert_eq!(seen["recent"], json!([8, 8, 8, 4, 4, 4, 2, 2, 2, 2]));
    assert_eq!(seen["erased"], json!([0, {"today": 0, "days": 0}]));
    assert_eq!(seen["bad"], json!([false, false, false, false, false]));
    assert_eq!((&seen["good"], &seen["same"]), (&json!([true, true]), &json!(true)), "{seen}");
    assert_eq!(seen["week"], json!({"today": 12, "days": 1}));
    assert_eq!(seen["median"], json!(2.5));
    assert_eq!(seen["trends"], json!(["quicker", "slower", "steady", "steady"]));
    assert_eq!(seen["weakest"], json!(["B", "C"]));
    server.stop().await;
}

/// A server that takes connections and never says a word, and one that opens the WebSocket first.
async fn hung_servers() -> [std::net::SocketAddr; 2] {
    let silent = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let opens = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let addresses = [&silent, &opens].map(|listener| listener.local_addr().expect("bound"));
    tokio::spawn(async move {
        let mut kept = Vec::new();
        while let Ok((stream, _)) = silent.accept().await {
            kept.push(stream);
        }
    });
    tokio::spawn(async move {
        let mut kept = Vec::new();
        while let Ok((stream, _)) = opens.accept().await {
            #[expect(clippy::result_large_err, reason = "the type is the library's")]
            let protocol = |_: &Request, mut response: Response| {
                response
                    .headers_mut()
                    .insert("Sec-WebSocket-Protocol", HeaderValue::from_static("dactyl.v1"));
                Ok(response)
            };
            kept.push(tokio_tungstenite::accept_hdr_async(stream, protocol).await);
        }
    });
    addresses
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_leaves_a_server_that_has_fallen_silent() {
    let server = Server::start().await;
    let [silent, opens] = hung_servers().await;
    let browser = Browser::start(Camera::None).await;
    browser.devtools("Page.setBypassCSP", json!({"enabled": true})).await;
    browser.open(&format!("http://{}/", server.address)).await;
    let leave = format!(
        "const {{ DactylClient }} = await import('/web/client.js');
         delete globalThis.VideoFrame;
         const left = (address, video) => new Promise((resolve) => {{
             const client = new DactylClient(`ws://${{address}}/ws`);
             const states = [];
             client.addEventListener('state', ({{ detail }}) => {{
                 states.push(detail.state);
                 if (detail.state !== 'away') return;
                 client.close();
                 resolve(states.slice(0, 3));
             }});
             client.connect();
             if (video) client.start(video);
         }});
         const video = Object.assign(document.createElement('canvas'), {{ videoWidth: 64, videoHeight: 48 }});
         video.getContext('2d');
         return Promise.all([left('{silent}'), left('{opens}', video)]);"
    );
    let states = run(&browser, &leave).await;
    assert_eq!(states, json!([["connecting", "away", "closed"], ["connecting", "open", "away"]]));
    server.stop().await;
}

/// Answers plain requests as a server behind a balancer may: the WebSocket came to a full one, the question to another.
async fn answering(status: &'static str) -> std::net::SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("bound");
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut request = vec![0; 4096];
            let length = stream.read(&mut request).await.unwrap_or_default();
            let asks_for_socket =
                request[..length].windows(7).any(|word| word.eq_ignore_ascii_case(b"upgrade"));
            let status = if asks_for_socket { "503 Service Unavailable\r\nRetry-After: 7" } else { status };
            let answer = format!(
                "HTTP/1.1 {status}\r\nAccess-Control-Allow-Origin: *\r\nAccess-Control-Expose-Headers: Retry-After\r\n\
                 Content-Length: 0\r\nConnection: close\r\n\r\n"
            );
            let _ = stream.write_all(answer.as_bytes()).await;
        }
    });
    address
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_waits_as_long_as_a_full_server_asks_and_does_not_blame_the_page_for_another() {
    let server = Server::start().await;
    let [full, other] = [
        answering("503 Service Unavailable\r\nRetry-After: 7").await,
        answering("426 Upgrade Required").await,
    ];
    let browser = Browser::start(Camera::None).await;
    browser.devtools("Page.setBypassCSP", json!({"enabled": true})).await;
    browser.open(&format!("http://{}/", server.address)).await;
    let first = format!(
        "const {{ DactylClient }} = await import('/web/client.js');
         const first = (address) => new Promise((resolve) => {{
             const client = new DactylClient(`ws://${{address}}/ws`);
             client.addEventListener('state', ({{ detail }}) => {{
                 if (!detail.retryMs) return;
                 client.close();
                 resolve(detail);
             }});
             client.connect();
         }});
         return Promise.all(['{full}', '{other}'].map(first));"
    );
    let seen = run(&browser, &first).await;
    assert_eq!((&seen[0]["state"], &seen[1]["state"]), (&json!("full"), &json!("away")), "{seen}");
    let wait = seen[0]["retryMs"].as_f64().expect("a time");
    assert!((7000.0..=10_500.0).contains(&wait), "{seen}");
    assert!(!seen.to_string().contains("allowed_origins"), "{seen}");
    server.stop().await;
}
