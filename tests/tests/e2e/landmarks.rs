//! Sessions that send landmarks in place of pictures.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use dactyl_config::Config;
use dactyl_tests::recordings::shared;
use ndarray::{Array1, Array3};
use ndarray_npy::NpzReader;
use serde_json::{Value, json};

use crate::client::Client;
use crate::page::browser::run;
use crate::page::browser::{Browser, Camera};
use crate::pictures::{gradient, person};
use crate::server::Server;

const WINDOW: usize = 32;
const HAND: usize = 21;
const ANALYSED: &str = "dactyl_frames_analysed_total";
const PIPELINE: &str = "?pipeline=landmarks";

fn allowed(config: &mut Config) {
    config.pipeline.allowed = vec!["landmarks".to_owned()];
}

async fn start() -> Server {
    Server::start_with(allowed).await
}

async fn connect(server: &Server, extras: &str) -> Client {
    Client::connect_to(server, &format!("{PIPELINE}&extras={extras}")).await.expect("a session")
}

/// A hand of no letter in particular, a little further along with every frame.
fn hand(frame: usize) -> Vec<[f32; 3]> {
    let along = frame as f32 / 1000.0;
    (0..HAND)
        .map(|point| [0.4 + along + (point % 5) as f32 / 50.0, 0.7 - point as f32 / 70.0, -0.01])
        .collect()
}

/// How many frames a message says to have ended so.
fn ends(answer: &Value, outcome: &str) -> usize {
    answer["ended"].as_array().into_iter().flatten().filter(|end| end[1] == outcome).count()
}

fn message(parts: &Value) -> Value {
    json!({"landmarks": parts, "width": 640, "height": 480, "new_letter": null})
}

impl Client {
    /// Sends messages one after the other, each when the one before it has been analysed.
    async fn send_landmarks(&mut self, server: &Server, messages: impl IntoIterator<Item = Value>) {
        for message in messages {
            self.send_until_analysed(server, message.to_string()).await;
        }
    }

    /// What is told until nothing has come for a while.
    async fn answers(&mut self) -> Vec<Value> {
        let mut answers = Vec::new();
        while let Some(answer) = self.answer_within(Duration::from_millis(300)).await {
            answers.push(answer);
        }
        answers
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn landmarks_are_answered_as_pictures_are() {
    let server = start().await;
    let mut client = connect(&server, "frame,timings,status,top,ended").await;
    client.send_letter("A").await;
    client.expect_reset().await;
    client
        .send_landmarks(&server, (0..WINDOW).map(|frame| message(&json!({"right_hand": hand(frame)}))))
        .await;
    let answers = client.answers().await;
    let with = |key: &str| answers.iter().filter(|answer| !answer[key].is_null()).collect::<Vec<_>>();
    let feedback = with("maxarg_letter");
    assert_eq!(feedback.len(), 1, "{answers:?}");
    assert_eq!(feedback[0]["frame"], WINDOW);
    for stage in ["lstm-classifier", "temporal-smoother", "age"] {
        assert!(feedback[0]["timings"][stage].is_number(), "{}", feedback[0]);
    }
    assert_eq!(with("top")[0]["top"].as_array().expect("a list").len(), 5);
    assert_eq!(with("status").last().expect("a status")["status"], "other");
    assert_eq!(answers.iter().map(|answer| ends(answer, "analysed")).sum::<usize>(), WINDOW);
    assert_eq!(server.metric("dactyl_frames_received_total").await, WINDOW as f64);

    // A new letter empties the window.
    client.send_letter("B").await;
    client.expect_reset().await;
    let none = (0..WINDOW).map(|_| message(&json!({})));
    client.send_landmarks(&server, none).await;
    let answers = client.answers().await;
    let with = |key: &str| answers.iter().filter(|answer| !answer[key].is_null()).collect::<Vec<_>>();
    assert_eq!(with("status").last().expect("a status")["status"], "no_hand");
    let feedback = with("maxarg_letter");
    assert_eq!(feedback.len(), 1, "{answers:?}");
    assert_eq!((&feedback[0]["maxarg_letter"], &feedback[0]["frame"]), (&json!(""), &json!(2 * WINDOW)));
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_hand_of_a_message_with_a_letter_is_its_first_and_every_encoding_is_analysed() {
    let server = start().await;
    let mut client = connect(&server, "frame").await;
    let mut text = message(&json!({"right_hand": hand(0)}));
    text["new_letter"] = json!("C");
    client.send_json(&text).await;
    client.expect_reset().await;
    server.wait_for_metric(ANALYSED, |analysed| analysed == 1.0).await;
    let listed = message(&json!({"left_hand": null, "right_hand": hand(2)}));
    let encodings = [
        packed(640, 480, &[("right_hand", &floats(&hand(1)))]),
        rmp_serde::to_vec(&listed).expect("MessagePack"),
        listed.to_string().into_bytes(),
    ];
    for (before, binary) in encodings.into_iter().enumerate() {
        client.send(binary).await;
        server.wait_for_metric(ANALYSED, |analysed| analysed == before as f64 + 2.0).await;
    }
    client
        .send_landmarks(&server, (4..WINDOW).map(|frame| message(&json!({"right_hand": hand(frame)}))))
        .await;
    assert_eq!(client.answer().await["frame"], WINDOW);
    assert_eq!(server.metric("dactyl_bad_messages_total").await, 0.0);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_landmarks_are_refused_with_their_place_and_lose_nothing_else() {
    let server = start().await;
    let mut client = connect(&server, "ended").await;
    let mut bad_hand = json!(hand(0));
    bad_hand[7][1] = json!(null);
    let mut nan = hand(0);
    nan[20][2] = f32::NAN;
    let bad: Vec<(tokio_tungstenite::tungstenite::Message, &str, &str)> = vec![
        (message(&json!({"right_hand": bad_hand})).to_string().into(), "bad_landmarks", "right_hand[7].y"),
        (
            message(&json!({"left_hand": hand(0)[..20]})).to_string().into(),
            "bad_landmarks",
            "left_hand has 20",
        ),
        (packed(640, 480, &[("left_hand", &floats(&nan))]).into(), "bad_landmarks", "left_hand[20].z"),
        (packed(0, 480, &[]).into(), "bad_landmarks", "\"width\""),
        (r#"{"landmarks": {}}"#.into(), "bad_landmarks", "\"width\" is missing"),
        (r#"{"landmarks": {"pose": [[NaN, 0, 0]]}}"#.into(), "bad_landmarks", "pose[0].x"),
        (r#"{"landmarks": {}, "jpeg_blob": "AAAA"}"#.into(), "bad_landmarks", "in one message"),
        (r#"{"landmarks": {"hand": null}}"#.into(), "unknown_key", "\"left_hand\""),
        (gradient(64, 48, 1).into(), "wrong_kind", "takes landmarks, not pictures"),
    ];
    let mut refused = 0;
    for (sent, code, cause) in bad {
        client.send(sent).await;
        let mut answer = client.answer().await;
        while answer["error"].is_null() {
            refused += ends(&answer, "refused");
            answer = client.answer().await;
        }
        let message = answer["error"]["message"].as_str().expect("an error");
        assert_eq!(answer["error"]["code"], code, "{answer}");
        assert!(message.contains(cause), "{message}");
    }
    client.send_landmarks(&server, [message(&json!({"right_hand": hand(0)}))]).await;
    refused += client.answers().await.iter().map(|answer| ends(answer, "refused")).sum::<usize>();
    // Of two messages it can't be known whether they are frames.
    assert_eq!(refused, 7);
    assert_eq!(server.metric("dactyl_bad_messages_total").await, 9.0);
    assert_eq!(server.metric("dactyl_frames_received_total").await, 1.0);

    let mut client = Client::connect(&server).await;
    client.send_json(&json!({"landmarks": {}, "width": 640, "height": 480, "new_letter": "B"})).await;
    let answers = [client.answer().await, client.answer().await];
    let error = answers.iter().find(|answer| !answer["error"].is_null()).expect("an error");
    assert_eq!(error["error"]["code"], "wrong_kind");
    assert!(
        answers.iter().any(|answer| answer["maxarg_letter"] == ""),
        "the letter beside it counts: {answers:?}"
    );
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn landmarks_have_the_limits_of_pictures() {
    let server = Server::start_with(|config| {
        allowed(config);
        config.server.max_fps = 5;
        config.server.max_message_bytes = 3000;
        config.server.max_bad_messages = 3;
    })
    .await;
    let mut client = connect(&server, "").await;
    for frame in 0..6 {
        client.send_json(&message(&json!({"right_hand": hand(frame)}))).await;
    }
    assert_eq!(client.expect_error().await, "too_fast");
    client
        .send_json(&message(
            &json!({"pose": vec![[0.123_456_789; 4]; 33], "right_hand": hand(0), "left_hand": hand(0)}),
        ))
        .await;
    assert_eq!(client.expect_error().await, "message_too_large");
    for _ in 0..3 {
        client.send("no").await;
    }
    assert_eq!(u16::from(client.closed().await.code), 1008);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn received_landmarks_are_analysed_dropped_cancelled_or_in_flight() {
    let server = start().await;
    let mut clients = Vec::new();
    for _ in 0..4 {
        clients.push(connect(&server, "").await);
    }
    for round in 0..60 {
        for client in &mut clients {
            for frame in 0..3 {
                client.send(packed(640, 480, &[("right_hand", &floats(&hand(frame)))])).await;
            }
            if round % 10 == 9 {
                client.send_letter("A").await;
            }
        }
        tokio::time::sleep(Duration::from_millis(4)).await;
    }
    // Clients that are gone from one moment to the next.
    drop(clients);
    server.wait_for_metric("dactyl_sessions", |sessions| sessions == 0.0).await;
    server.wait_for_metric("dactyl_frames_in_flight", |frames| frames == 0.0).await;
    let mut ended = 0.0;
    for name in [ANALYSED, "dactyl_frames_dropped_total", "dactyl_frames_cancelled_total"] {
        ended += server.metric(name).await;
    }
    assert_eq!(ended, server.metric("dactyl_frames_received_total").await);
    assert!(server.metric(ANALYSED).await > 0.0);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn landmarks_of_a_picture_of_another_size_begin_a_new_window() {
    let server = start().await;
    let mut client = connect(&server, "status").await;
    let turned =
        |frame: usize| json!({"landmarks": {"right_hand": hand(frame)}, "width": 480, "height": 640});
    for expected in ["warming 1/32", "warming 2/32"] {
        client.send_landmarks(&server, [message(&json!({"right_hand": hand(0)}))]).await;
        assert_eq!(client.answer().await["status"], expected);
    }
    for expected in ["warming 1/32", "warming 2/32"] {
        client.send_landmarks(&server, [turned(0)]).await;
        assert_eq!(client.answer().await["status"], expected);
    }
    // The size outlives a new letter.
    client.send_letter("A").await;
    client.expect_reset().await;
    for expected in ["warming 1/32", "warming 2/32"] {
        client.send_landmarks(&server, [turned(0)]).await;
        assert_eq!(client.answer().await["status"], expected);
    }
    client.send_landmarks(&server, [message(&json!({"right_hand": hand(0)}))]).await;
    assert_eq!(client.answer().await["status"], "warming 1/32");
    server.stop().await;
}

/// A list of parts in MessagePack, with a size below 65536.
fn packed(width: u16, height: u16, parts: &[(&str, &[u8])]) -> Vec<u8> {
    let count = u8::try_from(parts.len()).expect("few");
    let mut bytes = [&b"\x83\xa9landmarks"[..], &[0x80 + count]].concat();
    for (key, part) in parts {
        let length = u16::try_from(part.len()).expect("a part");
        bytes.extend([0xa0 + u8::try_from(key.len()).expect("a short key")]);
        bytes.extend(key.as_bytes());
        bytes.extend([&[0xc5][..], &length.to_be_bytes(), part].concat());
    }
    bytes.extend(
        [&b"\xa5width\xcd"[..], &width.to_be_bytes(), b"\xa6height\xcd", &height.to_be_bytes()].concat(),
    );
    bytes
}

fn floats<const AXES: usize>(points: &[[f32; AXES]]) -> Vec<u8> {
    points.as_flattened().iter().flat_map(|value| value.to_le_bytes()).collect()
}

/// What a session tells: `[landmarks, top, feedback]` of every frame, those of frames that have none left out.
type Told = [Vec<Value>; 3];

/// Sends each frame when everything that is told of the one before has come.
async fn told_of(
    server: &Server,
    query: &str,
    frames: impl IntoIterator<Item = tokio_tungstenite::tungstenite::Message>,
) -> Told {
    let mut client =
        Client::connect_to(server, &format!("{query}extras=landmarks,top,frame")).await.expect("a session");
    client.send_letter("L").await;
    client.expect_reset().await;
    let mut told = Told::default();
    for (number, frame) in frames.into_iter().enumerate() {
        client.send(frame).await;
        let awaited = if number + 1 < WINDOW { 1 } else { 3 };
        for _ in 0..awaited {
            let answer = client.answer().await;
            let kind = ["landmarks", "top", "maxarg_letter"].iter().position(|key| !answer[key].is_null());
            let kind = kind.unwrap_or_else(|| panic!("unexpected {answer}"));
            told[kind].push(if kind == 0 { answer["landmarks"].clone() } else { answer });
        }
    }
    told
}

/// Landmarks of ours that are sent back, as text or as float32, are the same floats, so that every letter's probability is too.
#[tokio::test(flavor = "multi_thread")]
async fn landmarks_that_were_told_give_the_same_letters_to_the_bit_when_they_are_sent_back() {
    const FRAMES: usize = 59;
    let Some(pictures) = person(FRAMES) else { return };
    let server = start().await;
    let of_pictures = told_of(&server, "?", pictures.into_iter().map(Into::into)).await;
    let [landmarks, tops, feedback] = &of_pictures;
    assert_eq!(
        (landmarks.len(), tops.len(), feedback.len()),
        (FRAMES, FRAMES - WINDOW + 1, FRAMES - WINDOW + 1)
    );
    assert!(feedback.iter().any(|answer| answer["maxarg_letter"] != ""), "no letter is seen");
    let wrist = landmarks.iter().find_map(|parts| parts["right_hand"][0][0].as_f64()).expect("a hand");
    assert!((wrist * 1e5).fract() != 0.0, "{wrist} is rounded");

    let query = format!("{PIPELINE}&");
    let sized = |parts: &Value| json!({"landmarks": parts, "width": 576, "height": 576});
    let as_text = landmarks.iter().map(|parts| sized(parts).to_string().into());
    assert_eq!(told_of(&server, &query, as_text).await, of_pictures, "as text");

    let as_bytes = landmarks.iter().map(|parts| {
        let float = |value: &Value| value.as_f64().expect("a number") as f32;
        let floats = |part: &str| -> Option<Vec<u8>> {
            let landmarks = parts[part].as_array()?;
            let values = landmarks.iter().flat_map(|landmark| landmark.as_array().expect("a list"));
            Some(values.flat_map(|value| float(value).to_le_bytes()).collect())
        };
        let keys = ["left_hand", "right_hand", "pose", "face"];
        let found: Vec<(&str, Vec<u8>)> = keys.iter().filter_map(|key| Some((*key, floats(key)?))).collect();
        let found: Vec<(&str, &[u8])> = found.iter().map(|(key, bytes)| (*key, bytes.as_slice())).collect();
        packed(576, 576, &found).into()
    });
    assert_eq!(told_of(&server, &query, as_bytes).await, of_pictures, "as float32");
    server.stop().await;
}

/// A hand that was found by MediaPipe, frame by frame, with the letter that it shows and the size of the pictures.
struct Recording {
    hands: Vec<Option<Vec<[f32; 3]>>>,
    size: [i32; 2],
}

/// The frames of one letter of a person whose landmarks are recorded; see `data/letters/README.md` of the recordings.
fn recording(letter: char) -> Option<Recording> {
    let path = shared("data/letters/full/gunsai75.npz")?;
    let mut file = NpzReader::new(std::fs::File::open(path).expect("a recording")).expect("a recording");
    let letters: Array1<u8> = file.by_name("letter").expect("letters");
    let right: Array3<f32> = file.by_name("right").expect("right hands");
    let size: Array1<i32> = file.by_name("size").expect("a size");
    let frames = (0..letters.len()).filter(|frame| u32::from(letters[*frame]) == u32::from(letter));
    let hand = |frame: usize| {
        let points: Vec<[f32; 3]> =
            (0..HAND).map(|point| [0, 1, 2].map(|axis| right[[frame, point, axis]])).collect();
        points.as_flattened().iter().all(|value| value.is_finite()).then_some(points)
    };
    let hands = frames.map(hand).take(48).collect();
    Some(Recording { hands, size: [size[0], size[1]] })
}

impl Recording {
    /// As in pictures of a mirror: a right hand looks like a left one.
    fn mirrored(mut self) -> Self {
        for point in self.hands.iter_mut().flatten().flatten() {
            point[0] = 1.0 - point[0];
        }
        self
    }

    /// What HandLandmarker of MediaPipe Tasks gives for every picture: hands and their sides.
    fn results(&self, side: &str) -> Value {
        self.hands
            .iter()
            .map(|hand| match hand {
                None => json!({"landmarks": [], "handedness": []}),
                Some(points) => json!({
                    "landmarks": [points.iter().map(|[x, y, z]| json!({"x": x, "y": y, "z": z, "visibility": 0})).collect::<Vec<_>>()],
                    "handedness": [[{"categoryName": side, "index": 0, "score": 0.98}]],
                }),
            })
            .collect()
    }
}

/// The example of `docs/landmarks.md` under that heading.
pub fn example(heading: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/landmarks.md");
    let page = std::fs::read_to_string(path).expect("the page");
    let (_, rest) = page.split_once(&format!("\n## {heading}\n")).expect("the heading");
    let (_, rest) = rest.split_once("```").and_then(|(_, rest)| rest.split_once('\n')).expect("an example");
    rest.split("```").next().expect("its end").to_owned()
}

/// The letter of the last answer to these messages.
async fn letter_of(server: &Server, messages: impl IntoIterator<Item = Value>) -> Value {
    let mut client = connect(server, "").await;
    client.send_landmarks(server, messages).await;
    client.answers().await.last().expect("an answer")["maxarg_letter"].clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_letter_is_the_same_in_a_mirror() {
    let server = start().await;
    for letter in ['B', 'F', 'L', 'Y'] {
        let Some(recording) = recording(letter) else { return };
        let [width, height] = recording.size;
        let messages = |recording: &Recording, side: &str| -> Vec<Value> {
            let message = |hand| json!({"landmarks": {side: hand}, "width": width, "height": height});
            recording.hands.iter().map(message).collect()
        };
        let straight = messages(&recording, "right_hand");
        let mirrored = messages(&recording.mirrored(), "left_hand");
        assert_eq!(letter_of(&server, straight).await, letter.to_string());
        assert_eq!(letter_of(&server, mirrored).await, letter.to_string(), "in a mirror");
    }
    server.stop().await;
}

/// The example as it stands on the page, with MediaPipe and the camera played by a recording.
#[tokio::test(flavor = "multi_thread")]
async fn the_example_in_javascript_reads_the_letter_of_a_recorded_hand() {
    let Some(recording) = recording('B') else { return };
    let server = start().await;
    let browser = Browser::start(Camera::None).await;
    browser.open(&format!("http://{}/", server.address)).await;
    let [width, height] = recording.size;
    let code: String = example("With MediaPipe in a browser")
        .lines()
        .filter(|line| !line.starts_with("import "))
        .map(|line| format!("{line}\n"))
        .collect();
    assert!(code.contains("ws://127.0.0.1:8080/ws"), "{code}");
    let code = code.replace("127.0.0.1:8080", &server.address.to_string());
    let played = format!(
        "const {{ DactylClient }} = await import('/web/client.js');
         const results = {}, told = [];
         let at = 0;
         const FilesetResolver = {{ forVisionTasks: async () => ({{}}) }};
         const HandLandmarker = {{ createFromOptions: async () => ({{ detectForVideo: () => results[at++ % results.length] }}) }};
         const shown = {{ videoWidth: {width}, videoHeight: {height},
             requestVideoFrameCallback: (next) => setTimeout(() => next(performance.now()), 10) }};
         const document = {{ querySelector: () => shown }};
         const console = {{ log: (...values) => told.push(values) }};
         {code}
         return new Promise((done) => client.addEventListener('feedback', ({{ detail }}) => {{
             if (detail.frame > 40) {{ client.close(); done(told.at(-1)); }}
         }}));",
        recording.results("Right")
    );
    let told = run(&browser, &played).await;
    assert_eq!(told[0], "B", "{told}");
    assert!(told[1].as_f64() > Some(0.5), "{told}");
    server.stop().await;
}

/// The modules that the example imports, played by a recording: what it sends is printed, a message a line.
const PYTHON_MODULES: [(&str, &str); 4] = [
    (
        "played.py",
        "import json, os, types
with open(os.environ['RECORDING']) as file:
    recording = json.load(file)
def result(played):
    point = lambda p: types.SimpleNamespace(**p)
    category = lambda c: types.SimpleNamespace(category_name=c['categoryName'], score=c['score'])
    return types.SimpleNamespace(
        hand_landmarks=[[point(p) for p in hand] for hand in played['landmarks']],
        handedness=[[category(c) for c in sides] for sides in played['handedness']])
",
    ),
    (
        "cv2.py",
        "import types, played
COLOR_BGR2RGB = 4
def cvtColor(picture, code):
    return picture
class VideoCapture:
    def __init__(self, index):
        self.left = len(played.recording['results'])
    def read(self):
        self.left -= 1
        if self.left < 0:
            return False, None
        width, height = played.recording['size']
        return True, types.SimpleNamespace(shape=(height, width, 3))
",
    ),
    (
        "mediapipe.py",
        "import types, played
class Image:
    def __init__(self, image_format, data):
        self.data = data
ImageFormat = types.SimpleNamespace(SRGB=1)
class Landmarker:
    def __enter__(self):
        return self
    def __exit__(self, *_):
        return False
    def detect_for_video(self, image, timestamp_ms):
        assert isinstance(timestamp_ms, int) and image.data.shape
        self.at = getattr(self, 'at', -1) + 1
        return played.result(played.recording['results'][self.at])
tasks = types.SimpleNamespace(
    BaseOptions=lambda model_asset_path: None,
    vision=types.SimpleNamespace(
        HandLandmarkerOptions=lambda base_options, running_mode, num_hands: None,
        RunningMode=types.SimpleNamespace(VIDEO=2),
        HandLandmarker=types.SimpleNamespace(create_from_options=lambda options: Landmarker())))
",
    ),
    (
        "websockets/sync/client.py",
        "class Socket:
    def __enter__(self):
        return self
    def __exit__(self, *_):
        return False
    def __iter__(self):
        return iter(())
    def send(self, message):
        print(message, flush=True)
def connect(address):
    return Socket()
",
    ),
];

/// The example as it stands on the page; what it would send is sent.
#[tokio::test(flavor = "multi_thread")]
async fn the_example_in_python_reads_the_letter_of_a_recorded_hand() {
    let Some(recording) = recording('B') else { return };
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::create_dir_all(folder.path().join("websockets/sync")).expect("a folder");
    for (name, code) in PYTHON_MODULES {
        std::fs::write(folder.path().join(name), code).expect("written");
    }
    let played = json!({"size": recording.size, "results": recording.results("Right")});
    std::fs::write(folder.path().join("recording.json"), played.to_string()).expect("written");
    std::fs::write(folder.path().join("example.py"), example("With MediaPipe in Python")).expect("written");
    let output = Command::new("python3")
        .arg(folder.path().join("example.py"))
        .env("RECORDING", folder.path().join("recording.json"))
        .output()
        .expect("python3");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let sent = String::from_utf8(output.stdout).expect("text");
    let mut messages = sent.lines().map(|line| serde_json::from_str::<Value>(line).expect("JSON"));
    assert_eq!(messages.next(), Some(json!({"new_letter": "B"})));
    let server = start().await;
    assert_eq!(letter_of(&server, messages).await, "B");
    assert_eq!(server.metric(ANALYSED).await, recording.hands.len() as f64);
    assert_eq!(server.metric("dactyl_bad_messages_total").await, 0.0);
    server.stop().await;
}
