//! Every way in which it can fail is said, and ended where the page can end it.

use std::net::{Ipv4Addr, SocketAddr, UdpSocket};

use super::browser::{Browser, Camera};
use super::clip;
use crate::client::Client;
use crate::server::Server;

fn page(address: SocketAddr) -> String {
    format!("http://{address}/")
}

async fn start_in_vain(camera: Camera<'_>, url: &str, notice: &str) {
    let browser = Browser::start(camera).await;
    browser.open(url).await;
    browser.click("#start").await;
    browser.until_notice(notice).await;
    // It can be tried again.
    browser.until("the button", "!document.getElementById('start').disabled").await;
    let spoken = format!("document.getElementById('spoken-notice').textContent.includes({notice:?})");
    browser.until("the notice to be spoken", &spoken).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_camera_that_is_not_there_refused_or_in_use_is_said() {
    let clip = clip::wall();
    let server = Server::start().await;
    let url = page(server.address);
    start_in_vain(Camera::None, &url, "No camera was found").await;
    start_in_vain(Camera::Refused(clip.path()), &url, "The camera is not allowed").await;
    let empty = clip::empty();
    start_in_vain(Camera::Broken(empty.path()), &url, "Another program may be using it").await;
    server.stop().await;
}

/// An address of this machine by which others reach it.
fn outside_address() -> Option<Ipv4Addr> {
    let socket = UdpSocket::bind("0.0.0.0:0").ok()?;
    // Nothing is sent: this asks for the way there.
    socket.connect("192.0.2.1:9").ok()?;
    match socket.local_addr().ok()? {
        SocketAddr::V4(address) if !address.ip().is_loopback() => Some(*address.ip()),
        _ => None,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_that_gets_no_camera_for_want_of_https_says_so() {
    let Some(ip) = outside_address() else {
        println!("skipped: this machine has no other address than localhost");
        return;
    };
    let clip = clip::wall();
    let server = Server::start_with(|config| config.server.listen = "0.0.0.0:0".to_owned()).await;
    let url = format!("http://{ip}:{}/", server.address.port());
    start_in_vain(Camera::Clip(clip.path()), &url, "https://").await;
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_camera_that_goes_away_is_said() {
    let clip = clip::wall();
    let server = Server::start().await;
    let url = page(server.address);
    let browser = Browser::start(Camera::Clip(clip.path())).await;
    browser.open_and_start(&url).await;
    server.wait_for_metric("dactyl_frames_analysed_total", |frames| frames > 5.0).await;
    let origin = format!("http://{}", server.address);
    let refuse = serde_json::json!({"permission": {"name": "camera"}, "setting": "denied", "origin": origin});
    browser.devtools("Browser.setPermission", refuse).await;
    browser.until_notice("The camera has gone").await;
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dark_room_an_empty_one_and_one_that_is_too_large_are_said() {
    let Some(clip) = clip::trouble() else { return };
    let server = Server::start().await;
    let browser = Browser::start(Camera::Clip(clip.path())).await;
    browser.open_and_start(&page(server.address)).await;
    browser.until_notice("It is too dark").await;
    browser.until_notice("No hand to be seen").await;
    browser.until_notice("You are too far away").await;
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_window_that_fills_is_said_in_the_ring_and_then_no_more() {
    let Some(clip) = clip::person() else { return };
    let server = Server::start().await;
    let browser = Browser::start(Camera::Clip(clip.path())).await;
    browser.open_and_start(&page(server.address)).await;
    let is_filling = "document.getElementById('ring').classList.contains('warming')";
    let watching = "document.getElementById('ring-state').textContent === 'watching…'";
    browser.until("a window that fills", &format!("{is_filling} && {watching}")).await;
    browser.until("a full window", &format!("!{is_filling} && !({watching})")).await;
    browser.until_no_notice().await;
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_goes_is_said_and_found_again_when_it_comes_back() {
    let clip = clip::wall();
    let server = Server::start().await;
    let address = server.address;
    let browser = Browser::start(Camera::Clip(clip.path())).await;
    browser.open_and_start(&page(address)).await;
    server.wait_for_metric("dactyl_frames_received_total", |frames| frames > 0.0).await;
    let letter = browser.text("document.getElementById('letter').textContent").await;
    server.stop().await;
    browser.until_notice("The server cannot be reached").await;

    let server = Server::start_with(|config| config.server.listen = address.to_string()).await;
    server.wait_for_metric("dactyl_frames_received_total", |frames| frames > 0.0).await;
    // The letter is set again on the new connection.
    server.wait_for_metric("dactyl_resets_total", |resets| resets == 1.0).await;
    assert_eq!(browser.text("document.getElementById('letter').textContent").await, letter);
    browser
        .until("no word of the server", "!document.getElementById('notice').textContent.includes('server')")
        .await;
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_server_is_said_and_a_place_that_gets_free_is_taken() {
    let clip = clip::wall();
    let server = Server::start_with(|config| config.server.max_sessions = 1).await;
    let other = Client::connect(&server).await;
    let browser = Browser::start(Camera::Clip(clip.path())).await;
    browser.open_and_start(&page(server.address)).await;
    browser.until_notice("The server is full").await;
    drop(other);
    server.wait_for_metric("dactyl_frames_received_total", |frames| frames > 0.0).await;
    browser
        .until("no word of a full server", "!document.getElementById('notice').textContent.includes('full')")
        .await;
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_paused_page_is_let_go_by_the_server_and_comes_back() {
    let clip = clip::wall();
    let server = Server::start_with(|config| config.server.idle_timeout_s = 1).await;
    let browser = Browser::start(Camera::Clip(clip.path())).await;
    browser.open_and_start(&page(server.address)).await;
    server.wait_for_metric("dactyl_frames_received_total", |frames| frames > 0.0).await;
    browser.click("#pause").await;
    browser.until_notice("Paused").await;
    server.wait_for_metric("dactyl_sessions", |sessions| sessions == 0.0).await;
    let frames = server.metric("dactyl_frames_received_total").await;
    browser.click("#pause").await;
    server.wait_for_metric("dactyl_frames_received_total", |now| now > frames).await;
    server.stop().await;
}

/// What a client of `url` says when it is refused. One refusal that a plain request does not confirm may be an accident.
async fn refusal(browser: &Browser, url: &str) -> serde_json::Value {
    let connect = format!(
        "const done = arguments[0];
         import('/web/client.js').then(({{ DactylClient }}) => {{
             const client = new DactylClient({url:?});
             client.addEventListener('state', ({{ detail }}) => {{
                 if (detail.state !== 'refused') return;
                 client.close();
                 done({{ state: detail.state, reason: detail.reason }});
             }});
             client.connect();
         }});"
    );
    browser.run_async(&connect).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_of_another_origin_that_is_not_allowed_learns_why() {
    let server = Server::start().await;
    let browser = Browser::start(Camera::None).await;
    // The practice page itself may not connect elsewhere.
    browser.devtools("Page.setBypassCSP", serde_json::json!({"enabled": true})).await;
    browser.open(&format!("http://localhost:{}/", server.address.port())).await;
    let failure = refusal(&browser, &format!("http://{}/ws", server.address)).await;
    assert_eq!(failure["state"], "refused", "{failure}");
    let reason = failure["reason"].as_str().unwrap_or_default();
    assert!(reason.contains("add its origin to server.allowed_origins"), "{failure}");
    server.stop().await;
}

/// Such a page sends no `Origin` with a plain GET: only its WebSocket is refused.
#[tokio::test(flavor = "multi_thread")]
async fn a_page_of_the_same_origin_that_is_not_allowed_learns_why() {
    let server = Server::start().await;
    // As behind a proxy on this machine: the page has a name that is not one of the server's own.
    let name = ["--host-resolver-rules=MAP learn.example.org 127.0.0.1"];
    let browser = Browser::start_with(Camera::None, &name).await;
    let origin = format!("http://learn.example.org:{}", server.address.port());
    browser.open(&origin).await;
    let failure = refusal(&browser, "/ws").await;
    assert_eq!(failure["state"], "refused", "{failure}");
    let reason = failure["reason"].as_str().unwrap_or_default();
    assert!(reason.contains(&format!("add {origin} to server.allowed_origins")), "{failure}");
    assert!(reason.contains("proxy"), "{failure}");
    server.stop().await;
}
