//! The caps between the elements. Nothing else spells their names and fields.
//!
//! | caps | one buffer holds |
//! |---|---|
//! | `video/x-raw, format=RGB` | a picture |
//! | `video/x-raw, format=I420, colorimetry=1:4:0:0` | a picture as JPEG decoders give it |
//! | `application/x-keypoints` | 543 x (x, y, z, visibility), float32 little-endian, in the order of [`dactyl_holistic::keypoints`] |
//! | `application/x-class-probabilities` | one float32 little-endian per label; what is missing to 1 is "nothing" |
//! | `text/x-raw, format=utf8` | one payload |

const KEYPOINTS: &str = "application/x-keypoints";
const LAYOUT: &str = "holistic-543";
const CLASS_PROBABILITIES: &str = "application/x-class-probabilities";
const SAMPLE_FORMAT: &str = "F32LE";

/// Pictures that can be analysed, of any size and rate: RGB, or Y'CbCr of full range by the matrix of BT.601.
pub fn video() -> gst::Caps {
    let of = |format| gst_video::VideoCapsBuilder::new().format(format);
    let mut caps = of(gst_video::VideoFormat::Rgb).build();
    caps.merge(of(gst_video::VideoFormat::I420).field("colorimetry", "1:4:0:0").build());
    caps
}

/// Keypoints of pictures of any size and rate.
pub fn any_keypoints() -> gst::Caps {
    gst::Caps::builder(KEYPOINTS)
        .field("layout", LAYOUT)
        .field("format", SAMPLE_FORMAT)
        .field("width", gst::IntRange::new(1, i32::MAX))
        .field("height", gst::IntRange::new(1, i32::MAX))
        .field(
            "framerate",
            gst::FractionRange::new(gst::Fraction::new(0, 1), gst::Fraction::new(i32::MAX, 1)),
        )
        .build()
}

/// Distributions over any labels.
pub fn any_class_probabilities() -> gst::Caps {
    gst::Caps::builder(CLASS_PROBABILITIES)
        .field("format", SAMPLE_FORMAT)
        .field("classes", gst::IntRange::new(1, i32::MAX))
        .build()
}

/// Payloads.
pub fn feedback() -> gst::Caps {
    gst::Caps::builder("text/x-raw").field("format", "utf8").build()
}

/// Caps that cannot be used, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvalidCaps(String);

impl std::fmt::Display for InvalidCaps {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl std::error::Error for InvalidCaps {}

/// What keypoint caps say about the pictures: x is normalised by their width, y by their height.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeypointsInfo {
    /// Width of the picture in pixels, at least 1.
    pub width: u32,
    /// Height of the picture in pixels, at least 1.
    pub height: u32,
    /// Frames per second; 0/1 = varies.
    pub framerate: gst::Fraction,
}

impl KeypointsInfo {
    /// Keypoints of pictures with these caps.
    pub fn of_video(info: &gst_video::VideoInfo) -> Self {
        Self { width: info.width(), height: info.height(), framerate: info.fps() }
    }

    /// The caps of such keypoints.
    pub fn to_caps(self) -> gst::Caps {
        gst::Caps::builder(KEYPOINTS)
            .field("layout", LAYOUT)
            .field("format", SAMPLE_FORMAT)
            .field("width", self.width.cast_signed())
            .field("height", self.height.cast_signed())
            .field("framerate", self.framerate)
            .build()
    }

    /// Reads fixed caps. The framerate may be missing.
    pub fn from_caps(caps: &gst::CapsRef) -> Result<Self, InvalidCaps> {
        let structure = structure(caps, KEYPOINTS)?;
        let layout = structure.get::<&str>("layout").unwrap_or_default();
        if layout != LAYOUT {
            return Err(InvalidCaps(format!("layout {layout:?} instead of {LAYOUT:?}")));
        }
        let side = |name: &str| {
            structure
                .get::<i32>(name)
                .ok()
                .and_then(|value| u32::try_from(value).ok())
                .filter(|&value| value > 0)
                .ok_or_else(|| InvalidCaps(format!("no {name} above 0 in {structure}")))
        };
        Ok(Self {
            width: side("width")?,
            height: side("height")?,
            framerate: structure.get("framerate").unwrap_or_else(|_| gst::Fraction::new(0, 1)),
        })
    }
}

/// What distribution caps say: the labels, in the order of the values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClassProbabilitiesInfo {
    /// One label per value; at least one.
    pub labels: Vec<String>,
}

impl ClassProbabilitiesInfo {
    /// The caps of distributions over these labels.
    pub fn to_caps(&self) -> gst::Caps {
        gst::Caps::builder(CLASS_PROBABILITIES)
            .field("format", SAMPLE_FORMAT)
            .field("classes", i32::try_from(self.labels.len()).unwrap_or(i32::MAX))
            .field("labels", gst::Array::new(&self.labels))
            .build()
    }

    /// Reads fixed caps. There must be as many labels as classes.
    pub fn from_caps(caps: &gst::CapsRef) -> Result<Self, InvalidCaps> {
        let structure = structure(caps, CLASS_PROBABILITIES)?;
        let labels = structure
            .get::<gst::ArrayRef>("labels")
            .map_err(|_| InvalidCaps("no array \"labels\"".to_owned()))?
            .iter()
            .map(|label| label.get::<String>())
            .collect::<Result<Vec<_>, _>>()
            .map_err(|_| InvalidCaps("a label is not a string".to_owned()))?;
        let classes = structure.get::<i32>("classes").unwrap_or_default();
        if labels.is_empty() || usize::try_from(classes) != Ok(labels.len()) {
            return Err(InvalidCaps(format!("{} labels for {classes} classes", labels.len())));
        }
        Ok(Self { labels })
    }

    /// Bytes of one distribution.
    pub fn size(&self) -> usize {
        self.labels.len() * size_of::<f32>()
    }

    /// Reads one distribution. `None` unless `bytes` has exactly [`Self::size`] bytes and only numbers from 0 to 1;
    /// a thousandth beyond counts as rounding.
    pub fn read(&self, bytes: &[u8]) -> Option<Vec<f32>> {
        if bytes.len() != self.size() {
            return None;
        }
        let distribution: Vec<f32> = bytes
            .chunks_exact(size_of::<f32>())
            .map(|chunk| f32::from_le_bytes([chunk[0], chunk[1], chunk[2], chunk[3]]))
            .collect();
        distribution.iter().all(|value| (-0.001..=1.001).contains(value)).then_some(distribution)
    }

    /// The byte form of one distribution.
    pub fn write(distribution: &[f32]) -> Vec<u8> {
        distribution.iter().flat_map(|value| value.to_le_bytes()).collect()
    }
}

fn structure<'a>(caps: &'a gst::CapsRef, name: &str) -> Result<&'a gst::StructureRef, InvalidCaps> {
    caps.structure(0)
        .filter(|structure| structure.name() == name)
        .ok_or_else(|| InvalidCaps(format!("{caps} instead of {name}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(labels: &[&str]) -> ClassProbabilitiesInfo {
        ClassProbabilitiesInfo { labels: labels.iter().map(|&label| label.to_owned()).collect() }
    }

    #[test]
    fn keypoint_caps_read_back_and_fit_the_template() {
        gst::init().unwrap();
        let info = KeypointsInfo { width: 321, height: 240, framerate: gst::Fraction::new(15, 1) };
        let caps = info.to_caps();
        assert!(caps.is_fixed() && caps.is_subset(&any_keypoints()));
        assert_eq!(KeypointsInfo::from_caps(&caps), Ok(info));
    }

    #[test]
    fn keypoint_caps_of_another_layout_or_without_a_size_are_refused() {
        gst::init().unwrap();
        let mut caps = KeypointsInfo { width: 2, height: 2, framerate: gst::Fraction::new(0, 1) }.to_caps();
        caps.make_mut().set("layout", "holistic-553");
        assert!(KeypointsInfo::from_caps(&caps).unwrap_err().to_string().contains("holistic-553"));
        caps.make_mut().set("layout", LAYOUT);
        caps.make_mut().set("width", 0);
        assert!(KeypointsInfo::from_caps(&caps).unwrap_err().to_string().contains("width"));
        assert!(KeypointsInfo::from_caps(&feedback()).is_err());
    }

    #[test]
    fn distribution_caps_read_back_and_fit_the_template() {
        gst::init().unwrap();
        let info = labels(&["A", "hello, world", "ß", "1"]);
        let caps = info.to_caps();
        assert!(caps.is_fixed() && caps.is_subset(&any_class_probabilities()));
        assert_eq!(ClassProbabilitiesInfo::from_caps(&caps), Ok(info.clone()));
        let printed: gst::Caps = caps.to_string().parse().unwrap();
        assert_eq!(printed, caps);
    }

    #[test]
    fn distribution_caps_with_a_wrong_number_of_labels_are_refused() {
        gst::init().unwrap();
        let mut caps = labels(&["A", "B"]).to_caps();
        caps.make_mut().set("classes", 3);
        assert!(ClassProbabilitiesInfo::from_caps(&caps).unwrap_err().to_string().contains("2 labels for 3"));
        assert!(ClassProbabilitiesInfo::from_caps(&any_class_probabilities()).is_err());
    }

    #[test]
    fn a_distribution_reads_back_and_rubbish_is_refused() {
        let info = labels(&["A", "B"]);
        let bytes = ClassProbabilitiesInfo::write(&[0.25, 0.5]);
        assert_eq!(info.read(&bytes), Some(vec![0.25, 0.5]));
        assert_eq!(info.read(&bytes[..7]), None);
        assert_eq!(info.read(&ClassProbabilitiesInfo::write(&[f32::NAN, 0.5])), None);
        assert_eq!(info.read(&ClassProbabilitiesInfo::write(&[-0.1, 0.5])), None);
    }
}
