//! axe-core over every view, in the light and in the dark theme.

use std::path::Path;

use serde_json::{Value, json};

use super::browser::{Browser, Camera};
use super::clip;
use crate::server::Server;

/// The faults that axe-core finds in what is shown now, as `rule: element`, serious ones and worse.
pub(super) async fn faults(browser: &Browser) -> Vec<String> {
    let axe = Path::new(env!("CARGO_MANIFEST_DIR")).join("../.cache/test/axe.min.js");
    let axe = std::fs::read_to_string(axe).expect("axe-core is there (make test fetches it)");
    browser.driver.execute(&axe, Vec::new()).await.expect("axe-core loads");
    let run = "const done = arguments[0]; axe.run(document, { resultTypes: ['violations'] }).then(done);";
    let result = browser.run_async(run).await;
    assert!(result["passes"].as_array().is_some_and(|passes| passes.len() > 5), "axe-core looked at nothing");
    let violations = result["violations"].as_array().expect("a list").clone();
    violations
        .iter()
        .filter(|violation| matches!(violation["impact"].as_str(), Some("serious" | "critical")))
        .flat_map(|violation| {
            let nodes = violation["nodes"].as_array().cloned().unwrap_or_default();
            nodes.into_iter().map(|node| format!("{}: {}", violation["id"], summary(&node)))
        })
        .collect()
}

fn summary(node: &Value) -> String {
    format!("{} ({})", node["target"], node["failureSummary"].as_str().unwrap_or_default())
}

#[tokio::test(flavor = "multi_thread")]
async fn axe_core_finds_no_serious_fault_in_any_view_or_theme() {
    let clip = clip::wall();
    let server = Server::start().await;
    let url = format!("http://{}/", server.address);
    let browser = Browser::start(Camera::Clip(clip.path())).await;
    browser.open(&url).await;
    // Something to show in every view.
    let numbers =
        json!({"A": {"won": 3, "skipped": 1, "seconds": 9.5}, "B": {"won": 0, "skipped": 2, "seconds": 0}});
    browser.value(&format!("localStorage.setItem('dactyl.statistics', {:?})", numbers.to_string())).await;
    let mut found = Vec::new();
    for (theme, list) in [("light", "own"), ("dark", "levels")] {
        let settings = json!({"details": true, "list": list}).to_string();
        browser.value(&format!("localStorage.setItem('dactyl.settings', {settings:?})")).await;
        browser.value("localStorage.removeItem('dactyl.framed')").await;
        let features = json!({"features": [{"name": "prefers-color-scheme", "value": theme}]});
        browser.devtools("Emulation.setEmulatedMedia", features).await;
        browser.open(&url).await;
        browser.until("the letter", "document.getElementById('letter').textContent").await;
        let dark = browser.value("matchMedia('(prefers-color-scheme: dark)').matches").await;
        assert_eq!(dark, theme == "dark");
        let mut look = async |place: &str| {
            found
                .extend(faults(&browser).await.into_iter().map(|fault| format!("{theme}, {place}: {fault}")));
        };
        look("welcome").await;
        browser.click("#start").await;
        browser.until_notice("No hand").await;
        look("framing").await;
        browser.click("#framing-skip").await;
        look("practise").await;
        browser.click("#finish").await;
        look("summary").await;
        browser.click("#summary .primary").await;
        browser.click("#open-settings").await;
        look("settings").await;
        browser.click("#settings .primary").await;
        for view in ["read", "explore", "progress"] {
            browser.click(&format!("[data-show={view}]")).await;
            browser.until("the view", &format!("document.body.dataset.view === {view:?}")).await;
            look(view).await;
        }
        browser.click("#erase").await;
        look("erase").await;
    }
    assert!(found.is_empty(), "{found:#?}");
    server.stop().await;
}
