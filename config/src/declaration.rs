//! What is known about a key: by its type, for the code that reads it, and without, for what walks over all of them.

use std::{fmt, ops::RangeInclusive};

use crate::{Config, KEYS};

/// Prefix of the environment variables that set a key.
pub(crate) const PREFIX: &str = "DACTYL_";

/// A key, by its type.
#[derive(Debug, Clone)]
pub struct Declaration<T: Setting> {
    /// Section and name, for example `feedback.min_change`.
    pub path: &'static str,
    /// The comment above it, as it is written in the source.
    pub(crate) text: &'static str,
    /// The built-in value.
    pub default: T::Constant,
    /// What it may be set to, besides what its type says.
    pub allowed: T::Allowed,
    /// Its value in a configuration.
    pub of: fn(&Config) -> &T,
}

impl<T: Setting> Declaration<T> {
    /// What the key means, in one sentence.
    pub fn sentence(&self) -> &'static str {
        sentence(self.text)
    }
}

/// A type that a key may have.
pub trait Setting: Clone {
    /// A built-in value, as the source writes it.
    type Constant: Copy;
    /// What narrows the values down: the range of a number, a few words about a text, nothing for what needs nothing.
    type Allowed;

    /// The value that is written so.
    fn new(constant: Self::Constant) -> Self;

    /// What a key with that range may be set to.
    fn values(allowed: &Self::Allowed) -> Values;

    /// The value as a configuration file has it.
    fn to_toml(&self) -> toml::Value;
}

impl Setting for u32 {
    type Constant = Self;
    type Allowed = RangeInclusive<Self>;

    fn new(constant: Self) -> Self {
        constant
    }

    fn values(allowed: &RangeInclusive<Self>) -> Values {
        Values::Integer((*allowed.start()).into(), (*allowed.end()).into())
    }

    fn to_toml(&self) -> toml::Value {
        toml::Value::Integer((*self).into())
    }
}

impl Setting for f32 {
    type Constant = Self;
    type Allowed = RangeInclusive<Self>;

    fn new(constant: Self) -> Self {
        constant
    }

    fn values(allowed: &RangeInclusive<Self>) -> Values {
        Values::Number((*allowed.start()).into(), (*allowed.end()).into())
    }

    fn to_toml(&self) -> toml::Value {
        // By way of its text: as a float64, 0.03 would be 0.029999999329447746.
        toml::Value::Float(self.to_string().parse().unwrap_or((*self).into()))
    }
}

impl Setting for bool {
    type Constant = Self;
    type Allowed = ();

    fn new(constant: Self) -> Self {
        constant
    }

    fn values((): &()) -> Values {
        Values::Switch
    }

    fn to_toml(&self) -> toml::Value {
        toml::Value::Boolean(*self)
    }
}

impl Setting for String {
    type Constant = &'static str;
    type Allowed = &'static str;

    fn new(constant: &'static str) -> Self {
        constant.to_owned()
    }

    fn values(allowed: &&'static str) -> Values {
        Values::Text(allowed)
    }

    fn to_toml(&self) -> toml::Value {
        toml::Value::String(self.clone())
    }
}

impl Setting for Vec<String> {
    type Constant = &'static [&'static str];
    type Allowed = &'static str;

    fn new(constant: &'static [&'static str]) -> Self {
        constant.iter().map(|&text| text.to_owned()).collect()
    }

    fn values(allowed: &&'static str) -> Values {
        Values::Texts(allowed)
    }

    fn to_toml(&self) -> toml::Value {
        toml::Value::Array(self.iter().map(Setting::to_toml).collect())
    }
}

/// A type that has only a few values, each of which has a word of its own.
pub trait Choice: Copy + 'static {
    /// The word of every value, as it is written in a configuration file, and what it means.
    const WORDS: &'static [(&'static str, &'static str)];

    /// The word of this value.
    fn word(self) -> &'static str;
}

impl<C: Choice> Setting for C {
    type Constant = Self;
    type Allowed = ();

    fn new(constant: Self) -> Self {
        constant
    }

    fn values((): &()) -> Values {
        Values::Choice(C::WORDS)
    }

    fn to_toml(&self) -> toml::Value {
        toml::Value::String(self.word().to_owned())
    }
}

impl<C: Choice> Setting for Vec<C> {
    type Constant = &'static [C];
    type Allowed = ();

    fn new(constant: &'static [C]) -> Self {
        constant.to_vec()
    }

    fn values((): &()) -> Values {
        Values::Choices(C::WORDS)
    }

    fn to_toml(&self) -> toml::Value {
        toml::Value::Array(self.iter().map(Setting::to_toml).collect())
    }
}

/// A key, whatever its type.
#[derive(Debug, Clone, PartialEq)]
pub struct Key {
    /// Section and name, for example `feedback.min_change`.
    pub path: &'static str,
    /// The built-in value.
    pub default: toml::Value,
    /// What it may be set to.
    pub values: Values,
    text: &'static str,
}

impl<T: Setting> From<Declaration<T>> for Key {
    fn from(key: Declaration<T>) -> Self {
        Self {
            path: key.path,
            default: T::new(key.default).to_toml(),
            values: T::values(&key.allowed),
            text: key.text,
        }
    }
}

/// What a key may be set to.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Values {
    /// Any text; the words say what kind.
    Text(&'static str),
    /// A whole number within bounds, both included.
    Integer(i64, i64),
    /// A number within bounds, both included.
    Number(f64, f64),
    /// `true` or `false`.
    Switch,
    /// One of these words, each with its meaning.
    Choice(&'static [(&'static str, &'static str)]),
    /// A list of any texts; the words say what kind.
    Texts(&'static str),
    /// A list of these words, each with its meaning.
    Choices(&'static [(&'static str, &'static str)]),
}

impl Key {
    /// The key of that path.
    pub fn find(path: &str) -> Option<&'static Self> {
        KEYS.iter().find(|key| key.path == path)
    }

    /// The known path that looks most like `path`: of the same section if `path` names one that exists.
    pub fn nearest(path: &str) -> &'static str {
        let section = path.split_once('.').map(|(section, _)| section);
        let same_section = |key: &&Self| section == Some(key.section_and_name().0);
        let any = KEYS.iter().any(|key| same_section(&key));
        // A name alone is compared with names alone: the same name in a section with a shorter one is not nearer.
        let compared = |key: &Self| if section.is_none() { key.section_and_name().1 } else { key.path };
        KEYS.iter()
            .filter(|key| !any || same_section(key))
            .map(|key| (strsim::normalized_damerau_levenshtein(path, compared(key)), key.path))
            .fold((-1.0, ""), |best, next| if next.0 > best.0 { next } else { best })
            .1
    }

    /// The environment variable that sets it: `DACTYL_SECTION__KEY`.
    pub fn variable(&self) -> String {
        format!("{PREFIX}{}", self.path.to_ascii_uppercase().replace('.', "__"))
    }

    /// Its section and its name there.
    pub fn section_and_name(&self) -> (&'static str, &'static str) {
        self.path.split_once('.').unwrap_or(("", self.path))
    }

    /// What it means, in one sentence.
    pub fn sentence(&self) -> &'static str {
        sentence(self.text)
    }

    /// The lines of the comment above it, the first of them its [sentence](Self::sentence).
    pub fn lines(&self) -> impl Iterator<Item = &'static str> {
        lines(self.text)
    }
}

/// The first line of a comment.
fn sentence(text: &'static str) -> &'static str {
    lines(text).next().unwrap_or_default()
}

/// The lines of a comment without the empty ones.
pub(crate) fn lines(text: &'static str) -> impl Iterator<Item = &'static str> {
    text.lines().map(str::trim).filter(|line| !line.is_empty())
}

impl Values {
    /// `value` in the form that the typed configuration reads (`1` for a number with a fraction becomes `1.0`), or
    /// `None` if it is not of this kind or out of range.
    pub(crate) fn accept(&self, value: &toml::Value) -> Option<toml::Value> {
        let is_text = toml::Value::is_str;
        let is_one_of = |words: &[(&str, &str)], value: &toml::Value| {
            value.as_str().is_some_and(|text| words.iter().any(|(word, _)| *word == text))
        };
        let fits = match self {
            Self::Text(_) => is_text(value),
            Self::Integer(least, most) => {
                value.as_integer().is_some_and(|number| (*least..=*most).contains(&number))
            }
            Self::Number(least, most) => {
                let number = value.as_float().or_else(|| value.as_integer().map(|number| number as f64))?;
                return (*least..=*most).contains(&number).then_some(toml::Value::Float(number));
            }
            Self::Switch => value.is_bool(),
            Self::Choice(words) => is_one_of(words, value),
            Self::Texts(_) => value.as_array().is_some_and(|list| list.iter().all(is_text)),
            Self::Choices(words) => {
                value.as_array().is_some_and(|list| list.iter().all(|item| is_one_of(words, item)))
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
            Self::Text(_) | Self::Choice(_) => as_text(),
            Self::Integer(..) => trimmed.parse().map_or_else(|_| as_text(), toml::Value::Integer),
            Self::Number(..) => trimmed.parse().map_or_else(|_| as_text(), toml::Value::Float),
            Self::Switch => trimmed.parse().map_or_else(|_| as_text(), toml::Value::Boolean),
            Self::Texts(_) | Self::Choices(_) if trimmed.starts_with('[') => {
                let list = toml::de::ValueDeserializer::parse(trimmed)
                    .and_then(<toml::Value as serde::Deserialize>::deserialize);
                list.unwrap_or_else(|_| as_text())
            }
            Self::Texts(_) | Self::Choices(_) => trimmed
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
        let list = |words: &[(&str, &str)]| {
            words.iter().map(|(word, _)| format!("{word:?}")).collect::<Vec<_>>().join(", ")
        };
        match self {
            Self::Text(_) => f.write_str("a text"),
            Self::Integer(least, most) => write!(f, "a whole number from {least} to {most}"),
            Self::Number(least, most) => write!(f, "a number from {least:?} to {most:?}"),
            Self::Switch => f.write_str("true or false"),
            Self::Choice(words) => write!(f, "one of {}", list(words)),
            Self::Texts(_) => f.write_str("a list of texts"),
            Self::Choices(words) => write!(f, "a list of {}", list(words)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_default_is_a_value_that_its_key_accepts() {
        for key in KEYS.iter() {
            assert_eq!(key.values.accept(&key.default).as_ref(), Some(&key.default), "{}", key.path);
        }
    }

    #[test]
    fn every_sentence_stands_alone() {
        for key in KEYS.iter() {
            let sentence = key.sentence();
            assert!(sentence.ends_with('.') && sentence.len() > 10, "{}: {sentence}", key.path);
            let second = key.text.lines().nth(1);
            assert!(second.is_none_or(str::is_empty), "{}: the sentence goes on with {second:?}", key.path);
        }
    }

    #[test]
    fn a_word_is_what_is_read_from_a_file() {
        for word in crate::ThrottleClock::WORDS {
            let value = toml::Value::String(word.0.to_owned());
            assert_eq!(value.clone().try_into::<crate::ThrottleClock>().unwrap().to_toml(), value);
        }
    }

    #[test]
    fn the_nearest_key_is_of_the_section_that_was_named() {
        assert_eq!(Key::nearest("feedback.min_interval"), "feedback.min_interval_ms");
        assert_eq!(Key::nearest("smothing.history"), "smoothing.history");
        assert_eq!(Key::nearest("listen"), "server.listen");
    }
}
