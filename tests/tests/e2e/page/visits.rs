//! Coming back: by reload, by the browser's Back, from another tab; and the keys that spare the mouse.

use fantoccini::key::Key;
use serde_json::json;

use super::browser::{Browser, Camera, opened};
use super::clip;
use crate::server::Server;

const WORD: &str =
    "[...document.querySelectorAll('#word li > [aria-hidden]')].map((sign) => sign.textContent).join('')";
const LETTER: &str = "document.getElementById('letter').textContent";
const VIEW: &str = "document.body.dataset.view";

async fn store(browser: &Browser, settings: &serde_json::Value) {
    browser.value(&format!("localStorage.setItem('dactyl.settings', {:?})", settings.to_string())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reload_comes_back_to_the_letter_and_back_to_the_view_before() {
    let server = Server::start().await;
    let url = format!("http://{}/", server.address);
    let browser = Browser::start(Camera::None).await;
    browser.open(&url).await;
    store(&browser, &json!({"list": "own", "ownList": "moon café book 123"})).await;
    browser.open(&url).await;
    browser.until("the first word", &format!("{WORD} === 'MOON'")).await;
    // What cannot be spelled is said, and nothing else is lost by it.
    let problem = "document.getElementById('own-list-problem').textContent";
    assert!(browser.text(problem).await.ends_with(": café, 123"), "{}", browser.text(problem).await);
    for _ in 0..5 {
        browser.click("#skip").await;
    }
    assert_eq!((browser.text(WORD).await, browser.text(LETTER).await), ("BOOK".to_owned(), "O".to_owned()));

    browser.click("[data-show=explore]").await;
    browser.until("another view", &format!("{VIEW} === 'explore'")).await;
    browser.driver.refresh().await.expect("a reload");
    browser.until("the same view", &format!("{VIEW} === 'explore'")).await;
    browser.driver.back().await.expect("back");
    browser.until("the view before", &format!("{VIEW} === 'practise'")).await;
    browser.until("the same word", &format!("{WORD} === 'BOOK' && {LETTER} === 'O'")).await;
    for _ in 0..3 {
        browser.click("#skip").await;
    }
    // After the last word comes the first one.
    assert_eq!(browser.text(WORD).await, "MOON");

    // Another list begins anew.
    store(&browser, &json!({"list": "alphabet"})).await;
    browser.open(&url).await;
    browser.until("the alphabet", &format!("{LETTER} === 'A'")).await;
    store(&browser, &json!({"list": "easy"})).await;
    browser.open(&url).await;
    browser.until("the easiest letter", &format!("{LETTER} === 'C'")).await;
    let mut seen = String::new();
    for _ in 0..26 {
        seen.push_str(&browser.text(LETTER).await);
        browser.click("#skip").await;
    }
    let all: std::collections::BTreeSet<char> = seen.chars().collect();
    assert_eq!(all.len(), 26, "{seen}");
    assert!(seen.ends_with("JZ"), "{seen}");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_pause_skip_and_begin_the_word_again() {
    let clip = clip::wall();
    let server = Server::start().await;
    let url = format!("http://{}/", server.address);
    let browser = Browser::start(Camera::Clip(clip.path())).await;
    browser.open(&url).await;
    browser.skip_framing().await;
    store(&browser, &json!({"list": "own", "ownList": "cab"})).await;
    browser.open(&url).await;
    browser.until("the word", &format!("{WORD} === 'CAB'")).await;
    browser.press(Key::Space).await;
    browser.until("a running camera", "document.body.classList.contains('running')").await;
    browser.press(Key::Right).await;
    browser.press(Key::Right).await;
    assert_eq!(browser.text(LETTER).await, "B");
    browser.press(Key::Left).await;
    assert_eq!(browser.text(LETTER).await, "C");
    let paused = "document.getElementById('stage').classList.contains('paused')";
    browser.press(Key::Escape).await;
    browser.until("a pause", paused).await;
    browser.value("document.activeElement.blur()").await;
    browser.press(Key::Space).await;
    browser.until("no pause", &format!("!{paused}")).await;
    // Keys that are typed into a field stay there.
    browser.click("#open-settings").await;
    browser.value("document.querySelector('[name=ownList]').focus()").await;
    browser.press(Key::Right).await;
    browser.press(Key::Space).await;
    assert_eq!(browser.value(paused).await, false);
    assert_eq!(browser.text(LETTER).await, "C");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn settings_of_two_tabs_do_not_undo_each_other() {
    let server = Server::start().await;
    let url = format!("http://{}/", server.address);
    let browser = Browser::start(Camera::None).await;
    browser.open(&url).await;
    browser.until("the page", LETTER).await;
    let first = browser.driver.window().await.expect("a window");
    let second = browser.driver.new_window(true).await.expect("another tab").handle;
    browser.driver.switch_to_window(second).await.expect("the second");
    browser.open(&url).await;
    browser.until("the page", LETTER).await;
    browser.choose("hand", "left").await;
    browser.driver.switch_to_window(first).await.expect("the first");
    browser.until("the other tab's choice", "document.querySelector('[name=hand]').value === 'left'").await;
    let caption = "document.getElementById('shape-caption').textContent.includes('left hand')";
    browser.until("a left hand", caption).await;
    browser.choose("list", "alphabet").await;
    let stored = browser.text("localStorage.getItem('dactyl.settings')").await;
    let stored: serde_json::Value = serde_json::from_str(&stored).expect("JSON");
    assert_eq!(stored, json!({"hand": "left", "list": "alphabet"}));
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn somebody_who_spells_with_the_other_hand_is_asked_once() {
    let (server, browser) = opened().await;
    let watch = "const done = arguments[0];
        import('/web/notice.js').then(({ OtherHandWatch }) => {
            const watch = new OtherHandWatch();
            const look = (left_hand, right_hand, times) =>
                Array.from({ length: times }, () => watch.look({ left_hand, right_hand }, 'right')).filter(Boolean).length;
            done([look([], null, 20), look([], [], 1), look([], null, 39), look([], null, 1), look([], null, 100)]);
        });";
    assert_eq!(browser.run_async(watch).await, json!([0, 0, 0, 1, 0]));
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_letter_of_the_chart_is_practised_three_times_and_the_hand_is_hidden_until_asked_for() {
    let server = Server::start().await;
    let url = format!("http://{}/", server.address);
    let browser = Browser::start(Camera::None).await;
    browser.open(&url).await;
    store(&browser, &json!({"list": "own", "ownList": "cab"})).await;
    browser.open(&url).await;
    browser.until("the word", &format!("{WORD} === 'CAB'")).await;
    browser.click("[data-show=progress]").await;
    browser.until("the chart", "document.querySelectorAll('#chart button').length === 26").await;
    let drawn = "[...document.querySelectorAll('#chart canvas')].filter((canvas) => canvas.getContext('2d')
        .getImageData(0, 0, canvas.width, canvas.height).data.filter((value, index) => index % 4 === 3 && value).length > 2000).length";
    assert_eq!(browser.value(drawn).await, 26);
    browser.click("#chart li:nth-child(20) button").await;
    browser.until("the letter", &format!("{VIEW} === 'practise' && {LETTER} === 'T'")).await;
    browser.until("focus on what comes next", "document.activeElement.id === 'skip'").await;
    // Leaving the letter goes back to the list.
    browser.press(Key::Enter).await;
    browser.until("the list", &format!("{WORD} === 'CAB'")).await;

    let shown = "!document.getElementById('shape').hidden";
    let hint = "document.getElementById('hint').textContent";
    assert!(!browser.text(hint).await.is_empty());
    browser.click("#open-settings").await;
    browser.click("[name=recall]").await;
    browser.click("#settings .primary").await;
    assert_eq!(browser.value(shown).await, false);
    assert_eq!(browser.text(hint).await, "");
    browser.click("#show-hand").await;
    assert_eq!(browser.value(shown).await, true);
    assert!(browser.text(hint).await.starts_with("Fingers together"), "{}", browser.text(hint).await);
    // The next letter is hidden again.
    browser.click("#skip").await;
    assert_eq!(browser.value(shown).await, false);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_that_is_hidden_for_long_turns_its_camera_off_and_says_so_on_return() {
    let clip = clip::wall();
    let server = Server::start().await;
    let browser = Browser::start(Camera::Clip(clip.path())).await;
    browser.open_and_start(&format!("http://{}/", server.address)).await;
    let turn = |state: &str| {
        format!(
            "(() => {{ Object.defineProperty(document, 'visibilityState', {{ value: '{state}', configurable: true }});
                document.dispatchEvent(new Event('visibilitychange')); return true; }})()"
        )
    };
    browser.value(&turn("hidden")).await;
    browser.until("no camera", "document.getElementById('video').srcObject === null").await;
    browser.value(&turn("visible")).await;
    browser.until("a running camera", "document.body.classList.contains('running')").await;
    browser.until_notice("The camera was off while this page was hidden").await;
    browser.until("no word of it", "!document.getElementById('notice').textContent.includes('hidden')").await;
    server.stop().await;
}
