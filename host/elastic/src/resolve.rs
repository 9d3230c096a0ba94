//! A requested field as each index has it, and groups of indices that agree.
use crate::{
    error::ErrorKind,
    mapping::{Class, Mapping},
};

/// A field as the indices of a group have it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Field {
    /// The field with the exact values: the field itself, or the `keyword` beside a `text`.
    pub(crate) exact: String,
    /// The type of `exact`.
    pub(crate) kind: String,
    /// Its innermost nested parent.
    pub(crate) nested: Option<String>,
}

/// Indices that agree on all parts.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Group<T> {
    /// `None`: all that the pattern matches, including future ones.
    pub(crate) indices: Option<Vec<String>>,
    /// One per requested part; `None`: these indices do not map it.
    pub(crate) parts: Vec<Option<T>>,
}

impl Field {
    /// A field that no index is known to map.
    pub(crate) fn absent(name: &str) -> Self {
        Self { exact: name.into(), kind: String::new(), nested: None }
    }
}

impl Mapping {
    /// `None`: the indices of `class` do not map the field.
    ///
    /// # Errors
    /// Its values support neither exact search nor aggregation.
    pub(crate) fn resolve(&self, name: &str, class: Class) -> Result<Option<Field>, ErrorKind> {
        let nested = self.nested_in(name, class)?;
        let field = |exact: String, kind: &str| Some(Field { exact, kind: kind.into(), nested });
        match self.type_in(name, class)? {
            // Keys below a `flattened` object are not in the mapping, but have doc values.
            None => Ok(self.below_flattened(name).then(|| field(name.into(), "flattened")).flatten()),
            Some((kind, true)) => Ok(field(name.into(), kind)),
            Some((kind, false)) => {
                let keyword = format!("{name}.keyword");
                match self.type_in(&keyword, class)? {
                    Some((kind, true)) => Ok(field(keyword, kind)),
                    _ => Err(ErrorKind::FieldType {
                        field: name.into(),
                        kind: kind.into(),
                        cannot: "supports neither exact search nor aggregation",
                    }),
                }
            }
        }
    }

    /// Whether any index defines the field, so that a document can have a value.
    pub(crate) fn defines(&self, name: &str) -> bool {
        crate::mapping::is_metadata(name) || self.field(name).is_some() || self.below_flattened(name)
    }

    /// A field's innermost nested parent.
    pub(crate) fn nested_in(&self, name: &str, class: Class) -> Result<Option<String>, ErrorKind> {
        for (dot, _) in name.rmatch_indices('.') {
            if let Some(("nested", _)) = self.type_in(&name[..dot], class)? {
                return Ok(Some(name[..dot].into()));
            }
        }
        Ok(None)
    }

    pub(crate) fn below_flattened(&self, name: &str) -> bool {
        self.parents(name).any(|(_, caps)| caps.is("flattened") || caps.is("flat_object"))
    }

    /// Whether `index` is known and maps each of `fields`: then none of their types can have changed.
    pub(crate) fn settles<'a>(&self, index: &str, mut fields: impl Iterator<Item = &'a str>) -> bool {
        self.class_of(index).is_some_and(|class| {
            fields.all(|name| {
                crate::mapping::is_metadata(name)
                    || self.below_flattened(name)
                    || matches!(self.type_in(name, class), Ok(Some(_)))
            })
        })
    }

    /// Groups the indices for which `of` returns the same. A part that an index does not map fits any group.
    pub(crate) fn groups<T: PartialEq>(
        &self,
        of: impl Fn(Class) -> Result<Vec<Option<T>>, ErrorKind>,
    ) -> Result<Vec<Group<T>>, ErrorKind> {
        let mut groups: Vec<Group<T>> = vec![];
        for class in self.classes() {
            let parts = of(class)?;
            let indices = self.indices(class);
            match groups.iter_mut().find(|group| group.agrees(&parts)) {
                Some(group) => group.take_in(parts, indices),
                None => groups.push(Group { indices: Some(indices.to_vec()), parts }),
            }
        }
        if let [all] = &mut groups[..] {
            all.indices = None;
        }
        Ok(groups)
    }
}

impl<T: PartialEq> Group<T> {
    fn agrees(&self, parts: &[Option<T>]) -> bool {
        self.parts.iter().zip(parts).all(|(own, other)| own.is_none() || other.is_none() || own == other)
    }

    fn take_in(&mut self, parts: Vec<Option<T>>, indices: &[String]) {
        for (own, other) in self.parts.iter_mut().zip(parts) {
            if own.is_none() {
                *own = other;
            }
        }
        self.indices.get_or_insert_default().extend_from_slice(indices);
    }
}
