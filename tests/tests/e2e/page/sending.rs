//! What the page loads and sends, and how `client.js` keeps to the server's pace.

use serde_json::{Value, json};

use super::browser::{Browser, Camera};
use super::clip;
use crate::server::Server;

#[tokio::test(flavor = "multi_thread")]
async fn the_page_asks_nobody_but_its_server_and_breaks_no_policy() {
    let clip = clip::wall();
    let server = Server::start().await;
    let url = format!("http://{}/", server.address);
    let browser = Browser::start(Camera::Clip(clip.path())).await;
    let watch = "globalThis.violations = [];
        addEventListener('securitypolicyviolation', (event) => violations.push(event.violatedDirective));
        addEventListener('error', (event) => violations.push(String(event.message)));
        addEventListener('unhandledrejection', (event) => violations.push(String(event.reason)));";
    browser.devtools("Page.addScriptToEvaluateOnNewDocument", json!({"source": watch})).await;
    browser.open_and_start(&url).await;
    server.wait_for_metric("dactyl_frames_analysed_total", |frames| frames > 5.0).await;
    for view in ["read", "explore", "progress", "practise"] {
        browser.click(&format!("[data-show={view}]")).await;
        browser.until("the view", &format!("document.body.dataset.view === {view:?}")).await;
    }
    let loaded = "performance.getEntriesByType('resource').map(({ name }) => name)";
    let loaded: Vec<String> = serde_json::from_value(browser.value(loaded).await).expect("addresses");
    assert!(loaded.len() > 8, "{loaded:?}");
    assert!(loaded.iter().all(|address| address.starts_with(&url)), "{loaded:?}");
    assert_eq!(browser.value("violations").await, json!([]));
    let (_, html) = server.get("/").await;
    assert!(html.contains("<script type=\"module\" src="));
    assert!(!html.contains("<script>") && !html.contains("<style") && !html.contains(" style="), "{html}");
    // An inline script would not run.
    let inline = "const done = arguments[0];
        addEventListener('securitypolicyviolation', ({ violatedDirective }) => done(violatedDirective));
        document.body.append(Object.assign(document.createElement('script'), { textContent: 'globalThis.ran = true' }));";
    assert_eq!(browser.run_async(inline).await, "script-src-elem");
    assert_eq!(browser.value("globalThis.ran ?? null").await, Value::Null);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_more_frames_are_under_way_than_allowed_and_each_one_is_accounted_for() {
    let Some(clip) = clip::person() else { return };
    let server = Server::start().await;
    let browser = Browser::start(Camera::Clip(clip.path())).await;
    browser.open_and_start(&format!("http://{}/", server.address)).await;
    browser.click("#pause").await;
    let before = server.metric("dactyl_frames_received_total").await;
    let send = "const done = arguments[0];
        import('/web/client.js').then(({ DactylClient }) => {
            const client = new DactylClient('/ws', { maxInFlight: 2 });
            const waiting = new Set(), numbers = [], outcomes = {};
            let most = 0, resets = 0, mixed = 0, newest = 0;
            client.addEventListener('sent', ({ detail: { frame } }) => {
                numbers.push(frame);
                waiting.add(frame);
                most = Math.max(most, waiting.size);
                if (numbers.length % 25 === 0) { newest = frame; client.practise('B'); }
                if (numbers.length === 80) client.stop();
            });
            client.addEventListener('feedback', ({ detail }) => {
                if (!detail.frame) resets += 1;
                else if (detail.frame <= newest) mixed += 1;
            });
            client.addEventListener('ended', ({ detail: { frame, outcome } }) => {
                if (!waiting.delete(frame)) outcomes.unknown = frame;
                outcomes[outcome] = (outcomes[outcome] ?? 0) + 1;
                if (numbers.length === 80 && !waiting.size) {
                    const { counts } = client;
                    client.close();
                    done({ most, resets, mixed, outcomes, numbers, counts });
                }
            });
            client.connect();
            client.practise('A');
            client.start(document.getElementById('video'));
        });";
    let outcome = browser.run_async(send).await;
    assert_eq!(outcome["most"], 2, "{outcome}");
    assert_eq!(outcome["numbers"], json!((1..=80).collect::<Vec<_>>()));
    assert_eq!(outcome["resets"], 4, "{outcome}");
    assert_eq!(outcome["mixed"], 0, "answers to an earlier letter were told: {outcome}");
    assert_eq!(outcome["counts"]["inFlight"], 0);
    let ended: f64 =
        outcome["outcomes"].as_object().expect("counts").values().filter_map(Value::as_f64).sum();
    assert_eq!(ended, 80.0, "{outcome}");
    assert!(outcome["counts"]["analysed"].as_f64() > Some(30.0), "{outcome}");
    // The server has told its pace.
    assert!(outcome["counts"]["rate"].as_f64() > Some(0.1), "{outcome}");
    assert_eq!(server.metric("dactyl_frames_received_total").await, before + 80.0);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_works_over_tls() {
    let clip = clip::wall();
    let folder = tempfile::tempdir().expect("a folder");
    let certified = rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("a certificate");
    let [certificate, key] = ["chain.pem", "key.pem"].map(|name| folder.path().join(name));
    std::fs::write(&certificate, certified.cert.pem()).expect("written");
    std::fs::write(&key, certified.signing_key.serialize_pem()).expect("written");
    let server = Server::start_with(|config| {
        config.tls.certificate = certificate.display().to_string();
        config.tls.key = key.display().to_string();
    })
    .await;
    // Nobody has vouched for the certificate.
    let trusting = ["--ignore-certificate-errors"];
    let browser = Browser::start_with(Camera::Clip(clip.path()), &trusting).await;
    let url = format!("https://localhost:{}/", server.address.port());
    browser.open_and_start(&url).await;
    browser.until_notice("No hand to be seen").await;
    let protocols =
        "performance.getEntriesByType('resource').every(({ name }) => name.startsWith('https://localhost:'))";
    assert_eq!(browser.value(protocols).await, true);
    server.stop().await;
}
