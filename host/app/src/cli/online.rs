//! What `check --online` asks: is the cluster there, do the indices exist, can the fields be read as the rules need?
use watchbell_elastic::FieldInfo;
use watchbell_manifest::Bundle;

use super::Failure;
use crate::{bind, chain, clock};

/// For all answers together.
const ANSWERS_MAX: std::time::Duration = std::time::Duration::from_secs(60);

pub(crate) struct Found {
    /// In words, each naming its file and rule.
    pub(crate) warnings: Vec<String>,
    /// In words, each naming its rule.
    pub(crate) faults: Vec<String>,
}

pub(crate) fn check(bundle: &Bundle) -> Result<Found, Failure> {
    let clusters = bind::clusters(&bundle.environment)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let mut found = Found { warnings: Vec::new(), faults: Vec::new() };
        let deadline = tokio::time::Instant::from_std(clock::monotonic() + ANSWERS_MAX);
        for rule in &bundle.rules {
            let Some(cluster) = clusters.get(&rule.target.cluster) else { continue };
            let target = bind::target(rule);
            let mut fields = vec![rule.target.time_field.clone()];
            fields.extend(rule.spec.key.iter().cloned());
            match cluster.fields(&target, &fields, deadline).await {
                Ok(infos) => {
                    for field in &fields {
                        let info = infos.iter().find(|info| info.name == *field);
                        found.warnings.extend(remarks(field, info).into_iter().map(|message| {
                            format!("{}: rule `{}`: {message}", rule.source.display(), rule.spec.name)
                        }));
                    }
                }
                Err(error) => found.faults.push(chain(&error)),
            }
        }
        Ok(found)
    })
}

fn remarks(field: &str, info: Option<&FieldInfo>) -> Vec<String> {
    let Some(info) = info else {
        return vec![format!("no document has the field `{field}`: every document falls into one group")];
    };
    let mut remarks: Vec<String> =
        info.problem.iter().map(|problem| format!("`{field}`: {problem}")).collect();
    if let Some(max) = info.ignore_above {
        remarks.push(format!(
            "`{field}` has `ignore_above: {max}`: longer values are missing and fall into one group"
        ));
    }
    if info.text {
        remarks.push(match &info.keyword {
            Some(keyword) => format!("`{field}` is `text`, which is slow to read: use `{keyword}`"),
            None => format!("`{field}` is `text`, which is slow to read, and it has no keyword beside it"),
        });
    }
    remarks
}
