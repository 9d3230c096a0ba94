//! `access:` becomes who may do what.
use std::collections::BTreeMap;
use std::path::Path;

use super::doc::Doc;
use super::refs::secret;
use crate::access::{AccessSpec, OpenPath, Role, TokenSpec};
use crate::options::Options;
use crate::raw;

pub(super) fn access(
    doc: &mut Doc<'_>,
    raw: Option<raw::Access>,
    home: &Path,
    options: &Options<'_>,
) -> AccessSpec {
    let default = AccessSpec::default();
    let Some(raw) = raw else { return default };
    let mut tokens = Vec::new();
    let mut names: BTreeMap<String, usize> = BTreeMap::new();
    for (index, token) in raw.tokens.into_iter().enumerate() {
        let at = format!("/access/tokens/{index}");
        if let Some(first) = names.insert(token.name.clone(), index) {
            let message =
                format!("the token `{}` is defined twice: it is number {} too", token.name, first + 1);
            let hint = "give each token a name of its own: the audit log tells them apart by it";
            doc.fault(&format!("{at}/name"), message).hint(hint).push(doc);
        }
        tokens.push(TokenSpec {
            name: token.name,
            secret: secret(doc, &format!("{at}/secret"), token.secret, home, options),
            roles: token.roles.into_iter().map(Role::from).collect(),
            owner: token.owner,
        });
    }
    AccessSpec {
        tokens,
        open: raw.open.map_or(default.open, |open| open.into_iter().map(OpenPath::from).collect()),
        trust_proxy_tls: raw.trust_proxy_tls,
    }
}

impl From<raw::Role> for Role {
    fn from(role: raw::Role) -> Self {
        match role {
            raw::Role::View => Self::View,
            raw::Role::Ack => Self::Ack,
            raw::Role::Deploy => Self::Deploy,
        }
    }
}

impl From<raw::OpenPath> for OpenPath {
    fn from(path: raw::OpenPath) -> Self {
        match path {
            raw::OpenPath::Livez => Self::Livez,
            raw::OpenPath::Readyz => Self::Readyz,
            raw::OpenPath::Metrics => Self::Metrics,
        }
    }
}
