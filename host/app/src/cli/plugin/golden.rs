//! The states that a rule's cases end with, as digests in a file beside the cases. Bytes that change are noticed before
//! a host reads an old state as a new one.
use std::collections::BTreeMap;
use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use anyhow::{Context, anyhow};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use watchbell_contract::About;
use watchbell_sdk::testing::{Case, Outcome};

use super::super::{Failure, plain, print};

const FILE: &str = "state.golden.json";
const FILE_BYTES_MAX: u64 = 16 << 20;

/// A case that ran.
pub(super) struct Ran<'c> {
    pub(super) case: &'c Case,
    pub(super) outcome: Outcome,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Golden {
    state_version: u32,
    state_layout: String,
    cases: BTreeMap<String, Kept>,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Kept {
    /// Of what the case gives to the rule: if it changed, so may the state.
    given: String,
    state: String,
}

/// Compares the states with those in the file, and writes the file if they may change: there is none, the version of the
/// state was increased, or they are blessed.
pub(super) fn compare(about: &About, folder: &Path, ran: &[Ran<'_>], bless: bool) -> Result<(), Failure> {
    if ran.is_empty() {
        return Ok(());
    }
    let path = folder.join(FILE);
    let now = Golden::of(about, ran);
    let before: Option<Golden> = match watchbell_outside::read_text(&path, FILE_BYTES_MAX)
        .map_err(std::io::Error::from)
    {
        Ok(text) => Some(
            serde_json::from_str(&text)
                .with_context(|| format!("`{}` is not valid: delete it", path.display()))?,
        ),
        Err(error) if error.kind() == ErrorKind::NotFound => None,
        Err(error) => return Err(anyhow!(error).context(format!("cannot read `{}`", path.display())).into()),
    };
    if let Some(fault) = before.as_ref().filter(|_| !bless).and_then(|before| now.fault(before)) {
        return Err(anyhow!("{}: {fault}", path.display()).into());
    }
    if before.as_ref() != Some(&now) {
        let text = serde_json::to_string_pretty(&now)? + "\n";
        fs::write(&path, text).with_context(|| format!("cannot write `{}`", path.display()))?;
        print(&format!("written: {}", plain(&path.display().to_string())))?;
    }
    Ok(())
}

impl Golden {
    fn of(about: &About, ran: &[Ran<'_>]) -> Self {
        let kept = |ran: &Ran<'_>| {
            let given = Case { expect: vec![], never: vec![], quiet: true, ..ran.case.clone() };
            let given = Case::print(&[Case { pins: String::new(), missing: vec![], ..given }]);
            let kept = Kept { given: digest(given.as_bytes()), state: digest(&ran.outcome.state) };
            (ran.case.name.clone(), kept)
        };
        Self {
            state_version: about.state_version,
            state_layout: about.state_layout.clone(),
            cases: ran.iter().map(kept).collect(),
        }
    }

    /// What must not have changed since `before`.
    fn fault(&self, before: &Self) -> Option<String> {
        let version = self.state_version;
        if version < before.state_version {
            return Some(format!(
                "`state_version` went back from {} to {version}: a host could read a newer state as an older one",
                before.state_version
            ));
        }
        if version > before.state_version {
            return None;
        }
        let advice = format!(
            "increase `state_version` (now {version}), so that hosts build the state anew; or, if no host has such a \
             state yet, run `watchbell plugin test --bless`"
        );
        if self.state_layout != before.state_layout {
            return Some(format!("the layout of the state's types has changed: {advice}"));
        }
        let changed = self.cases.iter().find(|(name, kept)| {
            before
                .cases
                .get(*name)
                .is_some_and(|before| before.given == kept.given && before.state != kept.state)
        });
        changed.map(|(name, _)| {
            format!("the case `{name}` ends with other bytes of state than before: {advice}")
        })
    }
}

/// Short: it is compared with one other value.
fn digest(bytes: &[u8]) -> String {
    hex::encode(&Sha256::digest(bytes)[..12])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn golden(state_version: u32, layout: &str, given: &str, state: &str) -> Golden {
        let kept = Kept { given: given.into(), state: state.into() };
        Golden { state_version, state_layout: layout.into(), cases: [("a case".to_owned(), kept)].into() }
    }

    #[test]
    fn a_state_changes_only_with_its_version() {
        let before = golden(2, "l", "g", "s");
        let fault = |now: Golden| now.fault(&before).unwrap_or_default();
        assert_eq!(fault(golden(2, "l", "g", "s")), "");
        assert_eq!(fault(golden(2, "l", "other", "t")), "", "the case itself has changed");
        assert_eq!(fault(golden(3, "m", "g", "t")), "");
        assert!(
            fault(golden(2, "m", "g", "s"))
                .starts_with("the layout of the state's types has changed: increase")
        );
        assert!(fault(golden(2, "l", "g", "t")).starts_with("the case `a case` ends with other bytes"));
        assert!(fault(golden(1, "l", "g", "s")).contains("went back from 2 to 1"));
    }
}
