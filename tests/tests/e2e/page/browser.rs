//! A headless Chromium of its own for every test, driven through chromedriver.

use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use fantoccini::actions::{InputSource, KeyAction, KeyActions};
use fantoccini::key::Key;
use fantoccini::wd::{Capabilities, TimeoutConfiguration, WebDriverCompatibleCommand};
use fantoccini::{Client, ClientBuilder, Locator};
use hyper_util::client::legacy::connect::HttpConnector;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::server::Server;

/// How long a condition may take: the networks share few cores with the browser.
const PATIENCE: Duration = Duration::from_secs(60);
const POLL: Duration = Duration::from_millis(50);

/// What stands in for a camera.
#[derive(Clone, Copy)]
pub enum Camera<'a> {
    /// A clip, played over and over; the page is let use it.
    Clip(&'a Path),
    /// A clip, and the person refuses.
    Refused(&'a Path),
    /// A clip that ends before its first picture, as a camera does that another program has.
    Broken(&'a Path),
    /// There is none.
    None,
}

/// A browser with one window.
pub struct Browser {
    pub driver: Client,
    _process: Chromedriver,
    _profile: TempDir,
}

/// A server, and a browser without a camera that shows its page.
pub async fn opened() -> (Server, Browser) {
    let server = Server::start().await;
    let browser = Browser::start(Camera::None).await;
    browser.open(&format!("http://{}/", server.address)).await;
    (server, browser)
}

/// Runs the body of an asynchronous function in the page; it returns what is looked at.
pub async fn run(browser: &Browser, body: &str) -> Value {
    browser
        .run_async(&format!(
            "const done = arguments[0];
             (async () => {{ {body} }})().then(done, (error) => done(String(error.stack)));"
        ))
        .await
}

/// A JavaScript expression: the promise of a picture, a whole PNG or JPEG, as an `ImageBitmap`.
pub fn decoded(picture: &[u8]) -> String {
    let base64 = BASE64_STANDARD.encode(picture);
    format!(
        "createImageBitmap(new Blob([Uint8Array.from(atob({base64:?}), (letter) => letter.charCodeAt(0))]))"
    )
}

impl Browser {
    pub async fn start(camera: Camera<'_>) -> Self {
        Self::start_with(camera, &[]).await
    }

    /// As [`Browser::start`] with arguments of Chromium's own.
    pub async fn start_with(camera: Camera<'_>, arguments: &[&str]) -> Self {
        let (process, url) = Chromedriver::start();
        let profile = TempDir::new().expect("a folder for the profile");
        let profile_argument = format!("--user-data-dir={}", profile.path().display());
        let mut all = vec![
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-quic",
            "--disable-dev-shm-usage",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            &profile_argument,
            match camera {
                Camera::Refused(_) => "--deny-permission-prompts",
                _ => "--use-fake-ui-for-media-stream",
            },
        ];
        let clip = match camera {
            Camera::Clip(clip) | Camera::Refused(clip) | Camera::Broken(clip) => Some(clip),
            Camera::None => None,
        };
        let clip = clip.map(|clip| format!("--use-file-for-fake-video-capture={}", clip.display()));
        if let Some(clip) = &clip {
            all.extend(["--use-fake-device-for-media-stream", clip]);
        }
        all.extend(arguments);
        let capabilities = Capabilities::from_iter([("goog:chromeOptions".to_owned(), json!({"args": all}))]);
        let mut builder = ClientBuilder::new(HttpConnector::new());
        let driver = builder.capabilities(capabilities).connect(&url).await.expect("a browser");
        let timeouts = TimeoutConfiguration::new(Some(PATIENCE), Some(PATIENCE), None);
        driver.update_timeouts(timeouts).await.expect("time limits");
        Self { driver, _process: process, _profile: profile }
    }

    pub async fn open(&self, url: &str) {
        self.driver.goto(url).await.expect("the page opens");
    }

    /// Opens the page and starts the camera as somebody does who has been there before; returns when pictures are on their way.
    pub async fn open_and_start(&self, url: &str) {
        self.open(url).await;
        self.skip_framing().await;
        self.until("the letter", "document.getElementById('letter').textContent").await;
        self.click("#start").await;
        self.until("a running camera", "document.body.classList.contains('running')").await;
    }

    /// As [`Browser::open_and_start`], with settings that were chosen at an earlier visit.
    pub async fn open_and_start_as(&self, url: &str, settings: &Value) {
        self.open(url).await;
        self.value(&format!("localStorage.setItem('dactyl.settings', {:?})", settings.to_string())).await;
        self.open_and_start(url).await;
    }

    /// Takes the check whether the camera sees the learner as done.
    pub async fn skip_framing(&self) {
        self.value("localStorage.setItem('dactyl.framed', 'yes')").await;
    }

    /// Chooses a value of a setting, as the form does.
    pub async fn choose(&self, setting: &str, value: &str) {
        let choose = format!(
            "(() => {{ const field = document.querySelector('[name={setting}]'); field.value = '{value}';
                field.dispatchEvent(new Event('change', {{ bubbles: true }})); return true; }})()"
        );
        self.value(&choose).await;
    }

    pub async fn click(&self, selector: &str) {
        let element = self.driver.find(Locator::Css(selector)).await;
        element.expect("the element").click().await.expect("a click");
    }

    /// Presses a key and lets it go.
    pub async fn press(&self, key: Key) {
        let value = char::from(key);
        let keys = KeyActions::new("keyboard".to_owned());
        let keys = keys.then(KeyAction::Down { value }).then(KeyAction::Up { value });
        self.driver.perform_actions(keys).await.expect("a key");
    }

    /// The value of a JavaScript expression.
    pub async fn value(&self, expression: &str) -> Value {
        self.driver.execute(&format!("return ({expression});"), Vec::new()).await.expect("a script")
    }

    /// As [`Browser::value`], as text.
    pub async fn text(&self, expression: &str) -> String {
        self.value(expression).await.as_str().unwrap_or_default().to_owned()
    }

    /// Waits until an expression is true in JavaScript's sense, and gives its value.
    pub async fn until(&self, what: &str, expression: &str) -> Value {
        let begin = Instant::now();
        loop {
            let value = self.value(expression).await;
            let is_false = matches!(&value, Value::Null | Value::Bool(false))
                || value.as_str() == Some("")
                || value.as_f64() == Some(0.0);
            if !is_false {
                return value;
            }
            if begin.elapsed() > PATIENCE {
                let page = self.text("document.body.innerText").await;
                panic!("waited too long for {what}; the page shows:\n{page}");
            }
            tokio::time::sleep(POLL).await;
        }
    }

    /// Waits until the notice over the picture contains a text.
    pub async fn until_notice(&self, part: &str) {
        let shown = format!("!{NOTICE}.hidden && {NOTICE}.textContent.includes({part:?})");
        self.until(&format!("the notice {part:?}"), &shown).await;
    }

    /// Waits until there is no notice over the picture.
    pub async fn until_no_notice(&self) {
        self.until("no notice", &format!("{NOTICE}.hidden")).await;
    }

    /// Runs the body of an asynchronous function; its last argument is to be called with the result.
    pub async fn run_async(&self, body: &str) -> Value {
        self.driver.execute_async(body, Vec::new()).await.expect("a script")
    }

    /// A command of Chrome's DevTools protocol.
    pub async fn devtools(&self, method: &str, parameters: Value) -> Value {
        let command = DevTools { method: method.to_owned(), parameters };
        self.driver.issue_cmd(command).await.expect("a command of DevTools")
    }
}

/// chromedriver's own command that passes another one on.
#[derive(Debug)]
struct DevTools {
    method: String,
    parameters: Value,
}

impl WebDriverCompatibleCommand for DevTools {
    fn endpoint(&self, base: &url::Url, session: Option<&str>) -> Result<url::Url, url::ParseError> {
        base.join(&format!("session/{}/goog/cdp/execute", session.unwrap_or_default()))
    }

    fn method_and_body(&self, _url: &url::Url) -> (http::Method, Option<String>) {
        let body = json!({"cmd": self.method, "params": self.parameters});
        (http::Method::POST, Some(body.to_string()))
    }
}

const NOTICE: &str = "document.getElementById('notice')";

/// A chromedriver on a free port, with the browsers that it starts: a process group that ends with this value.
struct Chromedriver(Child);

impl Chromedriver {
    /// It looks for a port that is free for IPv4 and for IPv6, and ends if another program takes one of them first.
    const TRIES: usize = 5;

    fn start() -> (Self, String) {
        (0..Self::TRIES).find_map(|_| Self::try_start()).expect("chromedriver says its port")
    }

    fn try_start() -> Option<(Self, String)> {
        let mut command = Command::new("chromedriver");
        command.arg("--port=0").stdout(Stdio::piped()).stderr(Stdio::null()).process_group(0);
        let mut driver = Self(command.spawn().expect("chromedriver is installed (make test does it)"));
        let output = std::io::BufReader::new(driver.0.stdout.take().expect("piped"));
        let mut lines = std::io::BufRead::lines(output);
        let port = lines
            .by_ref()
            .map_while(Result::ok)
            .find_map(|line| {
                line.split("successfully on port ").nth(1).map(|rest| rest.trim_end_matches('.').to_owned())
            })?
            .parse::<u16>()
            .ok()?;
        // Whatever else it says must not fill the pipe.
        std::thread::spawn(move || lines.map_while(Result::ok).count());
        Some((driver, format!("http://127.0.0.1:{port}")))
    }
}

impl Drop for Chromedriver {
    fn drop(&mut self) {
        if let Some(group) = rustix::process::Pid::from_raw(self.0.id().cast_signed()) {
            let _ = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
        }
        let _ = self.0.wait();
    }
}
