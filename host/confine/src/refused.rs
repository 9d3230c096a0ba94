use std::fmt;

use crate::scope::Grant;

/// A part that a search must not contain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// The keys and positions that lead to it.
    pub(crate) path: Vec<String>,
    /// Why.
    pub reason: Reason,
}

/// Why a part is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reason {
    /// It reaches beyond the rule's index, filter or time range, and nothing allows that.
    Needs(Grant),
    /// It is not on the list of its kind: a query, an aggregation, an option.
    Unlisted(&'static str),
    /// It is never allowed; why, as a clause.
    Never(&'static str),
    /// It is not what it must be.
    Expected(&'static str),
    /// It reads an index that the environment does not allow.
    Index(String),
}

impl Refused {
    /// Its place below the place at `root`: `query.bool.must[0]`.
    pub fn path(&self, root: &str) -> String {
        let mut path = root.to_owned();
        for step in &self.path {
            if !path.is_empty() && step.bytes().all(|byte| byte.is_ascii_digit()) {
                path.push_str(&format!("[{step}]"));
                continue;
            }
            if !path.is_empty() {
                path.push('.');
            }
            path.push_str(step);
        }
        path
    }

    /// Its place as a JSON pointer.
    pub fn pointer(&self) -> String {
        self.path.iter().map(|step| format!("/{}", step.replace('~', "~0").replace('/', "~1"))).collect()
    }

    /// What to do about it. `cluster`: how the cluster is called.
    pub fn remedy(&self, cluster: &str) -> String {
        match &self.reason {
            Reason::Needs(grant) => {
                format!("remove it, or add `{}` to `allow` of {cluster} in the environment", grant.name())
            }
            Reason::Unlisted(_) => "remove it; docs/searches.md lists what is allowed".into(),
            Reason::Never(_) => "remove it".into(),
            Reason::Expected(_) => "write it as docs/searches.md shows".into(),
            Reason::Index(_) => {
                format!("remove it, or add the index to `indices` of {cluster} in the environment")
            }
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Needs(grant) => f.write_str(grant.why()),
            Self::Unlisted(kind) => write!(f, "is not {kind} that a rule may use"),
            Self::Never(why) => f.write_str(why),
            Self::Expected(what) => write!(f, "is not {what}"),
            Self::Index(index) => write!(f, "reads `{index}`, an index that the environment does not allow"),
        }
    }
}
