//! JUnit reports: a suite per file, a case per test and environment.
use std::path::Path;
use std::time::Duration;

use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestSuite};
use watchbell_outside::{line, lines};

use super::outcome::{Outcome, Verdict};

/// # Errors
/// The file cannot be written.
pub(crate) fn write(outcomes: &[Outcome], path: &Path) -> anyhow::Result<()> {
    let mut report = Report::new("watchbell");
    for of_file in outcomes.chunk_by(|a, b| a.file == b.file) {
        let mut suite = TestSuite::new(line(&of_file[0].file.display().to_string()).into_owned());
        for outcome in of_file {
            let status = match &outcome.verdict {
                Verdict::Passed => TestCaseStatus::success(),
                Verdict::Differs(_) => {
                    failed(NonSuccessKind::Failure, "the result differs from the expectation", outcome)
                }
                Verdict::Broken(why) => failed(NonSuccessKind::Error, why, outcome),
            };
            let mut case = TestCase::new(
                line(&format!("{} [{}]", outcome.name, outcome.environment)).into_owned(),
                status,
            );
            case.set_classname(line(&outcome.rule).into_owned())
                .set_time(Duration::from_millis(outcome.took.millis()));
            case.extra.insert("file".into(), line(&outcome.file.display().to_string()).into_owned().into());
            case.extra.insert("line".into(), outcome.line.to_string().into());
            suite.add_test_case(case);
        }
        report.add_test_suite(suite);
    }
    Ok(std::fs::write(path, report.to_string()?)?)
}

fn failed(kind: NonSuccessKind, message: &str, outcome: &Outcome) -> TestCaseStatus {
    let mut status = TestCaseStatus::non_success(kind);
    status
        .set_message(line(message).into_owned())
        .set_description(lines(&outcome.differences()).into_owned());
    status
}
