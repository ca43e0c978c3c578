//! Languages: each one is complete, is taken from the browser or chosen, and lines may begin at the right.

use std::collections::BTreeMap;

use fantoccini::key::Key;
use serde::Deserialize;
use serde_json::json;

use super::browser::{Browser, Camera, opened, run};
use crate::server::Server;

/// What must be alike in all languages, and what must differ.
#[derive(Deserialize)]
struct Language {
    direction: String,
    /// Keys of the texts, each with the words in braces.
    texts: BTreeMap<String, Vec<String>>,
    /// Letters that are described.
    described: Vec<String>,
    /// Letters to spell, each with those that may be seen.
    hints: BTreeMap<String, Vec<String>>,
    sentences: Vec<String>,
    empty: usize,
}

#[tokio::test(flavor = "multi_thread")]
async fn every_language_says_everything() {
    let (server, browser) = opened().await;
    let seen = run(
        &browser,
        "const { LANGUAGES } = await import('/web/text.js');
         const inBraces = (text) => [...new Set(text.match(/\\{\\w+\\}/g) ?? [])].sort();
         const mapped = (object, to) => Object.fromEntries(Object.entries(object).map(([key, value]) => [key, to(value)]));
         const languages = {};
         for (const code of Object.keys(LANGUAGES)) {
             const { direction, texts, descriptions, hints } = await import(`/web/languages/${code}.js`);
             const sentences = [...Object.values(descriptions), ...Object.values(hints).flatMap(Object.values)];
             languages[code] = { direction, texts: mapped(texts, inBraces), described: Object.keys(descriptions),
                 hints: mapped(hints, Object.keys), sentences,
                 empty: [...Object.values(texts), ...sentences].filter((text) => !text.trim()).length };
         }
         // What the page asks for is there, and what is there is asked for.
         const { texts } = await import('/web/languages/en.js');
         const named = [...document.querySelectorAll('[data-text], [data-text-label]')].flatMap(({ dataset }) =>
             [dataset.text, dataset.textLabel].filter(Boolean));
         const modules = performance.getEntriesByType('resource').map(({ name }) => name)
             .filter((name) => name.endsWith('.js') && !name.includes('/languages/'));
         const sources = await Promise.all(modules.map(async (url) => (await fetch(url)).text()));
         const unused = Object.keys(texts).filter((key) => !named.includes(key) && !sources.some((source) => source.includes(`\"${key}\"`)));
         return { languages, missing: named.filter((key) => !(key in texts)), unused };",
    )
    .await;
    assert_eq!((&seen["missing"], &seen["unused"]), (&json!([]), &json!([])));
    let languages: BTreeMap<String, Language> =
        serde_json::from_value(seen["languages"].clone()).unwrap_or_else(|error| panic!("{error}: {seen}"));
    assert_eq!(languages.keys().collect::<Vec<_>>(), ["de", "en", "es"]);
    let english = &languages["en"];
    assert!(english.texts.len() > 150 && english.described.len() == 26 && english.hints.len() == 26);
    for (code, language) in &languages {
        assert_eq!(language.texts, english.texts, "{code}");
        assert_eq!(language.described, english.described, "{code}");
        assert_eq!(language.hints, english.hints, "{code}");
        assert_eq!((language.direction.as_str(), language.empty), ("ltr", 0), "{code}");
        assert_eq!(language.sentences.len(), english.sentences.len(), "{code}");
        // No sentence was left in English.
        let same =
            language.sentences.iter().zip(&english.sentences).filter(|(own, other)| own == other).count();
        assert!(code == "en" || same == 0, "{code}: {same}");
    }
    server.stop().await;
}

const HINT: &str = "document.getElementById('hint').textContent";
const LANG: &str = "document.documentElement.lang";

#[tokio::test(flavor = "multi_thread")]
async fn the_browsers_language_is_taken_until_another_one_is_chosen() {
    let server = Server::start().await;
    let url = format!("http://{}/", server.address);
    let browser = Browser::start_with(Camera::None, &["--accept-lang=fr,es-MX"]).await;
    browser.open(&url).await;
    // French is not there; Spanish is the next that the browser names.
    browser.until("Spanish", &format!("{HINT}.startsWith('Los dedos juntos')")).await;
    assert_eq!(browser.text(LANG).await, "es");
    assert_eq!(browser.text("document.querySelector('[data-show=read]').textContent").await, "Leer");
    browser.click("[data-show=progress]").await;

    browser.choose("language", "de").await;
    browser.until("German", &format!("{HINT}.startsWith('Die Finger beisammen')")).await;
    assert_eq!(browser.text("document.title").await, "Dactyl: Fingeralphabet üben");
    let chart = "document.querySelector('#chart button').title";
    assert_eq!(browser.text(chart).await, "A: noch nicht versucht");
    let names =
        "[...document.querySelectorAll('[name=language] option')].map(({ textContent }) => textContent)";
    assert_eq!(browser.value(names).await, json!(["wie mein Browser", "English", "Deutsch", "Español"]));
    browser.driver.refresh().await.expect("a reload");
    browser.until("German again", &format!("{HINT}.startsWith('Die Finger beisammen')")).await;
    assert_eq!(browser.text(LANG).await, "de");
    // Only the language that is shown is loaded.
    let loaded = "performance.getEntriesByType('resource').map(({ name }) => name).filter((name) => name.includes('/languages/')).length";
    assert_eq!(browser.value(loaded).await, 1);
    browser.choose("language", "").await;
    browser.until("the browser's own", &format!("{LANG} === 'es'")).await;
    server.stop().await;
}

/// Elements that stick out of the page at its sides.
const STICKING_OUT: &str = "[...document.querySelectorAll('body *')].filter((element) => {
        const { left, right, width } = element.getBoundingClientRect();
        const clip = getComputedStyle(element).clipPath;
        return width > 1 && clip === 'none' && (left < -1 || right > innerWidth + 1);
    }).map(({ tagName, id, className }) => `${tagName} ${id} ${className}`)";

async fn nothing_sticks_out(browser: &Browser, what: &str, (width, height): (u32, u32)) {
    let metrics = json!({"width": width, "height": height, "deviceScaleFactor": 1, "mobile": false});
    browser.devtools("Emulation.setDeviceMetricsOverride", metrics).await;
    for view in ["read", "explore", "progress", "practise"] {
        browser.click(&format!("[data-show={view}]")).await;
        browser.until("the view", &format!("document.body.dataset.view === {view:?}")).await;
        assert_eq!(browser.value(STICKING_OUT).await, json!([]), "{what}, {view} at {width}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn words_of_every_length_fit_and_lines_may_begin_at_the_right() {
    let server = Server::start().await;
    let url = format!("http://{}/", server.address);
    let browser = Browser::start(Camera::None).await;
    browser.open(&url).await;
    browser.until("the letter", "document.getElementById('letter').textContent").await;
    for language in ["de", "es", "en"] {
        browser.choose("language", language).await;
        browser.until("the language", &format!("{LANG} === {language:?}")).await;
        nothing_sticks_out(&browser, language, (390, 844)).await;
    }
    browser.value("document.documentElement.dir = 'rtl'").await;
    for size in [(390, 844), (1440, 900)] {
        nothing_sticks_out(&browser, "from the right", size).await;
    }
    // Words of the manual alphabet stay as they are; what goes on goes to the left.
    let places =
        "[...document.querySelectorAll('#word li')].map((sign) => sign.getBoundingClientRect().left)";
    let places: Vec<f64> = serde_json::from_value(browser.value(places).await).expect("places");
    assert!(places.len() == 4 && places.is_sorted(), "{places:?}");
    let letter = "document.getElementById('letter').textContent";
    let mut letters = vec![browser.text(letter).await];
    for key in [Key::Left, Key::Left, Key::Right] {
        browser.press(key).await;
        letters.push(browser.text(letter).await);
    }
    assert_eq!(letters, ["C", "O", "L", "C"]);
    server.stop().await;
}
