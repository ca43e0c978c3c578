//! What goes over the wire between a browser and a server: written down, and damaged where a test wants it.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};

/// A wire on a free port, for as long as the test runs.
pub struct Wire {
    pub address: SocketAddr,
    /// What the browser has sent, connection by connection.
    sent: Arc<Mutex<Vec<Vec<u8>>>>,
}

/// Turns around one byte of the answer to each request whose address contains `name`, `offset` bytes after the request.
#[derive(Clone, Copy)]
pub struct Damage {
    pub name: &'static str,
    pub offset: usize,
}

/// A message of a browser on a WebSocket.
#[derive(Debug)]
pub struct Message {
    pub is_text: bool,
    pub content: Vec<u8>,
}

impl Message {
    /// Whether it holds a picture: browsers send these as bytes, in text they would be base64.
    pub fn is_picture(&self) -> bool {
        match std::str::from_utf8(&self.content) {
            Ok(text) if self.is_text => {
                let message: Value = serde_json::from_str(text).expect("JSON");
                !message["jpeg_blob"].is_null()
            }
            _ => true,
        }
    }
}

impl Wire {
    pub async fn to(server: SocketAddr, damage: Option<Damage>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("bound");
        let sent = Arc::new(Mutex::new(Vec::new()));
        let all = Arc::clone(&sent);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let Ok(server) = TcpStream::connect(server).await else { continue };
                let number = {
                    let mut all = all.lock().expect("no panic");
                    all.push(Vec::new());
                    all.len() - 1
                };
                let (from_client, to_client) = client.into_split();
                let (from_server, to_server) = server.into_split();
                // Bytes of the answer that are passed on before the one that is damaged.
                let left = Arc::new(Mutex::new(None));
                let (asked, all) = (Arc::clone(&left), Arc::clone(&all));
                tokio::spawn(pass_on(from_client, to_server, move |bytes| {
                    all.lock().expect("no panic")[number].extend_from_slice(bytes);
                    if let Some(Damage { name, offset }) = damage
                        && String::from_utf8_lossy(bytes)
                            .lines()
                            .next()
                            .is_some_and(|line| line.contains(name))
                    {
                        *asked.lock().expect("no panic") = Some(offset);
                    }
                }));
                tokio::spawn(pass_on(from_server, to_client, move |bytes| {
                    let mut left = left.lock().expect("no panic");
                    *left = match *left {
                        Some(offset) if offset < bytes.len() => {
                            bytes[offset] = !bytes[offset];
                            None
                        }
                        offset => offset.map(|offset| offset - bytes.len()),
                    };
                }));
            }
        });
        Self { address, sent }
    }

    /// The first lines of all requests so far, without the version.
    pub fn requests(&self) -> Vec<String> {
        let sent = self.sent.lock().expect("no panic");
        let heads = sent.iter().flat_map(|bytes| heads_of(bytes).0);
        heads.map(|head| head.lines().next().unwrap_or_default().replace(" HTTP/1.1", "")).collect()
    }

    /// The messages of all WebSockets so far.
    pub fn messages(&self) -> Vec<Message> {
        let sent = self.sent.lock().expect("no panic");
        sent.iter().flat_map(|bytes| messages_of(heads_of(bytes).1)).collect()
    }
}

/// Passes on what comes, once `look` has seen and maybe changed it.
async fn pass_on(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    mut look: impl FnMut(&mut [u8]),
) -> std::io::Result<()> {
    let mut buffer = vec![0; 1 << 16];
    loop {
        let length = from.read(&mut buffer).await?;
        if length == 0 {
            return to.shutdown().await;
        }
        look(&mut buffer[..length]);
        to.write_all(&buffer[..length]).await?;
    }
}

/// The heads of a connection's requests, none of which has a body, and what follows a request for a WebSocket.
fn heads_of(mut bytes: &[u8]) -> (Vec<String>, &[u8]) {
    let mut heads: Vec<String> = Vec::new();
    while let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
        let head = String::from_utf8(bytes[..end].to_vec()).expect("a head");
        assert!(head.starts_with("GET ") && !head.to_lowercase().contains("\r\ncontent-length:"), "{head}");
        bytes = &bytes[end + 4..];
        let is_upgrade = head.to_lowercase().contains("\r\nupgrade: websocket");
        heads.push(head);
        if is_upgrade {
            return (heads, bytes);
        }
    }
    (heads, &[])
}

/// The whole messages of text or bytes (RFC 6455, section 5.2), each of one frame or more.
fn messages_of(mut bytes: &[u8]) -> Vec<Message> {
    let mut messages: Vec<Message> = Vec::new();
    while let [first, second, rest @ ..] = bytes {
        let opcode = first & 0x0F;
        let (length_bytes, short) = match second & 0x7F {
            126 => (2, 0),
            127 => (8, 0),
            short => (0, usize::from(short)),
        };
        let Some((length, rest)) = rest.split_at_checked(length_bytes) else { break };
        let length = length.iter().fold(short, |length, &byte| (length << 8) | usize::from(byte));
        let Some((mask, rest)) = rest.split_at_checked(4) else { break };
        let Some((content, rest)) = rest.split_at_checked(length) else { break };
        let content = content.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask);
        bytes = rest;
        match opcode {
            0 => messages.last_mut().expect("a message goes on that has begun").content.extend(content),
            1 | 2 => messages.push(Message { is_text: opcode == 1, content: content.collect() }),
            // Closing, and answers to pings.
            _ => {}
        }
    }
    messages
}
