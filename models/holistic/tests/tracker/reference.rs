//! Reference clips outside the repository: frames, landmarks and inner stages that MediaPipe gave for them.

use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};

use dactyl_holistic::RgbFrame;
use dactyl_tests::recordings::shared;
use ndarray::Array3;
use serde::Deserialize;
use serde_json::Value;

/// One clip: frames, and what MediaPipe gave for them.
pub struct Clip {
    folder: PathBuf,
    /// `[frames, 543, 4]`: x, y, z, visibility; NaN where a part is absent.
    pub landmarks: Array3<f32>,
    /// `[frames, 33, 4]`: metres, visibility.
    pub world: Array3<f32>,
    /// One object a frame: regions, scores, points. Empty for the drawn person.
    pub stages: Vec<Value>,
}

/// A decoded frame.
pub struct Picture {
    pub pixels: Vec<u8>,
    pub width: u32,
    pub height: u32,
}

impl Picture {
    pub fn frame(&self) -> RgbFrame<'_> {
        RgbFrame::new(&self.pixels, self.width, self.height, self.width as usize * 3).expect("consistent")
    }

    /// The part between these columns and rows: left, top, right, bottom.
    pub fn crop(&self, [left, top, right, bottom]: [usize; 4]) -> Self {
        let rows = self.pixels.chunks_exact(self.width as usize * 3).skip(top).take(bottom - top);
        Self {
            pixels: rows.flat_map(|row| &row[left * 3..right * 3]).copied().collect(),
            width: (right - left) as u32,
            height: (bottom - top) as u32,
        }
    }
}

impl Clip {
    /// A clip of `../shared/golden`, or `None`, said on standard output, where that is absent and not demanded.
    pub fn open(name: &str) -> Option<Self> {
        let folder = shared(&format!("golden/{name}"))?;
        let stages = File::open(folder.join("stages.json")).expect("stages of the clip");
        let stages = serde_json::from_reader(BufReader::new(stages)).expect("a JSON list");
        Some(Self::read(folder, stages))
    }

    /// A drawn person with both hands and the face in view, which `scripts/record_drawn_person.py` makes.
    pub fn drawn() -> Self {
        Self::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/drawn_person"), Vec::new())
    }

    fn read(folder: PathBuf, stages: Vec<Value>) -> Self {
        Self {
            landmarks: ndarray_npy::read_npy(folder.join("landmarks.npy")).expect("landmarks of the clip"),
            world: ndarray_npy::read_npy(folder.join("world.npy")).expect("world landmarks of the clip"),
            stages,
            folder,
        }
    }

    pub fn len(&self) -> usize {
        self.landmarks.dim().0
    }

    pub fn picture(&self, index: usize) -> Picture {
        let file = File::open(self.folder.join(format!("{index:03}.png"))).expect("a frame of the clip");
        let mut reader = png::Decoder::new(BufReader::new(file)).read_info().expect("a PNG");
        let mut pixels = vec![0; reader.output_buffer_size().expect("fits in memory")];
        let info = reader.next_frame(&mut pixels).expect("a whole PNG");
        assert_eq!((info.color_type, info.bit_depth), (png::ColorType::Rgb, png::BitDepth::Eight));
        Picture { pixels, width: info.width, height: info.height }
    }
}

/// What MediaPipe Hands gave for pictures of one hand, recorded by `scripts/record_hands_alone.py`.
#[derive(Debug, Deserialize)]
pub struct HandAlone {
    /// `left` or `right`: the hand of the drawn person.
    pub side: String,
    /// Left, top, right and bottom of the crop of the drawn person's pictures.
    pub crop: [usize; 4],
    pub frames: Vec<HandAloneFrame>,
}

/// One frame; `null` where a step did not run, or gave nothing. Regions are centre, size and rotation.
#[derive(Debug, Deserialize)]
pub struct HandAloneFrame {
    /// Number of the drawn person's picture, or `null` for a grey one.
    pub picture: Option<usize>,
    pub palm: Option<Palm>,
    pub region_from_palm: Option<[f32; 5]>,
    pub presence: Option<f32>,
    pub right_handed: Option<bool>,
    pub landmarks: Option<[[f32; 3]; 21]>,
    pub next_region: Option<[f32; 5]>,
}

/// What the palm detector found.
#[derive(Debug, Deserialize)]
pub struct Palm {
    pub score: f32,
}

impl HandAlone {
    /// The clips of the drawn person's left and right hand.
    pub fn recorded() -> Vec<Self> {
        serde_json::from_str(include_str!("../drawn_person/hands_alone.json")).expect("clips of hands")
    }

    pub fn picture(&self, frame: usize) -> Picture {
        let [left, top, right, bottom] = self.crop;
        match self.frames[frame].picture {
            Some(index) => Clip::drawn().picture(index).crop(self.crop),
            None => Picture {
                pixels: vec![127; (right - left) * (bottom - top) * 3],
                width: (right - left) as u32,
                height: (bottom - top) as u32,
            },
        }
    }
}
