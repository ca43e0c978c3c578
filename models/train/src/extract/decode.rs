//! Files to pictures, by GStreamer: JPEGs exactly as the server decodes them, videos by whatever decoder is installed.

use std::fmt::Display;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use anyhow::{Context, Result, anyhow, bail};
use dactyl_holistic::RgbFrame;
use gst::prelude::*;
use gst_video::VideoOrientationMethod;
use gstdactyl::{caps, jpeg, picture};

/// How a file is decoded, by the end of its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// One JPEG.
    Jpeg,
    /// One PNG.
    Png,
    /// Any container and codec that GStreamer knows.
    Video,
}

impl Format {
    /// Ends of the names of videos.
    pub const VIDEOS: [&'static str; 12] =
        ["mp4", "m4v", "mov", "mkv", "webm", "avi", "mpg", "mpeg", "ogv", "ts", "3gp", "wmv"];

    /// The format that a file's name says.
    pub fn of(path: &Path) -> Option<Self> {
        match path.extension()?.to_str()?.to_ascii_lowercase().as_str() {
            "jpg" | "jpeg" => Some(Self::Jpeg),
            "png" => Some(Self::Png),
            end => Self::VIDEOS.contains(&end).then_some(Self::Video),
        }
    }

    /// Whether a file is one picture.
    pub fn is_picture(self) -> bool {
        self != Self::Video
    }

    fn elements(self) -> &'static str {
        match self {
            Self::Jpeg => "appsrc name=jpeg format=time caps=image/jpeg ! jpegdec idct-method=islow",
            Self::Png => "filesrc name=file ! pngdec",
            Self::Video => "filesrc name=file ! decodebin name=decoder",
        }
    }
}

/// Pictures of one file, one after the other.
pub struct Pictures {
    path: PathBuf,
    pipeline: gst::Pipeline,
    sink: gst_app::AppSink,
}

/// One decoded picture.
pub struct Picture {
    /// RGB, row after row without gaps.
    pixels: Vec<u8>,
    width: u32,
    height: u32,
    /// Place in the video, in microseconds, where it is known.
    pub time: Option<i64>,
}

/// How often a pipeline is asked whether it has failed.
const INTERVAL: gst::ClockTime = gst::ClockTime::from_mseconds(100);
/// How often it may answer that there is nothing yet.
const PATIENCE: usize = 600;
/// What helps against a file that is no picture.
const CURE: &str = "record or convert it anew, or remove it";

impl Pictures {
    /// Begins to decode a file.
    ///
    /// # Errors
    /// A decoder that is not installed, or a file that can't be read.
    pub fn open(path: &Path, format: Format) -> Result<Self> {
        static STARTED: OnceLock<Result<(), gst::glib::Error>> = OnceLock::new();
        STARTED.get_or_init(gst::init).clone().context("GStreamer can't be started")?;

        let jpeg = if format == Format::Jpeg { Some(read_jpeg(path)?) } else { None };
        // A video of a phone says in a tag how it lies.
        let launch = format!(
            "{} ! videoconvert name=picture ! videoflip name=upright video-direction=auto ! videoconvert \
             ! appsink name=pictures sync=false max-buffers=4",
            format.elements()
        );
        let built = gst::parse::launch(&launch).with_context(|| {
            format!(
                "a GStreamer element is missing to decode {}; install gstreamer1.0-plugins-base and \
                 gstreamer1.0-plugins-good",
                path.display()
            )
        })?;
        let pipeline = built.downcast::<gst::Pipeline>().map_err(|_| anyhow!("no pipeline was built"))?;
        if let Some(file) = pipeline.by_name("file") {
            file.set_property("location", path);
        }
        let sink = pipeline.by_name("pictures").and_then(|sink| sink.downcast::<gst_app::AppSink>().ok());
        let sink = sink.context("the pipeline has no sink")?;
        sink.set_caps(Some(&caps::video()));
        if let (Some(decoder), Some(converter)) = (pipeline.by_name("decoder"), pipeline.by_name("picture")) {
            // Sound alone would never come to an end.
            decoder.connect_no_more_pads(move |decoder| {
                if converter.static_pad("sink").is_none_or(|pad| !pad.is_linked()) {
                    gst::element_error!(decoder, gst::StreamError::WrongType, ("it holds no video"));
                }
            });
        }
        let pictures = Self { path: path.to_owned(), pipeline, sink };
        if pictures.pipeline.set_state(gst::State::Playing).is_err() {
            return Err(pictures.failure().unwrap_or_else(|| anyhow!("{} can't be opened", path.display())));
        }
        if let Some((buffer, orientation)) = jpeg {
            pictures.push(buffer, orientation).map_err(|error| undecodable(path, error))?;
        }
        Ok(pictures)
    }

    /// Puts in the only picture that there is.
    fn push(&self, buffer: gst::Buffer, orientation: VideoOrientationMethod) -> Result<()> {
        let source =
            self.pipeline.by_name("jpeg").and_then(|source| source.downcast::<gst_app::AppSrc>().ok());
        let (source, upright) =
            source.zip(self.pipeline.by_name("upright")).context("the pipeline is incomplete")?;
        upright.set_property("video-direction", orientation);
        source.push_buffer(buffer)?;
        source.end_of_stream()?;
        Ok(())
    }

    /// The next picture; `None` after the last.
    ///
    /// # Errors
    /// The file is damaged, of an unknown kind, or without pictures that can be decoded.
    pub fn read(&mut self) -> Result<Option<Picture>> {
        for _ in 0..PATIENCE {
            let sample = self.sink.try_pull_sample(INTERVAL);
            if let Some(error) = self.failure() {
                return Err(error);
            }
            if let Some(sample) = sample {
                return self.picture(&sample).map(Some);
            }
            if self.sink.is_eos() {
                return Ok(None);
            }
        }
        bail!(
            "{} gives no picture within a minute: convert it to H.264 in mp4, or remove it",
            self.path.display()
        )
    }

    fn picture(&self, sample: &gst::Sample) -> Result<Picture> {
        let undecoded = || format!("{} gave no picture", self.path.display());
        let info = gst_video::VideoInfo::from_caps(sample.caps().with_context(undecoded)?)
            .with_context(undecoded)?;
        let buffer = sample.buffer().with_context(undecoded)?;
        let time = buffer.pts().and_then(|time| i64::try_from(time.useconds()).ok());
        let frame = picture::map(buffer, &info).with_context(undecoded)?;
        let mut converted = Vec::new();
        let rgb = picture::rgb(&frame, &mut converted).with_context(|| {
            format!("{} has a side of more than {} pixels", self.path.display(), RgbFrame::MAX_SIDE)
        })?;
        Ok(Picture { pixels: rgb.packed(), width: info.width(), height: info.height(), time })
    }

    /// What an element has complained about.
    fn failure(&self) -> Option<anyhow::Error> {
        let bus = self.pipeline.bus()?;
        let message = bus.pop_filtered(&[gst::MessageType::Error])?;
        let gst::MessageView::Error(error) = message.view() else { return None };
        let cause = error.error();
        let cure = if cause.matches(gst::CoreError::MissingPlugin)
            || cause.matches(gst::StreamError::CodecNotFound)
        {
            "install gstreamer1.0-libav or the GStreamer plugin that has the decoder, or convert it to H.264 in mp4"
        } else {
            CURE
        };
        Some(anyhow!("{} can't be decoded: {cause}; {cure}", self.path.display()))
    }
}

fn undecodable(path: &Path, cause: impl Display) -> anyhow::Error {
    anyhow!("{} can't be decoded: {cause}; {CURE}", path.display())
}

/// A JPEG, checked as the server does, and what makes it upright.
fn read_jpeg(path: &Path) -> Result<(gst::Buffer, VideoOrientationMethod)> {
    // What a file of one's own may cost is one's own affair.
    let limits = jpeg::Limits { max_pixels: u32::MAX, max_scans: u32::MAX };
    let mut bytes = fs::read(path).with_context(|| format!("{} can't be read", path.display()))?;
    let header = jpeg::check(&bytes, limits).map_err(|error| undecodable(path, error))?;
    let picture = header.rewritten(&bytes).unwrap_or_else(|| {
        bytes.truncate(header.length);
        bytes
    });
    Ok((gst::Buffer::from_mut_slice(picture), header.orientation))
}

impl Drop for Pictures {
    fn drop(&mut self) {
        // Nothing is left to be done where even that fails.
        let _ = self.pipeline.set_state(gst::State::Null);
    }
}

impl Picture {
    /// Width and height in pixels.
    pub fn size(&self) -> [u32; 2] {
        [self.width, self.height]
    }

    /// The pixels as the tracker takes them.
    ///
    /// # Errors
    /// As [`RgbFrame::new`]; a picture that has been decoded gives none.
    pub fn rgb(&self) -> Result<RgbFrame<'_>> {
        Ok(RgbFrame::new(&self.pixels, self.width, self.height, self.width as usize * 3)?)
    }

    /// Whether every pixel is the same as the other picture's.
    pub fn is_same(&self, other: &Self) -> bool {
        self.size() == other.size() && self.pixels == other.pixels
    }
}
