//! Every key and what it may be set to: the one place where ranges are written.

use std::{fmt, ops::RangeInclusive};

use crate::schema::{Features, LogFormat, Output, Part, PayloadFormat, Profile, ThrottleClock, TrackerClock};

/// One parameter.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Key {
    /// Section and name, for example `feedback.min_change`.
    pub path: &'static str,
    /// What it may be set to.
    pub values: Values,
}

/// What a parameter may be set to.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Values {
    /// Any text.
    Text,
    /// A whole number within bounds, both included.
    Integer(i64, i64),
    /// A number within bounds, both included.
    Number(f64, f64),
    /// `true` or `false`.
    Switch,
    /// One of these words.
    Choice(&'static [&'static str]),
    /// A list of any texts.
    Texts,
    /// A list of these words.
    Choices(&'static [&'static str]),
}

/// Every parameter, in the order of `default.toml`.
pub const KEYS: &[Key] = &[
    key("server.listen", Values::Text),
    key("server.max_sessions", Values::Integer(1, 10_000)),
    key("server.max_connections", Values::Integer(16, 1_000_000)),
    key("server.max_connections_per_client", Values::Integer(0, 1_000_000)),
    key("server.header_timeout_s", Values::Integer(1, 3600)),
    key("server.allowed_origins", Values::Texts),
    key("server.max_message_bytes", Values::Integer(1024, 16_777_216)),
    key("server.transport_max_bytes", Values::Integer(65_536, 268_435_456)),
    key("server.max_pixels", Values::Integer(1, 100_000_000)),
    key("server.max_scans", Values::Integer(1, 1000)),
    key("server.max_fps", Values::Integer(1, 1000)),
    key("server.max_bad_messages", Values::Integer(1, 1_000_000)),
    key("server.idle_timeout_s", Values::Integer(0, 86_400)),
    key("server.ping_interval_s", Values::Integer(1, 3600)),
    key("server.ping_timeout_s", Values::Integer(2, 3600)),
    key("server.slow_client_timeout_s", Values::Integer(1, 3600)),
    key("server.shutdown_timeout_ms", Values::Integer(100, 60_000)),
    key("tls.certificate", Values::Text),
    key("tls.key", Values::Text),
    key("pipeline.name", Values::Text),
    key("pipeline.directory", Values::Text),
    key("pipeline.allowed", Values::Texts),
    key("inference.slots", Values::Integer(0, 1024)),
    key("inference.niceness", Values::Integer(0, 19)),
    key("inference.runtime", Values::Text),
    key("models.directory", Values::Text),
    key("holistic.profile", Values::Choice(Profile::NAMES)),
    key("holistic.parts", Values::Choices(Part::NAMES)),
    key("holistic.min_detection_confidence", Values::Number(0.0, 1.0)),
    key("holistic.min_tracking_confidence", Values::Number(0.0, 1.0)),
    key("holistic.clock", Values::Choice(TrackerClock::NAMES)),
    key("holistic.post_messages", Values::Switch),
    key("letters.model", Values::Text),
    key("letters.window", Values::Integer(1, 1024)),
    key("letters.features", Values::Choice(Features::NAMES)),
    key("letters.labels", Values::Texts),
    key("letters.output", Values::Choice(Output::NAMES)),
    key("letters.nothing_share", Values::Number(0.0, 1.0)),
    key("letters.post_messages", Values::Switch),
    key("smoothing.history", Values::Integer(1, 1000)),
    key("feedback.min_interval_ms", Values::Integer(0, 60_000)),
    key("feedback.min_change", Values::Number(0.0, 1.0)),
    key("feedback.on_reset", Values::Switch),
    key("feedback.format", Values::Choice(PayloadFormat::NAMES)),
    key("feedback.clock", Values::Choice(ThrottleClock::NAMES)),
    key("log.level", Values::Text),
    key("log.format", Values::Choice(LogFormat::NAMES)),
];

const fn key(path: &'static str, values: Values) -> Key {
    Key { path, values }
}

impl Key {
    /// The key of that path.
    pub fn find(path: &str) -> Option<&'static Self> {
        KEYS.iter().find(|key| key.path == path)
    }

    /// The known path that looks most like `path`: of the same section if `path` names one that exists.
    pub fn nearest(path: &str) -> &'static str {
        let section = path.split_once('.').map(|(section, _)| section);
        let same_section = |key: &&Key| section == key.path.split_once('.').map(|(section, _)| section);
        let any = KEYS.iter().any(|key| same_section(&key));
        KEYS.iter()
            .filter(|key| !any || same_section(key))
            .map(|key| (strsim::normalized_damerau_levenshtein(path, key.path), key.path))
            .fold((-1.0, ""), |best, next| if next.0 > best.0 { next } else { best })
            .1
    }

    /// Bounds of a whole number; `None` for anything else.
    pub const fn integer_range(&self) -> Option<RangeInclusive<i64>> {
        match self.values {
            Values::Integer(least, most) => Some(least..=most),
            _ => None,
        }
    }

    /// Bounds of a number with a fraction; `None` for anything else.
    pub const fn number_range(&self) -> Option<RangeInclusive<f64>> {
        match self.values {
            Values::Number(least, most) => Some(least..=most),
            _ => None,
        }
    }
}

impl Values {
    /// `value` in the form that the typed configuration reads (`1` for a number with a fraction becomes `1.0`), or
    /// `None` if it is not of this kind or out of range.
    pub(crate) fn accept(&self, value: &toml::Value) -> Option<toml::Value> {
        let is_text = toml::Value::is_str;
        let is_one_of =
            |names: &[&str], value: &toml::Value| value.as_str().is_some_and(|text| names.contains(&text));
        let fits = match self {
            Self::Text => is_text(value),
            Self::Integer(least, most) => {
                value.as_integer().is_some_and(|number| (*least..=*most).contains(&number))
            }
            Self::Number(least, most) => {
                let number = value.as_float().or_else(|| value.as_integer().map(|number| number as f64))?;
                return (*least..=*most).contains(&number).then_some(toml::Value::Float(number));
            }
            Self::Switch => value.is_bool(),
            Self::Choice(names) => is_one_of(names, value),
            Self::Texts => value.as_array().is_some_and(|list| list.iter().all(is_text)),
            Self::Choices(names) => {
                value.as_array().is_some_and(|list| list.iter().all(|item| is_one_of(names, item)))
            }
        };
        fits.then(|| value.clone())
    }

    /// Reads a value as it is written in an environment variable or on the command line: texts without quotes, lists
    /// in TOML's form or separated by commas. What does not look like this kind of value comes back as text, for
    /// [`accept`](Self::accept) to refuse.
    pub(crate) fn read(&self, text: &str) -> toml::Value {
        let trimmed = text.trim();
        let as_text = || toml::Value::String(text.to_owned());
        match self {
            Self::Text | Self::Choice(_) => as_text(),
            Self::Integer(..) => trimmed.parse().map_or_else(|_| as_text(), toml::Value::Integer),
            Self::Number(..) => trimmed.parse().map_or_else(|_| as_text(), toml::Value::Float),
            Self::Switch => trimmed.parse().map_or_else(|_| as_text(), toml::Value::Boolean),
            Self::Texts | Self::Choices(_) if trimmed.starts_with('[') => {
                let list = toml::de::ValueDeserializer::parse(trimmed)
                    .and_then(<toml::Value as serde::Deserialize>::deserialize);
                list.unwrap_or_else(|_| as_text())
            }
            Self::Texts | Self::Choices(_) => trimmed
                .split(',')
                .map(str::trim)
                .filter(|item| !item.is_empty())
                .map(|item| toml::Value::String(item.to_owned()))
                .collect::<Vec<_>>()
                .into(),
        }
    }
}

impl fmt::Display for Values {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words =
            |names: &[&str]| names.iter().map(|name| format!("{name:?}")).collect::<Vec<_>>().join(", ");
        match self {
            Self::Text => f.write_str("a text"),
            Self::Integer(least, most) => write!(f, "a whole number from {least} to {most}"),
            Self::Number(least, most) => write!(f, "a number from {least:?} to {most:?}"),
            Self::Switch => f.write_str("true or false"),
            Self::Choice(names) => write!(f, "one of {}", words(names)),
            Self::Texts => f.write_str("a list of texts"),
            Self::Choices(names) => write!(f, "a list of {}", words(names)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::DEFAULT_TOML;

    #[test]
    fn the_table_names_exactly_the_keys_of_the_defaults_in_their_order() {
        let mut section = "";
        let mut written = Vec::new();
        for line in DEFAULT_TOML.lines() {
            if let Some(name) = line.strip_prefix('[') {
                section = name.trim_end_matches(']');
            } else if let Some((name, _)) = line.split_once(" = ").filter(|_| !line.starts_with('#')) {
                written.push(format!("{section}.{name}"));
            }
        }
        assert_eq!(written, KEYS.iter().map(|key| key.path).collect::<Vec<_>>());
    }

    #[test]
    fn the_comment_above_each_default_gives_the_bounds_of_the_table() {
        let mut comment = String::new();
        let mut section = "";
        for line in DEFAULT_TOML.lines() {
            if let Some(name) = line.strip_prefix('[') {
                section = name.trim_end_matches(']');
                comment.clear();
            } else if let Some(text) = line.strip_prefix('#') {
                comment.push_str(text);
            } else if let Some((name, _)) = line.split_once(" = ") {
                assert!(!comment.is_empty(), "{section}.{name} has no comment");
                let key = Key::find(&format!("{section}.{name}")).unwrap();
                let wanted: Vec<String> = match key.values {
                    Values::Integer(least, most) => vec![least.to_string(), most.to_string()],
                    Values::Number(least, most) => vec![format!("{least:?}"), format!("{most:?}")],
                    Values::Choice(names) | Values::Choices(names) => {
                        names.iter().map(|name| format!("{name:?}")).collect()
                    }
                    Values::Text | Values::Texts | Values::Switch => Vec::new(),
                };
                for bound in wanted {
                    let spaced = comment.replace([',', ';', '(', ')'], " ");
                    let tokens: Vec<&str> =
                        spaced.split_whitespace().map(|word| word.trim_end_matches('.')).collect();
                    let found =
                        tokens.contains(&bound.as_str()) || tokens.contains(&bound.trim_end_matches(".0"));
                    assert!(found, "{}: the comment does not give {bound}: {comment}", key.path);
                }
                comment.clear();
            }
        }
    }

    #[test]
    fn the_nearest_key_is_of_the_section_that_was_named() {
        assert_eq!(Key::nearest("feedback.min_interval"), "feedback.min_interval_ms");
        assert_eq!(Key::nearest("smothing.history"), "smoothing.history");
        assert_eq!(Key::nearest("listen"), "server.listen");
    }
}
