//! A fingerprint of a state's layout: two types whose encodings differ have different ones.
//!
//! The type is deserialized from a source that has one of everything and writes down what it is asked for. Enums take one
//! pass per variant.
use std::fmt::{self, Write};

use serde::de::value::StrDeserializer;
use serde::de::{
    DeserializeOwned, DeserializeSeed, Deserializer, EnumAccess, Error, IntoDeserializer, MapAccess,
    SeqAccess, VariantAccess, Visitor,
};

/// Increased when the encoding of the SDK's own types changes in a way that the types do not show, such as the hash of
/// a key.
const ENCODING: u32 = 3;
/// Types may contain themselves: below this depth, and in descriptions of more than so many bytes, options are `None` and
/// lists are empty.
const DEPTH_MAX: usize = 24;
const SHAPE_BYTES_MAX: usize = 64 << 10;
/// Enough for every variant of all enums together.
const PASSES_MAX: usize = 1_024;

/// The fingerprint of `S`: 16 hexadecimal digits.
pub(crate) fn layout<S: DeserializeOwned>() -> String {
    let mut shape = format!("{ENCODING}");
    let mut enums: Vec<Enum> = Vec::new();
    for _ in 0..PASSES_MAX {
        let tracer = Tracer { shape: &mut shape, enums: &mut enums, depth: 0 };
        if S::deserialize(tracer).is_err() {
            // A type may refuse what is made up; what it asked for up to here is its layout all the same.
            shape.push('!');
        }
        // The enum that was found last: those that hold it stay where they are until it has shown all its variants.
        let Some(next) = enums.iter_mut().rev().find(|found| found.current + 1 < found.variants.len()) else {
            break;
        };
        next.current += 1;
    }
    format!("{:016x}", watchbell_rows::hash(shape.as_bytes()))
}

/// An enum, and the variant that it has in this pass.
struct Enum {
    name: &'static str,
    variants: &'static [&'static str],
    current: usize,
}

struct Tracer<'t> {
    shape: &'t mut String,
    enums: &'t mut Vec<Enum>,
    depth: usize,
}

impl Tracer<'_> {
    fn inner(&mut self) -> Tracer<'_> {
        Tracer { shape: self.shape, enums: self.enums, depth: self.depth + 1 }
    }

    fn is_deep(&self) -> bool {
        self.depth > DEPTH_MAX || self.shape.len() > SHAPE_BYTES_MAX
    }

    /// The variant of an enum in this pass.
    fn variant(&mut self, name: &'static str, variants: &'static [&'static str]) -> Option<&'static str> {
        let known = self.enums.iter().find(|known| known.name == name && known.variants == variants);
        let current = known.map(|known| known.current);
        if current.is_none() {
            self.enums.push(Enum { name, variants, current: 0 });
        }
        variants.get(current.unwrap_or(0)).copied()
    }
}

/// What a type answers to a value that it does not accept.
#[derive(Debug)]
struct Refused;

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("refused")
    }
}

impl std::error::Error for Refused {}

impl Error for Refused {
    fn custom<T: fmt::Display>(_: T) -> Self {
        Self
    }
}

macro_rules! plain {
    ($($method:ident $visit:ident $value:expr;)+) => {
        $(
            fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
                self.shape.push_str(concat!(stringify!($visit), ";"));
                visitor.$visit($value)
            }
        )+
    };
}

impl<'de> Deserializer<'de> for Tracer<'_> {
    type Error = Refused;

    // Numbers are 1, because some types refuse 0.
    plain! {
        deserialize_bool visit_bool false;
        deserialize_i8 visit_i8 1;
        deserialize_i16 visit_i16 1;
        deserialize_i32 visit_i32 1;
        deserialize_i64 visit_i64 1;
        deserialize_i128 visit_i128 1;
        deserialize_u8 visit_u8 1;
        deserialize_u16 visit_u16 1;
        deserialize_u32 visit_u32 1;
        deserialize_u64 visit_u64 1;
        deserialize_u128 visit_u128 1;
        deserialize_f32 visit_f32 1.0;
        deserialize_f64 visit_f64 1.0;
        deserialize_char visit_char 'a';
        deserialize_str visit_borrowed_str "";
        deserialize_bytes visit_borrowed_bytes b"";
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        self.deserialize_str(visitor)
    }

    fn deserialize_byte_buf<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        self.deserialize_bytes(visitor)
    }

    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Refused> {
        // The encoding has no such values either.
        Err(Refused)
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        visitor.visit_unit()
    }

    fn deserialize_option<V: Visitor<'de>>(mut self, visitor: V) -> Result<V::Value, Refused> {
        self.shape.push('?');
        if self.is_deep() { visitor.visit_none() } else { visitor.visit_some(self.inner()) }
    }

    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        self.shape.push_str("();");
        visitor.visit_unit()
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Refused> {
        self.deserialize_unit(visitor)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        mut self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Refused> {
        let _ = write!(self.shape, "{name}:");
        visitor.visit_newtype_struct(self.inner())
    }

    fn deserialize_seq<V: Visitor<'de>>(mut self, visitor: V) -> Result<V::Value, Refused> {
        self.shape.push('[');
        let left = usize::from(!self.is_deep());
        visitor.visit_seq(Elements { tracer: self.inner(), left })
    }

    fn deserialize_tuple<V: Visitor<'de>>(mut self, len: usize, visitor: V) -> Result<V::Value, Refused> {
        let _ = write!(self.shape, "({len}:");
        visitor.visit_seq(Elements { tracer: self.inner(), left: len })
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        len: usize,
        visitor: V,
    ) -> Result<V::Value, Refused> {
        self.shape.push_str(name);
        self.deserialize_tuple(len, visitor)
    }

    fn deserialize_map<V: Visitor<'de>>(mut self, visitor: V) -> Result<V::Value, Refused> {
        self.shape.push('{');
        let left = usize::from(!self.is_deep());
        visitor.visit_map(Elements { tracer: self.inner(), left })
    }

    fn deserialize_struct<V: Visitor<'de>>(
        mut self,
        name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Refused> {
        let _ = write!(self.shape, "{name}{{{}:", fields.join(","));
        visitor.visit_seq(Elements { tracer: self.inner(), left: fields.len() })
    }

    fn deserialize_enum<V: Visitor<'de>>(
        mut self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Refused> {
        let _ = write!(self.shape, "{name}<{}:", variants.join(","));
        let variant = self.variant(name, variants).ok_or(Refused)?;
        let _ = write!(self.shape, "{variant}=");
        visitor.visit_enum(Variant { tracer: self.inner(), variant })
    }

    fn deserialize_identifier<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        visitor.visit_borrowed_str("")
    }

    fn is_human_readable(&self) -> bool {
        false
    }
}

/// A few elements of a list, a tuple, a map or a struct.
struct Elements<'t> {
    tracer: Tracer<'t>,
    left: usize,
}

impl<'de> SeqAccess<'de> for Elements<'_> {
    type Error = Refused;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Refused> {
        if self.left == 0 {
            self.tracer.shape.push(']');
            return Ok(None);
        }
        self.left -= 1;
        seed.deserialize(self.tracer.inner()).map(Some)
    }
}

impl<'de> MapAccess<'de> for Elements<'_> {
    type Error = Refused;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Refused> {
        if self.left == 0 {
            self.tracer.shape.push('}');
            return Ok(None);
        }
        self.left -= 1;
        seed.deserialize(self.tracer.inner()).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Refused> {
        seed.deserialize(self.tracer.inner())
    }
}

struct Variant<'t> {
    tracer: Tracer<'t>,
    variant: &'static str,
}

impl<'de, 't> EnumAccess<'de> for Variant<'t> {
    type Error = Refused;
    type Variant = Content<'t>;

    fn variant_seed<V: DeserializeSeed<'de>>(self, seed: V) -> Result<(V::Value, Content<'t>), Refused> {
        let name: StrDeserializer<'_, Refused> = self.variant.into_deserializer();
        Ok((seed.deserialize(name)?, Content(self.tracer)))
    }
}

/// What a variant holds.
struct Content<'t>(Tracer<'t>);

impl<'de> VariantAccess<'de> for Content<'_> {
    type Error = Refused;

    fn unit_variant(self) -> Result<(), Refused> {
        Ok(())
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value, Refused> {
        seed.deserialize(self.0)
    }

    fn tuple_variant<V: Visitor<'de>>(self, len: usize, visitor: V) -> Result<V::Value, Refused> {
        self.0.deserialize_tuple(len, visitor)
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Refused> {
        self.0.deserialize_struct("", fields, visitor)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::num::NonZeroU32;

    use serde::Deserialize;

    use super::*;
    use crate::{Cells, EventWindow, KeyMap, Level, Name, NamedMap};

    #[derive(Deserialize)]
    #[expect(dead_code, reason = "only their layouts matter")]
    enum First {
        None,
        One(u32),
        Two { a: u32, b: Option<Box<First>> },
    }

    #[derive(Deserialize)]
    #[expect(dead_code, reason = "only their layouts matter")]
    struct Wide {
        a: u32,
        b: Vec<First>,
    }

    mod other {
        #[derive(serde::Deserialize)]
        #[expect(dead_code, reason = "only their layouts matter")]
        pub(super) enum First {
            None,
            One(u32),
            Two { a: u64, b: Option<Box<First>> },
        }

        #[derive(serde::Deserialize)]
        #[expect(dead_code, reason = "only their layouts matter")]
        pub(super) struct Wide {
            a: u32,
            b: Vec<First>,
        }
    }

    #[test]
    fn layouts_differ_where_encodings_do() {
        let all = [
            layout::<()>(),
            layout::<u32>(),
            layout::<u64>(),
            layout::<NonZeroU32>(),
            layout::<Vec<u32>>(),
            layout::<Option<u32>>(),
            layout::<(u32, u32)>(),
            layout::<[u8; 8]>(),
            layout::<[u8; 9]>(),
            layout::<String>(),
            layout::<Wide>(),
            layout::<KeyMap<EventWindow>>(),
            layout::<KeyMap<Vec<u32>>>(),
            layout::<NamedMap<Name>>(),
            layout::<Cells<u32>>(),
            layout::<Cells<Level>>(),
        ];
        // A number that is not zero is encoded like any other.
        assert_eq!(all.iter().collect::<HashSet<_>>().len(), all.len() - 1);
        assert_eq!(layout::<u32>(), layout::<NonZeroU32>());
        assert!(all.iter().all(|layout| layout.len() == 16));
    }

    #[test]
    fn a_member_deep_in_the_last_variant_counts() {
        assert_ne!(layout::<Wide>(), layout::<other::Wide>());
        assert_eq!(layout::<Wide>(), layout::<Wide>());
    }

    #[test]
    fn a_type_that_contains_itself_has_a_layout() {
        #[derive(Deserialize)]
        #[expect(dead_code, reason = "only its layout matters")]
        struct Tree {
            left: Option<Box<Tree>>,
            right: Option<Box<Tree>>,
        }
        assert_eq!(layout::<Tree>().len(), 16);
    }
}
