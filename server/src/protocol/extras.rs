use thiserror::Error;

use super::words::brief;

/// What a client asked for on top, with `?extras=frame,timings` on the URL.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Extras {
    /// `frame`: answers name the frame that they were computed from.
    pub frame: bool,
    /// `timings`: answers carry the frame's age and the time that each stage took.
    pub timings: bool,
    /// `landmarks`: the landmarks of every analysed frame.
    pub landmarks: bool,
    /// `top`: the most probable letters of every result.
    pub top: bool,
    /// `status`: whether the window is full, and whether a hand is seen.
    pub status: bool,
    /// `ended`: what became of every frame.
    pub ended: bool,
    /// `rate`: how many frames a second are analysed at most.
    pub rate: bool,
}

/// A word of `?extras=` that does not exist.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("unknown extra {word:?}: known are {}", Extras::NAMES.join(", "))]
pub struct UnknownExtra {
    word: String,
}

impl Extras {
    /// The words of `?extras=`.
    pub const NAMES: [&'static str; 7] = ["frame", "timings", "landmarks", "top", "status", "ended", "rate"];

    /// Reads a comma-separated list of words; empty = none.
    ///
    /// # Errors
    ///
    /// The first word that does not exist.
    pub fn read(list: &str) -> Result<Self, UnknownExtra> {
        let mut extras = Self::default();
        for word in list.split(',').map(str::trim).filter(|word| !word.is_empty()) {
            let flag = match word {
                "frame" => &mut extras.frame,
                "timings" => &mut extras.timings,
                "landmarks" => &mut extras.landmarks,
                "top" => &mut extras.top,
                "status" => &mut extras.status,
                "ended" => &mut extras.ended,
                "rate" => &mut extras.rate,
                _ => return Err(UnknownExtra { word: brief(word, 40) }),
            };
            *flag = true;
        }
        Ok(extras)
    }

    /// Whether the elements must post messages for them.
    pub const fn needs_messages(self) -> bool {
        self.landmarks || self.top || self.status
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_sets_its_flag_alone() {
        let flags = |extras: Extras| {
            let Extras { frame, timings, landmarks, top, status, ended, rate } = extras;
            [frame, timings, landmarks, top, status, ended, rate]
        };
        for (index, name) in Extras::NAMES.iter().enumerate() {
            let set = flags(Extras::read(name).unwrap());
            assert!(set.iter().enumerate().all(|(other, &flag)| flag == (other == index)), "{name}");
        }
        assert!(flags(Extras::read(&Extras::NAMES.join(",")).unwrap()).iter().all(|&flag| flag));
    }

    #[test]
    fn an_empty_list_and_spaces_are_fine() {
        assert_eq!(Extras::read(""), Ok(Extras::default()));
        assert_eq!(Extras::read(" top , ,"), Ok(Extras { top: true, ..Extras::default() }));
    }

    #[test]
    fn an_unknown_name_is_told_the_known_ones() {
        let error = Extras::read("frame,Top").unwrap_err();
        assert_eq!(
            error.to_string(),
            "unknown extra \"Top\": known are frame, timings, landmarks, top, status, ended, rate"
        );
    }
}
