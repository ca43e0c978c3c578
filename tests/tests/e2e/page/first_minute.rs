//! The first minute: which hand, whether the camera sees the learner, and the first level.

use fantoccini::key::Key;
use serde_json::json;

use super::browser::{Browser, Camera, opened, run};
use super::clip;
use crate::server::Server;

const LETTER: &str = "document.getElementById('letter').textContent";
const WORD: &str =
    "[...document.querySelectorAll('#word li > [aria-hidden]')].map((sign) => sign.textContent).join('')";
const FRAMING: &str = "!document.getElementById('framing').hidden";
const FOCUS: &str = "document.activeElement.id";

#[tokio::test(flavor = "multi_thread")]
async fn what_the_camera_must_see_is_checked_and_said() {
    let (server, browser) = opened().await;
    let seen = run(
        &browser,
        "const { FramingView, framingOf } = await import('/web/framing.js');
         const pose = (left, right, y = 0.6) => Array.from({ length: 33 }, (_, index) =>
             index === 11 ? [left, y, 0, 1] : index === 12 ? [right, y, 0, 1] : [0.5, 0.3, 0, 1]);
         const hand = (x) => Array.from({ length: 21 }, () => [x, 0.4, 0, 1]);
         const look = (pose, left_hand, right_hand) => ({ frame: 1, pose, face: null, left_hand, right_hand });
         const looks = {
             nobody: look(null, null, null),
             tooNear: look(pose(1.1, -0.1), null, hand(0.3)),
             below: look(pose(0.7, 0.3, 1.05), null, hand(0.3)),
             far: look(pose(0.55, 0.45), null, hand(0.4)),
             noHand: look(pose(0.7, 0.3), null, null),
             edge: look(pose(0.7, 0.3), hand(0.999), null),
             good: look(pose(0.7, 0.3), hand(0.8), null),
             handAlone: look(null, null, hand(0.5)),
             handAloneAtEdge: look(null, null, hand(0.999)),
         };
         const advice = Object.fromEntries(Object.entries(looks).map(([name, landmarks]) => [name, framingOf(landmarks).advice]));
         let ended = 0;
         const view = new FramingView(() => (ended += 1));
         const before = FramingView.isKnown;
         view.begin();
         const states = [];
         for (const name of ['good', 'good', 'good', 'noHand', ...Array(8).fill('good')]) {
             view.look(looks[name]);
             states.push(ended);
         }
         const shown = [...document.querySelectorAll('.checks li')].map(({ textContent, className }) => [textContent, className]);
         view.look(looks.good);
         return { advice, before, states, shown, ended, isOpen: view.isOpen, after: FramingView.isKnown };",
    )
    .await;
    assert_eq!(
        seen["advice"],
        json!({"nobody": "framingBack", "tooNear": "framingBack", "below": "framingBack", "far": "framingCloser",
            "noHand": "framingRaise", "edge": "framingInside", "good": "framingGood",
            "handAlone": "framingGood", "handAloneAtEdge": "framingInside"})
    );
    // All must be well for a moment, without a break.
    assert_eq!(seen["states"], json!([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]), "{seen}");
    assert_eq!(seen["shown"][0], json!(["both shoulders in the picture: yes", "done"]), "{seen}");
    assert_eq!((&seen["ended"], &seen["isOpen"]), (&json!(1), &json!(false)));
    assert_eq!((&seen["before"], &seen["after"]), (&json!(false), &json!(true)));
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_first_visit_asks_for_the_hand_checks_the_picture_and_begins_with_the_first_level() {
    let clip = clip::wall();
    let server = Server::start().await;
    let url = format!("http://{}/", server.address);
    let browser = Browser::start(Camera::Clip(clip.path())).await;
    browser.open(&url).await;
    browser.until("the first level", &format!("{WORD} === 'COLV' && {LETTER} === 'C'")).await;
    let pressed = "[...document.querySelectorAll('[data-hand]')].filter((button) => button.ariaPressed === 'true').map((button) => button.dataset.hand)";
    assert_eq!(browser.value(pressed).await, json!(["right"]));
    browser.click("[data-hand=left]").await;
    assert_eq!(browser.value(pressed).await, json!(["left"]));
    let caption = "document.getElementById('shape-caption').textContent";
    assert_eq!(browser.text(caption).await, "Your left hand, as your picture shows it");

    browser.click("#start").await;
    browser.until("the check", FRAMING).await;
    let advice = "document.getElementById('framing-advice').textContent";
    browser.until("what to do", &format!("{advice} === 'A little further back, please.'")).await;
    // Letters are neither skipped nor won meanwhile.
    browser.press(Key::Right).await;
    assert_eq!(browser.text(LETTER).await, "C");
    assert_eq!(browser.text(FOCUS).await, "framing-skip");
    browser.press(Key::Enter).await;
    browser.until("the letter", &format!("!({FRAMING})")).await;
    assert_eq!(browser.text(FOCUS).await, "pause");

    // At the next visit it is not checked, but if it is asked for.
    browser.open(&url).await;
    browser.until("the letter", LETTER).await;
    browser.click("#start").await;
    browser.until("a running camera", "document.body.classList.contains('running')").await;
    assert_eq!(browser.value(FRAMING).await, false);
    browser.click("#open-settings").await;
    browser.click("#framing-again").await;
    browser.until("the check", FRAMING).await;
    browser.click("#pause").await;
    browser.click("#framing-skip").await;
    browser.until("the letter", &format!("!({FRAMING})")).await;

    // The end of a sitting is said, by keyboard too.
    browser.value("document.getElementById('finish').focus()").await;
    browser.press(Key::Enter).await;
    browser.until("the summary", "document.getElementById('summary').open").await;
    assert_eq!(browser.value("document.getElementById('summary-nothing').hidden").await, false);
    browser.press(Key::Escape).await;
    browser.until("no summary", "!document.getElementById('summary').open").await;
    assert_eq!(browser.text(FOCUS).await, "finish");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn levels_go_from_easy_letters_to_words_and_are_kept() {
    let server = Server::start().await;
    let url = format!("http://{}/", server.address);
    let browser = Browser::start(Camera::None).await;
    browser.open(&url).await;
    browser.until("the first level", &format!("{WORD} === 'COLV'")).await;
    let level = "document.getElementById('level').value";
    let mut all = String::new();
    for number in 1..=7 {
        assert_eq!(browser.text(level).await, number.to_string());
        let letters = browser.text(WORD).await;
        all.push_str(&letters);
        for _ in letters.chars() {
            browser.press(Key::Right).await;
        }
    }
    let distinct: std::collections::BTreeSet<char> = all.chars().collect();
    assert_eq!((all.len(), distinct.len()), (26, 26), "{all}");
    assert_eq!(browser.text(level).await, "8");
    // Behind the last level there are words.
    let packs = run(&browser, "return (await (await import('/web/packs.js')).loadPacks()).short;").await;
    let packs: Vec<String> = serde_json::from_value(packs).expect("words");
    let word = browser.text(WORD).await.to_lowercase();
    assert!(packs.contains(&word), "{word}");
    browser.driver.refresh().await.expect("a reload");
    browser.until("the same word", &format!("{WORD}.toLowerCase() === {word:?}")).await;
    browser
        .value(
            "(() => { const field = document.getElementById('level'); field.value = '7';
            field.dispatchEvent(new Event('change', { bubbles: true })); return true; })()",
        )
        .await;
    assert_eq!(browser.text(WORD).await, "JZ");
    // A pack of words has no levels.
    browser.choose("list", "names").await;
    assert_eq!(browser.value("document.getElementById('levels').hidden").await, true);
    assert!(browser.text(WORD).await.len() > 2);
    server.stop().await;
}
