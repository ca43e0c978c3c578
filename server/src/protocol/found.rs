//! What stands where a message should hold something else: named for the one who sent it, and passed over.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use serde::de::{
    Deserialize, DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor,
};

/// JavaScript's `undefined` as msgpack5 and msgpackr write it, which MessagePack has no type for.
pub(super) const UNDEFINED: (i8, &[u8]) = (0, &[0]);

/// A value of any kind.
pub(super) enum Found<'de, Content> {
    Null,
    Boolean,
    Number(f64),
    Text,
    Bytes(Cow<'de, [u8]>),
    /// Bytes of a type that MessagePack leaves to its users.
    Extension(Cow<'de, [u8]>),
    List(Content),
    Object(Content),
}

impl<Content> fmt::Display for Found<'_, Content> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Null => "null",
            Self::Boolean => "a boolean",
            // Large ones as powers of ten.
            Self::Number(number) => return write!(formatter, "{number:?}"),
            Self::Text => "text",
            Self::Bytes(_) => "bytes",
            Self::Extension(_) => "an extension type",
            Self::List(_) => "a list",
            Self::Object(_) => "an object",
        })
    }
}

/// Reads what a list or an object holds. Whatever is not expected is passed over.
pub(super) trait Contents<'de>: Sized {
    type Content: Default;

    fn list<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self::Content, A::Error> {
        while items.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Self::Content::default())
    }

    fn object<A: MapAccess<'de>>(self, mut entries: A) -> Result<Self::Content, A::Error> {
        while entries.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Self::Content::default())
    }
}

/// Of values that hold nothing that is looked at.
pub(super) struct Nothing;

impl Contents<'_> for Nothing {
    type Content = ();
}

/// Reads a value of any kind.
pub(super) struct Finder<'de, C>(C, PhantomData<&'de ()>);

impl<'de, C: Contents<'de>> Finder<'de, C> {
    pub(super) fn new(contents: C) -> Self {
        Self(contents, PhantomData)
    }
}

impl<'de, C: Contents<'de>> DeserializeSeed<'de> for Finder<'de, C> {
    type Value = Found<'de, C::Content>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de, C: Contents<'de>> Visitor<'de> for Finder<'de, C> {
    type Value = Found<'de, C::Content>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a value")
    }

    fn visit_unit<E: Error>(self) -> Result<Self::Value, E> {
        Ok(Found::Null)
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<Self::Value, E> {
        Ok(Found::Boolean)
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<Self::Value, E> {
        Ok(Found::Number(number as f64))
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Self::Value, E> {
        Ok(Found::Number(number as f64))
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<Self::Value, E> {
        Ok(Found::Number(number))
    }

    fn visit_str<E: Error>(self, _: &str) -> Result<Self::Value, E> {
        Ok(Found::Text)
    }

    fn visit_borrowed_bytes<E: Error>(self, bytes: &'de [u8]) -> Result<Self::Value, E> {
        Ok(Found::Bytes(Cow::Borrowed(bytes)))
    }

    fn visit_bytes<E: Error>(self, bytes: &[u8]) -> Result<Self::Value, E> {
        Ok(Found::Bytes(Cow::Owned(bytes.to_owned())))
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(self, extension: D) -> Result<Self::Value, D::Error> {
        Ok(match <(i8, &[u8])>::deserialize(extension)? {
            UNDEFINED => Found::Null,
            (_, bytes) => Found::Extension(Cow::Borrowed(bytes)),
        })
    }

    fn visit_seq<A: SeqAccess<'de>>(self, items: A) -> Result<Self::Value, A::Error> {
        Ok(Found::List(self.0.list(items)?))
    }

    fn visit_map<A: MapAccess<'de>>(self, entries: A) -> Result<Self::Value, A::Error> {
        Ok(Found::Object(self.0.object(entries)?))
    }
}
