//! What operators of many servers rely on: who is let in, how a server ends, and what it tells of itself.

use std::time::Duration;

use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};
use tokio_tungstenite::{MaybeTlsStream, tungstenite};

use dactyl_tests::recordings::shared;

use crate::client::Client;
use crate::pictures::gradient;
use crate::server::{Server, get};

const PATIENCE: Duration = Duration::from_secs(20);

/// The error of a client that is not let in.
async fn refused(server: &Server, headers: &[(&'static str, &str)]) -> String {
    let error = Client::connect_with(server, "", headers).await.map(drop).expect_err("not let in");
    error.to_string()
}

async fn refusals(server: &Server, reason: &str) -> f64 {
    server.metric(&format!("dactyl_refusals_total{{reason=\"{reason}\"}}")).await
}

#[tokio::test(flavor = "multi_thread")]
async fn those_that_are_not_let_in_are_counted_by_reason() {
    let server = Server::start_with(|config| config.server.max_sessions = 1).await;
    assert_eq!(server.metric("dactyl_sessions_free").await, 1.0);
    assert!(refused(&server, &[("Origin", "https://elsewhere.example.org")]).await.contains("403"));
    let error = Client::connect_to(&server, "?extras=nothing").await.map(drop).expect_err("no such extra");
    assert!(error.to_string().contains("400"), "{error}");
    let _first = Client::connect(&server).await;
    assert!(refused(&server, &[]).await.contains("503"));
    // This only asks why.
    assert_eq!(server.get("/ws").await.0, 503);
    for (reason, count) in [("origin", 1.0), ("request", 1.0), ("full", 1.0), ("stopping", 0.0)] {
        assert_eq!(refusals(&server, reason).await, count, "{reason}");
    }
    assert_eq!(server.metric("dactyl_sessions_free").await, 0.0);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_client_gets_no_more_than_its_share_of_the_sessions() {
    let server = Server::start_with(|config| config.server.max_sessions_per_client = 1).await;
    // Nobody has to believe what a client says of itself.
    let first =
        Client::connect_with(&server, "", &[("X-Forwarded-For", "192.0.2.1")]).await.expect("a session");
    assert!(refused(&server, &[("X-Forwarded-For", "192.0.2.2")]).await.contains("503"));
    assert_eq!(refusals(&server, "sessions_of_client").await, 1.0);
    drop(first);
    server.wait_for_metric("dactyl_sessions", |sessions| sessions == 0.0).await;
    Client::connect(&server).await;
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_clients_behind_a_trusted_proxy_are_told_apart() {
    let server = Server::start_with(|config| {
        config.server.max_sessions_per_client = 1;
        config.server.max_connections_per_client = 1;
        config.server.trusted_proxies = vec!["127.0.0.0/8".to_owned()];
    })
    .await;
    let of = |client: &'static str| [("X-Forwarded-For", client)];
    let _one = Client::connect_with(&server, "", &of("192.0.2.1")).await.expect("a session");
    let _other = Client::connect_with(&server, "", &of("192.0.2.2")).await.expect("a session");
    assert!(refused(&server, &of("192.0.2.1")).await.contains("503"));
    // Of the proxy itself nobody knows whom it speaks for.
    let _unknown = [Client::connect(&server).await, Client::connect(&server).await];
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_sends_no_first_frame_is_closed_with_1000() {
    let server = Server::start_with(|config| config.server.first_frame_timeout_s = 1).await;
    let mut works = Client::connect(&server).await;
    works.send_letter("A").await;
    works.expect_reset().await;
    let mut idle = Client::connect(&server).await;
    assert_eq!(u16::from(idle.closed().await.code), 1000);
    works.send_letter("B").await;
    works.expect_reset().await;
    server.stop().await;
}

/// The page of a domain whose name stands for this machine: its origin names the host that it asks for.
#[tokio::test(flavor = "multi_thread")]
async fn a_page_whose_name_was_rebound_to_this_server_is_not_its_own() {
    let rebound = [("Origin", "http://rebound.example.org:8080"), ("Host", "rebound.example.org:8080")];
    let server = Server::start_with(|config| config.server.listen = "0.0.0.0:0".to_owned()).await;
    assert!(refused(&server, &rebound).await.contains("403"));
    let by_address = format!("127.0.0.1:{}", server.address.port());
    let origin = format!("http://{by_address}");
    Client::connect_with(&server, "", &[("Origin", &origin), ("Host", &by_address)]).await.expect("its own");
    server.stop().await;

    let server = Server::start_with(|config| {
        config.server.listen = "0.0.0.0:0".to_owned();
        config.server.names = vec!["rebound.example.org".to_owned()];
    })
    .await;
    Client::connect_with(&server, "", &rebound).await.expect("a name of its own");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_draining_server_goes_on_with_its_sessions_and_closes_idle_ones_first() {
    let mut server = Server::start_with(|config| {
        config.server.drain_notice_ms = 2000;
        config.server.drain_ms = 4000;
    })
    .await;
    let mut idle = Client::connect(&server).await;
    let mut works = Client::connect(&server).await;
    works.send_letter("A").await;
    works.expect_reset().await;
    assert_eq!(server.get("/readyz").await.0, 200);
    server.drain();
    let draining = async { while server.get("/readyz").await != (503, "draining\n".to_owned()) {} };
    timeout(PATIENCE, draining).await.expect("it says so");
    assert_eq!(server.get("/healthz").await.0, 200);
    assert_eq!(server.metric("dactyl_draining").await, 1.0);
    assert!(refused(&server, &[]).await.contains("503"));
    works.send_letter("B").await;
    works.expect_reset().await;
    let mut order = Vec::new();
    let closed =
        async |client: &mut Client, name: &'static str| (name, u16::from(client.closed().await.code));
    tokio::select! {
        first = closed(&mut idle, "idle") => order.push(first),
        first = closed(&mut works, "works") => order.push(first),
    }
    works.send_letter("C").await;
    works.expect_reset().await;
    order.push(closed(&mut works, "works").await);
    assert_eq!(order, [("idle", 1001), ("works", 1001)]);
    server.ended(PATIENCE).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_capacity_is_told_once_frames_were_analysed() {
    let server = Server::start().await;
    let mut client = Client::connect(&server).await;
    assert_eq!(server.metric("dactyl_capacity_frames_per_second").await, 0.0);
    client.send_frame(&gradient(320, 240, 1)).await;
    server.wait_for_metric("dactyl_capacity_frames_per_second", |frames| frames > 0.0).await;
    let ratio = server.metric("dactyl_load_ratio").await;
    assert!((0.0..=1.0).contains(&ratio), "{ratio}");
    server.stop().await;
}

/// One message of a slow line takes longer than a client may be silent, and longer than a ping may wait for its pong.
#[tokio::test(flavor = "multi_thread")]
async fn a_frame_that_comes_slowly_is_no_silence() {
    let server = Server::start_with(|config| {
        config.server.ping_interval_s = 1;
        config.server.ping_timeout_s = 2;
        config.server.slow_client_timeout_s = 1;
    })
    .await;
    let mut stream = crate::connections::silent_client(&server).await;
    let jpeg = gradient(320, 240, 1);
    let length = u16::try_from(jpeg.len()).expect("a small picture").to_be_bytes();
    stream.write_all(&[0x82, 0x80 | 126, length[0], length[1], 0, 0, 0, 0]).await.expect("sent");
    for piece in jpeg.chunks(jpeg.len().div_ceil(12)) {
        sleep(Duration::from_millis(400)).await;
        stream.write_all(piece).await.expect("the server still listens");
    }
    server.wait_for_metric("dactyl_frames_analysed_total", |frames| frames == 1.0).await;
    server.stop().await;
}

/// A picture that is small, inside of every limit and takes a decoder as long as fifty others.
fn costly_picture() -> Option<Vec<u8>> {
    let path = shared("cases/hostile/scans-45-1080p.jpg")?;
    Some(std::fs::read(path).expect("one of the cases"))
}

#[tokio::test(flavor = "multi_thread")]
async fn one_client_takes_no_more_decoding_than_a_camera_is_worth() {
    let Some(bomb) = costly_picture() else { return };
    let server = Server::start_with(|config| {
        config.server.max_scans = 64;
        config.server.max_bad_messages = 1000;
    })
    .await;
    let begin = std::time::Instant::now();
    let mut client = Client::connect_to(&server, "?extras=ended").await.expect("a session");
    for _ in 0..30 {
        client.send_frame(&bomb).await;
    }
    let mut refused = 0;
    while refused < 30 {
        let answer = client.answer().await;
        if answer["error"]["code"] == json!("too_fast") {
            refused += 1;
        }
        let accepted = server.metric("dactyl_frames_received_total").await;
        if accepted + f64::from(refused) >= 30.0 {
            break;
        }
    }
    // One at once, then two in three seconds.
    let accepted = server.metric("dactyl_frames_received_total").await;
    assert!(accepted <= 2.0 + begin.elapsed().as_secs_f64(), "{accepted} in {:?}", begin.elapsed());
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_picture_of_more_scans_than_files_have_is_refused() {
    let Some(bomb) = costly_picture() else { return };
    let server = Server::start().await;
    let mut client = Client::connect(&server).await;
    client.send_frame(&bomb).await;
    let answer = client.answer().await;
    assert_eq!(answer["error"]["code"], json!("too_many_scans"), "{answer}");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn operators_have_a_listener_of_their_own_that_clients_cannot_fill() {
    let server = Server::start_with(|config| {
        config.admin.listen = "127.0.0.1:0".to_owned();
        config.server.max_sessions = 2;
        config.server.max_connections = 16;
    })
    .await;
    let admin = server.admin.expect("a listener of its own");
    for (path, of_clients, of_operators) in
        [("/metrics", 404, 200), ("/readyz", 404, 200), ("/healthz", 200, 200), ("/info", 200, 404)]
    {
        assert_eq!(get(server.address, path).await.0, of_clients, "{path}");
        assert_eq!(get(admin, path).await.0, of_operators, "{path}");
    }
    assert_eq!(get(admin, "/ws").await.0, 404);
    let mut open = Vec::new();
    for _ in 0..16 {
        open.push(TcpStream::connect(server.address).await.expect("the server listens"));
    }
    server.wait_for_metric("dactyl_connections", |connections| connections == 17.0).await;
    assert_eq!(get(admin, "/readyz").await, (200, "ready\n".to_owned()));
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_is_too_old_is_closed_with_1001_at_its_next_letter() {
    let server = Server::start_with(|config| config.server.max_session_age_s = 1).await;
    let mut client = Client::connect(&server).await;
    client.send_letter("A").await;
    client.expect_reset().await;
    sleep(Duration::from_secs(1)).await;
    // It has done nothing for less time than a pause takes.
    client.send_frame(&gradient(320, 240, 1)).await;
    server.wait_for_metric("dactyl_frames_analysed_total", |frames| frames == 1.0).await;
    assert_eq!(server.metric("dactyl_sessions").await, 1.0);
    client.send_letter("B").await;
    let close = client.closed().await;
    assert_eq!(u16::from(close.code), 1001, "{close}");
    assert!(close.reason.contains("lasted long enough"), "{close}");
    server.stop().await;
}

/// A session behind a proxy that begins its connections so.
async fn introduced(server: &Server, header: &[u8]) -> Result<Client, tungstenite::Error> {
    let mut stream = TcpStream::connect(server.address).await.expect("the server listens");
    stream.write_all(header).await.expect("sent");
    let request = format!("ws://{}/ws", server.address);
    let (socket, _) = tokio_tungstenite::client_async(request, MaybeTlsStream::Plain(stream)).await?;
    Ok(Client { socket })
}

#[tokio::test(flavor = "multi_thread")]
async fn the_clients_behind_a_proxy_that_speaks_the_proxy_protocol_are_told_apart() {
    let server = Server::start_with(|config| {
        config.server.max_sessions_per_client = 1;
        config.server.max_connections_per_client = 2;
        config.server.trusted_proxies = vec!["127.0.0.1".to_owned()];
        config.server.proxy_protocol = true;
        // The tests themselves ask without a header.
        config.admin.listen = "127.0.0.1:0".to_owned();
    })
    .await;
    let line = |client: &str| format!("PROXY TCP4 {client} 192.0.2.1 4711 443\r\n").into_bytes();
    let mut one = introduced(&server, &line("198.51.100.1")).await.expect("a session");
    one.send_letter("A").await;
    one.expect_reset().await;
    let block = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\xc6\x33\x64\x02\xc0\0\x02\x01\0\x01\0\x02";
    let _other = introduced(&server, block).await.expect("a session of 198.51.100.2");
    for second in [line("198.51.100.1").as_slice(), block] {
        assert!(
            introduced(&server, second)
                .await
                .map(drop)
                .expect_err("one too many")
                .to_string()
                .contains("503")
        );
    }
    assert_eq!(refusals(&server, "sessions_of_client").await, 2.0);
    // Health checks speak for the proxy itself.
    let _own =
        [introduced(&server, b"PROXY UNKNOWN\r\n").await, introduced(&server, b"PROXY UNKNOWN\r\n").await];
    assert!(_own.iter().all(Result::is_ok));
    assert!(introduced(&server, b"").await.is_err(), "without a header");
    assert_eq!(refusals(&server, "proxy_header").await, 1.0);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_is_no_proxy_cannot_pass_itself_off_as_somebody_else() {
    let server = Server::start_with(|config| {
        config.server.trusted_proxies = vec!["192.0.2.1".to_owned()];
        config.server.proxy_protocol = true;
    })
    .await;
    Client::connect(&server).await;
    assert!(introduced(&server, b"PROXY TCP4 198.51.100.1 192.0.2.1 1 2\r\n").await.is_err());
    server.stop().await;
}

/// What HAProxy's agent-check is told; nothing if too many ask.
async fn agent(server: &Server) -> String {
    let address = server.agent.expect("an agent");
    let mut stream = TcpStream::connect(address).await.expect("the agent listens");
    // What a balancer may send along, as with `agent-send`, does not matter.
    stream.write_all(b"box1\n").await.expect("sent");
    let mut answer = String::new();
    let read = stream.read_to_string(&mut answer).await;
    if read.is_ok() { answer } else { String::new() }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_agent_tells_what_is_free_and_drains_when_nothing_is_or_the_server_ends() {
    let mut server = Server::start_with(|config| {
        config.admin.agent_listen = "127.0.0.1:0".to_owned();
        config.server.max_sessions = 4;
        config.server.drain_notice_ms = 600_000;
        config.server.drain_timeout_s = 3;
    })
    .await;
    assert_eq!(agent(&server).await, "up ready 100%\n");
    let mut open = Vec::new();
    for left in ["up ready 75%\n", "up ready 50%\n", "up ready 25%\n", "drain\n"] {
        open.push(Client::connect(&server).await);
        assert_eq!(agent(&server).await, left);
    }
    drop(open);
    server.wait_for_metric("dactyl_sessions_free", |free| free == 4.0).await;
    assert_eq!(agent(&server).await, "up ready 100%\n");
    server.drain();
    let told = timeout(PATIENCE, async { while agent(&server).await != "drain\n" {} });
    told.await.expect("it drains");
    server.ended(PATIENCE).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_agent_keeps_nobody_who_does_not_go() {
    let server = Server::start_with(|config| config.admin.agent_listen = "127.0.0.1:0".to_owned()).await;
    let address = server.agent.expect("an agent");
    let mut stay = Vec::new();
    for _ in 0..64 {
        stay.push(TcpStream::connect(address).await.expect("the agent listens"));
    }
    let answered = timeout(PATIENCE, async { while agent(&server).await.is_empty() {} });
    answered.await.expect("those who stay are put out");
    server.stop().await;
}
