//! What `labels.toml` says about recorded sets: where their labels are not taken at their word.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use serde::Deserialize;

/// What is known about every set that needs it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Notes {
    person: Vec<Note>,
}

/// What is known about one set.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Note {
    /// Name of the set.
    name: String,
    /// Labels that are left out, and why.
    without: BTreeMap<String, String>,
    /// Two labels that stand for each other.
    exchanged: Option<[String; 2]>,
    /// J or Z, where they are held shapes though a recording's are taken to be moved.
    held: Vec<String>,
    /// J or Z, where they are moved though a set of single hands is taken to hold them.
    moving: Vec<String>,
    /// People that it shows, about.
    pub people: usize,
    /// Its neighbouring rows are no neighbours in time.
    pub pictures: bool,
    /// The same hand, to the last bit, under several labels shows one of them at most: such hands are left out.
    pub hands_under_one_label: bool,
    /// Numerator and denominator of what x is multiplied by.
    stretch: [f32; 2],
}

impl Default for Note {
    fn default() -> Self {
        Self {
            name: String::new(),
            without: BTreeMap::new(),
            exchanged: None,
            held: Vec::new(),
            moving: Vec::new(),
            people: 1,
            pictures: false,
            hands_under_one_label: false,
            stretch: [1.0, 1.0],
        }
    }
}

impl Notes {
    /// The notes of the repository.
    ///
    /// # Errors
    /// They are no such list.
    pub fn read() -> Result<Self> {
        toml::from_str(include_str!("../labels.toml")).context("labels.toml is no list of people")
    }

    /// What is known about a set; nothing of most.
    pub fn of(&self, name: &str) -> Note {
        self.person.iter().find(|note| note.name == name).cloned().unwrap_or_default()
    }
}

impl Note {
    /// Whether a label is left out.
    pub fn is_left_out(&self, label: &str) -> bool {
        self.without.contains_key(label)
    }

    /// The label that a hand should carry.
    pub fn mended(&self, label: String) -> String {
        match &self.exchanged {
            Some([one, other]) if label == *one => other.clone(),
            Some([one, other]) if label == *other => one.clone(),
            _ => label,
        }
    }

    /// Whether a recording of a whole person moves in its J or Z.
    pub fn recording_moves(&self, letter: &str) -> bool {
        !self.held.iter().any(|held| held == letter)
    }

    /// Whether a set of single hands moves in its J or Z although it has no films of them.
    pub fn hands_move(&self, letter: &str) -> bool {
        self.moving.iter().any(|moving| moving == letter)
    }

    /// What x is multiplied by.
    pub fn stretch(&self) -> f32 {
        self.stretch[0] / self.stretch[1]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_repository_s_notes_can_be_read_and_most_sets_need_none() {
        let notes = Notes::read().unwrap();
        let kevin = notes.of("kevinjosethomas");
        assert_eq!(["M", "N", "J"].map(|label| kevin.mended(label.to_owned())), ["N", "M", "J"]);
        assert!(kevin.hands_move("J") && !notes.of("gunsai75").recording_moves("J"));
        assert_eq!((notes.of("SigNN").stretch(), notes.of("SigNN").people), (0.75, 2));
        let new = notes.of("me");
        assert!(new.recording_moves("Z") && !new.hands_move("Z") && !new.is_left_out("K"));
        assert_eq!((new.people, new.stretch()), (1, 1.0));
    }
}
