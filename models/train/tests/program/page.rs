//! `docs/your-own-signs.md`, walked through: its own commands, with recordings of a rendered person in place of a camera
//! and a small ONNX file in place of PyTorch's.

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output};
use std::time::{Duration, Instant};

use dactyl_letters::metadata::key;
use dactyl_onnx::{GraphProto, Message, ModelProto, NodeProto, TensorProto, ValueInfoProto};
use dactyl_tests::recordings::shared;

const SIGNS: [&str; 5] = ["hello", "thank you", "yes", "no", "please"];
/// Frames of the rendered person that stand for one sign.
const FRAMES_OF_A_SIGN: usize = 12;
/// Frames of one take, as the page records them.
const FRAMES_OF_A_TAKE: usize = 45;
const PAGE_ADDRESS: &str = "127.0.0.1:8080";

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

fn page() -> String {
    fs::read_to_string(repository().join("docs/your-own-signs.md")).unwrap()
}

/// The text under a heading, up to the next of its level.
fn section<'a>(page: &'a str, heading: &str) -> &'a str {
    let rest = page.split(&format!("\n{heading}\n")).nth(1).unwrap_or_else(|| panic!("no {heading}"));
    let level = format!("\n{} ", heading.split(' ').next().unwrap());
    rest.split(&level).next().unwrap()
}

fn blocks<'a>(text: &'a str, language: &str) -> Vec<&'a str> {
    text.split(&format!("```{language}\n")).skip(1).map(|rest| rest.split("```").next().unwrap()).collect()
}

/// The programs on a path of their own, and the folder in which the commands run.
struct Walk {
    folder: tempfile::TempDir,
    address: String,
    /// What runs beside the commands; ended with the walk.
    running: Vec<Child>,
}

impl Walk {
    fn begin() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let trainer = Path::new(env!("CARGO_BIN_EXE_dactyl-train"));
        let server = trainer.with_file_name("dactyl");
        assert!(
            server.is_file(),
            "no {}: cargo build --package dactyl --package gst-plugin-dactyl",
            server.display()
        );
        let programs = folder.path().join("bin");
        fs::create_dir(&programs).unwrap();
        symlink(trainer, programs.join("dactyl-train")).unwrap();
        symlink(server, programs.join("dactyl")).unwrap();
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
        Self { folder, address, running: Vec::new() }
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    fn shell(&self, line: &str) -> Command {
        let path = std::env::var("PATH").unwrap_or_default();
        let mut command = Command::new("timeout");
        command
            .args(["300", "sh", "-c", line])
            .current_dir(self.path())
            .env("PATH", format!("{}:{path}", self.path().join("bin").display()))
            .env("DACTYL_HOME", repository());
        command
    }

    /// Runs the lines of a block one after the other; what ends in `&` runs on until the walk ends. Returns what they printed.
    fn run(&mut self, block: &str) -> String {
        let mut printed = String::new();
        for line in block.lines() {
            let line = line.replace(PAGE_ADDRESS, &self.address);
            if let Some(server) = line.strip_suffix(" &") {
                let child = self.shell(&format!("exec {server}")).spawn().unwrap();
                self.running.push(child);
                let begin = Instant::now();
                while TcpStream::connect(&self.address).is_err() {
                    assert!(begin.elapsed() < Duration::from_secs(60), "{line}: nobody listens");
                    std::thread::sleep(Duration::from_millis(50));
                }
                continue;
            }
            let begin = Instant::now();
            let Output { status, stdout, stderr } = self.shell(&line).output().unwrap();
            println!("{:6.1} s: {line}", begin.elapsed().as_secs_f64());
            printed += &String::from_utf8_lossy(&stdout);
            assert!(status.success(), "{line}\n{printed}{}", String::from_utf8_lossy(&stderr));
        }
        printed
    }
}

impl Drop for Walk {
    fn drop(&mut self) {
        for child in &mut self.running {
            // `timeout` hands the signal on to what it runs.
            let _ = Command::new("kill").arg(child.id().to_string()).status();
            let _ = child.wait();
        }
    }
}

/// The block that sends a take, thrice and slowly, so that a slow machine that leaves out frames still fills a window.
fn patiently(send: &str) -> String {
    assert!(send.contains("dactyl send frames --letter hello"), "{send}");
    send.replace("send frames", "send frames frames frames").replace("--url", "--fps 6 --url")
}

/// The block that trains, with a third of the steps: five signs are learnt long before, and a slow machine is in time.
fn briefly(train: &str) -> String {
    let whole = "--hold-out somebody-else --out run";
    assert!(train.contains(whole), "{train}");
    train.replace(whole, &format!("{whole} --frame-steps 400 --window-steps 500"))
}

/// A take of a sign: its frames forwards and backwards, beginning with the `first` of them.
fn film(avatar: &Path, folder: &Path, sign: usize, first: usize) {
    fs::create_dir_all(folder).unwrap();
    for frame in 0..FRAMES_OF_A_TAKE {
        let place = (frame + first) % (2 * FRAMES_OF_A_SIGN);
        let place = place.min(2 * FRAMES_OF_A_SIGN - 1 - place);
        let picture = avatar.join(format!("{:03}.png", sign * FRAMES_OF_A_SIGN + place));
        symlink(picture, folder.join(format!("{frame:03}.png"))).unwrap();
    }
}

#[test]
fn five_signs_are_recorded_extracted_trained_exported_and_served_as_the_page_says() {
    let Some(avatar) = shared("golden/avatar") else { return };
    let avatar = avatar.canonicalize().unwrap();
    let page = page();
    let mut walk = Walk::begin();
    let own = section(&page, "## Five signs, recorded and trained here");
    for sign in SIGNS {
        assert!(own.contains(&format!("`{sign}`")), "{sign}");
    }

    let [record] = blocks(section(own, "### Record"), "sh")[..] else { panic!("one block records") };
    let camera = format!("v4l2src num-buffers={FRAMES_OF_A_TAKE}");
    assert!(record.contains(&camera) && record.contains("recordings/hello/1.avi"), "{record}");
    for (number, sign) in SIGNS.into_iter().enumerate() {
        for (session, first) in [("recordings", 0), ("strangers", 7)] {
            let film_of = walk.path().join("films").join(format!("{number}-{session}"));
            film(&avatar, &film_of, number, first);
            let filmed = format!(
                "multifilesrc location={}/%03d.png stop-index={} caps=image/png,framerate=15/1 ! pngdec",
                film_of.display(),
                FRAMES_OF_A_TAKE - 1
            );
            let block =
                record.replace(&camera, &filmed).replace("recordings/hello", &format!("{session}/'{sign}'"));
            walk.run(&block);
        }
    }

    let [extract] = blocks(section(own, "### Extract"), "sh")[..] else { panic!("one block extracts") };
    let told = walk.run(extract);
    assert_eq!(told.matches(" 45 frames").count(), 10, "{told}");
    assert!(!told.contains("FEW HANDS"), "{told}");

    let train = blocks(section(own, "### Train, look, export"), "sh");
    let [train] = train[..] else { panic!("one block trains") };
    let told = walk.run(&briefly(train));
    let won = told.lines().last().unwrap();
    assert!(won.starts_with("5 of 5 win"), "{told}");

    let serve = blocks(section(own, "### Serve"), "sh");
    let [check_and_serve, send] = serve[..] else { panic!("two blocks serve") };
    let told = walk.run(check_and_serve);
    assert!(told.contains("signs.onnx: 5 labels, a window of 32 frames, features hand-1"), "{told}");
    let told = walk.run(&patiently(send));
    // A model of so few takes may call the first window, in which the hand comes up, another sign.
    assert!(told.contains("most frequent: hello ("), "{told}");
}

#[test]
fn a_recogniser_s_landmarks_become_a_set_as_the_page_says() {
    let page = page();
    let own = section(&page, "## Five signs, recorded and trained here");
    let [table, folder] = blocks(section(own, "### Landmarks that you have already"), "sh")[..] else {
        panic!("two blocks import")
    };
    let mut walk = Walk::begin();
    let points: Vec<String> = (0..42).map(|value| format!("0.{value:02}")).collect();
    let points = points.join(",");
    fs::write(walk.path().join("keypoint.csv"), format!("1,{points}\n0,{points}\n")).unwrap();
    fs::write(walk.path().join("keypoint_classifier_label.csv"), "hello\nthank you\n").unwrap();
    let told = walk.run(table);
    assert_eq!(told.trim(), "data/hands/earlier.npz: 2 hands, labels hello, thank you");

    for (label, hand) in [("hello", 0.3), ("please", 0.4)] {
        let film = walk.path().join("MP_Data").join(label).join("0");
        fs::create_dir_all(&film).unwrap();
        // The last values are the left hand, which was not found, and the right one.
        let mut values = ndarray::Array1::from_elem(1662, 0.0);
        values.slice_mut(ndarray::s![1662 - 63..]).fill(hand);
        ndarray_npy::write_npy(film.join("0.npy"), &values).unwrap();
    }
    let told = walk.run(folder);
    assert_eq!(told.trim(), "data/hands/earlier.npz: 2 hands, labels hello, please");
}

/// A classifier on 1662 features that answers the first label whatever it sees, with these properties.
fn stand_in(metadata: &[(&str, String)]) -> Vec<u8> {
    let weights = vec![0.0; 30 * 1662 * 5];
    let graph = GraphProto {
        name: "signs".to_owned(),
        node: vec![
            NodeProto::new("Flatten", &["frames"], "values"),
            NodeProto::new("Gemm", &["values", "weights", "bias"], "logits"),
        ],
        initializer: vec![
            TensorProto::floats("weights", &[30 * 1662, 5], &weights),
            TensorProto::floats("bias", &[5], &[4.0, 0.0, 0.0, 0.0, 0.0]),
        ],
        input: vec![ValueInfoProto::floats("frames", &[1, 30, 1662])],
        output: vec![ValueInfoProto::floats("logits", &[1, 5])],
    };
    ModelProto::new(graph, 17, metadata.iter().cloned()).encode_to_vec()
}

#[test]
fn a_model_of_1662_features_is_described_checked_and_served_as_the_page_says() {
    let page = page();
    let theirs = section(&page, "## A PyTorch LSTM on 1662 features");
    let [python] = blocks(theirs, "python")[..] else { panic!("one program exports") };
    let labels = serde_json::to_string(&SIGNS).unwrap();
    for said in [
        format!("SIGNS = {}", labels.replace(',', ", ")),
        "FRAMES = 30".to_owned(),
        "torch.zeros(1, FRAMES, 1662)".to_owned(),
        format!("\"{}\": json.dumps(SIGNS)", key::LABELS),
        format!("\"{}\": str(FRAMES)", key::WINDOW),
        format!("\"{}\": \"holistic-1662\"", key::FEATURES),
        format!("\"{}\": \"logits\"", key::OUTPUT),
        format!("\"{}\": ", key::TRAINING_DATA),
        format!("\"{}\": ", key::ACCURACY),
    ] {
        assert!(python.contains(&said), "{said}");
    }
    let metadata = [
        (key::LABELS, labels),
        (key::WINDOW, "30".to_owned()),
        (key::FEATURES, "holistic-1662".to_owned()),
        (key::OUTPUT, "logits".to_owned()),
    ];
    let [described, undescribed] = blocks(theirs, "toml")[..] else { panic!("two configurations") };
    let mut walk = Walk::begin();
    fs::write(walk.path().join("signs.onnx"), stand_in(&metadata)).unwrap();
    fs::write(walk.path().join("mine.toml"), described).unwrap();
    fs::write(walk.path().join("undescribed.onnx"), stand_in(&[])).unwrap();
    fs::write(walk.path().join("undescribed.toml"), undescribed).unwrap();
    let taken = "5 labels, a window of 30 frames, features holistic-1662";
    let told = walk.run("dactyl check --config undescribed.toml");
    assert!(told.contains(&format!("undescribed.onnx: {taken}")), "{told}");

    let [serve] = blocks(theirs, "sh")[..] else { panic!("one block serves") };
    let (check, send) = serve.split_at(serve.find("dactyl send").unwrap());
    let told = walk.run(check);
    assert!(told.contains(&format!("signs.onnx: {taken}")), "{told}");
    let Some(avatar) = shared("golden/avatar") else { return };
    fs::create_dir(walk.path().join("film")).unwrap();
    film(&avatar.canonicalize().unwrap(), &walk.path().join("film"), 1, 0);
    let film = "gst-launch-1.0 -q multifilesrc location=film/%03d.png caps=image/png,framerate=15/1 ! pngdec \
                ! videoconvert ! jpegenc ! multifilesink location=frames/%03d.jpg";
    fs::create_dir(walk.path().join("frames")).unwrap();
    walk.run(film);
    let told = walk.run(&patiently(send));
    assert!(told.lines().any(|line| line.contains("hello")), "{told}");
}

/// What the page says of refusals stands in what `dactyl check` says.
#[test]
fn the_refusals_that_the_page_explains_are_those_that_check_gives() {
    let said =
        repository().join("server/tests/cli/snapshots/cli__model__classifiers_that_cannot_be_used.snap");
    let said = fs::read_to_string(said).unwrap();
    let page = page();
    let rows = section(&page, "## When it is refused").lines().filter_map(|line| line.strip_prefix("| `"));
    let phrases: Vec<&str> = rows.map(|row| row.split('`').next().unwrap()).collect();
    assert_eq!(phrases.len(), 6);
    for phrase in phrases {
        for piece in phrase.split("...") {
            assert!(said.contains(piece.trim()), "{phrase}: no {piece:?}");
        }
    }
}
