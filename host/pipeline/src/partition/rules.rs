use std::collections::{BTreeMap, BTreeSet};
use std::ops::Deref;

use crate::spec::RuleName;

use super::rule::Rule;

/// The rules of the bundle in force, and which of them may have changed, so that observers of thousands of rules need
/// only look at those.
#[derive(Default)]
pub(super) struct Rules {
    by_name: BTreeMap<RuleName, Rule>,
    changed: BTreeSet<RuleName>,
}

impl Rules {
    pub(super) fn get_mut(&mut self, name: &RuleName) -> Option<&mut Rule> {
        let rule = self.by_name.get_mut(name)?;
        if !self.changed.contains(name) {
            self.changed.insert(name.clone());
        }
        Some(rule)
    }

    pub(super) fn insert(&mut self, name: RuleName, rule: Rule) {
        self.changed.insert(name.clone());
        self.by_name.insert(name, rule);
    }

    pub(super) fn remove(&mut self, name: &RuleName) -> Option<Rule> {
        let rule = self.by_name.remove(name)?;
        self.changed.insert(name.clone());
        Some(rule)
    }

    /// Rules that may have changed since the last call, ended ones included.
    pub(super) fn take_changed(&mut self) -> BTreeSet<RuleName> {
        std::mem::take(&mut self.changed)
    }
}

impl Deref for Rules {
    type Target = BTreeMap<RuleName, Rule>;

    fn deref(&self) -> &Self::Target {
        &self.by_name
    }
}
