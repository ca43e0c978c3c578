//! The `letter-target` event: which letter is being practised from here on, and how many resets there were before.
//!
//! A *sticky* downstream event, because a leaky queue throws an ordinary serialized event away together with the
//! frame in front of it. A video decoder keeps it until its next picture unless a GAP follows, so whoever sends it
//! sends a GAP behind it.

const NAME: &str = "letter-target";
const LETTER: &str = "letter";
const EPOCH: &str = "epoch";

/// What a `letter-target` event says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LetterTarget {
    /// The label to practise, in any case; `None` = no target.
    pub letter: Option<String>,
    /// Number of resets up to and including this one. Results of an earlier epoch are thrown away.
    pub epoch: u64,
}

impl LetterTarget {
    /// The event to send downstream, followed by a GAP.
    pub fn to_event(&self) -> gst::Event {
        let structure = gst::Structure::builder(NAME)
            .field(LETTER, self.letter.as_deref().unwrap_or_default())
            .field(EPOCH, self.epoch)
            .build();
        gst::event::CustomDownstreamSticky::new(structure)
    }

    /// Reads an event. `None` if it is another one or lacks a field.
    pub fn from_event(event: &gst::EventRef) -> Option<Self> {
        let gst::EventView::CustomDownstreamSticky(event) = event.view() else {
            return None;
        };
        let structure = event.structure().filter(|structure| structure.name() == NAME)?;
        let letter = structure.get::<&str>(LETTER).ok()?;
        Some(Self {
            letter: (!letter.is_empty()).then(|| letter.to_owned()),
            epoch: structure.get(EPOCH).ok()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_reads_back() {
        gst::init().unwrap();
        for letter in [Some("A".to_owned()), None] {
            let target = LetterTarget { letter, epoch: 12 };
            let event = target.to_event();
            assert!(event.is_sticky() && event.is_serialized() && event.is_downstream());
            assert_eq!(LetterTarget::from_event(&event), Some(target));
        }
    }

    #[test]
    fn other_events_are_not_ours() {
        gst::init().unwrap();
        let foreign = gst::event::CustomDownstreamSticky::new(gst::Structure::new_empty("letter"));
        assert_eq!(LetterTarget::from_event(&foreign), None);
        let bare = gst::event::CustomDownstreamSticky::new(gst::Structure::new_empty(NAME));
        assert_eq!(LetterTarget::from_event(&bare), None);
        assert_eq!(LetterTarget::from_event(&gst::event::Eos::new()), None);
    }
}
