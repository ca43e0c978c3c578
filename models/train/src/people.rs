//! `dactyl-train people`: the landmarks of further people, fetched from where they were published.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail, ensure};
use clap::Args;
use dactyl_fetch::hash_bytes;
use indicatif::{ProgressBar, ProgressStyle};
use serde::Deserialize;

use crate::data::alphabet;
use crate::hands_file::{self, Handedness};
use crate::import;
use crate::landmark_folder;
use crate::landmark_table::{self, Columns, Row};

/// Where to put them.
#[derive(Args)]
pub struct People {
    /// Who they are and where their landmarks lie.
    #[arg(long, default_value = "models/train/people.toml")]
    manifest: PathBuf,
    /// Folder for `hands/`, for `other/` (what is no letter) and for what was fetched; what is there is not fetched again.
    #[arg(long)]
    out: PathBuf,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Manifest {
    person: Vec<Person>,
}

/// One person's published landmarks.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Person {
    /// Name of the set.
    name: String,
    /// What git fetches from.
    repository: String,
    /// The commit, in full.
    commit: String,
    /// What the repository says that its content may be used under.
    #[expect(dead_code, reason = "for readers of the manifest")]
    licence: String,
    #[serde(default)]
    files: Vec<Source>,
    /// Instead of files, a folder of films as [`landmark_folder::read`] reads it: the commit vouches for its content.
    folder: Option<String>,
    #[serde(default)]
    columns: Columns,
    /// Labels are numbers, 0 for A, and not letters.
    #[serde(default)]
    numbered: bool,
    /// Width of the pictures by their height, where x and y are given in parts of them.
    picture: Option<[f32; 2]>,
    #[serde(default)]
    side: Handedness,
    /// Letters that are left out, and why.
    #[serde(default)]
    without: BTreeMap<String, String>,
    /// Labels of what is no letter and has no letter's shape, and what it is.
    #[serde(default)]
    others: BTreeMap<String, String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Source {
    path: String,
    sha256: String,
}

/// Fetches and writes every set of the manifest, and returns a summary.
///
/// # Errors
/// A manifest, a repository or a file that is not there or not as it was.
pub fn people(options: &People, bar: &ProgressBar) -> Result<String> {
    let path = options.manifest.display();
    let text = fs::read_to_string(&options.manifest).with_context(|| format!("{path} can't be read"))?;
    let manifest: Manifest = toml::from_str(&text).with_context(|| format!("{path} is no list of people"))?;
    bar.set_length(manifest.person.len() as u64);
    bar.set_style(ProgressStyle::with_template("{bar:30} {pos}/{len} people, {msg}")?);
    for person in &manifest.person {
        bar.set_message(person.name.clone());
        person.write(&options.out).with_context(|| person.name.clone())?;
        bar.inc(1);
    }
    bar.finish();
    Ok(format!("{}: {} people", options.out.join("hands").display(), manifest.person.len()))
}

impl Person {
    fn write(&self, out: &Path) -> Result<()> {
        let kept = out.join("fetched");
        fs::create_dir_all(&kept).with_context(|| format!("{} can't be made", kept.display()))?;
        let mut repository = None;
        let mut rows = Vec::new();
        for Source { path, sha256 } in &self.files {
            let copy = kept.join(sha256);
            let bytes = match fs::read(&copy) {
                Ok(bytes) if hash_bytes(&bytes) == *sha256 => bytes,
                _ => {
                    let repository = match &repository {
                        Some(fetched) => fetched,
                        None => repository.insert(Repository::fetch(&self.repository, &self.commit)?),
                    };
                    let bytes = repository.file(&self.commit, path)?;
                    let found = hash_bytes(&bytes);
                    ensure!(
                        found == *sha256,
                        "{path} has the SHA-256 {found}, not {sha256}: it is another file than the manifest means"
                    );
                    fs::write(&copy, &bytes)
                        .with_context(|| format!("{} can't be written", copy.display()))?;
                    bytes
                }
            };
            let films = rows.iter().filter_map(|row: &Row| row.film).max().map_or(0, |film| film + 1);
            rows.extend(self.rows(path, bytes, films).with_context(|| format!("{path} is not as expected"))?);
        }
        if let Some(folder) = &self.folder {
            let copy = kept.join(&self.commit);
            if !copy.exists() {
                Repository::fetch(&self.repository, &self.commit)?.check_out(&self.commit, folder, &copy)?;
            }
            rows.extend(landmark_folder::read(&copy.join(folder), self.columns)?);
        }
        ensure!(!rows.is_empty(), "the manifest names neither `files` nor a `folder` with a hand");
        let others = self.others(&rows);
        let letters = self.letters(rows)?;
        ensure!(!letters.is_empty() || !others.is_empty(), "no row is a letter or one of `others`");
        let aspect = self.picture.map_or(1.0, |[width, height]| width / height);
        for (folder, rows) in [("hands", letters), ("other", others)] {
            if !rows.is_empty() {
                let path = out.join(folder).join(&self.name).with_extension("npz");
                hands_file::write(&path, &rows, aspect, self.side)?;
            }
        }
        Ok(())
    }

    /// Those hands that show no letter, by what they show.
    fn others(&self, rows: &[Row]) -> Vec<Row> {
        let named = |row: &Row| Some(Row { label: self.others.get(&row.label)?.clone(), ..row.clone() });
        rows.iter().filter_map(named).collect()
    }

    /// The hands of a file.
    fn rows(&self, path: &str, bytes: Vec<u8>, films: i32) -> Result<Vec<Row>> {
        let (stem, extension) = path.rsplit_once('.').unwrap_or((path, ""));
        let stem = stem.rsplit('/').next().unwrap_or(stem);
        match extension {
            "csv" => landmark_table::csv(bytes.as_slice(), self.columns, stem),
            "pickle" => landmark_table::pickle(&bytes),
            "h5" => landmark_table::hdf5(bytes, stem, films),
            _ => bail!("no file of this kind can be read: .csv, .pickle and .h5 can"),
        }
    }

    /// Those hands that show a letter, by its name, without those that are left out.
    fn letters(&self, mut rows: Vec<Row>) -> Result<Vec<Row>> {
        let letters = alphabet();
        let letters: Vec<&str> = letters.iter().map(String::as_str).collect();
        if self.numbered {
            // Numbers behind Z are other signs.
            rows.retain(|row| row.label.parse::<usize>().is_ok_and(|number| number < letters.len()));
            import::name(&mut rows, &letters)?;
        }
        for row in &mut rows {
            row.label.make_ascii_uppercase();
        }
        rows.retain(|row| letters.contains(&row.label.as_str()) && !self.without.contains_key(&row.label));
        Ok(rows)
    }
}

/// A copy of one commit, of which git fetches only the files that are asked for.
struct Repository {
    folder: tempfile::TempDir,
}

impl Repository {
    fn fetch(url: &str, commit: &str) -> Result<Self> {
        let repository = Self { folder: tempfile::tempdir()? };
        repository.git(&["init", "--quiet", "--bare"])?;
        for (key, value) in [("url", url), ("promisor", "true"), ("partialclonefilter", "blob:none")] {
            repository.git(&["config", &format!("remote.origin.{key}"), value])?;
        }
        repository
            .git(&["fetch", "--quiet", "--depth", "1", "--filter", "blob:none", "origin", commit])
            .with_context(|| {
                format!("{url} can't be fetched at {commit}: is it still there, and is there a network?")
            })?;
        Ok(repository)
    }

    fn file(&self, commit: &str, path: &str) -> Result<Vec<u8>> {
        self.git(&["cat-file", "blob", &format!("{commit}:{path}")])
            .with_context(|| format!("{path} can't be had from {commit}"))
    }

    /// Writes a folder of the commit to `copy`, all of it or nothing.
    fn check_out(&self, commit: &str, folder: &str, copy: &Path) -> Result<()> {
        let parent = copy.parent().unwrap_or(Path::new("."));
        let work_tree = tempfile::tempdir_in(parent)?;
        let files = work_tree.path().to_string_lossy();
        self.git(&["--work-tree", &files, "checkout", "--quiet", commit, "--", folder])
            .with_context(|| format!("{folder} can't be had from {commit}"))?;
        fs::rename(work_tree.path(), copy).with_context(|| format!("{} can't be written", copy.display()))
    }

    fn git(&self, arguments: &[&str]) -> Result<Vec<u8>> {
        let output = Command::new("git")
            .arg("--git-dir")
            .arg(self.folder.path())
            .args(arguments)
            // A repository that is gone must not ask for a password.
            .env("GIT_TERMINAL_PROMPT", "0")
            .stdin(Stdio::null())
            .output()
            .context("git can't be started: install it")?;
        ensure!(
            output.status.success(),
            "git {}: {}",
            arguments.first().unwrap_or(&""),
            String::from_utf8_lossy(&output.stderr).trim()
        );
        Ok(output.stdout)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data;

    fn git(folder: &Path, arguments: &[&str]) -> String {
        let output = Command::new("git")
            .args(["-c", "user.name=a", "-c", "user.email=a@example.org", "-c", "commit.gpgsign=false"])
            .args(arguments)
            .current_dir(folder)
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    /// A repository with one invented table, and a manifest of it.
    fn published(folder: &Path, table: &str) -> (PathBuf, String) {
        let repository = folder.join("repository");
        fs::create_dir_all(repository.join("data")).unwrap();
        fs::write(repository.join("data/table.csv"), table).unwrap();
        git(&repository, &["init", "--quiet"]);
        git(&repository, &["add", "."]);
        git(&repository, &["commit", "--quiet", "-m", "Publish"]);
        let commit = git(&repository, &["rev-parse", "HEAD"]);
        let manifest = format!(
            "[[person]]\nname = \"somebody\"\nrepository = \"file://{}\"\ncommit = \"{commit}\"\n\
             licence = \"MIT\"\nfiles = [{{ path = \"data/table.csv\", sha256 = \"{}\" }}]\n\
             numbered = true\nside = \"mirrored\"\nwithout = {{ C = \"another sign\" }}\n",
            repository.display(),
            hash_bytes(table.as_bytes())
        );
        (repository, manifest)
    }

    fn run(folder: &Path, manifest: &str) -> Result<String> {
        fs::write(folder.join("people.toml"), manifest)?;
        let options = People { manifest: folder.join("people.toml"), out: folder.join("more") };
        people(&options, &ProgressBar::hidden())
    }

    #[test]
    fn published_landmarks_become_a_set_and_are_kept() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        let points: Vec<String> = (0..42).map(|value| format!("0.{value:02}")).collect();
        let points = points.join(",");
        // 0 to 3 are A to D, 30 is no letter.
        let table: String = [0, 0, 1, 2, 3, 30].map(|label| format!("{label},{points}\n")).concat();
        let (repository, manifest) = published(folder, &table);
        run(folder, &manifest).unwrap();
        fs::create_dir(folder.join("full")).unwrap();
        let data = data::read(folder, Some(&folder.join("more")), &[]).unwrap();
        assert_eq!(data.labels, ["A", "B", "D"]);
        assert!(data.signers[0].is_further && data.signers[0].name == "somebody");
        assert_eq!(data.signers[0].clips[0].frames.len(), 2);

        fs::remove_dir_all(&repository).unwrap();
        run(folder, &manifest).unwrap();
        fs::remove_dir_all(folder.join("more/fetched")).unwrap();
        let gone = format!("{:#}", run(folder, &manifest).unwrap_err());
        assert!(gone.contains("somebody") && gone.contains("is it still there"), "{gone}");
    }

    #[test]
    fn what_is_no_letter_becomes_a_set_of_its_own() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        let points: Vec<String> = (0..42).map(|value| format!("0.{value:02}")).collect();
        let points = points.join(",");
        let table: String = [0, 1, 1, 2].map(|label| format!("{label},{points}\n")).concat();
        let (_, manifest) = published(folder, &table);
        let manifest = manifest.replace("numbered = true\n", "others = { 1 = \"open hand\" }\n");
        run(folder, &manifest).unwrap();
        assert!(!folder.join("more/hands").exists(), "it has no letters");
        let file = fs::File::open(folder.join("more/other/somebody.npz")).unwrap();
        let labels = crate::keypoint_file::labels(&mut ndarray_npy::NpzReader::new(file).unwrap()).unwrap();
        assert_eq!(labels, ["open hand", "open hand"]);

        let neither = manifest.replace("1 = ", "9 = ");
        let error = format!("{:#}", run(folder, &neither).unwrap_err());
        assert!(error.contains("no row is a letter or one of `others`"), "{error}");
    }

    #[test]
    fn a_published_folder_of_films_becomes_a_set_and_is_kept() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        let (repository, manifest) = published(folder, "");
        for (label, film) in [("a", 0), ("j", 0), ("j", 1), ("hello", 0)] {
            let frames = repository.join(format!("films/{label}/{film}"));
            fs::create_dir_all(&frames).unwrap();
            let hand = ndarray::Array1::from_iter((1..64).map(|value: u8| f64::from(value) / 64.0));
            for frame in 0..3 {
                ndarray_npy::write_npy(frames.join(format!("{frame}.npy")), &hand).unwrap();
            }
        }
        git(&repository, &["add", "."]);
        git(&repository, &["commit", "--quiet", "-m", "Publish films"]);
        let commit = git(&repository, &["rev-parse", "HEAD"]);
        let first = manifest.split('"').nth(5).unwrap();
        let (head, _) = manifest.split_once("files").unwrap();
        let manifest = format!("{}folder = \"films\"\n", head.replace(first, &commit));
        run(folder, &manifest).unwrap();
        fs::remove_dir_all(&repository).unwrap();
        run(folder, &manifest).unwrap();
        fs::create_dir(folder.join("full")).unwrap();
        let data = data::read(folder, Some(&folder.join("more")), &[]).unwrap();
        assert_eq!(data.labels, ["A", "J"], "hello is no letter");
        let films = data.signers[0].clips.iter().map(|clip| (clip.letter, clip.frames.len()));
        assert_eq!(films.collect::<Vec<_>>(), [(0, 3), (1, 3), (1, 3)]);
    }

    #[test]
    fn a_person_without_landmarks_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let (_, manifest) = published(folder.path(), "");
        let (head, _) = manifest.split_once("files").unwrap();
        let error = format!("{:#}", run(folder.path(), head).unwrap_err());
        assert!(error.contains("neither `files` nor a `folder`"), "{error}");
    }

    #[test]
    fn another_file_than_the_manifest_means_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let (_, manifest) = published(folder.path(), "0,1\n");
        let error = format!("{:#}", run(folder.path(), &manifest).unwrap_err());
        assert!(error.contains("data/table.csv is not as expected: line 1 has 1 coordinates"), "{error}");
        let digest = hash_bytes(b"0,1\n");
        let other = format!("{:#}", run(folder.path(), &manifest.replace(&digest, "00")).unwrap_err());
        assert!(other.contains(&format!("has the SHA-256 {digest}, not 00")), "{other}");
    }

    #[test]
    fn the_manifest_of_the_repository_is_one() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("people.toml");
        let manifest: Manifest = toml::from_str(&fs::read_to_string(path).unwrap()).unwrap();
        for person in &manifest.person {
            assert!(
                person.commit.len() == 40 && person.repository.starts_with("https://"),
                "{}",
                person.name
            );
            assert!(person.files.iter().all(|file| file.sha256.len() == 64), "{}", person.name);
            assert!(person.files.is_empty() == person.folder.is_some(), "{}", person.name);
        }
    }
}
