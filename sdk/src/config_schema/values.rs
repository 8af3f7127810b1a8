//! Keys that the administrator did not write.

use serde::{
    Deserialize,
    de::{Deserializer, Error, Visitor},
    forward_to_deserialize_any,
};
use std::{fmt::Display, marker::PhantomData};

/// The default of a key, as it is written in [`config!`](crate::config!).
pub fn default_value<'de, T: Deserialize<'de>, E: Error>(key: &str, toml: &str) -> Result<T, E> {
    let wrong = |error: &dyn Display| {
        E::custom(format_args!(
            "the default of `{key}`, {toml}, does not suit its type: {error}"
        ))
    };
    let mut table = format!("default = {toml}")
        .parse::<toml::Table>()
        .map_err(|error| wrong(&error.message()))?;
    let value = table.remove("default");
    let value = value.ok_or_else(|| wrong(&"it is empty"))?;
    T::deserialize(value).map_err(|error| wrong(&error.message()))
}

/// The value of a key without a default: none for an `Option`, else an error.
pub fn missing_key<'de, T: Deserialize<'de>, E: Error>(key: &'static str) -> Result<T, E> {
    struct Missing<E>(&'static str, PhantomData<E>);

    impl<'de, E: Error> Deserializer<'de> for Missing<E> {
        type Error = E;

        fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, E> {
            Err(E::missing_field(self.0))
        }

        fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, E> {
            visitor.visit_none()
        }

        forward_to_deserialize_any! {
            bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct
            newtype_struct seq tuple tuple_struct map struct enum identifier ignored_any
        }
    }

    T::deserialize(Missing(key, PhantomData))
}
