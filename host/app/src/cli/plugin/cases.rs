//! `plugin test`: a rule's cases on its component.
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use anyhow::anyhow;
use watchbell_sandbox::{CaseRunner, RuleModule};
use watchbell_sdk::testing::case::ORIGIN;
use watchbell_sdk::testing::{Case, Outcome};

use super::super::{Colour, Failure, paint, plain, print};
use super::golden::{self, Ran};
use crate::testing::bless::{Refused, rewrite};

/// How strictly cases are taken.
#[derive(Clone, Copy, Debug)]
pub(super) struct Strictness {
    /// Write what happened into the cases, and the states' bytes into their file.
    pub(super) bless: bool,
    /// Demand a case that fires and one that stays quiet.
    pub(super) strict: bool,
}

/// Runs every case of `folder`: its signals must be the expected ones, however time is cut, and its state must have the
/// bytes that it had.
pub(super) fn hold(rule: &RuleModule, folder: &Path, strictness: Strictness) -> Result<(), Failure> {
    let files = Case::files(folder).map_err(anyhow::Error::msg)?;
    let mut read = Vec::new();
    for file in &files {
        read.push((file, Case::read_file(file).map_err(|fault| anyhow!("{}", plain(&fault)))?));
    }
    let cases: Vec<&Case> = read.iter().flat_map(|(_, cases)| cases).collect();
    named_apart(&cases)?;
    let mut faults: Vec<(&str, String)> = Vec::new();
    let mut ran = Vec::new();
    for case in &cases {
        let mut runner = CaseRunner::new(rule);
        match case.outcome(&mut runner) {
            Ok(outcome) => {
                told(case, &outcome)?;
                faults.extend(case.check_fold(&mut runner).err().map(|fault| (&*case.place, fault)));
                ran.push(Ran { case, outcome });
            }
            Err(problem) => {
                faults.push((&case.place, format!("{}: case `{}`: {problem}", case.place, case.name)))
            }
        }
    }
    let blessed = if strictness.bless { bless(&read, &ran)? } else { BTreeSet::new() };
    let differences = ran.iter().filter(|ran| !blessed.contains(ran.case.place.as_str()));
    faults.extend(
        differences.filter_map(|ran| Some((&*ran.case.place, ran.case.check_outcome(&ran.outcome).err()?))),
    );
    if !faults.is_empty() {
        let lines = faults.iter().flat_map(|(_, text)| text.lines());
        let lines: Vec<String> = lines.map(|line| format!("  {}", plain(line))).collect();
        let wrong: BTreeSet<&str> = faults.iter().map(|(place, _)| *place).collect();
        let all = cases.len();
        return Err(
            anyhow!("{} of {all} cases fail on the component\n{}", wrong.len(), lines.join("\n")).into()
        );
    }
    if strictness.strict {
        both_ways(&cases, folder)?;
    }
    golden::compare(rule.about(), folder, &ran, strictness.bless)?;
    let ok = paint("ok", Colour::Green);
    print(&format!("{ok}: cases on the component: {} passed", cases.len()))
}

/// The names of cases tell them apart, also in the file of states.
fn named_apart(cases: &[&Case]) -> Result<(), Failure> {
    let mut known: BTreeMap<&str, &str> = BTreeMap::new();
    for case in cases {
        if let Some(other) = known.insert(&case.name, &case.place) {
            return Err(anyhow!("{}: `{}` is also the name of {other}", case.place, case.name).into());
        }
    }
    Ok(())
}

/// Prints what the rule logged.
fn told(case: &Case, outcome: &Outcome) -> Result<(), Failure> {
    for line in &outcome.logs {
        let at = line.window_end.since(ORIGIN);
        let level = format!("{:?}", line.level).to_lowercase();
        print(&plain(&format!("  `{}`, window to {at}: {level}: {}", case.name, line.message)))?;
    }
    Ok(())
}

/// A rule is trusted once it was seen to fire and to stay quiet.
fn both_ways(cases: &[&Case], folder: &Path) -> Result<(), Failure> {
    let fires = cases.iter().any(|case| case.fires());
    let stays_quiet = cases.iter().any(|case| case.stays_quiet());
    let lack = match (fires, stays_quiet) {
        (true, true) => return Ok(()),
        (false, false) => "no case shows that the rule fires, and none that it stays quiet",
        (false, true) => "no case shows that the rule fires",
        (true, false) => "no case with documents shows that the rule stays quiet",
    };
    Err(anyhow!(
        "{}: {lack}; add such a case to a `*.test.yaml` there, or pass `--no-strict`",
        folder.display()
    )
    .into())
}

/// Writes what happened into the expectations that differ; returns the places of the cases that now hold.
fn bless<'c>(read: &'c [(&PathBuf, Vec<Case>)], ran: &[Ran<'_>]) -> Result<BTreeSet<&'c str>, Failure> {
    let mut blessed = BTreeSet::new();
    let mut refused = Refused::new();
    for (file, cases) in read {
        let mut edits: BTreeMap<u32, Vec<String>> = BTreeMap::new();
        for case in cases {
            let outcome = ran.iter().find(|ran| ran.case.place == case.place).map(|ran| &ran.outcome);
            let lines = outcome.map(|outcome| case.blessed(outcome)).unwrap_or_default();
            if !lines.is_empty() {
                blessed.insert(case.place.as_str());
                edits.extend(lines);
            }
        }
        if !edits.is_empty() && rewrite(file, &edits, &mut refused)? {
            print(&format!("blessed: {}", plain(&file.display().to_string())))?;
        }
    }
    if !refused.is_empty() {
        return Err(anyhow!("{}", refused.join("\n")).into());
    }
    Ok(blessed)
}
