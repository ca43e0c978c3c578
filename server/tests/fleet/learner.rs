//! Learners who practise words as `client.js` has them do it, and what becomes of them.

use std::fmt;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep, timeout};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::{Error, Message};

use crate::balancer::Door;
use crate::instance::Instance;
use crate::tls::{NAME, Trusted};
use crate::{Numbers, PATIENCE, classifier, until};

/// Words of the letters of the classifier.
const WORDS: [&str; 8] = ["HEAD", "BADGE", "CAFE", "DEAF", "FACADE", "EDGE", "BEACH", "CABBAGE"];
/// Frames that may be on their way at a time.
const MOST_IN_FLIGHT: usize = 2;
/// Time for a connection to open.
const OPENING: Duration = Duration::from_secs(10);
/// First pause before a lost connection is tried again, doubled each time.
const FIRST_RETRY: Duration = Duration::from_millis(500);
/// Difference between two probabilities that is none.
const EPSILON: f64 = 0.002;

/// A session through a balancer.
pub type Socket = WebSocketStream<crate::tls::Stream>;

/// Why there is no session: the status and its `Retry-After`; 0 if there was no answer.
pub type Refusal = (u16, Option<String>);

/// Opens a session through a balancer.
pub async fn connect(door: &Door) -> Result<Socket, Refusal> {
    let opening = async {
        let stream = shaken(door.address, &door.trusted, b"").await?;
        open(stream, NAME, door.key).await
    };
    timeout(OPENING, opening).await.unwrap_or(Err((0, None)))
}

/// As [`connect`], to that address, with something before the TLS handshake.
pub async fn connect_with(address: SocketAddr, trusted: &Trusted, first: &[u8]) -> Result<Socket, Refusal> {
    let opening = async { open(shaken(address, trusted, first).await?, NAME, "").await };
    timeout(OPENING, opening).await.unwrap_or(Err((0, None)))
}

/// A connection with TLS, and with something before its handshake.
async fn shaken(address: SocketAddr, trusted: &Trusted, first: &[u8]) -> Result<crate::tls::Stream, Refusal> {
    let none = |_: std::io::Error| (0, None);
    let mut stream = TcpStream::connect(address).await.map_err(none)?;
    stream.set_nodelay(true).map_err(none)?;
    stream.write_all(first).await.map_err(none)?;
    trusted.connect(stream).await.map_err(none)
}

/// Opens a session without a balancer.
pub async fn connect_to(instance: &Instance) -> WebSocketStream<TcpStream> {
    let stream = TcpStream::connect(instance.address()).await.unwrap();
    open(stream, &instance.address().to_string(), "").await.unwrap()
}

/// Opens a session on a connection.
pub async fn open<S: AsyncRead + AsyncWrite + Unpin>(
    stream: S,
    host: &str,
    key: &str,
) -> Result<WebSocketStream<S>, Refusal> {
    let request = format!("ws://{host}/ws?extras=frame,ended&key={key}");
    match tokio_tungstenite::client_async(request, stream).await {
        Ok((socket, _)) => Ok(socket),
        Err(Error::Http(response)) => {
            let retry_after =
                response.headers().get("Retry-After").map(|value| value.to_str().unwrap().to_owned());
            Err((response.status().as_u16(), retry_after))
        }
        Err(_) => Err((0, None)),
    }
}

/// Sets a letter and waits for its 0 % payload.
pub async fn reset(socket: &mut Socket, letter: &str) {
    socket.send(json!({"jpeg_blob": null, "new_letter": letter}).to_string().into()).await.unwrap();
    let answered = async {
        while let Some(Ok(message)) = socket.next().await {
            if message.to_text().is_ok_and(|text| text.contains("target_arg_prob")) {
                return;
            }
        }
        panic!("the session ended");
    };
    timeout(PATIENCE, answered).await.unwrap();
}

/// What became of one learner.
#[derive(Debug, Clone)]
struct Record {
    /// Answers to the letters that were practised.
    answers: usize,
    /// Answers that belong to another letter.
    wrong: usize,
    /// Sessions that ended without the learner's wish.
    interruptions: usize,
    /// Of these, such as were closed with 1001.
    moved: usize,
    /// Handshakes that were refused, and such as were not answered.
    refused: usize,
    /// Whether a session has ended since the last answer.
    interrupted: bool,
    /// How much longer than it should the learner waited for the first answer after each interruption.
    waits: Vec<Duration>,
    /// The longest that it was kept waiting although its session went on.
    held_up: Duration,
    /// When the next answer is due at the latest.
    due: Instant,
}

/// What became of all of them.
#[derive(Debug)]
pub struct Tally {
    pub interruptions: usize,
    pub wrong: usize,
    pub refused: usize,
    answers: usize,
    moved: usize,
    /// The waits of each learner after interruptions, the one that still lasts included.
    waits: Vec<Vec<Duration>>,
    /// The longest that anybody was kept waiting whose session went on: a busy machine does that to everybody, whatever
    /// becomes of servers.
    held_up: Duration,
}

impl Tally {
    /// Waits that were longer than that and than what the machine does to everybody, of all learners.
    pub fn lost_more_than(&self, time: Duration) -> usize {
        self.waits.iter().flatten().filter(|wait| **wait > time + self.held_up).count()
    }

    /// Learners who waited for so long at least once.
    pub fn learners_lost_more_than(&self, time: Duration) -> usize {
        self.waits.iter().filter(|waits| waits.iter().any(|wait| *wait > time + self.held_up)).count()
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let longest = self.waits.iter().flatten().max().copied().unwrap_or_default();
        write!(
            f,
            "{} learners, {} answers, {} sessions ended ({} with 1001), longest loss of feedback beyond the refill {:.2} s \
             (without an interruption {:.2} s), {} learners lost more than 2 s beyond that, {} answers of a wrong letter, {} handshakes refused",
            self.waits.len(),
            self.answers,
            self.interruptions,
            self.moved,
            longest.as_secs_f64(),
            self.held_up.as_secs_f64(),
            self.learners_lost_more_than(Duration::from_secs(2)),
            self.wrong,
            self.refused
        )
    }
}

/// Learners who practise at the same time.
pub struct Class {
    records: Vec<Arc<Mutex<Record>>>,
    tasks: Vec<JoinHandle<()>>,
    end: watch::Sender<bool>,
}

impl Class {
    pub fn start(door: &Door, numbers: Numbers) -> Self {
        let (end, ended) = watch::channel(false);
        let mut records = Vec::new();
        let mut tasks = Vec::new();
        for number in 0..numbers.learners {
            let record = Arc::new(Mutex::new(Record {
                answers: 0,
                wrong: 0,
                interruptions: 0,
                moved: 0,
                refused: 0,
                interrupted: false,
                waits: Vec::new(),
                held_up: Duration::ZERO,
                // The first answer may come when it likes.
                due: Instant::now() + PATIENCE,
            }));
            records.push(Arc::clone(&record));
            let learner = Learner { door: door.clone(), numbers, number, record, letters: 0, answers: 0 };
            tasks.push(tokio::spawn(learner.practise(ended.clone())));
        }
        Self { records, tasks, end }
    }

    /// Waits until each of them has got an answer from now on.
    pub async fn all_have_answers(&self) {
        let answers =
            || -> Vec<usize> { self.records.iter().map(|one| one.lock().unwrap().answers).collect() };
        let before = answers();
        until("everybody has an answer", async || {
            answers().iter().zip(&before).all(|(now, then)| now > then)
        })
        .await;
    }

    pub fn tally(&self) -> Tally {
        let mut tally = Tally {
            interruptions: 0,
            wrong: 0,
            refused: 0,
            answers: 0,
            moved: 0,
            waits: Vec::new(),
            held_up: Duration::ZERO,
        };
        for record in &self.records {
            let record = record.lock().unwrap();
            tally.interruptions += record.interruptions;
            tally.wrong += record.wrong;
            tally.refused += record.refused;
            tally.answers += record.answers;
            tally.moved += record.moved;
            let still = Instant::now().saturating_duration_since(record.due);
            let mut waits = record.waits.clone();
            tally.held_up = tally.held_up.max(record.held_up);
            if record.interrupted {
                waits.push(still);
            } else {
                tally.held_up = tally.held_up.max(still);
            }
            tally.waits.push(waits);
        }
        tally
    }

    /// Sends everybody home.
    pub async fn end(self) -> Tally {
        let tally = self.tally();
        self.end.send_replace(true);
        for task in self.tasks {
            task.await.unwrap();
        }
        tally
    }
}

/// Returns when everybody is sent home.
async fn sent_home(home: &mut watch::Receiver<bool>) {
    // An error means that the class is gone.
    let _ = home.wait_for(|home| *home).await;
}

struct Learner {
    door: Door,
    numbers: Numbers,
    number: usize,
    record: Arc<Mutex<Record>>,
    /// Letters practised before this one.
    letters: usize,
    /// Answers to this letter.
    answers: usize,
}

/// Why a session is over.
enum Over {
    /// The learner goes home.
    Home,
    /// Closed with 1001.
    Moved,
    /// Lost in another way.
    Lost,
}

impl Learner {
    async fn practise(mut self, mut home: watch::Receiver<bool>) {
        let mut retry = FIRST_RETRY;
        loop {
            let opened = tokio::select! {
                opened = connect(&self.door) => opened,
                () = sent_home(&mut home) => return,
            };
            let pause = match opened {
                Err((_, retry_after)) => {
                    self.record.lock().unwrap().refused += 1;
                    let asked = retry_after.map(|seconds| Duration::from_secs(seconds.parse().unwrap()));
                    retry *= 2;
                    asked.unwrap_or(retry / 2)
                }
                Ok(socket) => {
                    let over = self.session(socket, &mut home).await;
                    let mut record = self.record.lock().unwrap();
                    retry = FIRST_RETRY;
                    match over {
                        Over::Home => return,
                        Over::Moved => record.moved += 1,
                        Over::Lost => {}
                    }
                    record.interruptions += 1;
                    record.interrupted = true;
                    // The window has to be filled once more.
                    record.due += self.refill();
                    // They must not all come in the same moment.
                    FIRST_RETRY.mul_f64((self.number as f64 * 0.618).fract())
                }
            };
            tokio::select! {
                () = sleep(pause) => {}
                () = sent_home(&mut home) => return,
            }
        }
    }

    /// Time between two frames.
    fn period(&self) -> Duration {
        Duration::from_secs(1) / self.numbers.fps
    }

    /// Time to fill the window.
    fn refill(&self) -> Duration {
        self.period() * u32::try_from(self.numbers.window).unwrap()
    }

    fn letter(&self) -> &'static str {
        let words = WORDS.iter().cycle().skip(self.number % WORDS.len());
        let mut letters = words.flat_map(|word| (0..word.len()).map(|at| &word[at..=at]));
        letters.nth(self.letters).unwrap()
    }

    async fn session(&mut self, mut socket: Socket, home: &mut watch::Receiver<bool>) -> Over {
        let frame: &[u8] = include_bytes!("../../src/pipeline/warm_up.jpg");
        let mut tick = interval(self.period());
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let (mut sent, mut first, mut in_flight) = (0, 1, 0);
        let mut sends = vec![self.new_letter()];
        loop {
            for message in sends.drain(..) {
                // Whether it is lost is told by what comes, which may say why.
                let _ = socket.send(message).await;
            }
            let message = tokio::select! {
                message = socket.next() => message,
                _ = tick.tick() => {
                    if in_flight < MOST_IN_FLIGHT {
                        sent += 1;
                        in_flight += 1;
                        sends.push(Message::Binary(frame.into()));
                    }
                    continue;
                }
                () = sent_home(home) => {
                    let _ = socket.close(None).await;
                    return Over::Home;
                }
            };
            let text = match message {
                Some(Ok(Message::Text(text))) => text,
                Some(Ok(Message::Close(Some(close)))) if u16::from(close.code) == 1001 => return Over::Moved,
                Some(Ok(Message::Close(_)) | Err(_)) | None => return Over::Lost,
                Some(Ok(_)) => continue,
            };
            let answer: Value = serde_json::from_str(&text).unwrap();
            in_flight -= answer["ended"].as_array().map_or(0, Vec::len);
            if self.take(&answer, first) {
                self.letters += 1;
                self.answers = 0;
                first = sent + 1;
                sends.push(self.new_letter());
                let mut record = self.record.lock().unwrap();
                record.due = Instant::now() + self.refill() + 2 * self.period();
            }
        }
    }

    fn new_letter(&self) -> Message {
        json!({"jpeg_blob": null, "new_letter": self.letter()}).to_string().into()
    }

    /// Takes an answer; whether the letter is done. `first`: the first frame that was sent with this letter.
    fn take(&mut self, answer: &Value, first: u64) -> bool {
        assert!(answer["error"].is_null(), "{answer}");
        // Without a frame it is the 0 % of a new letter; with an earlier one `client.js` does not tell it.
        let (Some(probability), Some(frame)) = (answer["target_arg_prob"].as_f64(), answer["frame"].as_u64())
        else {
            return false;
        };
        if frame < first {
            return false;
        }
        let mut record = self.record.lock().unwrap();
        if (probability - classifier::probability(self.letter())).abs() > EPSILON {
            record.wrong += 1;
            return false;
        }
        let now = Instant::now();
        let late = now.saturating_duration_since(record.due);
        if std::mem::take(&mut record.interrupted) {
            record.waits.push(late);
        } else {
            record.held_up = record.held_up.max(late);
        }
        record.due = now + 2 * self.period();
        record.answers += 1;
        self.answers += 1;
        self.answers == self.numbers.answers
    }
}
