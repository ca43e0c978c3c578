//! What a learner does: start, see the own hand, spell, look at the progress.

use dactyl_tests::classifier::{WINDOW, write_by_wrist};
use dactyl_tests::recordings::shared;
use fantoccini::key::Key;
use serde_json::{Value, json};

use super::browser::{Browser, Camera};
use super::clip;
use crate::server::Server;

/// Hands that are compared with the reference.
const COMPARED: usize = 40;
/// Median distance, in pixels of a picture of 576 x 576, of drawn landmarks from those of the reference. The reference saw
/// every picture; the page sends those for which there is time, and where a hand moves fast the filters lag otherwise.
const MOST_PIXELS: f64 = 4.0;
/// Joints drawn over the video, as `[[x, y], ...]` of both hands, or null for a hand that is not drawn.
const DRAWN: &str =
    "['left', 'right'].map((side) => document.querySelector(`.${side} .joints`).getAttribute('d') || null)
    .map((d) => d && d.match(/-?[\\d.]+ -?[\\d.]+(?= h)/g).map((point) => point.split(' ').map(Number)))";

const LETTER: &str = "document.getElementById('letter').textContent";

fn page(server: &Server) -> String {
    format!("http://{}/", server.address)
}

/// Starts the practice with settings that were chosen at an earlier visit.
async fn open_and_start_with(browser: &Browser, server: &Server, settings: &Value) {
    browser.open_and_start_as(&page(server), settings).await;
}

/// The hands of every picture of the reference, in pixels: `[left, right]`.
fn reference() -> Vec<[Option<Vec<[f64; 2]>>; 2]> {
    let path = shared("golden/avatar/landmarks.npy").expect("the clip is there");
    let landmarks: ndarray::Array3<f32> = ndarray_npy::read_npy(path).expect("the reference");
    let hand = |picture: usize, first: usize| {
        let points: Vec<[f64; 2]> = (first..first + 21)
            .map(|point| [0, 1].map(|axis| f64::from(landmarks[[picture, point, axis]]) * 576.0))
            .collect();
        points.iter().flatten().all(|value| value.is_finite()).then_some(points)
    };
    (0..landmarks.shape()[0]).map(|picture| [hand(picture, 501), hand(picture, 522)]).collect()
}

fn median_distance(drawn: &[[f64; 2]], wanted: &[[f64; 2]]) -> f64 {
    let mut distances: Vec<f64> =
        drawn.iter().zip(wanted).map(|(a, b)| (a[0] - b[0]).hypot(a[1] - b[1])).collect();
    distances.sort_by(f64::total_cmp);
    distances[distances.len() / 2]
}

#[tokio::test(flavor = "multi_thread")]
async fn landmarks_are_drawn_where_the_reference_has_them() {
    let Some(clip) = clip::person() else { return };
    let server = Server::start().await;
    let browser = Browser::start(Camera::Clip(clip.path())).await;
    browser.open_and_start(&page(&server)).await;
    browser.until("drawn hands", &format!("{DRAWN}.every((hand) => hand)")).await;
    assert_eq!(
        browser.text("document.getElementById('overlay').getAttribute('viewBox')").await,
        "0 0 576 576"
    );

    // The camera plays on while a picture is analysed: of which picture the landmarks are, they tell themselves.
    let reference = reference();
    let mut seen = std::collections::BTreeSet::new();
    let mut last = Value::Null;
    let mut distances_seen = Vec::new();
    while distances_seen.len() < COMPARED {
        let drawn = browser.until("another hand", &format!("{DRAWN}.some((hand) => hand) && {DRAWN}")).await;
        if drawn == last {
            continue;
        }
        last = drawn.clone();
        let drawn: [Option<Vec<[f64; 2]>>; 2] = serde_json::from_value(drawn).expect("two hands");
        let distances = reference.iter().enumerate().filter_map(|(index, wanted)| {
            let pairs = drawn.iter().zip(wanted);
            let each: Option<Vec<f64>> = pairs
                .filter(|(drawn, _)| drawn.is_some())
                .map(|(drawn, wanted)| Some(median_distance(drawn.as_ref()?, wanted.as_ref()?)))
                .collect();
            Some((index, each?.into_iter().fold(0.0, f64::max)))
        });
        let nearest = distances.min_by(|a, b| a.1.total_cmp(&b.1));
        let (index, distance) = nearest.expect("a picture with those hands");
        distances_seen.push(distance);
        seen.insert(index);
    }
    distances_seen.sort_by(f64::total_cmp);
    println!("{distances_seen:.1?} pixels, pictures {seen:?}");
    assert!(distances_seen[COMPARED / 2] < MOST_PIXELS, "{distances_seen:.1?}");
    assert!(distances_seen[COMPARED * 9 / 10] < 3.0 * MOST_PIXELS, "{distances_seen:.1?}");
    assert!(seen.len() >= 8, "only the pictures {seen:?} were met");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_letter_empties_the_ring_at_once_and_two_pages_do_not_disturb_each_other() {
    let Some(clip) = clip::person() else { return };
    let server = Server::start().await;
    let browser = Browser::start(Camera::Clip(clip.path())).await;
    // In a word such as "book" the next letter can be the same one.
    open_and_start_with(&browser, &server, &json!({"list": "alphabet"})).await;
    let seen = "document.getElementById('seen').textContent !== '–'";
    browser.until("a letter that is seen", seen).await;
    let first = browser.driver.window().await.expect("a window");

    let second = browser.driver.new_window(false).await.expect("another window").handle;
    browser.driver.switch_to_window(second).await.expect("the second");
    browser.open_and_start(&page(&server)).await;
    browser.until("a letter that is seen by the second page", seen).await;
    server.wait_for_metric("dactyl_sessions", |sessions| sessions == 2.0).await;

    browser.driver.switch_to_window(first).await.expect("the first");
    browser.until("a letter that is still seen", seen).await;
    let resets = server.metric("dactyl_resets_total").await;
    let empties = "const seen = document.getElementById('seen'), letter = document.getElementById('letter');
        const done = arguments[0], before = letter.textContent;
        new MutationObserver(() => {
            if (seen.textContent === '–') done([before, letter.textContent, document.getElementById('percent').textContent]);
        }).observe(seen, { childList: true });
        document.getElementById('skip').click();";
    let [before, after, percent]: [String; 3] =
        serde_json::from_value(browser.run_async(empties).await).expect("three texts");
    assert_ne!(before, after);
    assert_eq!(percent, "0 %");
    assert_eq!(server.metric("dactyl_resets_total").await, resets + 1.0);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_word_is_gone_through_by_keyboard_and_the_progress_outlives_the_page() {
    let clip = clip::wall();
    let server = Server::start().await;
    let browser = Browser::start(Camera::Clip(clip.path())).await;
    browser.open(&page(&server)).await;
    browser.skip_framing().await;
    browser.value(r#"localStorage.setItem('dactyl.settings', '{"list": "short"}')"#).await;
    browser.open(&page(&server)).await;
    let word =
        "[...document.querySelectorAll('#word li > [aria-hidden]')].map((sign) => sign.textContent).join('')";
    let first = browser.until("a word", word).await;
    let letters = first.as_str().expect("text").to_owned();

    let focus = "document.activeElement.id || document.activeElement.dataset.show || document.activeElement.className";
    let mut passed = Vec::new();
    while passed.last().is_none_or(|last| last != "start") {
        browser.press(Key::Tab).await;
        passed.push(browser.text(focus).await);
        assert!(passed.len() < 20, "the button is not reached: {passed:?}");
    }
    assert_eq!(passed[0], "skip-link");
    browser.press(Key::Enter).await;
    browser.until("a running camera", "document.body.classList.contains('running')").await;
    browser.until("focus on what comes next", &format!("{focus} === 'pause'")).await;
    let mut after = Vec::new();
    while after.last().is_none_or(|last| last != "skip") {
        browser.press(Key::Tab).await;
        after.push(browser.text(focus).await);
        assert!(after.len() < 4, "the button is not reached: {after:?}");
    }
    assert_eq!(after[0], "turn-hand");
    for index in 0..letters.len() {
        let now = "document.querySelector('#word .now > [aria-hidden]').textContent";
        assert_eq!(browser.text(now).await, letters[index..=index]);
        browser.press(Key::Enter).await;
        // What was skipped has no tick.
        if index + 1 < letters.len() {
            let state =
                browser.text(&format!("document.querySelectorAll('#word li')[{index}].className")).await;
            assert_eq!(state, "skipped");
        }
    }
    assert_ne!(browser.text(word).await, letters);
    browser
        .until(
            "what comes next to be spoken",
            "document.getElementById('spoken').textContent.includes('Word: ')",
        )
        .await;

    // Settings open, close with Escape and give the focus back.
    browser.value("document.getElementById('open-settings').focus()").await;
    browser.press(Key::Enter).await;
    browser.until("the settings", "document.getElementById('settings').open").await;
    browser.press(Key::Escape).await;
    browser.until("no settings", "!document.getElementById('settings').open").await;
    assert_eq!(browser.text(focus).await, "open-settings");

    browser.open(&page(&server)).await;
    browser.click("[data-show=progress]").await;
    browser.until("every letter", "document.querySelectorAll('#chart li').length === 26").await;
    let listed =
        "[...document.querySelectorAll('#chart button')].filter(({ title }) => /skipped [1-9]/.test(title))
        .map((item) => item.querySelector('.letter').textContent)";
    let mut expected: Vec<String> = letters.chars().map(String::from).collect();
    expected.sort();
    expected.dedup();
    assert_eq!(browser.value(listed).await, json!(expected));

    // The file that is offered holds the same.
    let export = "const done = arguments[0];
        HTMLAnchorElement.prototype.click = async function () { done([this.download, await (await fetch(this.href)).text()]); };
        const fetched = URL.createObjectURL;
        URL.createObjectURL = (blob) => { blob.text().then((text) => done(['dactyl-progress.json', text])); return fetched(blob); };
        document.getElementById('export').click();";
    let [name, file]: [String; 2] = serde_json::from_value(browser.run_async(export).await).expect("a file");
    assert_eq!(name, "dactyl-progress.json");
    let file: Value = serde_json::from_str(&file).expect("JSON");
    let skipped: f64 = expected.iter().filter_map(|letter| file["letters"][letter]["skipped"].as_f64()).sum();
    assert_eq!(skipped, letters.len() as f64);

    browser.click("#erase").await;
    browser.click("#erase-dialog .danger").await;
    browser.until("an empty list", "!document.getElementById('chart-empty').hidden").await;
    assert_eq!(browser.value("localStorage.getItem('dactyl.statistics')").await, Value::Null);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn signs_of_another_model_are_won_and_have_no_picture() {
    let Some(clip) = clip::person() else { return };
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("signs.onnx");
    // The first one whenever a right hand is seen.
    write_by_wrist(&path, ["Hello", "B"]);
    let server = Server::start_with(|config| {
        config.letters.model = path.display().to_string();
        config.letters.window = WINDOW;
    })
    .await;
    let browser = Browser::start(Camera::Clip(clip.path())).await;
    open_and_start_with(&browser, &server, &json!({"list": "own", "ownList": "hello b", "speed": "quick"}))
        .await;
    assert_eq!(browser.text(LETTER).await, "Hello");
    let caption = "document.getElementById('shape-caption').textContent";
    assert_eq!(browser.text(caption).await, "There is no picture of this sign.");
    browser
        .until("the first sign to be won", "document.getElementById('ring').classList.contains('won')")
        .await;
    browser.until("the next sign", &format!("{LETTER} === 'B'")).await;
    assert!(browser.text(caption).await.starts_with("Your right hand"), "{}", browser.text(caption).await);
    browser.until("what is seen", "document.getElementById('seen').textContent === 'Hello'").await;
    browser
        .until("a hint", "document.getElementById('hint').textContent.startsWith('This looks like Hello.')")
        .await;

    // Won ones outlive the page too.
    browser.open(&page(&server)).await;
    browser.click("[data-show=progress]").await;
    let listed = browser.text("document.querySelector('#chart button').title").await;
    assert!(listed.starts_with("Hello: won 1, skipped 0, "), "{listed}");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signer_wins_letter_after_letter() {
    let Some(clip) = clip::signer("BFILWYV", 240) else { return };
    let server = Server::start_with(|config| {
        // As it is delivered: the page must make do with what the throttle lets through.
        config.feedback = dactyl_config::Config::builtin().feedback;
    })
    .await;
    let browser = Browser::start(Camera::Clip(clip.path())).await;
    open_and_start_with(&browser, &server, &json!({"list": "own", "ownList": "BFILWYV"})).await;
    let won = "Object.values(JSON.parse(localStorage.getItem('dactyl.statistics') ?? '{}').letters ?? {}).filter(({won}) => won).length";
    for wanted in 1..=5 {
        browser.until("another letter won", &format!("{won} >= {wanted}")).await;
    }
    browser.click("[data-show=progress]").await;
    let seconds =
        "[...document.querySelectorAll('#chart .share')].map((share) => share.textContent).filter(Boolean)";
    let seconds = browser.value(seconds).await;
    println!("won after {seconds}");
    server.stop().await;
}
