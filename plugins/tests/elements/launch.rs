//! What the READMEs say, done: their pipelines in a real `gst-launch-1.0`, their tables against the elements.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use dactyl_tests::watch::Watch;
use gst::prelude::*;

use dactyl_tests::recordings::shared;

use crate::pictures::AVATAR;
use crate::stream::init;

const ELEMENTS: [(&str, &str); 4] = [
    ("holistic-keypoints", include_str!("../../src/holistic_keypoints/README.md")),
    ("lstm-classifier", include_str!("../../src/lstm_classifier/README.md")),
    ("temporal-smoother", include_str!("../../src/temporal_smoother/README.md")),
    ("feedback-throttle", include_str!("../../src/feedback_throttle/README.md")),
];
/// Frames of the test's video: more than a window.
const FRAMES: usize = 60;

/// A folder of the shared library alone. Cargo builds it with this test, among libraries that are no plugins.
fn plugin_folder() -> PathBuf {
    let library = std::env::current_exe().unwrap().with_file_name("libgstdactyl.so");
    assert!(library.is_file(), "no {}", library.display());
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("plugin");
    fs::create_dir_all(&folder).unwrap();
    let link = folder.join("libgstdactyl.so");
    // Another test may have made it already.
    let made = std::os::unix::fs::symlink(&library, &link);
    assert!(link.exists(), "{made:?}");
    folder
}

/// Runs a command of a shell with the plugin in sight, for a limited time.
fn launch(command: &str, folder: &Path) -> Output {
    Command::new("timeout")
        .args(["120", "sh", "-c", command])
        .current_dir(folder)
        .env("GST_PLUGIN_PATH", plugin_folder())
        // A registry of our own, so that no other version of the plugin is remembered.
        .env("GST_REGISTRY", Path::new(env!("CARGO_TARGET_TMPDIR")).join("gstreamer-registry.bin"))
        .output()
        .unwrap()
}

/// As [`launch`]. The command must succeed, and GLib must have nothing to say.
fn run(command: &str, folder: &Path) -> Output {
    let output = launch(command, folder);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command}\n{:?}\n{errors}", output.status);
    for word in ["CRITICAL", "WARNING", "ERROR"] {
        assert!(!errors.contains(word), "{command}\n{errors}");
    }
    output
}

/// A folder with a video: of a person where there are pictures of one, of a test pattern elsewhere.
fn folder_with_video() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let source = match shared(AVATAR) {
        Some(pictures) => format!(
            "multifilesrc location={}/%03d.png caps=image/png,framerate=15/1 ! pngdec",
            pictures.display()
        ),
        None => format!("videotestsrc num-buffers={FRAMES} ! video/x-raw,framerate=15/1"),
    };
    let command = format!(
        "gst-launch-1.0 -q {source} ! videoconvert ! jpegenc ! avimux ! filesink location=signing.avi"
    );
    run(&command, folder.path());
    folder
}

/// The commands in a README's fenced blocks.
fn commands(readme: &str) -> Vec<String> {
    readme
        .split("```sh\n")
        .skip(1)
        .map(|block| block.split("```").next().unwrap().replace("\\\n", " ").trim().to_owned())
        .collect()
}

fn run_commands(element: &str) -> (tempfile::TempDir, Vec<Output>) {
    let folder = folder_with_video();
    let readme = ELEMENTS.iter().find(|(name, _)| *name == element).unwrap().1;
    let commands = commands(readme);
    assert!(commands.len() >= 2, "{element} shows {} pipelines", commands.len());
    let outputs = commands.iter().map(|command| run(command, folder.path())).collect();
    (folder, outputs)
}

fn lines(output: &Output) -> Vec<String> {
    String::from_utf8_lossy(&output.stdout).lines().map(str::to_owned).collect()
}

/// Bytes of one frame's keypoints.
const KEYPOINTS: usize = dactyl_holistic::keypoints::BYTES;

#[test]
fn the_pipelines_of_holistic_keypoints_run() {
    let (folder, outputs) = run_commands("holistic-keypoints");
    let messages = lines(&outputs[0]).iter().filter(|line| line.contains("holistic-keypoints,")).count();
    assert_eq!(messages, FRAMES);
    let size = fs::metadata(folder.path().join("keypoints.f32")).unwrap().len();
    assert_eq!(size, u64::try_from(FRAMES * KEYPOINTS).unwrap());
}

#[test]
fn the_pipelines_of_lstm_classifier_run() {
    let folder = folder_with_video();
    // One of them reads what another element's README has written.
    run(&commands(ELEMENTS[0].1)[1], folder.path());
    let commands = commands(ELEMENTS[1].1);
    let messages = run(&commands[0], folder.path());
    let full = lines(&messages).iter().filter(|line| line.contains("probabilities=")).count();
    assert_eq!(full, FRAMES - 31);
    run(&commands[1], folder.path());
    let size = fs::metadata(folder.path().join("probabilities.f32")).unwrap().len();
    assert_eq!(size, u64::try_from((FRAMES - 31) * 26 * size_of::<f32>()).unwrap());
}

#[test]
fn holistic_keypoints_needs_no_onnx_runtime_and_lstm_classifier_does() {
    let folder = tempfile::tempdir().unwrap();
    let models = dactyl_config::find_or_place(&dactyl_config::Config::builtin().models.directory);
    std::os::unix::fs::symlink(models.join("tflite"), folder.path().join("tflite")).unwrap();
    // As where the plugin lies outside of the repository and nothing is configured.
    let command = |elements: &str| {
        format!(
            "env -u DACTYL_CONFIG -u DACTYL_INFERENCE__RUNTIME DACTYL_MODELS__DIRECTORY=/no/such/folder \
                gst-launch-1.0 -q videotestsrc num-buffers=1 ! videoconvert ! {elements} ! fakesink"
        )
    };
    let tracker = "holistic-keypoints models=.";
    run(&command(tracker), folder.path());
    let refused = launch(&command(&format!("{tracker} ! lstm-classifier")), folder.path());
    let errors = String::from_utf8_lossy(&refused.stderr);
    assert!(!refused.status.success(), "{errors}");
    assert!(errors.contains("/no/such/folder/libonnxruntime.so"), "{errors}");
}

#[test]
fn the_elements_ask_nobody_and_leave_nothing_in_the_home_folder() {
    let watch = Watch::new();
    let pipeline = "videotestsrc num-buffers=40 ! video/x-raw,width=64,height=48 ! videoconvert ! holistic-keypoints \
        ! lstm-classifier ! temporal-smoother ! feedback-throttle ! fakesink";
    let output = watch
        .command()
        .env("GST_PLUGIN_PATH", plugin_folder())
        .args(["gst-launch-1.0", "-q"])
        .args(pipeline.split_whitespace())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    watch.assert_kept_to_itself();
}

/// Keypoints of a video as the READMEs' pipeline gives them.
fn keypoints_of(video: &str, folder: &Path) -> Vec<f32> {
    let readme = ELEMENTS[0].1;
    run(&commands(readme)[1].replace("signing.avi", video), folder);
    let keypoints = fs::read(folder.join("keypoints.f32")).unwrap();
    keypoints.as_chunks().0.iter().map(|value| f32::from_le_bytes(*value)).collect()
}

/// Phones film sideways and say so in the file.
#[test]
fn a_video_that_lies_on_its_side_is_turned_upright() {
    let Some(pictures) = shared(AVATAR) else { return };
    let folder = tempfile::tempdir().unwrap();
    let film = |turn: &str, name: &str| {
        let command = format!(
            "gst-launch-1.0 -q multifilesrc location={}/%03d.png stop-index=9 caps=image/png,framerate=15/1 ! pngdec \
             ! {turn} videoconvert ! jpegenc quality=100 ! qtmux ! filesink location={name}",
            pictures.display()
        );
        run(&command, folder.path());
    };
    film("", "upright.mov");
    film("videoflip video-direction=90l !", "lying.mov");
    let path = folder.path().join("lying.mov");
    let mut lying = fs::read(&path).unwrap();
    let header = lying.windows(4).position(|name| name == b"tkhd").unwrap();
    // The matrix: a quarter turn to the right (ISO/IEC 14496-12, 8.3.2).
    let matrix = &mut lying[header + 44..header + 64];
    assert_eq!(matrix[..4], [0, 1, 0, 0]);
    matrix.copy_from_slice(&[0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF, 0, 0, 0, 0, 0, 0]);
    fs::write(&path, lying).unwrap();
    let [upright, lying] = ["upright.mov", "lying.mov"].map(|video| keypoints_of(video, folder.path()));
    assert_eq!(lying.len(), upright.len());
    // x and y of the body.
    let frames = lying.chunks(KEYPOINTS / 4).zip(upright.chunks(KEYPOINTS / 4));
    for (lying, upright) in frames.map(|(lying, upright)| (&lying[..33 * 4], &upright[..33 * 4])) {
        for (lying, upright) in lying.chunks(4).zip(upright.chunks(4)) {
            let off = (lying[0] - upright[0]).abs().max((lying[1] - upright[1]).abs());
            assert!(off < 0.02, "{lying:?} {upright:?}");
        }
    }
}

fn assert_feedback(output: &Output) {
    let lines = lines(output);
    assert!(!lines.is_empty());
    for line in lines {
        let feedback: serde_json::Value = serde_json::from_str(&line).unwrap();
        let feedback = feedback.as_object().unwrap();
        assert_eq!(feedback.len(), 2, "{line}");
        assert!(feedback["maxarg_letter"].is_string(), "{line}");
        assert!((0.0..=1.0).contains(&feedback["target_arg_prob"].as_f64().unwrap()), "{line}");
    }
}

#[test]
fn the_pipelines_of_temporal_smoother_run() {
    let (_folder, outputs) = run_commands("temporal-smoother");
    for output in &outputs {
        assert_feedback(output);
    }
}

#[test]
fn the_pipelines_of_feedback_throttle_run_and_the_overlay_loses_no_frame() {
    let (folder, outputs) = run_commands("feedback-throttle");
    assert_feedback(&outputs[0]);
    let count = "gst-launch-1.0 -v filesrc location=letters.avi ! avidemux ! fakesink silent=false sync=false | grep -c chain";
    let frames = lines(&run(count, folder.path()));
    assert_eq!(frames, [FRAMES.to_string()]);
}

#[test]
fn the_pipelines_of_the_project_run() {
    let folder = folder_with_video();
    let shown: Vec<String> = commands(include_str!("../../../docs/elements.md"))
        .into_iter()
        .filter(|command| command.starts_with("gst-launch-1.0"))
        .collect();
    assert_eq!(shown.len(), 2);
    assert_feedback(&run(&shown[0], folder.path()));
    run(&shown[1], folder.path());
    assert!(fs::metadata(folder.path().join("letters.avi")).unwrap().len() > 10_000);
}

#[test]
fn the_elements_behind_the_classifier_run_alone() {
    let folder = tempfile::tempdir().unwrap();
    let distributions: Vec<u8> = [[1.0f32, 0.0], [0.0, 1.0], [0.25, 0.75]]
        .as_flattened()
        .iter()
        .flat_map(|value| value.to_le_bytes())
        .collect();
    fs::write(folder.path().join("in.f32"), distributions).unwrap();
    let source = "gst-launch-1.0 -q filesrc location=in.f32 blocksize=8 \
        ! 'application/x-class-probabilities,format=F32LE,classes=2,labels=(string)<A,B>'";
    run(&format!("{source} ! temporal-smoother history=2 ! filesink location=out.f32"), folder.path());
    let smoothed: Vec<f32> = fs::read(folder.path().join("out.f32"))
        .unwrap()
        .chunks_exact(4)
        .map(|chunk| f32::from_le_bytes(chunk.try_into().unwrap()))
        .collect();
    assert_eq!(smoothed, [1.0, 0.0, 0.5, 0.5, 0.125, 0.875]);
    let feedback = format!("{source} ! feedback-throttle target=b min-interval=0 format=json-lines ! fdsink");
    assert_eq!(
        lines(&run(&feedback, folder.path())),
        [
            r#"{"maxarg_letter":"A","target_arg_prob":0.0}"#,
            r#"{"maxarg_letter":"B","target_arg_prob":1.0}"#,
            r#"{"maxarg_letter":"B","target_arg_prob":0.75}"#,
        ]
    );
}

#[test]
fn every_element_of_the_plugin_is_tested() {
    init();
    let elements = gst::Registry::get().features_by_plugin("dactyl");
    let mut registered: Vec<_> = elements.iter().map(|element| element.name().to_string()).collect();
    registered.sort();
    let mut tested = ELEMENTS.map(|(name, _)| name);
    tested.sort_unstable();
    assert_eq!(registered, tested);
}

#[test]
fn every_element_is_inspected_with_its_properties() {
    init();
    let folder = tempfile::tempdir().unwrap();
    for (name, _) in ELEMENTS {
        let text = lines(&run(&format!("gst-inspect-1.0 {name}"), folder.path())).join("\n");
        assert!(text.contains("Rank                     none (0)"), "{text}");
        let element = gst::ElementFactory::make(name).build().unwrap();
        for property in own_properties(&element) {
            assert!(text.contains(property.name()), "{text}");
        }
    }
}

#[test]
fn gst_inspect_says_that_the_elements_exist() {
    let folder = tempfile::tempdir().unwrap();
    for (name, _) in ELEMENTS {
        run(&format!("gst-inspect-1.0 --exists {name}"), folder.path());
    }
}

#[test]
fn an_element_starts_with_an_empty_dactyl_config() {
    let folder = tempfile::tempdir().unwrap();
    let pipeline =
        "gst-launch-1.0 -q fakesrc num-buffers=0 ! application/x-keypoints ! lstm-classifier ! fakesink";
    run(&format!("DACTYL_CONFIG= {pipeline}"), folder.path());
}

#[test]
fn an_element_warns_of_a_variable_with_one_underscore() {
    let folder = tempfile::tempdir().unwrap();
    let pipeline =
        "gst-launch-1.0 fakesrc num-buffers=0 ! application/x-keypoints ! lstm-classifier ! fakesink";
    let output = run(&format!("DACTYL_SMOOTHING_HISTORY=9 {pipeline} 2>&1"), folder.path());
    let said = lines(&output).join("\n");
    assert!(
        said.contains("DACTYL_SMOOTHING_HISTORY sets nothing; write DACTYL_SMOOTHING__HISTORY"),
        "{said}"
    );
}

/// The properties of the element itself.
fn own_properties(element: &gst::Element) -> Vec<gst::glib::ParamSpec> {
    let mut properties = element.list_properties().to_vec();
    properties.retain(|property| property.owner_type() == element.type_());
    properties
}

/// The value of a property as a README writes it: nicks for enumerations and flags.
fn written(value: &gst::glib::Value) -> String {
    if let Some((_, values)) = gst::glib::FlagsValue::from_value(value) {
        return values.iter().map(|value| value.nick()).collect::<Vec<_>>().join("+");
    }
    if let Some((_, value)) = gst::glib::EnumValue::from_value(value) {
        return value.nick().to_owned();
    }
    if let Ok(number) = value.get::<f32>() {
        return number.to_string();
    }
    if let Ok(text) = value.get::<Option<String>>() {
        return text.unwrap_or_default();
    }
    value.serialize().unwrap().to_string()
}

#[test]
fn the_tables_of_properties_are_the_elements() {
    init();
    for (name, readme) in ELEMENTS {
        let table: Vec<Vec<&str>> = readme
            .split("## Properties")
            .nth(1)
            .unwrap()
            .split("##")
            .next()
            .unwrap()
            .lines()
            .filter(|line| line.starts_with("| `"))
            .map(|line| line.split('|').map(|cell| cell.trim().trim_matches('`')).collect())
            .collect();
        let element = gst::ElementFactory::make(name).build().unwrap();
        let properties = own_properties(&element);
        let mut names: Vec<&str> = properties.iter().map(gst::glib::ParamSpec::name).collect();
        let mut rows: Vec<&str> = table.iter().map(|row| row[1]).collect();
        names.sort_unstable();
        rows.sort_unstable();
        assert_eq!(rows, names, "{name}");
        for row in &table {
            let property = properties.iter().find(|property| property.name() == row[1]).unwrap();
            assert_eq!(row[2], written(&element.property_value(row[1])), "default of {name} {}", row[1]);
            let changes = match property.flags() {
                flags if !flags.contains(gst::glib::ParamFlags::WRITABLE) => "never",
                flags if flags.contains(gst::PARAM_FLAG_MUTABLE_PLAYING) => "always",
                flags if flags.contains(gst::PARAM_FLAG_MUTABLE_READY) => "READY",
                flags => panic!("{name} {} has the flags {flags:?}", row[1]),
            };
            assert_eq!(row[4], changes, "{name} {}", row[1]);
            let blurb = property.blurb().unwrap();
            assert!(blurb.ends_with('.'), "one full sentence: {blurb}");
        }
    }
}

#[test]
fn every_readme_says_what_helps() {
    for (name, readme) in ELEMENTS {
        assert!(readme.starts_with(&format!("# {name}\n")));
        for part in
            ["## Caps", "## Properties", "## Pipelines", "## When something is wrong", "| symptom | cause |"]
        {
            assert!(readme.contains(part), "{name} lacks {part}");
        }
        assert!(readme.contains(&format!("`GST_DEBUG={name}:6 gst-launch-1.0 ...`")));
    }
}
