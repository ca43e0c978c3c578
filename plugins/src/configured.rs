//! Properties that stand for a key of the configuration.

use dactyl_config::{Choice, Declaration};
use gst::glib;
use gst::prelude::*;

/// What the builders of properties lack: in `#[property(..., key = ...)]`, `key` takes sentence, range and default from a
/// key of the configuration. The default is the one of the process when the first element of its kind is made.
pub(crate) trait FromKey<T: dactyl_config::Setting>: Sized {
    /// Makes it the property of that key.
    fn key(self, key: Declaration<T>) -> Self;
}

impl FromKey<u32> for glib::ParamSpecUIntBuilder<'_> {
    fn key(self, key: Declaration<u32>) -> Self {
        let (minimum, maximum) = key.allowed.clone().into_inner();
        self.blurb(key.sentence()).minimum(minimum).maximum(maximum).default_value(configured(&key))
    }
}

impl FromKey<f32> for glib::ParamSpecFloatBuilder<'_> {
    fn key(self, key: Declaration<f32>) -> Self {
        let (minimum, maximum) = key.allowed.clone().into_inner();
        self.blurb(key.sentence()).minimum(minimum).maximum(maximum).default_value(configured(&key))
    }
}

impl FromKey<bool> for glib::ParamSpecBooleanBuilder<'_> {
    fn key(self, key: Declaration<bool>) -> Self {
        self.blurb(key.sentence()).default_value(configured(&key))
    }
}

impl<T> FromKey<T> for glib::ParamSpecEnumBuilder<'_, T>
where
    T: Choice + StaticType + glib::translate::FromGlib<i32> + glib::translate::IntoGlib<GlibType = i32>,
{
    fn key(self, key: Declaration<T>) -> Self {
        self.blurb(key.sentence()).default_value(configured(&key))
    }
}

/// The value of a key in the configuration of this process.
fn configured<T: dactyl_config::Setting>(key: &Declaration<T>) -> T {
    (key.of)(&dactyl_config::process()).clone()
}
