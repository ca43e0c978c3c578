//! A client that speaks what both servers understand: JSON with base64; or what ours alone does. Messages are encoded
//! beforehand, since it shares the machine with the server that it measures.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use futures_util::stream::SplitSink;
use futures_util::{SinkExt, StreamExt};
use serde::Deserialize;
use serde_json::json;
use tokio::net::TcpStream;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio::time::{MissedTickBehavior, interval, timeout};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};

/// Time for an answer. The windows of many sessions on a busy machine take their time to fill.
const PATIENCE: Duration = Duration::from_secs(120);

/// What both servers are asked: the rival knows no extras and passes over them.
pub const QUERY: &str = "extras=frame";

/// Encoded frames, shared by all sessions.
#[derive(Clone)]
pub struct Messages(Arc<[Message]>);

impl Messages {
    /// Of JPEGs.
    pub fn new(jpegs: &[Vec<u8>]) -> Self {
        let message = |jpeg: &Vec<u8>| {
            Message::text(json!({ "jpeg_blob": STANDARD.encode(jpeg), "new_letter": null }).to_string())
        };
        Self(jpegs.iter().map(message).collect())
    }

    /// Of frames as they are sent.
    pub fn of(frames: Vec<Message>) -> Self {
        Self(frames.into())
    }
}

/// What the server said about a frame or a letter.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    /// When it came.
    pub at: Instant,
    /// Whether it is the 0 % payload of a new letter, which belongs to no frame.
    pub is_zero: bool,
    /// Number of the frame it was computed from, if the server says so.
    pub frame: Option<u64>,
    /// From the frame's arrival at the server to the answer, in milliseconds, if the server says so.
    pub age: Option<f64>,
}

#[derive(Deserialize)]
struct Feedback {
    maxarg_letter: String,
    target_arg_prob: f64,
    frame: Option<u64>,
    timings: Option<Timings>,
}

#[derive(Deserialize)]
struct Timings {
    age: f64,
}

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// The half of a session that sends.
struct Sender {
    sink: SplitSink<Socket, Message>,
    messages: Messages,
    /// Frames sent: the number of the last one, as the first is 1.
    sent: u64,
    /// Where in the clip this session began, so that sessions don't send the same frame at the same time.
    offset: usize,
}

impl Sender {
    async fn frame(&mut self) -> Result<()> {
        let index = (self.offset + self.sent as usize) % self.messages.0.len();
        self.sent += 1;
        self.sink.send(self.messages.0[index].clone()).await.context("the server closed a session")
    }
}

/// One connection.
pub struct Session {
    /// Away while frames are streamed.
    sender: Option<Sender>,
    streaming: Option<(oneshot::Sender<()>, JoinHandle<Result<Sender>>)>,
    answers: mpsc::UnboundedReceiver<Answer>,
}

impl Session {
    /// Connects and sets a letter. Of several sessions, each has its own `number`.
    ///
    /// # Errors
    /// A server that does not let the client in.
    pub async fn open(server: SocketAddr, messages: &Messages, number: usize) -> Result<Self> {
        Self::open_with(server, QUERY, messages, number).await
    }

    /// As [`Session::open`] with a query of the caller's.
    ///
    /// # Errors
    /// As there.
    pub async fn open_with(
        server: SocketAddr,
        query: &str,
        messages: &Messages,
        number: usize,
    ) -> Result<Self> {
        let (socket, _) = tokio_tungstenite::connect_async(format!("ws://{server}/ws?{query}"))
            .await
            .context("the server refuses a session")?;
        if let MaybeTlsStream::Plain(stream) = socket.get_ref() {
            stream.set_nodelay(true)?;
        }
        let (sink, mut stream) = socket.split();
        let (sender, answers) = mpsc::unbounded_channel();
        tokio::spawn(async move {
            while let Some(Ok(message)) = stream.next().await {
                let at = Instant::now();
                let Message::Text(text) = message else { continue };
                // Errors are no answers; what waits for one says that none came.
                let Ok(feedback) = serde_json::from_str::<Feedback>(&text) else { continue };
                let is_zero = feedback.maxarg_letter.is_empty()
                    && feedback.target_arg_prob == 0.0
                    && feedback.frame.is_none();
                let age = feedback.timings.map(|timings| timings.age);
                if sender.send(Answer { at, is_zero, frame: feedback.frame, age }).is_err() {
                    break;
                }
            }
        });
        let sender = Sender { sink, messages: messages.clone(), sent: 0, offset: number * 17 };
        let mut session = Self { sender: Some(sender), streaming: None, answers };
        session.letter().await?;
        session.answer().await?;
        Ok(session)
    }

    /// Sends the next frame.
    ///
    /// # Errors
    /// A closed session.
    pub async fn frame(&mut self) -> Result<()> {
        self.sender()?.frame().await
    }

    /// Sends the letter anew.
    ///
    /// # Errors
    /// A closed session.
    pub async fn letter(&mut self) -> Result<()> {
        let letter = Message::text(json!({ "jpeg_blob": null, "new_letter": "B" }).to_string());
        self.sender()?.sink.send(letter).await.context("the server closed a session")
    }

    /// Number of the last frame sent.
    ///
    /// # Errors
    /// While frames are streamed.
    pub fn last_frame(&mut self) -> Result<u64> {
        Ok(self.sender()?.sent)
    }

    /// The next answer.
    ///
    /// # Errors
    /// None came in two minutes, or the session is closed.
    pub async fn answer(&mut self) -> Result<Answer> {
        let answer = timeout(PATIENCE, self.answers.recv()).await;
        answer
            .map_err(|_| anyhow!("no answer within {PATIENCE:?}: the server does not analyse these frames"))?
            .context("the server closed a session")
    }

    /// The answers that have come.
    pub fn drain(&mut self) -> Vec<Answer> {
        std::iter::from_fn(|| self.answers.try_recv().ok()).collect()
    }

    /// Sends frames in the background from now on, so many a second. What the socket does not take is not made up for.
    ///
    /// # Errors
    /// While frames are streamed already.
    pub fn start_streaming(&mut self, fps: f64) -> Result<()> {
        let mut sender = self.sender.take().context("the session streams already")?;
        let (stop, mut stopped) = oneshot::channel();
        let task = tokio::spawn(async move {
            let mut pace = interval(Duration::from_secs_f64(1.0 / fps));
            pace.set_missed_tick_behavior(MissedTickBehavior::Skip);
            loop {
                tokio::select! {
                    biased;
                    // The other half is dropped: to stop, or because the session is gone.
                    _ = &mut stopped => return Ok(sender),
                    _ = pace.tick() => sender.frame().await?,
                }
            }
        });
        self.streaming = Some((stop, task));
        Ok(())
    }

    /// Ends the stream after the frame that is being sent.
    ///
    /// # Errors
    /// The stream had failed.
    pub async fn stop_streaming(&mut self) -> Result<()> {
        let (stop, task) = self.streaming.take().context("the session does not stream")?;
        drop(stop);
        self.sender = Some(task.await.context("the stream broke off")??);
        Ok(())
    }

    /// Sends frames one at a time at a pace at which none is dropped, until an answer comes; returns their number. With
    /// an empty window, that is how many frames the server wants before it answers.
    ///
    /// # Errors
    /// No answer after two hundred frames.
    pub async fn frames_until_answer(&mut self, pace: Duration) -> Result<u64> {
        for count in 1..=200 {
            self.frame().await?;
            if let Ok(answer) = timeout(pace, self.answers.recv()).await {
                answer.context("the server closed a session")?;
                return Ok(count);
            }
        }
        Err(anyhow!("no answer after two hundred frames: the server does not analyse them"))
    }

    fn sender(&mut self) -> Result<&mut Sender> {
        self.sender.as_mut().context("the session streams, or has failed")
    }
}
