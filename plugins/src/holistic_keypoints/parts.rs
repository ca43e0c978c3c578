//! The property `parts`: flags, where the configuration has a list.

use dactyl_config::Part;
use gst::glib;

/// Groups of networks that run.
#[glib::flags(name = "GstDactylParts")]
pub enum Parts {
    /// Body: 33 landmarks; the other two depend on it.
    #[flags_value(name = "Body, 33 landmarks; the other two depend on it", nick = "pose")]
    POSE = 1 << 0,
    /// Both hands: 21 landmarks each.
    #[flags_value(name = "Both hands, 21 landmarks each", nick = "hands")]
    HANDS = 1 << 1,
    /// Face: 468 landmarks.
    #[flags_value(name = "Face, 468 landmarks", nick = "face")]
    FACE = 1 << 2,
}

impl Parts {
    const ALL: [(Self, Part); 3] =
        [(Self::POSE, Part::Pose), (Self::HANDS, Part::Hands), (Self::FACE, Part::Face)];

    /// The flags of the parts that a configuration lists.
    pub fn of(parts: &[Part]) -> Self {
        Self::ALL.iter().filter(|(_, part)| parts.contains(part)).map(|(flag, _)| *flag).collect()
    }
}

impl From<Parts> for Vec<Part> {
    fn from(parts: Parts) -> Self {
        Parts::ALL.iter().filter(|(flag, _)| parts.contains(*flag)).map(|(_, part)| *part).collect()
    }
}
