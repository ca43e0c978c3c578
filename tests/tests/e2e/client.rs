//! A WebSocket client as an app would have one.

use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::{self, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};

use crate::server::Server;

/// One connection.
pub struct Client {
    pub socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
}

impl Client {
    pub async fn connect(server: &Server) -> Self {
        Self::connect_to(server, "").await.expect("a session")
    }

    /// Connects to `/ws` + `query`.
    pub async fn connect_to(server: &Server, query: &str) -> Result<Self, tungstenite::Error> {
        Self::connect_with(server, query, &[]).await
    }

    /// As [`Client::connect_to`] with headers of the caller's.
    pub async fn connect_with(
        server: &Server,
        query: &str,
        headers: &[(&'static str, &str)],
    ) -> Result<Self, tungstenite::Error> {
        let mut request = format!("ws://{}/ws{query}", server.address).into_client_request()?;
        for (name, value) in headers {
            request.headers_mut().insert(*name, value.parse().expect("a header value"));
        }
        let (socket, _) = tokio_tungstenite::connect_async(request).await?;
        Ok(Self { socket })
    }

    pub async fn send(&mut self, message: impl Into<Message>) {
        self.socket.send(message.into()).await.expect("the socket is open");
    }

    pub async fn send_json(&mut self, value: &Value) {
        self.send(value.to_string()).await;
    }

    /// A bare JPEG.
    pub async fn send_frame(&mut self, jpeg: &[u8]) {
        self.send(jpeg.to_vec()).await;
    }

    /// A new letter without a frame.
    pub async fn send_letter(&mut self, letter: &str) {
        self.send_json(&json!({"jpeg_blob": null, "new_letter": letter})).await;
    }

    /// The next answer; fails after ten seconds.
    pub async fn answer(&mut self) -> Value {
        self.answer_within(Duration::from_secs(10)).await.expect("an answer within ten seconds")
    }

    /// The next answer, or `None` if there is none in that time.
    pub async fn answer_within(&mut self, time: Duration) -> Option<Value> {
        let next = async {
            loop {
                match self.socket.next().await.expect("the socket is open").expect("a message") {
                    Message::Text(text) => return serde_json::from_str(&text).expect("JSON"),
                    Message::Ping(_) | Message::Pong(_) => {}
                    other => panic!("unexpected {other:?}"),
                }
            }
        };
        tokio::time::timeout(time, next).await.ok()
    }

    /// Fails unless the next answer is a reset's payload.
    pub async fn expect_reset(&mut self) {
        assert_eq!(self.answer().await, json!({"maxarg_letter": "", "target_arg_prob": 0.0}));
    }

    /// The code of the next error; fails on any other answer.
    pub async fn expect_error(&mut self) -> String {
        let answer = self.answer().await;
        let message = answer["error"]["message"].as_str().unwrap_or_else(|| panic!("no error: {answer}"));
        assert!(!message.is_empty());
        answer["error"]["code"].as_str().expect("a code").to_owned()
    }

    /// Waits for the server's close frame, whatever comes before it.
    pub async fn closed(&mut self) -> CloseFrame {
        let closing = async {
            loop {
                match self.socket.next().await {
                    Some(Ok(Message::Close(Some(frame)))) => return frame,
                    Some(Ok(_)) => {}
                    other => panic!("no close frame but {other:?}"),
                }
            }
        };
        tokio::time::timeout(Duration::from_secs(20), closing).await.expect("closed within twenty seconds")
    }

    /// Sends the frames one after the other, each when the one before it has been analysed, so that none is dropped.
    /// Returns the answers that came. Needs a session that answers every result.
    pub async fn send_analysed(&mut self, server: &Server, frames: &[Vec<u8>]) {
        for frame in frames {
            self.send_until_analysed(server, frame.clone()).await;
        }
    }

    /// Sends a message with a frame and waits until that has been analysed.
    pub async fn send_until_analysed(&mut self, server: &Server, message: impl Into<Message>) {
        let before = server.metric("dactyl_frames_analysed_total").await;
        self.send(message).await;
        server.wait_for_metric("dactyl_frames_analysed_total", |now| now > before).await;
    }
}
