//! The fetcher against archives made here and a pip that is a shell script.

use std::os::unix::fs::PermissionsExt;

use tempfile::TempDir;
use zip::write::SimpleFileOptions;

use super::*;

/// Name of the test archive and its members.
const ARCHIVE: &str = "net-1.0-py3-none-any.whl";

/// A models folder that is not there yet, an archive, and a manifest that wants two members of it.
struct Setting {
    root: TempDir,
    manifest: Manifest,
}

impl Setting {
    fn new() -> Self {
        let root = TempDir::new().unwrap();
        fs::create_dir(root.path().join("archives")).unwrap();
        let path = root.path().join("archives").join(ARCHIVE);
        let mut zip = zip::ZipWriter::new(File::create(&path).unwrap());
        for (name, content) in [("net/one", "first"), ("net/two", "second"), ("net/x.py", "x")] {
            zip.start_file(name, SimpleFileOptions::default()).unwrap();
            zip.write_all(content.as_bytes()).unwrap();
        }
        zip.finish().unwrap();
        let member = |path: &str, file: &str, content: &str| Member {
            path: path.to_owned(),
            file: file.to_owned(),
            sha256: hex(&Sha256::digest(content)),
        };
        let manifest = Manifest {
            archives: vec![Archive {
                package: "net".to_owned(),
                version: "1.0".to_owned(),
                file: ARCHIVE.to_owned(),
                sha256: hash_file(&path).unwrap().unwrap(),
                licence: "MIT".to_owned(),
                source: "https://example.org".to_owned(),
                members: vec![member("net/one", "one", "first"), member("net/two", "deep/two", "second")],
            }],
        };
        Self { root, manifest }
    }

    fn archives(&self) -> PathBuf {
        self.root.path().join("archives")
    }

    fn models(&self) -> PathBuf {
        self.root.path().join("models")
    }

    /// A pip that runs these shell lines; `$DIR` is the folder of `-d`, `$REQUIREMENTS` the file of `-r`. It notes each
    /// call with its arguments.
    fn pip(&self, lines: &str) -> Archives {
        let path = self.root.path().join("pip");
        let root = self.root.path().display();
        let script = format!(
            "#!/bin/sh\necho \"$@\" >> {root}/calls\nwhile [ $# -gt 0 ]; do\n  case $1 in\n    -d) DIR=$2 ;;\n    \
             -r) REQUIREMENTS=$2 ;;\n  esac\n  shift\ndone\n{lines}\n"
        );
        // A script that is open for writing in one process cannot be run by another, so it is moved into place whole.
        let draft = self.root.path().join("pip.draft");
        fs::write(&draft, script).unwrap();
        fs::set_permissions(&draft, fs::Permissions::from_mode(0o755)).unwrap();
        fs::rename(&draft, &path).unwrap();
        Archives::Pip(vec![Pip::program(Path::new("/nonexistent/pip")), Pip::program(&path)])
    }

    fn good_pip(&self) -> Archives {
        self.pip(&format!(
            "cp {}/{ARCHIVE} $DIR && cat $REQUIREMENTS >> {}/calls",
            self.archives().display(),
            self.root.path().display()
        ))
    }

    fn calls(&self) -> String {
        fs::read_to_string(self.root.path().join("calls")).unwrap_or_default()
    }

    fn ensure(&self, archives: &Archives) -> (Result<(), FetchError>, Vec<Progress>) {
        let mut steps = Vec::new();
        let result = ensure_manifest(&self.manifest, &self.models(), archives, &mut |step| {
            steps.push(step);
        });
        (result, steps)
    }

    /// Everything in the models folder but the lock.
    fn files(&self) -> Vec<String> {
        let mut found = Vec::new();
        let mut folders = vec![self.models()];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(&folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                } else {
                    let name = path.strip_prefix(self.models()).unwrap();
                    found.push(name.display().to_string());
                }
            }
        }
        found.retain(|name| name != LOCK);
        found.sort();
        found
    }
}

#[test]
fn first_run_downloads_and_unpacks_only_what_is_wanted() {
    let setting = Setting::new();
    let (result, steps) = setting.ensure(&setting.good_pip());
    result.unwrap();
    assert_eq!(setting.files(), ["deep/two", "one"]);
    assert_eq!(fs::read(setting.models().join("deep/two")).unwrap(), b"second");
    let name = |text: &str| text.to_owned();
    assert_eq!(
        steps,
        [
            Progress::Downloading { package: name("net 1.0") },
            Progress::Verifying { archive: name(ARCHIVE) },
            Progress::Unpacking { file: name("one") },
            Progress::Unpacking { file: name("deep/two") },
        ]
    );
    let calls = setting.calls();
    for argument in [
        "download --no-deps --require-hashes --only-binary=:all:",
        "--platform manylinux_2_28_x86_64 --python-version 3.11",
        &setting.manifest.archives[0].requirement(),
    ] {
        assert!(calls.contains(argument), "{argument} is not in {calls}");
    }
}

#[test]
fn second_run_needs_no_network() {
    let setting = Setting::new();
    setting.ensure(&setting.good_pip()).0.unwrap();
    let offline = setting.pip("exit 1");
    let calls = setting.calls();
    let (result, steps) = setting.ensure(&offline);
    result.unwrap();
    assert_eq!(steps, [Progress::Complete]);
    assert_eq!(setting.calls(), calls);
}

#[test]
fn complete_folder_is_not_written_to() {
    let setting = Setting::new();
    setting.ensure(&setting.good_pip()).0.unwrap();
    // Whatever would take the lock fails now.
    fs::remove_file(setting.models().join(LOCK)).unwrap();
    fs::create_dir(setting.models().join(LOCK)).unwrap();
    setting.ensure(&setting.good_pip()).0.unwrap();
}

#[test]
fn changed_and_missing_files_are_mended() {
    let setting = Setting::new();
    setting.ensure(&setting.good_pip()).0.unwrap();
    fs::write(setting.models().join("one"), "spoilt").unwrap();
    fs::remove_file(setting.models().join("deep/two")).unwrap();
    let states = |setting: &Setting| {
        let all = list_manifest(&setting.manifest, &setting.models()).unwrap();
        all.into_iter().map(|status| status.state).collect::<Vec<_>>()
    };
    assert_eq!(states(&setting), [FileState::Changed, FileState::Missing]);
    let (result, _) = setting.ensure(&Archives::Directory(setting.archives()));
    result.unwrap();
    assert_eq!(states(&setting), [FileState::Ready, FileState::Ready]);
    assert_eq!(fs::read(setting.models().join("one")).unwrap(), b"first");
}

#[test]
fn wrong_hash_is_refused_with_both_hashes_named() {
    let setting = Setting::new();
    let pip = setting.pip(&format!("echo other > $DIR/{ARCHIVE}"));
    let (result, _) = setting.ensure(&pip);
    let message = result.unwrap_err().to_string();
    let found = hex(&Sha256::digest("other\n"));
    assert!(message.contains(&found), "{message}");
    assert!(message.contains(&setting.manifest.archives[0].sha256), "{message}");
    assert!(setting.files().is_empty(), "{:?}", setting.files());
}

#[test]
fn member_with_a_wrong_hash_is_refused() {
    let mut setting = Setting::new();
    setting.manifest.archives[0].members[1].sha256 = "0".repeat(64);
    let (result, _) = setting.ensure(&Archives::Directory(setting.archives()));
    let error = result.unwrap_err();
    assert!(matches!(error, FetchError::WrongHash { .. }), "{error}");
    // Not even the member that was right is left.
    assert!(setting.files().is_empty(), "{:?}", setting.files());
}

#[test]
fn failing_download_says_what_pip_said_and_leaves_nothing() {
    let setting = Setting::new();
    let pip = setting.pip("echo half > $DIR/half; echo 'no route to host' >&2; exit 3");
    let (result, _) = setting.ensure(&pip);
    let message = result.unwrap_err().to_string();
    assert!(message.contains("net 1.0"), "{message}");
    assert!(message.contains("no route to host"), "{message}");
    assert!(setting.files().is_empty(), "{:?}", setting.files());
}

#[test]
fn pip_that_succeeds_without_a_file_is_a_failure() {
    let setting = Setting::new();
    let (result, _) = setting.ensure(&setting.pip("true"));
    let error = result.unwrap_err();
    assert!(matches!(error, FetchError::Download { .. }), "{error}");
}

#[test]
fn killed_download_is_cleared_away_by_the_next_run() {
    let setting = Setting::new();
    // What a killed process leaves: a staging folder with half a file in it.
    fs::create_dir_all(setting.models().join(STAGING).join("download")).unwrap();
    fs::write(setting.models().join(STAGING).join("download").join(ARCHIVE), "half").unwrap();
    // And the download itself is interrupted by a signal.
    let (result, _) = setting.ensure(&setting.pip("kill -9 $$"));
    let error = result.unwrap_err();
    assert!(error.to_string().contains("signal"), "{error}");
    assert!(setting.files().is_empty(), "{:?}", setting.files());

    setting.ensure(&setting.good_pip()).0.unwrap();
    assert_eq!(setting.files(), ["deep/two", "one"]);
}

#[test]
fn machine_without_pip_is_told_what_to_do() {
    let setting = Setting::new();
    let none = Archives::Pip(vec![Pip::program(Path::new("/nonexistent/pip"))]);
    let (result, _) = setting.ensure(&none);
    let message = result.unwrap_err().to_string();
    assert!(message.contains("python3-pip"), "{message}");
    assert!(message.contains("--from"), "{message}");

    let python = setting.pip("echo \"python3: No module named pip\" >&2; exit 1");
    let (result, _) = setting.ensure(&python);
    assert!(matches!(result, Err(FetchError::NoPip)));
}

#[test]
fn folder_without_the_archive_is_told_which() {
    let setting = Setting::new();
    let (result, _) = setting.ensure(&Archives::Directory(setting.root.path().to_owned()));
    let message = result.unwrap_err().to_string();
    assert!(message.contains(ARCHIVE), "{message}");
}

#[test]
fn archive_that_is_no_zip_is_named() {
    let mut setting = Setting::new();
    fs::write(setting.archives().join(ARCHIVE), "no zip").unwrap();
    setting.manifest.archives[0].sha256 = hex(&Sha256::digest("no zip"));
    let (result, _) = setting.ensure(&Archives::Directory(setting.archives()));
    let error = result.unwrap_err();
    assert!(matches!(error, FetchError::Archive { .. }), "{error}");
    assert!(error.to_string().contains(ARCHIVE), "{error}");
}

#[test]
fn concurrent_runs_wait_for_each_other() {
    let setting = Setting::new();
    let slow = setting.pip(&format!("sleep 0.3; cp {}/{ARCHIVE} $DIR", setting.archives().display()));
    std::thread::scope(|scope| {
        let runs: Vec<_> = (0..3).map(|_| scope.spawn(|| setting.ensure(&slow).0)).collect();
        for run in runs {
            run.join().unwrap().unwrap();
        }
    });
    assert_eq!(setting.calls().lines().count(), 1);
}
