//! `dactyl-train import`: a table or folder of hand landmarks that another program recorded becomes a set.

use std::fs::File;
use std::path::PathBuf;

use anyhow::{Context, Result, ensure};
use clap::Args;

use crate::data;
use crate::hands_file::{self, Handedness};
use crate::landmark_folder;
use crate::landmark_table::{self, Columns, Row};

/// What to import.
#[derive(Args)]
pub struct Import {
    /// CSV file: one hand a line, its label and the 21 landmarks in MediaPipe's order, such as `keypoint.csv`. Or a folder of
    /// `LABEL/FILM/FRAME.npy`, such as `MP_Data`, of `LABEL.npy` or of `LABEL.csv`.
    table: PathBuf,
    /// File to write: `hands/NAME.npz` in a folder of sets.
    #[arg(long)]
    out: PathBuf,
    /// File with one label a line, such as `keypoint_classifier_label.csv`, if the table holds their numbers from 0.
    #[arg(long)]
    labels: Option<PathBuf>,
    #[command(flatten)]
    columns: Columns,
    /// Width and height of the pictures, such as 640x480, if x and y are given in parts of them and not in pixels.
    #[arg(long, value_parser = aspect)]
    picture: Option<f32>,
    /// Which hand the table shows: the popular recognisers watch a mirrored picture.
    #[arg(long, value_enum, default_value_t = Handedness::Right)]
    side: Handedness,
    /// Labels to leave out.
    #[arg(long, value_delimiter = ',')]
    without: Vec<String>,
    /// Keep nothing but A to Z, written as capitals.
    #[arg(long)]
    alphabet: bool,
}

/// Writes the set and returns a summary.
///
/// # Errors
/// A table that is not as the options say, or files that can't be read or written.
pub fn import(options: &Import) -> Result<String> {
    let Import { table, out, labels, columns, picture, side, without, alphabet } = options;
    let mut rows = if table.is_dir() {
        landmark_folder::read(table, *columns)?
    } else {
        let unreadable = || format!("{} can't be read", table.display());
        let name = table.file_stem().unwrap_or_default().to_string_lossy();
        landmark_table::csv(File::open(table).with_context(unreadable)?, *columns, &name)
            .with_context(unreadable)?
    };
    if let Some(path) = labels {
        let text =
            std::fs::read_to_string(path).with_context(|| format!("{} can't be read", path.display()))?;
        let names: Vec<&str> = text.trim_start_matches('\u{feff}').lines().map(str::trim).collect();
        name(&mut rows, &names)
            .with_context(|| format!("{} does not fit {}", path.display(), table.display()))?;
    }
    if *alphabet {
        rows.iter_mut().for_each(|row| row.label.make_ascii_uppercase());
        let letters = data::alphabet();
        rows.retain(|row| letters.contains(&row.label));
    }
    rows.retain(|row| !without.contains(&row.label));
    ensure!(!rows.is_empty(), "{} holds no hands", table.display());
    hands_file::write(out, &rows, picture.unwrap_or(1.0), *side)?;
    let mut labels: Vec<&str> = rows.iter().map(|row| row.label.as_str()).collect();
    labels.sort_unstable();
    labels.dedup();
    Ok(format!("{}: {} hands, labels {}", out.display(), rows.len(), labels.join(", ")))
}

/// Gives every row the name that its label is the number of.
///
/// # Errors
/// A label that is no number of a name.
pub fn name(rows: &mut [Row], names: &[&str]) -> Result<()> {
    for row in rows {
        let name = row.label.parse::<usize>().ok().and_then(|number| names.get(number));
        let name = name.filter(|name| !name.is_empty()).with_context(|| {
            format!("there is no label number {}: the first of {} is 0", row.label, names.len())
        })?;
        row.label = (*name).to_owned();
    }
    Ok(())
}

fn aspect(text: &str) -> Result<f32, String> {
    let sides = text
        .split_once('x')
        .and_then(|(width, height)| Some([width.parse::<f32>().ok()?, height.parse::<f32>().ok()?]));
    match sides {
        Some([width, height]) if width > 0.0 && height > 0.0 => Ok(width / height),
        _ => Err("say it as WIDTHxHEIGHT, such as 640x480".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use clap::Parser;

    use super::*;
    use crate::data::{Data, Kind};

    #[derive(Parser)]
    struct Program {
        #[command(flatten)]
        import: Import,
    }

    /// An invented open right hand in pixels, palm to the camera, as `keypoint.csv` has it: x, y relative to the wrist.
    fn open_hand(sign: f32) -> String {
        let points = (0..21).flat_map(|point: u8| match point.checked_sub(1) {
            None => [0.0, 0.0],
            // The thumb is at the larger x.
            Some(point) => {
                let [finger, joint] = [point / 4, point % 4].map(f32::from);
                [sign * (2.0 - finger) * (0.2 + 0.05 * joint), -0.5 - 0.15 * joint]
            }
        });
        points.map(|value| value.to_string()).collect::<Vec<_>>().join(",")
    }

    fn run(folder: &Path, table: &str, options: &[&str]) -> Result<Data> {
        fs::write(folder.join("keypoint.csv"), table).unwrap();
        fs::write(folder.join("labels.csv"), "\u{feff}Hello\nOpen\n\n").unwrap();
        let path = |name: &str| folder.join(name).to_string_lossy().into_owned();
        let mut arguments = vec!["import".to_owned(), path("keypoint.csv"), "--out".to_owned()];
        arguments.extend([path("hands/me.npz"), "--labels".to_owned(), path("labels.csv")]);
        arguments.extend(options.iter().map(|option| (*option).to_owned()));
        import(&Program::parse_from(arguments).import)?;
        data::read(folder, None, &[])
    }

    #[test]
    fn a_recogniser_s_table_becomes_a_set_of_right_hands() {
        let folder = tempfile::tempdir().unwrap();
        let table = format!("0,{0}\n1,{0}\n1,{0}\n", open_hand(-1.0));
        let Data { labels, signers } = run(folder.path(), &table, &["--side", "mirrored"]).unwrap();
        assert_eq!(labels, ["Hello", "Open"]);
        let clips = &signers[0].clips;
        assert_eq!(clips.iter().map(|clip| clip.frames.len()).collect::<Vec<_>>(), [1, 2]);
        assert!(clips.iter().all(|clip| clip.kind == Kind::Moving && !clip.ordered));
        let hand = clips[0].frames[0].unwrap();
        assert!(hand[5][0] > hand[17][0], "the thumb's side is not at the larger x");

        // Left and right hands in turn end as the same hand; x in widths becomes as long as y in heights.
        let table = format!("0,{}\n0,{}\n", open_hand(1.0), open_hand(-1.0));
        let data = run(folder.path(), &table, &["--side", "either", "--picture", "640x320"]).unwrap();
        let frames = &data.signers[0].clips[0].frames;
        assert_eq!(format!("{:?}", frames[0]), format!("{:?}", frames[1]));
        assert_eq!(frames[0].unwrap()[5][0], 2.0 * hand[5][0]);
    }

    #[test]
    fn what_does_not_fit_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let complaint =
            |table: &str, options: &[&str]| format!("{:#}", run(folder.path(), table, options).unwrap_err());
        let beyond = complaint(&format!("7,{}\n", open_hand(1.0)), &[]);
        assert!(
            beyond.contains("labels.csv does not fit") && beyond.contains("no label number 7"),
            "{beyond}"
        );
        let nothing = complaint(&format!("0,{}\n", open_hand(1.0)), &["--without", "Hello"]);
        assert!(nothing.contains("holds no hands"), "{nothing}");
        let short = complaint("0,1,2,3\n", &[]);
        assert!(short.contains("keypoint.csv can't be read: line 1 has 3 coordinates"), "{short}");
    }
}
