//! One log on standard error: the server's own messages, ONNX Runtime's, GStreamer's, GLib's, and panics.
//!
//! Messages of the project's elements have the target `dactyl::elements` and follow `log.level`. Those of the libraries
//! are for developers: `gstreamer` is shown from ERROR and `onnxruntime` from WARN on, unless a directive such as
//! `info,gstreamer=debug` or, for GStreamer and the elements, `GST_DEBUG` asks for more. No frame and no letter goes into
//! a line: see [`without_letters`].

use std::backtrace::{Backtrace, BacktraceStatus};
use std::borrow::Cow;
use std::io::{self, IsTerminal};
use std::{env, panic, thread};

use anyhow::{Context, Result};
use dactyl::log_output;
use dactyl_config::{Loaded, LogFormat};
use gst::glib;
use tracing::level_filters::LevelFilter;
use tracing::subscriber::set_global_default;
use tracing_appender::non_blocking::WorkerGuard;
use tracing_subscriber::EnvFilter;

use crate::exit::Usage;

/// Debug categories of the project's elements.
const ELEMENTS: [&str; 4] =
    ["holistic-keypoints", "lstm-classifier", "temporal-smoother", "feedback-throttle"];

/// Starts logging as configured and GStreamer, whose log it takes over. Once the guard is dropped, all of the log is written.
///
/// # Errors
/// A `log.level` that is no filter; GStreamer does not start.
pub(crate) fn start(loaded: &Loaded) -> Result<WorkerGuard> {
    let gst_debug = env::var_os("GST_DEBUG").is_some_and(|value| !value.is_empty());
    let filter = filter(&loaded.config.log.level, gst_debug)
        .map_err(|cause| Usage(format!("{}: log.level is refused: {cause}", loaded.origin("log.level"))))?;
    let (output, guard) = log_output::open().context("standard error can't be used")?;
    // What went wrong with the log would go to standard error, and end the thread where that is closed.
    let builder =
        tracing_subscriber::fmt().with_env_filter(filter).with_writer(output).log_internal_errors(false);
    // Not `try_init`, which would let in the messages of the `log` crate: tungstenite writes whole frames and letters
    // there.
    match loaded.config.log.format {
        LogFormat::Text => set_global_default(builder.with_ansi(io::stderr().is_terminal()).finish()),
        LogFormat::Json => set_global_default(builder.json().finish()),
    }
    .context("logging can't start")?;
    bridge_panics();
    bridge_glib();
    // Before it starts, which it has things to say about.
    bridge_gstreamer();
    gst::init().context("GStreamer can't start; is libgstreamer1.0-0 installed whole?")?;
    if !gst_debug {
        set_gstreamer_thresholds();
    }
    for misspelt in &loaded.misspelt {
        tracing::warn!("{misspelt}");
    }
    Ok(guard)
}

/// The filter of a `log.level`.
fn filter(text: &str, gst_debug: bool) -> Result<EnvFilter, String> {
    for directive in text.split(',').map(str::trim) {
        // EnvFilter takes any word for a module's name, a misspelt level too.
        let is_word = !directive.contains(['=', '[', '{', '}', ']']);
        if is_word && (directive.is_empty() || directive.parse::<LevelFilter>().is_err()) {
            return Err(format!(
                "{directive:?} is not error, warn, info, debug, trace or off, nor of the form module=level"
            ));
        }
    }
    let mut filter = EnvFilter::builder().parse(text).map_err(|error| error.to_string())?;
    // With GST_DEBUG, GStreamer's own thresholds decide.
    let quiet = if gst_debug {
        &["gstreamer=trace", "dactyl::elements=trace", "onnxruntime=warn"][..]
    } else {
        &["gstreamer=error", "onnxruntime=warn"]
    };
    for directive in quiet {
        let target = directive.split('=').next().unwrap_or_default();
        if !text.contains(target) {
            filter = filter.add_directive(directive.parse().map_err(|error| format!("{error}"))?);
        }
    }
    Ok(filter)
}

/// Passes GStreamer's messages to `tracing` with static targets, which filters need.
macro_rules! forward {
    ($target:literal, $level:expr, $category:expr, $object:expr, $message:expr) => {
        match $level {
            gst::DebugLevel::Error => {
                tracing::error!(target: $target, category = $category, object = $object, "{}", $message);
            }
            gst::DebugLevel::Warning | gst::DebugLevel::Fixme => {
                tracing::warn!(target: $target, category = $category, object = $object, "{}", $message);
            }
            gst::DebugLevel::Info => {
                tracing::info!(target: $target, category = $category, object = $object, "{}", $message);
            }
            gst::DebugLevel::Debug => {
                tracing::debug!(target: $target, category = $category, object = $object, "{}", $message);
            }
            gst::DebugLevel::Log | gst::DebugLevel::Trace => {
                tracing::trace!(target: $target, category = $category, object = $object, "{}", $message);
            }
            // A memory dump is a frame.
            _ => {}
        }
    };
}

/// The least severe of GStreamer's levels that the filter lets through for a target.
macro_rules! threshold {
    ($target:literal) => {
        if tracing::enabled!(target: $target, tracing::Level::TRACE) {
            gst::DebugLevel::Trace
        } else if tracing::enabled!(target: $target, tracing::Level::DEBUG) {
            gst::DebugLevel::Debug
        } else if tracing::enabled!(target: $target, tracing::Level::INFO) {
            gst::DebugLevel::Info
        } else if tracing::enabled!(target: $target, tracing::Level::WARN) {
            gst::DebugLevel::Fixme
        } else if tracing::enabled!(target: $target, tracing::Level::ERROR) {
            gst::DebugLevel::Error
        } else {
            gst::DebugLevel::None
        }
    };
}

fn bridge_gstreamer() {
    gst::log::remove_default_log_function();
    gst::log::add_log_function(|category, level, _file, _function, _line, object, message| {
        let Some(text) = message.get() else { return };
        let object = object.map(ToString::to_string);
        let (category, object) = (category.name(), object.as_deref());
        let text = without_letters(category, &text);
        if ELEMENTS.contains(&category) {
            forward!("dactyl::elements", level, category, object, text);
        } else {
            forward!("gstreamer", level, category, object, text);
        }
    });
}

/// What the filter drops in the end is not written in the first place.
fn set_gstreamer_thresholds() {
    gst::log::set_default_threshold(threshold!("gstreamer"));
    for element in ELEMENTS {
        gst::log::set_threshold_for_name(element, threshold!("dactyl::elements"));
    }
}

/// GStreamer prints events and element messages whole: a `letter-target` event would name the letter, and what an element
/// posts is what it saw in a frame. `textoverlay` prints, in quotes, what it draws.
fn without_letters<'a>(category: &str, text: &'a str) -> Cow<'a, str> {
    let printed = [("letter-target", "letter-target event"), ("element message: ", "element message")];
    for (begin, shown) in printed {
        if let Some(at) = text.find(begin) {
            return Cow::Owned(format!("{}{shown}", &text[..at]));
        }
    }
    match text.split_once('\'') {
        Some((before, _)) if category == "basetextoverlay" => Cow::Borrowed(before),
        _ => Cow::Borrowed(text),
    }
}

/// The panics that `std` prints wait for somebody to read them.
fn bridge_panics() {
    panic::set_hook(Box::new(|panic| {
        let thread = thread::current();
        let at = panic.location().map(ToString::to_string);
        let backtrace = Backtrace::capture();
        let backtrace = (backtrace.status() == BacktraceStatus::Captured).then_some(backtrace);
        tracing::error!(
            target: "dactyl::panic",
            thread = thread.name(),
            at,
            backtrace = backtrace.map(tracing::field::display),
            "{}",
            panic.payload_as_str().unwrap_or("a panic")
        );
    }));
}

/// GLib's warnings are about broken rules of a library call. `G_DEBUG=fatal_warnings` ends the process as always.
fn bridge_glib() {
    glib::log_set_default_handler(|domain, level, text| {
        let domain = domain.unwrap_or_default();
        let text = without_letters(domain, text);
        match level {
            glib::LogLevel::Error | glib::LogLevel::Critical => {
                tracing::error!(target: "glib", domain, "{text}");
            }
            glib::LogLevel::Warning => tracing::warn!(target: "glib", domain, "{text}"),
            glib::LogLevel::Message | glib::LogLevel::Info => {
                tracing::info!(target: "glib", domain, "{text}");
            }
            glib::LogLevel::Debug => tracing::debug!(target: "glib", domain, "{text}"),
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_and_filters_are_taken() {
        for text in ["off", "info", "WARN", "info,dactyl::session=debug", "error,[session{id=1}]=trace"] {
            assert!(filter(text, false).is_ok(), "{text}");
        }
    }

    #[test]
    fn a_misspelt_level_is_refused() {
        for text in ["inof", "info,debgu", "dactyl=loud", ""] {
            assert!(filter(text, false).is_err(), "{text:?}");
        }
    }

    #[test]
    fn gstreamer_is_quiet_unless_it_is_asked_for() {
        assert!(filter("debug", false).unwrap().to_string().contains("gstreamer=error"));
        assert!(!filter("info,gstreamer=debug", true).unwrap().to_string().contains("gstreamer=trace"));
        assert!(filter("info", true).unwrap().to_string().contains("gstreamer=trace"));
    }

    #[test]
    fn the_letter_of_an_event_is_left_out() {
        let text =
            "sending event custom-downstream event: 0x1, letter-target, letter=(string)Q, epoch=(guint64)3;";
        let shown = "sending event custom-downstream event: 0x1, letter-target event";
        assert_eq!(without_letters("GST_EVENT", text), shown);
    }

    #[test]
    fn what_an_element_posts_and_what_is_drawn_are_left_out() {
        let text = "[msg 0x1] posting on bus element message: 0x1, time 99:99:99.999999999, seq-num 7, element \
            'classifier', lstm-classifier, id=(guint64)3, labels=(string)< F, I >;";
        assert_eq!(without_letters("GST_BUS", text), "[msg 0x1] posting on bus element message");
        assert_eq!(without_letters("basetextoverlay", "Rendering text 'F'"), "Rendering text ");
        assert_eq!(without_letters("GST_PADS", "no pad 'F'"), "no pad 'F'");
    }
}
