//! The page under a path of its own, behind a proxy that takes that path off.

use std::net::SocketAddr;

use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};

use super::browser::{Browser, Camera};
use super::clip;
use crate::server::Server;

const PREFIX: &str = "/learn";

/// A reverse proxy on a free port, for as long as the test runs. It has nothing at other paths.
async fn proxy_to(server: SocketAddr) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("bound");
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            // A browser ends connections as it likes.
            tokio::spawn(async move { forward(client, server).await });
        }
    });
    address
}

/// Passes one request on, and what follows it if it is upgraded.
async fn forward(client: TcpStream, server: SocketAddr) -> std::io::Result<()> {
    let mut client = BufReader::new(client);
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if client.read_line(&mut head).await? == 0 {
            return Ok(());
        }
    }
    let (method, rest) = head.split_once(' ').expect("a request line");
    let Some(rest) = rest.strip_prefix(PREFIX).filter(|rest| rest.starts_with('/')) else {
        let answer = "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
        return client.write_all(answer.as_bytes()).await;
    };
    let mut head = format!("{method} {rest}");
    if !head.to_lowercase().contains("\r\nupgrade:") {
        // The next request would not come through here.
        head.insert_str(head.len() - 2, "Connection: close\r\n");
    }
    let mut server = TcpStream::connect(server).await?;
    server.write_all(head.as_bytes()).await?;
    copy_bidirectional(&mut client, &mut server).await.map(drop)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_works_under_a_path_that_a_proxy_takes_off() {
    let clip = clip::wall();
    let server = Server::start().await;
    let proxy = proxy_to(server.address).await;
    let browser = Browser::start(Camera::Clip(clip.path())).await;
    browser.open_and_start(&format!("http://{proxy}{PREFIX}/")).await;
    browser.until("its style", "document.styleSheets[0].cssRules.length > 0").await;
    browser.until("its icon", "document.querySelector('.brand img').naturalWidth > 0").await;
    server.wait_for_metric("dactyl_frames_analysed_total", |frames| frames > 0.0).await;
    server.stop().await;
}
