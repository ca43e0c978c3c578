//! The pipeline that the server runs, cut off where a measurement ends.

use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};
use gst::prelude::*;

/// Time for one frame. The first one waits for the networks to be loaded.
const FRAME_TIME: Duration = Duration::from_secs(60);
/// The element that makes keypoints of pictures.
const TRACKER: &str = "holistic-keypoints";
/// Takes what the last element gives.
const SINK: &str = "appsink name=end sync=false enable-last-sample=false";

/// Where the pipeline ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// Before the tracker: decoded pictures as the tracker takes them.
    Pictures,
    /// Behind the tracker: keypoints.
    Keypoints,
}

/// A running pipeline that takes one frame at a time.
pub struct Frames {
    pipeline: gst::Pipeline,
    source: gst_app::AppSrc,
    sink: gst_app::AppSink,
}

impl Frames {
    /// Starts the configured pipeline up to there. Its elements must be registered and the configuration installed.
    ///
    /// # Errors
    /// A pipeline file that can't be read or has no tracker, or a pipeline that does not start.
    pub fn start(end: End) -> Result<Self> {
        let config = dactyl_config::process();
        let file = format!("{}/{}.toml", config.pipeline.directory, config.pipeline.name);
        let file = dactyl_config::find(&file, dactyl_config::Kind::File)?;
        let text = std::fs::read_to_string(&file)
            .with_context(|| format!("the pipeline {} can't be read", file.display()))?;
        let text: toml::Table =
            toml::from_str(&text).with_context(|| format!("{} is not TOML", file.display()))?;
        let launch =
            (text.get("launch").and_then(toml::Value::as_str))
                .and_then(|launch| cut(launch, end))
                .with_context(|| format!("{} has no launch line with {TRACKER} in it", file.display()))?;
        let pipeline = gst::parse::launch(&launch)
            .with_context(|| format!("the first part of {} can't be built: {launch}", file.display()))?
            .downcast::<gst::Pipeline>()
            .map_err(|_| anyhow!("{} is a single element", file.display()))?;
        let source = (pipeline.by_name("frames"))
            .and_then(|element| element.downcast::<gst_app::AppSrc>().ok())
            .with_context(|| format!("{} has no appsrc name=frames", file.display()))?;
        let sink = (pipeline.by_name("end"))
            .and_then(|element| element.downcast::<gst_app::AppSink>().ok())
            .context("the end that was added is not there")?;
        if end == End::Pictures {
            sink.set_caps(Some(&gstdactyl::caps::video()));
        }
        source.set_caps(Some(&gst::Caps::new_empty_simple("image/jpeg")));
        let frames = Self { pipeline, source, sink };
        if let Err(error) = frames.pipeline.set_state(gst::State::Playing) {
            bail!("the pipeline does not start: {}", frames.error().unwrap_or_else(|| error.to_string()));
        }
        Ok(frames)
    }

    /// Sends a JPEG through and waits for what comes of it.
    ///
    /// # Errors
    /// A frame that nothing comes of.
    pub fn pass(&self, jpeg: &[u8]) -> Result<gst::Sample> {
        let buffer = gst::Buffer::from_slice(jpeg.to_vec());
        let pushed = self.source.push_buffer(buffer).is_ok();
        let time = gst::ClockTime::from_seconds(FRAME_TIME.as_secs());
        let sample = if pushed { self.sink.try_pull_sample(time) } else { None };
        sample.ok_or_else(|| {
            let cause = self.error().unwrap_or_else(|| "nothing came of a frame".to_owned());
            anyhow!(
                "the pipeline failed: {cause}; does `dactyl check` find everything, and are all frames JPEGs?"
            )
        })
    }

    fn error(&self) -> Option<String> {
        let message = self.pipeline.bus()?.pop_filtered(&[gst::MessageType::Error])?;
        match message.view() {
            gst::MessageView::Error(error) => Some(error.error().to_string()),
            _ => None,
        }
    }
}

impl Drop for Frames {
    fn drop(&mut self) {
        // Nothing is left to do with a pipeline that does not stop.
        let _ = self.pipeline.set_state(gst::State::Null);
    }
}

/// The launch line up to the end; `None` if it has no tracker.
fn cut(launch: &str, end: End) -> Option<String> {
    let elements: Vec<&str> = launch.split('!').map(str::trim).collect();
    let tracker = elements.iter().position(|element| element.split_whitespace().next() == Some(TRACKER))?;
    let kept = match end {
        End::Pictures => &elements[..tracker],
        End::Keypoints => &elements[..=tracker],
    };
    Some(format!("{} ! {SINK}", kept.join(" ! ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_launch_line_is_cut_at_the_tracker() {
        let launch = "appsrc name=frames\n  ! jpegdec ! videoconvert\n ! holistic-keypoints parts=pose ! lstm-classifier";
        assert_eq!(
            cut(launch, End::Pictures).unwrap(),
            format!("appsrc name=frames ! jpegdec ! videoconvert ! {SINK}")
        );
        assert_eq!(
            cut(launch, End::Keypoints).unwrap(),
            format!("appsrc name=frames ! jpegdec ! videoconvert ! holistic-keypoints parts=pose ! {SINK}")
        );
        assert_eq!(cut("appsrc ! fakesink", End::Keypoints), None);
    }
}
