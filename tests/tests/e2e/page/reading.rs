//! Reading: a hand spells a word, the learner types it.

use fantoccini::key::Key;
use serde_json::json;

use super::browser::{Browser, Camera, opened, run};
use crate::server::Server;

#[tokio::test(flavor = "multi_thread")]
async fn a_word_is_spelled_letter_by_letter_without_a_jump() {
    let (server, browser) = opened().await;
    let seen = run(
        &browser,
        "const { canSpell, spelled } = await import('/web/motion.js');
         const { bodyOf } = await import('/web/skeleton.js');
         const { held } = await import('/web/poses.js');
         const { rightLetters, Ladder } = await import('/web/reading.js');
         const { packsOf } = await import('/web/packs.js');
         const far = (a, b) => Math.max(...a.map((point, joint) => Math.hypot(...point.map((value, axis) => value - b[joint][axis]))));
         const shape = (joints) => joints.map((point) => point.map((value, axis) => value - joints[0][axis]));
         const motion = spelled('Jazzbook', 500);
         let last, jump = 0;
         const letters = [], away = {};
         for (let ms = 0; ms <= motion.length; ms += 5) {
             const { joints } = bodyOf(motion.poseAt(ms));
             if (last) jump = Math.max(jump, far(joints, last));
             last = joints;
             const letter = motion.letterAt(ms);
             if (letters.at(-1) !== letter) letters.push(letter);
             const wanted = held['JAZZBOOK'[letter]];
             if (wanted) away[letter] = Math.min(away[letter] ?? 9, far(shape(joints), shape(bodyOf(wanted).joints)));
         }
         // A second equal letter stands beside the first one.
         const places = [5, 6].map((letter) => {
             for (let ms = 0; ; ms += 5) if (motion.letterAt(ms) === letter + 1 || ms > motion.length) return bodyOf(motion.poseAt(ms - 5)).wrist[0];
         });
         const packs = packsOf(await (await fetch('/web/words.txt')).text());
         const ladder = new Ladder();
         const speeds = [];
         for (const isRead of [true, true, true, false, false, false, false, true]) speeds.push(ladder.next(speeds.at(-1) ?? 1, isRead));
         return { jump, letters, away, slide: places[1] - places[0], packs: Object.keys(packs), few: Object.values(packs).every((words) => words.length >= 12),
             speeds, right: rightLetters('moon', 'mouse'), can: [canSpell('Zoe'), canSpell('café')],
             lengths: [spelled('on', 500).length < spelled('on', 1000).length, spelled('zz', 100).length > 1400] };",
    )
    .await;
    // Units of wrist to middle knuckle within five milliseconds.
    assert!(seen["jump"].as_f64().is_some_and(|jump| jump < 0.4), "{seen}");
    assert_eq!(seen["letters"], json!([0, 1, 2, 3, 4, 5, 6, 7]));
    // Each held letter is really reached.
    for letter in ["1", "4", "5", "6", "7"] {
        assert!(seen["away"][letter].as_f64().is_some_and(|away| away < 1e-6), "{letter}: {seen}");
    }
    assert!(seen["slide"].as_f64().is_some_and(|slide| slide < -0.2), "{seen}");
    assert_eq!(seen["packs"], json!(["short", "everyday", "names", "places", "doubles", "long"]));
    assert_eq!(seen["few"], true);
    // Three words read at the first try go up a step, two that were not go down.
    assert_eq!(seen["speeds"], json!([1, 1, 1.5, 1.5, 1, 1, 0.7, 0.7]));
    assert_eq!(seen["right"], "M O _ _");
    assert_eq!((&seen["can"], &seen["lengths"]), (&json!([true, false]), &json!([true, true])));
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn words_are_read_by_keyboard_repeated_and_told_when_they_are_not_read() {
    let server = Server::start().await;
    let browser = Browser::start(Camera::None).await;
    browser.open(&format!("http://{}/#read", server.address)).await;
    browser.until("the view", "document.body.dataset.view === 'read'").await;
    let said = "document.getElementById('read-said').textContent";
    let letters = "document.getElementById('read-letters').textContent";
    let pixels = "(() => { const canvas = document.getElementById('read-hand');
        return canvas.getContext('2d').getImageData(0, 0, 480, 480).data.filter((value, index) => index % 4 === 3 && value).length; })()";
    assert_eq!(browser.value(pixels).await, 0);
    browser.value("document.getElementById('read-next').focus()").await;
    browser.press(Key::Enter).await;
    browser.until("the field", "document.activeElement.id === 'read-answer'").await;
    browser.until("a hand", &format!("{pixels} > 5000")).await;
    // Wrong twice: shown again, then told letter by letter.
    browser.driver.active_element().await.expect("the field").send_keys("qqqqq").await.expect("typed");
    browser.press(Key::Enter).await;
    browser.until("a repetition", &format!("{said}.startsWith('Not yet')")).await;
    browser.driver.active_element().await.expect("the field").send_keys("wwwww").await.expect("typed");
    browser.press(Key::Enter).await;
    browser.until("the word", &format!("{said}.startsWith('It was')")).await;
    let word = browser.text(&format!("{said}.match(/It was (\\w+)/)[1]")).await;
    let spaced: Vec<String> = word.to_uppercase().chars().map(String::from).collect();
    browser.until("all letters", &format!("{letters} === {:?}", spaced.join(" "))).await;
    assert!(browser.text(said).await.ends_with("Words read: 0 of 1."), "{}", browser.text(said).await);
    // Enter goes on; what was said then is of the next word.
    browser.press(Key::Enter).await;
    browser.until("the next word", &format!("{said} === ''")).await;
    browser.press(Key::Tab).await;
    // The choices are kept like all settings.
    browser.choose("readPack", "names").await;
    assert!(browser.text("localStorage.getItem('dactyl.settings')").await.contains("\"readPack\":\"names\""));
    server.stop().await;
}
