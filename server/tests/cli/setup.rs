//! `models` and `check`: what is there, what is missing, and the cure.

use std::fs;
use std::path::{Path, PathBuf};

use super::{Dir, dactyl, run};

/// The folder that set-up fills.
fn fetched() -> PathBuf {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../.cache/models");
    assert!(
        folder.join("tflite/pose_landmark.tflite").is_file(),
        "no models in {}: run make test",
        folder.display()
    );
    folder
}

#[test]
fn an_empty_folder_lists_everything_as_missing_and_names_the_cure() {
    let dir = Dir::new();
    let (code, output, error) = run(dactyl(["models", "list", "--models"]).arg(dir.path()));
    assert_eq!((code, error.as_str()), (0, ""));
    for file in ["libonnxruntime.so", "tflite/pose_landmark.tflite", "tflite/hand_recrop.tflite"] {
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
fn serving_without_networks_names_the_cure() {
    let dir = Dir::new();
    let (code, output, error) = run(dactyl(["serve", "--models"]).arg(dir.path()));
    assert_eq!((code, output.as_str()), (1, ""));
    assert!(error.contains("`dactyl models fetch`"), "{error}");
    assert!(
        error.contains("tflite/pose_landmark.tflite") && error.contains(dir.path().to_str().unwrap()),
        "{error}"
    );
}

#[test]
fn checking_without_networks_names_every_missing_file_and_the_cure() {
    let dir = Dir::new();
    let (code, output, _) = run(dactyl(["check", "--models"]).arg(dir.path()));
    assert_eq!(code, 1);
    for file in ["libonnxruntime.so", "tflite/pose_landmark.tflite", "tflite/face_detection.tflite"] {
        let problem =
            format!("WRONG  {} is missing. Run `dactyl models fetch`", dir.path().join(file).display());
        assert!(output.contains(&problem), "{output}");
    }
}

#[test]
fn a_server_that_takes_landmarks_alone_needs_no_networks() {
    let dir = Dir::new();
    let library = "libonnxruntime.so";
    std::os::unix::fs::symlink(fetched().join(library), dir.path().join(library)).unwrap();
    let check = |pipeline| run(dactyl(["check", "--pipeline", pipeline, "--models"]).arg(dir.path()));
    let (code, output, _) = check("landmarks");
    assert_eq!(code, 0, "{output}");
    assert!(
        output.contains("tflite/pose_landmark.tflite is missing; no pipeline takes pictures"),
        "{output}"
    );
    let (code, output, _) = check("recognise");
    assert_eq!(code, 1, "{output}");
}

#[test]
fn a_damaged_network_is_found() {
    let dir = Dir::new();
    let link = |file: &str| std::os::unix::fs::symlink(fetched().join(file), dir.path().join(file)).unwrap();
    link("libonnxruntime.so");
    let damaged = dir.file("tflite/hand_landmark.tflite", "not a network");
    for entry in fs::read_dir(fetched().join("tflite")).unwrap() {
        let name = entry.unwrap().file_name();
        if name != "hand_landmark.tflite" {
            link(&format!("tflite/{}", name.to_str().unwrap()));
        }
    }
    let (code, output, _) = run(dactyl(["check", "--models"]).arg(dir.path()));
    assert_eq!(code, 1);
    assert!(output.contains(&format!("WRONG  {} is not what", damaged.display())), "{output}");
    assert_eq!(output.matches("WRONG").count(), 1, "{output}");
}

/// Once, and not for each network.
#[test]
fn a_processor_without_vectors_is_refused_with_what_it_lacks() {
    for command in ["serve", "check"] {
        let (code, output, error) =
            run(dactyl([command, "--models"]).arg(fetched()).env("DACTYL_INSTRUCTIONS", "none"));
        assert_eq!(code, 1, "{command}: {output}{error}");
        let said = output + &error;
        assert_eq!(said.matches("this processor lacks ").count(), 1, "{command}: {said}");
    }
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
