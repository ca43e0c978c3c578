//! `models` and `check`: what is there, what is missing, and the cure.

use std::fs;
use std::path::{Path, PathBuf};

use super::{Dir, dactyl, run};

/// The folder that set-up fills.
fn fetched() -> PathBuf {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../.cache/models");
    assert!(folder.join("pose_landmark.onnx").is_file(), "no models in {}: run make test", folder.display());
    folder
}

#[test]
fn an_empty_folder_lists_everything_as_missing_and_names_the_cure() {
    let dir = Dir::new();
    let (code, output, error) = run(dactyl(["models", "list", "--models"]).arg(dir.path()));
    assert_eq!((code, error.as_str()), (0, ""));
    for file in ["libonnxruntime.so", "pose_landmark.onnx", "hand_recrop.onnx"] {
        let line = output.lines().find(|line| line.trim_start().starts_with(file)).unwrap();
        assert!(line.contains("missing"), "{line}");
    }
    assert!(output.contains("`dactyl models fetch`"), "{output}");
}

#[test]
fn fetching_what_is_there_does_nothing() {
    let folder = fetched();
    let before = fs::metadata(folder.join("libonnxruntime.so")).unwrap().modified().unwrap();
    // Without pip, which would be needed to fetch anything.
    let (code, output, error) = run(dactyl(["models", "fetch"]).env("PATH", ""));
    assert_eq!((code, error.as_str()), (0, ""));
    assert!(output.contains("are all there already"), "{output}");
    assert_eq!(fs::metadata(folder.join("libonnxruntime.so")).unwrap().modified().unwrap(), before);
}

#[test]
fn a_folder_without_the_archives_is_an_error_that_names_the_file_to_bring() {
    let dir = Dir::new();
    let models = dir.path().join("models");
    // Both folders from where the command is given.
    let (code, _, error) =
        run(dactyl(["models", "fetch", "--from", ".", "--models", "models"]).current_dir(dir.path()));
    assert_eq!(code, 1);
    assert!(error.contains(&format!("the models can't be fetched into {}", models.display())), "{error}");
    assert!(error.contains("onnxruntime") && error.contains(".whl is missing"), "{error}");
    let visible =
        fs::read_dir(&models).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    assert_eq!(visible.filter(|name| !name.starts_with('.')).count(), 0);
}

#[test]
fn a_network_is_imported_as_set_up_imports_it() {
    let dir = Dir::new();
    let input = fetched().join("tflite/hand_recrop.tflite");
    let output = dir.path().join("hand.onnx");
    let (code, printed, error) = run(dactyl(["models", "import"]).arg(&input).arg(&output));
    assert_eq!((code, error.as_str()), (0, ""));
    assert!(printed.starts_with(output.to_str().unwrap()), "{printed}");
    assert!(fs::metadata(&output).unwrap().len() > 100_000);
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
}

#[test]
fn what_is_not_tflite_is_refused_and_nothing_is_written() {
    let dir = Dir::new();
    let input = dir.file("broken.tflite", "not a network");
    let output = dir.path().join("out.onnx");
    let (code, _, error) = run(dactyl(["models", "import"]).arg(&input).arg(&output));
    assert_eq!(code, 1);
    assert!(error.contains("broken.tflite"), "{error}");
    assert!(!output.exists());
}

#[test]
fn serving_without_networks_names_the_cure() {
    let dir = Dir::new();
    let (code, output, error) = run(dactyl(["serve", "--models"]).arg(dir.path()));
    assert_eq!((code, output.as_str()), (1, ""));
    assert!(error.contains("`dactyl models fetch`"), "{error}");
    assert!(error.contains("pose_landmark.onnx") && error.contains(dir.path().to_str().unwrap()), "{error}");
}

#[test]
fn checking_without_networks_names_every_missing_file_and_the_cure() {
    let dir = Dir::new();
    let (code, output, _) = run(dactyl(["check", "--models"]).arg(dir.path()));
    assert_eq!(code, 1);
    for file in ["libonnxruntime.so", "pose_landmark.onnx", "face_detection.onnx"] {
        let problem =
            format!("WRONG  {} is missing. Run `dactyl models fetch`", dir.path().join(file).display());
        assert!(output.contains(&problem), "{output}");
    }
}

#[test]
fn a_damaged_network_is_found() {
    let dir = Dir::new();
    for entry in fs::read_dir(fetched()).unwrap() {
        let path = entry.unwrap().path();
        if path.is_file() {
            std::os::unix::fs::symlink(&path, dir.path().join(path.file_name().unwrap())).unwrap();
        }
    }
    let damaged = dir.path().join("hand_landmark.onnx");
    fs::remove_file(&damaged).unwrap();
    fs::write(&damaged, "not a network").unwrap();
    let (code, output, _) = run(dactyl(["check", "--models"]).arg(dir.path()));
    assert_eq!(code, 1);
    assert!(output.contains(&format!("WRONG  {} is not what", damaged.display())), "{output}");
}

#[test]
fn the_log_is_one_json_object_a_line_with_gstreamers_messages_when_asked_for() {
    let dir = Dir::new();
    let check = |gst_debug: &str| {
        let (_, _, log) = run(dactyl(["check", "--log-format", "json", "--models"])
            .arg(dir.path())
            .env("GST_DEBUG", gst_debug));
        let parse = |line: &str| serde_json::from_str::<serde_json::Value>(line).unwrap();
        log.lines().map(parse).collect::<Vec<_>>()
    };
    let of_gstreamer =
        |lines: &[serde_json::Value]| lines.iter().filter(|line| line["target"] == "gstreamer").count();
    assert_eq!(of_gstreamer(&check("")), 0);
    let lines = check("GST_PLUGIN_LOADING:5");
    assert!(of_gstreamer(&lines) > 0, "{lines:?}");
    assert!(lines.iter().any(|line| line["fields"]["category"] == "GST_PLUGIN_LOADING"), "{lines:?}");
}
