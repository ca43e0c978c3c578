//! Words in one go, the summary of a sitting, and what is heard and felt.

use serde_json::json;

use super::browser::{opened, run};

#[tokio::test(flavor = "multi_thread")]
async fn a_word_flows_without_a_new_letter_for_the_server_and_a_double_letter_needs_a_slide() {
    let (server, browser) = opened().await;
    let seen = run(
        &browser,
        "const { PracticeView } = await import('/web/practice.js');
         const { Session, showSummary } = await import('/web/session.js');
         const after = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
         const hand = (x) => Array.from({ length: 21 }, (_, index) => [x, index === 9 ? 100 : 0, 0]);
         const practised = [], won = [], celebrated = [];
         const client = { practise: (letter) => practised.push(letter) };
         const settings = { speed: 'calm', flow: true, list: 'own', ownList: 'book', hand: 'right', mirrored: false, view: 'picture' };
         const statistics = { won: (letter) => won.push(letter), skipped() {} };
         const celebration = { won: (isWord) => celebrated.push(isWord) };
         const session = new Session();
         const view = new PracticeView({ client, settings, statistics, session, celebration, labels: [...'BKO'], packs: {} });
         const hint = () => document.getElementById('hint').textContent;
         view.begin();
         view.compare(hand(0));
         view.status({ status: 'ready', filled: 0, window: 0 });
         const see = async (letter, ms = 200) => {
             view.top([['X', 0.05], [letter, 0.9]]);
             await after(ms);
             view.analysed();
             return won.join('');
         };
         const looks = {};
         looks.short = await see('B', 60);
         view.top([['X', 0.9]]);
         looks.broken = await see('B', 60);
         looks.B = await see('B');
         looks.O = await see('O');
         looks.hint = hint();
         looks.same = await see('O');
         view.compare(hand(30));
         looks.slid = await see('O');
         looks.plain = hint();
         looks.before = practised.join('|');
         looks.K = await see('K');
         looks.said = hint();
         looks.after = practised.join('|');
         await after(2700);
         view.skip();
         looks.skipped = [document.getElementById('letter').textContent, practised.join('|')];
         const summary = session.summary();
         showSummary(session);
         looks.rows = [...document.querySelectorAll('#summary-rows div')].map((row) => row.firstChild.textContent);
         looks.offer = document.getElementById('summary-practise').textContent;
         return { ...looks, celebrated, letters: summary.letters, words: summary.words, rate: summary.rate };",
    )
    .await;
    assert_eq!(
        (&seen["short"], &seen["broken"], &seen["B"]),
        (&json!(""), &json!(""), &json!("B")),
        "{seen}"
    );
    assert_eq!(
        (&seen["O"], &seen["same"], &seen["slid"]),
        (&json!("BO"), &json!("BO"), &json!("BOO")),
        "{seen}"
    );
    assert!(seen["hint"].as_str().is_some_and(|hint| hint.starts_with("O once more: slide")), "{seen}");
    assert!(seen["plain"].as_str().is_some_and(|hint| hint.starts_with("The index finger up")), "{seen}");
    // Nothing is asked for from the first letter to the last one.
    assert_eq!((&seen["before"], &seen["after"]), (&json!(""), &json!("|")), "{seen}");
    assert_eq!(seen["skipped"], json!(["O", "|"]), "{seen}");
    let said = seen["said"].as_str().unwrap_or_default();
    assert!(said.starts_with("BOOK: ") && said.contains("from O to O"), "{seen}");
    assert_eq!(seen["celebrated"], json!([false, false, false, true]));
    assert_eq!((&seen["letters"], &seen["words"]), (&json!(4), &json!(1)));
    // Three steps of about a fifth of a second, one of twice that.
    assert!(seen["rate"].as_f64().is_some_and(|rate| (60.0..300.0).contains(&rate)), "{seen}");
    assert_eq!(
        seen["rows"],
        json!(["Time", "Letters", "Skipped", "Words", "Letters a minute", "Took longest"])
    );
    assert!(seen["offer"].as_str().is_some_and(|offer| offer.starts_with("Practise ")), "{seen}");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_pace_of_a_word_and_a_second_equal_letter_are_told_from_what_is_seen() {
    let (server, browser) = opened().await;
    let seen = run(
        &browser,
        "const { Pace, Repeat } = await import('/web/flow.js');
         const pace = new Pace();
         const none = [pace.rate ?? null, pace.longest ?? null];
         for (const [letter, at] of [['S', 1000], ['U', 1500], ['N', 3000]]) pace.won(letter, at);
         const hand = (x, y) => Array.from({ length: 21 }, (_, index) => [x, index === 9 ? y + 100 : y, 0]);
         const looks = (...steps) => { const repeat = new Repeat(hand(0, 0)); return steps.map(([hand, isSeen]) => repeat.look(hand, isSeen)); };
         return { none, rate: pace.rate, longest: pace.longest,
             still: looks([hand(3, 3), true], [hand(0, 15), true]),
             slide: looks([hand(10, 0), true], [hand(25, 0), true], [hand(0, 0), true]),
             bounce: looks([hand(0, 22), true]),
             gone: looks([undefined, false], [hand(0, 0), true]),
             unseen: looks([undefined, true]) };",
    )
    .await;
    assert_eq!(seen["none"], json!([null, null]));
    assert_eq!(seen["rate"], json!(60));
    assert_eq!(seen["longest"], json!({"from": "U", "to": "N", "seconds": 1.5}));
    assert_eq!(seen["still"], json!([false, false]));
    assert_eq!((&seen["slide"], &seen["bounce"]), (&json!([false, true, true]), &json!([true])));
    assert_eq!((&seen["gone"], &seen["unseen"]), (&json!([true, true]), &json!([false])));
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sound_and_vibration_are_off_until_they_are_asked_for() {
    let (server, browser) = opened().await;
    browser.until("the letter", "document.getElementById('letter').textContent").await;
    let seen = run(
        &browser,
        "const { Celebration } = await import('/web/celebrate.js');
         const buzzed = [], tones = [];
         Object.defineProperty(navigator, 'vibrate', { value: (pattern) => buzzed.push(pattern), configurable: true });
         const Own = OscillatorNode;
         globalThis.OscillatorNode = class extends Own { constructor(audio, how) { super(audio, how); tones.push(how.frequency); } };
         const boxes = ['sound', 'vibration'].map((name) => document.querySelector(`[name=${name}]`));
         const off = boxes.map((box) => box.checked);
         const settings = { sound: false, vibration: false };
         const celebration = new Celebration(settings);
         celebration.won(false);
         const silent = [buzzed.length, tones.length];
         Object.assign(settings, { sound: true, vibration: true });
         celebration.won(false);
         const letter = [buzzed.splice(0), tones.splice(0)];
         celebration.won(true);
         const word = [buzzed.splice(0), tones.splice(0)];
         // What is turned on in the settings shows itself.
         for (const box of boxes) box.click();
         const shown = [buzzed.length, tones.length];
         return { off, silent, letter, word, shown };",
    )
    .await;
    assert_eq!((&seen["off"], &seen["silent"]), (&json!([false, false]), &json!([0, 0])), "{seen}");
    assert_eq!(seen["letter"], json!([[[40]], [660]]), "{seen}");
    assert_eq!(seen["word"], json!([[[40, 40, 40]], [660, 880]]), "{seen}");
    // The sound alone, then both.
    assert_eq!(seen["shown"], json!([1, 2]), "{seen}");
    server.stop().await;
}
