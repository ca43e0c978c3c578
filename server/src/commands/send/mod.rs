//! `dactyl send`: the smallest client.

mod answers;
mod frames;

use std::path::{Path, PathBuf};
use std::pin::pin;
use std::process::ExitCode;
use std::time::Duration;
use std::{env, fs};

use anyhow::{Context, Result, anyhow, bail};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use futures_util::{Sink, SinkExt, Stream, StreamExt};
use serde_json::json;
use tokio::time::{Instant, MissedTickBehavior, interval, timeout, timeout_at};
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::http::{HeaderValue, StatusCode, Uri, header};
use tokio_tungstenite::tungstenite::{Error as SocketError, Message};

use self::answers::{Answers, Line};
use crate::cli;
use crate::exit::{Usage, print, tell};

/// A server that takes longer to let a client in is as good as none.
const CONNECT_TIME: Duration = Duration::from_secs(10);
/// What holds the key where there is no file.
const KEY_VARIABLE: &str = "DACTYL_KEY";
/// After the last frame, answers are awaited until none has come for this long ...
const QUIET: Duration = Duration::from_secs(1);
/// ... or until this much time has gone by.
const LAST_ANSWERS: Duration = Duration::from_secs(10);

pub(super) fn run(arguments: &cli::Send) -> Result<ExitCode> {
    let frames = frames::collect(&arguments.paths)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(stream(arguments, &frames))
}

async fn stream(arguments: &cli::Send, frames: &[PathBuf]) -> Result<ExitCode> {
    let uri = address(&arguments.url)?;
    let mut request = uri.clone().into_client_request()?;
    if let Some(authorization) = authorization(arguments.key_file.as_deref())? {
        request.headers_mut().insert(header::AUTHORIZATION, authorization);
    }
    let connected = timeout(CONNECT_TIME, tokio_tungstenite::connect_async(request)).await;
    let (socket, _) = connected
        .map_err(|_| anyhow!("no answer in {} s", CONNECT_TIME.as_secs()).context(unreachable(&uri)))
        .and_then(|connected| connected.map_err(|error| refusal(error, &uri)))?;
    let (mut sink, mut messages) = socket.split();

    let start = Instant::now();
    let mut answers = Answers::new(arguments.letter.is_some());
    let mut sent = 0;
    let mut interrupt = pin!(tokio::signal::ctrl_c());
    let ending = {
        let mut sending = pin!(send(&mut sink, arguments, frames, &mut sent));
        loop {
            tokio::select! {
                done = &mut sending => break Ending::Sent(done),
                _ = &mut interrupt => break Ending::Interrupted,
                message = messages.next() => {
                    if let Some(reason) = take(message, &mut answers, start)? {
                        break Ending::Closed(reason);
                    }
                }
            }
        }
    };
    let closed = match ending {
        Ending::Closed(reason) => Some(reason),
        Ending::Interrupted => None,
        // A server that closes says why; that explains more than what writing ran into.
        Ending::Sent(done) => match last_answers(&mut messages, &mut answers, start).await? {
            Some(reason) => Some(reason),
            None => {
                done?;
                None
            }
        },
    };
    if closed.is_none() {
        // What the server does with our goodbye changes nothing any more.
        let _ = timeout(QUIET, sink.close()).await;
    }
    print(format_args!("{}", answers.summary(sent, start.elapsed())))?;
    match closed {
        Some(reason) => bail!("the server ended the session: {reason}"),
        None => Ok(ExitCode::SUCCESS),
    }
}

enum Ending {
    Sent(Result<()>),
    Interrupted,
    Closed(String),
}

fn address(url: &str) -> Result<Uri> {
    let shown = without_parameters(url);
    let uri: Uri = url.parse().map_err(|error| Usage(format!("--url {shown}: not an address: {error}")))?;
    if uri.scheme_str() != Some("ws") || uri.host().is_none() {
        return Err(Usage(format!("--url {shown}: not of the form ws://HOST:PORT/ws; where TLS is spoken let `socat TCP-LISTEN:8088,fork OPENSSL:HOST:443` speak it")).into());
    }
    Ok(uri)
}

/// An address as it may be shown: a key may stand among its parameters.
fn without_parameters(url: &str) -> &str {
    url.split_once('?').map_or(url, |(before, _)| before)
}

/// The header with the key of a file, or of the environment.
fn authorization(file: Option<&Path>) -> Result<Option<HeaderValue>> {
    let (key, source) = match file {
        Some(file) => {
            let source = file.display().to_string();
            (
                fs::read_to_string(file).map_err(|error| Usage(format!("--key-file {source}: {error}")))?,
                source,
            )
        }
        None => match env::var(KEY_VARIABLE) {
            Ok(key) if !key.trim().is_empty() => (key, KEY_VARIABLE.to_owned()),
            _ => return Ok(None),
        },
    };
    let mut value = HeaderValue::try_from(format!("Bearer {}", key.trim()))
        .map_err(|_| Usage(format!("{source}: a key is one line of letters, digits, -, . and _")))?;
    // Left out of what is printed for debugging.
    value.set_sensitive(true);
    Ok(Some(value))
}

fn unreachable(uri: &Uri) -> String {
    let authority = uri.authority().map_or_else(String::new, ToString::to_string);
    let shown = uri.to_string();
    format!("{} can't be reached; is `dactyl serve` running at {authority}?", without_parameters(&shown))
}

/// An HTTP answer instead of a WebSocket says its reason in its body.
fn refusal(error: SocketError, uri: &Uri) -> anyhow::Error {
    let SocketError::Http(response) = error else { return anyhow!(error).context(unreachable(uri)) };
    let body = response.body().as_deref().map(String::from_utf8_lossy).unwrap_or_default();
    let cure = match response.status() {
        StatusCode::UNAUTHORIZED => format!("; give a key with --key-file FILE or in {KEY_VARIABLE}"),
        _ => String::new(),
    };
    anyhow!("the server answers {}: {}{cure}", response.status(), body.trim())
}

/// Sends the letter, then the frames at their pace, counting them in `sent`.
async fn send(
    sink: &mut (impl Sink<Message, Error = SocketError> + Unpin),
    arguments: &cli::Send,
    frames: &[PathBuf],
    sent: &mut u64,
) -> Result<()> {
    if let Some(letter) = &arguments.letter {
        sink.send(Message::text(json!({ "jpeg_blob": null, "new_letter": letter }).to_string())).await?;
    }
    let mut pace = interval(Duration::from_secs_f64(1.0 / arguments.fps));
    // A camera loses frames that come too late; it does not send them all at once.
    pace.set_missed_tick_behavior(MissedTickBehavior::Skip);
    loop {
        for path in frames {
            pace.tick().await;
            sink.send(frame(path, arguments.json)?).await?;
            *sent += 1;
        }
        if !arguments.repeat {
            return Ok(());
        }
    }
}

fn frame(path: &Path, as_json: bool) -> Result<Message> {
    let jpeg = fs::read(path).with_context(|| format!("{} can't be read", path.display()))?;
    Ok(if as_json {
        Message::text(json!({ "jpeg_blob": STANDARD.encode(jpeg), "new_letter": null }).to_string())
    } else {
        Message::binary(jpeg)
    })
}

/// Prints a message of the server. Gives the reason if it was the last one.
fn take(
    message: Option<Result<Message, SocketError>>,
    answers: &mut Answers,
    start: Instant,
) -> Result<Option<String>> {
    match message {
        None => Ok(Some("the connection is closed".to_owned())),
        Some(Err(error)) => Ok(Some(error.to_string())),
        Some(Ok(Message::Close(None))) => Ok(Some("without a reason".to_owned())),
        Some(Ok(Message::Close(Some(frame)))) => Ok(Some(format!("{} {}", frame.code, frame.reason))),
        Some(Ok(Message::Text(text))) => {
            match answers.take(&text, start.elapsed()) {
                Line::Answer(line) => print(format_args!("{line}"))?,
                Line::Problem(line) => tell(format_args!("{line}")),
            }
            Ok(None)
        }
        Some(Ok(_)) => Ok(None),
    }
}

/// Takes what is still on its way. Gives the reason if the server closes meanwhile.
async fn last_answers(
    messages: &mut (impl Stream<Item = Result<Message, SocketError>> + Unpin),
    answers: &mut Answers,
    start: Instant,
) -> Result<Option<String>> {
    let end = Instant::now() + LAST_ANSWERS;
    let mut quiet = Instant::now() + QUIET;
    while let Ok(message) = timeout_at(quiet.min(end), messages.next()).await {
        if matches!(message, Some(Ok(Message::Text(_)))) {
            quiet = Instant::now() + QUIET;
        }
        if let Some(reason) = take(message, answers, start)? {
            return Ok(Some(reason));
        }
    }
    Ok(None)
}
