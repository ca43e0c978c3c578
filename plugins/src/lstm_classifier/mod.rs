#![doc = include_str!("README.md")]

use gst::glib;
use gst::prelude::*;

mod imp;

/// Layout of the classifier's input rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, glib::Enum)]
#[enum_type(name = "GstDactylFeatures")]
pub enum Features {
    /// As the model's metadata says.
    #[enum_value(name = "As the model's metadata says", nick = "auto")]
    Auto,
    /// Shape and movement of the signing hand.
    #[enum_value(name = "Shape and movement of the signing hand", nick = "hand-1")]
    Hand1,
    /// Pose 33x4, face 468x3, left hand 21x3, right hand 21x3.
    #[enum_value(name = "Pose 33x4, face 468x3, left hand 21x3, right hand 21x3", nick = "holistic-1662")]
    Holistic1662,
}

/// What the classifier's output means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, glib::Enum)]
#[enum_type(name = "GstDactylClassifierOutput")]
pub enum Output {
    /// As the model's metadata says.
    #[enum_value(name = "As the model's metadata says", nick = "auto")]
    Auto,
    /// Probabilities that sum to one.
    #[enum_value(name = "Probabilities that sum to one", nick = "probabilities")]
    Probabilities,
    /// Logits, to be put through a softmax.
    #[enum_value(name = "Logits, to be put through a softmax", nick = "logits")]
    Logits,
}

impl From<dactyl_config::Features> for Features {
    fn from(features: dactyl_config::Features) -> Self {
        match features {
            dactyl_config::Features::Auto => Self::Auto,
            dactyl_config::Features::Hand1 => Self::Hand1,
            dactyl_config::Features::Holistic1662 => Self::Holistic1662,
        }
    }
}

impl From<Features> for dactyl_config::Features {
    fn from(features: Features) -> Self {
        match features {
            Features::Auto => Self::Auto,
            Features::Hand1 => Self::Hand1,
            Features::Holistic1662 => Self::Holistic1662,
        }
    }
}

impl From<dactyl_config::Output> for Output {
    fn from(output: dactyl_config::Output) -> Self {
        match output {
            dactyl_config::Output::Auto => Self::Auto,
            dactyl_config::Output::Probabilities => Self::Probabilities,
            dactyl_config::Output::Logits => Self::Logits,
        }
    }
}

impl From<Output> for dactyl_config::Output {
    fn from(output: Output) -> Self {
        match output {
            Output::Auto => Self::Auto,
            Output::Probabilities => Self::Probabilities,
            Output::Logits => Self::Logits,
        }
    }
}

glib::wrapper! {
    /// The element `lstm-classifier`.
    pub struct LstmClassifier(ObjectSubclass<imp::LstmClassifier>)
        @extends gst::Element, gst::Object;
}

/// Registers the element.
pub(crate) fn register(plugin: &gst::Plugin) -> Result<(), glib::BoolError> {
    gst::Element::register(Some(plugin), "lstm-classifier", gst::Rank::NONE, LstmClassifier::static_type())
}
