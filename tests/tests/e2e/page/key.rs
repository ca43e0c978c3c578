//! A server that asks for a key: the page takes it out of its address, or asks for it.

use super::accessibility::faults;
use super::browser::{Browser, Camera};
use super::clip;
use crate::keys::Files;
use crate::server::Server;

const ASKS: &str = "document.getElementById('key-dialog').open";
const LETTER: &str = "document.getElementById('letter').textContent";

async fn enter(browser: &Browser, key: &str) {
    browser.until("the question", ASKS).await;
    browser.value(&format!("document.getElementById('key').value = {key:?}")).await;
    browser.click("#key-use").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_in_the_address_is_taken_and_not_left_there() {
    let files = Files::new(&[("open-sesame", "")]);
    let server = Server::start_with(|config| files.ask_for_keys(config)).await;
    let clip = clip::wall();
    let browser = Browser::start(Camera::Clip(clip.path())).await;
    browser.open_and_start(&format!("http://{}/#key=open-sesame", server.address)).await;
    server.wait_for_metric("dactyl_frames_received_total", |frames| frames > 0.0).await;
    assert!(!browser.text("location.href").await.contains("sesame"));
    assert_eq!(browser.value(ASKS).await, false);
    // Neither the tab's history nor what stays when it is closed has it.
    assert!(!browser.text("JSON.stringify(localStorage)").await.contains("sesame"));
    browser.value("history.back()").await;
    assert!(!browser.text("location.href").await.contains("sesame"));
    assert_eq!(server.metric("dactyl_refusals_total{reason=\"key\"}").await, 0.0);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_without_a_key_asks_for_it_and_again_when_it_is_wrong() {
    let files = Files::new(&[("open-sesame", "")]);
    let server = Server::start_with(|config| files.ask_for_keys(config)).await;
    let clip = clip::wall();
    let browser = Browser::start(Camera::Clip(clip.path())).await;
    browser.open(&format!("http://{}/", server.address)).await;
    browser.skip_framing().await;
    browser.until("the question", ASKS).await;
    assert_eq!(browser.text("document.querySelector('#key-dialog [role=alert]').textContent").await, "");
    enter(&browser, "open sesame").await;
    browser
        .until(
            "what was wrong",
            "document.querySelector('#key-dialog [role=alert]').textContent.includes('not taken')",
        )
        .await;
    assert_eq!(faults(&browser).await, Vec::<String>::new());
    enter(&browser, "open-sesame").await;
    browser.until("the letter", LETTER).await;
    browser.click("#start").await;
    server.wait_for_metric("dactyl_frames_received_total", |frames| frames > 0.0).await;
    // Until the tab is closed it is not asked for again.
    browser.driver.refresh().await.expect("loaded again");
    browser.until("the letter", LETTER).await;
    assert_eq!(browser.value(ASKS).await, false);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_puts_the_question_off_is_asked_when_the_camera_starts() {
    let files = Files::new(&[("open-sesame", "")]);
    let server = Server::start_with(|config| files.ask_for_keys(config)).await;
    let clip = clip::wall();
    let browser = Browser::start(Camera::Clip(clip.path())).await;
    browser.open(&format!("http://{}/", server.address)).await;
    browser.skip_framing().await;
    browser.until("the question", ASKS).await;
    browser.click("#key-later").await;
    browser.until_notice("asks for a key").await;
    browser.click("#start").await;
    enter(&browser, "open-sesame").await;
    server.wait_for_metric("dactyl_frames_received_total", |frames| frames > 0.0).await;
    browser.until("the letter", LETTER).await;
    server.stop().await;
}
