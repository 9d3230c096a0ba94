//! One asked field, as each index has it; and indices in groups that agree on what is asked of them.
use crate::{
    error::Cause,
    mapping::{Class, Mapping},
};

/// A field as the indices of a group have it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Field {
    /// Whose exact values are searched and counted: the field itself, or the keyword beside a text.
    pub(crate) exact: String,
    /// The type of `exact`.
    pub(crate) kind: String,
    /// The innermost nested object it lies in.
    pub(crate) nested: Option<String>,
}

/// Indices that agree.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Group<T> {
    /// `None`: all that the pattern has, also those that are yet to come.
    pub(crate) indices: Option<Vec<String>>,
    /// One for each part asked; `None`: these indices do not know it.
    pub(crate) parts: Vec<Option<T>>,
}

impl Field {
    /// A field that no index is known to have.
    pub(crate) fn absent(name: &str) -> Self {
        Self { exact: name.into(), kind: String::new(), nested: None }
    }
}

impl Mapping {
    /// `None`: the indices of `class` do not know the field.
    ///
    /// # Errors
    /// Its exact values can be neither searched nor counted.
    pub(crate) fn resolve(&self, name: &str, class: Class) -> Result<Option<Field>, Cause> {
        let nested = self.nested_in(name, class)?;
        let field = |exact: String, kind: &str| Some(Field { exact, kind: kind.into(), nested });
        match self.type_in(name, class)? {
            // Keys below a `flattened` object are in no mapping, but have doc values.
            None => Ok(self.below_flattened(name).then(|| field(name.into(), "flattened")).flatten()),
            Some((kind, true)) => Ok(field(name.into(), kind)),
            Some((kind, false)) => {
                let keyword = format!("{name}.keyword");
                match self.type_in(&keyword, class)? {
                    Some((kind, true)) => Ok(field(keyword, kind)),
                    _ => Err(Cause::FieldType {
                        field: name.into(),
                        kind: kind.into(),
                        cannot: "cannot be counted by or searched for exactly",
                    }),
                }
            }
        }
    }

    /// The innermost nested object above a field.
    pub(crate) fn nested_in(&self, name: &str, class: Class) -> Result<Option<String>, Cause> {
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

    /// Whether `index` is known, and knows each of `fields`: then nothing about them can have changed.
    pub(crate) fn settles<'a>(&self, index: &str, mut fields: impl Iterator<Item = &'a str>) -> bool {
        self.class_of(index).is_some_and(|class| {
            fields.all(|name| {
                crate::mapping::is_metadata(name)
                    || self.below_flattened(name)
                    || matches!(self.type_in(name, class), Ok(Some(_)))
            })
        })
    }

    /// The indices in groups for which `of` says the same. What one does not know, it has no say in.
    pub(crate) fn groups<T: PartialEq>(
        &self,
        of: impl Fn(Class) -> Result<Vec<Option<T>>, Cause>,
    ) -> Result<Vec<Group<T>>, Cause> {
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
