//! Who is measured.

use std::fmt::{self, Display, Formatter};

/// The key that chooses between our profiles.
const PROFILE: &str = "holistic.profile";
/// The key of hands without a body, which the rival does not find.
const HANDS_ALONE: &str = "holistic.hands_alone";

/// One column of the tables.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Contender {
    /// A Python server on MediaPipe Holistic.
    Rival,
    /// Dactyl.
    Ours {
        /// Name of the column.
        name: String,
        /// Configuration on top of the built-in one: keys and values.
        settings: Vec<(String, String)>,
    },
}

impl Contender {
    /// Dactyl with some keys set.
    pub fn ours(name: &str, settings: &[(&str, &str)]) -> Self {
        let settings = settings.iter().map(|&(key, value)| (key.to_owned(), value.to_owned())).collect();
        Self::Ours { name: name.to_owned(), settings }
    }

    /// Every contender that can be measured: the rival if it is there, and our profiles.
    pub fn all(rival: bool) -> Vec<Self> {
        let mut all = Vec::new();
        if rival {
            all.push(Self::Rival);
        }
        let ours = |profile| Self::ours(profile, &[(PROFILE, profile), (HANDS_ALONE, "false")]);
        all.extend(["exact", "fast"].map(ours));
        all
    }
}

impl Display for Contender {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rival => formatter.write_str("MediaPipe"),
            Self::Ours { name, .. } => formatter.write_str(name),
        }
    }
}
