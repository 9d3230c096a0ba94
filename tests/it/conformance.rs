//! docs/elastalert.md is generated from the rules' READMEs and the cases that are run; it is not edited by hand.
use std::fmt::Write;
use std::fs;

use watchbell_sdk::testing::Case;

use crate::world::repository;

const HEAD: &str = "\
# ElastAlert, option by option

How each option of an ElastAlert2 2.31.0 rule works here: the **same**; **better**, if a bug was fixed or a limit removed; or
**not carried**, and why. `watchbell import elastalert` converts what it can and reports the rest by file and line: see
[leaving ElastAlert](leaving-elastalert.md).

The tests generate this file from the table in each rule's README and from the cases below tests/cases/elastalert, which each
rule passes natively and as a component. `BLESS=1 cargo xtask test --only tests` regenerates it.

Random timelines also run through ElastAlert2's own rule classes and through `watchbell test` (`cargo xtask test --only
timelines`). Their results agree, with three exceptions. When a rule begins, Watchbell reads its past, where ElastAlert waits
for one timeframe (`flatline`) or two (`spike`, `spike_aggregation`). `spike` is also evaluated when no documents arrive. And
ElastAlert's reference window of `spike` reaches back up to a run further.
";

/// A rule of ElastAlert's, and the crate that is its successor.
pub(crate) const TYPES: [&str; 12] = [
    "any",
    "blacklist",
    "whitelist",
    "change",
    "frequency",
    "spike",
    "flatline",
    "new_term",
    "cardinality",
    "metric_aggregation",
    "spike_aggregation",
    "percentage_match",
];

#[test]
fn the_table_of_options_is_made_of_what_is_run() {
    let made = made();
    let path = repository().join("docs/elastalert.md");
    if std::env::var_os("BLESS").is_some() {
        fs::write(&path, &made).expect("the docs folder");
    }
    let kept = fs::read_to_string(&path).unwrap_or_default();
    assert!(kept == made, "docs/elastalert.md is out of date: run with BLESS=1, and review the changes");
}

fn made() -> String {
    let mut cases = String::from("## Cases\n\n| rule | cases | source |\n|---|---|---|\n");
    let mut tables = String::new();
    let mut total = [0; 3];
    for name in TYPES {
        let (count, pins) = pins(name);
        writeln!(cases, "| `{name}` | {count} | {} |", pins.join("; ")).expect("a string");
        let table = table(name);
        for row in &table {
            let verdict = row.split('|').nth(2).map(str::trim).unwrap_or_default();
            let place = ["same", "better", "not carried"].iter().position(|known| *known == verdict);
            let place = place.unwrap_or_else(|| panic!("{name}: `{verdict}` is not a verdict in: {row}"));
            total[place] += 1;
        }
        write!(tables, "## {name}\n\n| option | here | |\n|---|---|---|\n{}\n\n", table.join("\n"))
            .expect("a string");
    }
    let [same, better, not] = total;
    let options =
        fs::read_to_string(repository().join("tests/cases/elastalert/options.md")).expect("the options");
    format!(
        "{HEAD}\nOf the {} options of rule types, {same} are the same, {better} are better and {not} are not carried.\n\n\
         {cases}\n{tables}{options}",
        same + better + not
    )
}

/// How many cases there are, and what they come from, each source once.
fn pins(name: &str) -> (usize, Vec<String>) {
    let file = repository().join(format!("tests/cases/elastalert/{name}.test.yaml"));
    let cases = Case::read_file(&file).unwrap_or_else(|fault| panic!("{fault}"));
    let mut pins = Vec::new();
    for case in &cases {
        let told = case.pins.as_str();
        assert!(!told.is_empty(), "{}: pins nothing", case.place);
        // What follows says how it differs; here the source counts.
        let first = told.split([':', ';', ',']).next().unwrap_or(told);
        let source = first.split(". ").next().unwrap_or(first).trim().to_owned();
        if !pins.contains(&source) {
            pins.push(source);
        }
    }
    pins.sort();
    (cases.len(), pins)
}

/// The rows of the last section of the rule's README.
fn table(name: &str) -> Vec<String> {
    let crate_name = format!("rule-{}", name.replace('_', "-"));
    let readme = repository().join("plugins").join(&crate_name).join("README.md");
    let text = fs::read_to_string(&readme).unwrap_or_else(|_| panic!("{} is missing", readme.display()));
    let section = text.split_once("## Compared with ElastAlert").map(|(_, section)| section);
    let section =
        section.unwrap_or_else(|| panic!("{crate_name}: its README is not compared with ElastAlert"));
    let rows = section.lines().filter(|line| line.starts_with('|') && !line.starts_with("|---"));
    rows.filter(|line| !line.starts_with("| option |")).map(str::to_owned).collect()
}
