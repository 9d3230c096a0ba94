//! Reads the output of `cargo test`.

/// Tests by outcome.
#[derive(Debug, Default, Clone, PartialEq)]
pub(crate) struct TestReport {
    pub(crate) passed: usize,
    pub(crate) failed: usize,
    /// By name, with the reason if there is one.
    pub(crate) skipped: Vec<String>,
    /// By name; may be fewer than `failed` where a test binary died.
    pub(crate) failures: Vec<String>,
}

/// Tests that need real servers find them in this variable: `es7=http://…,es9=…,os3=…`.
pub(crate) const SERVERS: &str = "WATCHBELL_SERVERS";

/// What a test is skipped on that starts nodes itself: the whole test, and not a part of it.
const NODES: &str = "nodes";

impl TestReport {
    /// Parses libtest's lines, and those of tests that skip themselves: they print `skipped: NAME`, with a
    /// reason in parentheses. libtest counts such a test as passed, this does not. A test that runs on each
    /// of several servers prints `skipped: NAME on es9` for each missing server, and still passes for the others.
    pub(crate) fn parse(output: &str) -> TestReport {
        let mut report = TestReport::default();
        let mut skipping = 0;
        for line in output.lines() {
            if let Some(summary) = line.strip_prefix("test result: ") {
                report.passed += number_before(summary, " passed");
                report.failed += number_before(summary, " failed");
            } else if let Some(skipped) = skipped(line) {
                skipping += usize::from(matches!(server_of(skipped), None | Some(NODES)));
                report.skipped.push(skipped.to_owned());
            } else if let Some((name, outcome)) =
                line.strip_prefix("test ").and_then(|l| l.split_once(" ... "))
            {
                // libtest-mimic aligns the outcomes.
                let name = name.trim_end();
                if outcome.starts_with("FAILED") {
                    report.failures.push(name.to_owned());
                } else if let Some(reason) = outcome.strip_prefix("ignored") {
                    let reason = reason.trim_start_matches(", ");
                    report
                        .skipped
                        .push(format!("{name} ({})", if reason.is_empty() { "ignored" } else { reason }));
                }
            }
        }
        report.passed = report.passed.saturating_sub(skipping);
        report
    }

    /// One passed check outside libtest.
    pub(crate) fn check() -> TestReport {
        TestReport { passed: 1, ..TestReport::default() }
    }

    pub(crate) fn add(&mut self, other: TestReport) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.skipped.extend(other.skipped);
        self.failures.extend(other.failures);
    }

    /// The last line of `cargo xtask test`.
    pub(crate) fn line(&self) -> String {
        format!("{} passed, {} failed, {} skipped", self.passed, self.failed, self.skipped.len())
    }
}

/// The relevant part of a failing run: libtest's failure reports, or else the end.
pub(crate) fn excerpt(output: &str) -> String {
    const LINES_MAX: usize = 300;
    let mut accounts = Vec::new();
    let mut inside = false;
    for line in output.lines() {
        // The accounts stand between the first `failures:` and the list of names, which repeats that word.
        inside = (inside || line == "failures:") && !line.starts_with("test result:");
        if inside {
            accounts.push(line);
        }
    }
    if accounts.is_empty() {
        accounts =
            output.lines().filter(|line| !line.starts_with("test ") || !line.ends_with(" ok")).collect();
        accounts.drain(..accounts.len().saturating_sub(LINES_MAX));
    }
    accounts.truncate(LINES_MAX);
    accounts.join("\n")
}

/// The server whose absence made a test skip part of its work; `nodes` are those that it would start itself.
pub(crate) fn server_of(skipped: &str) -> Option<&str> {
    let (_, server) = skipped.split(" (").next()?.rsplit_once(" on ")?;
    let server = server.trim();
    ["es7", "es9", "os3", NODES].into_iter().find(|key| *key == server)
}

fn skipped(line: &str) -> Option<&str> {
    let line = line.trim_start();
    // With one thread libtest writes the name before the test runs, and what it prints follows on that line.
    let line = line.strip_prefix("test ").and_then(|l| l.split_once(" ... ")).map_or(line, |(_, rest)| rest);
    line.strip_prefix("skipped: ").map(str::trim)
}

fn number_before(text: &str, word: &str) -> usize {
    let Some((before, _)) = text.split_once(word) else { return 0 };
    let digits = before.rsplit(|c: char| !c.is_ascii_digit()).next();
    digits.and_then(|digits| digits.parse().ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const OUTPUT: &str = "\
running 4 tests
test window::covers ... ok
test engine::kill ... FAILED
test slow::one ... ignored, takes an hour
test mail::sends ... ok

successes:

---- mail::sends stdout ----
skipped: mail::sends (no mail server)

failures:

---- engine::kill stdout ----
thread 'engine::kill' panicked at x.rs:1:1:
left != right

failures:
    engine::kill

test result: FAILED. 2 passed; 1 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.02s

running 2 tests
test servers::spike ... ok
test a ... ok
skipped: the spike rule on es9
skipped: a full disk on nodes
test result: ok. 12 passed; 0 failed; 0 ignored; 0 measured; 3 filtered out; finished in 1.02s
";

    #[test]
    fn all_results_are_added_up() {
        let report = TestReport::parse(OUTPUT);
        assert_eq!(report.passed, 12, "two of fourteen skipped themselves, one a part of its work");
        assert_eq!(report.failed, 1);
        assert_eq!(report.failures, ["engine::kill"]);
        assert_eq!(
            report.skipped,
            [
                "slow::one (takes an hour)",
                "mail::sends (no mail server)",
                "the spike rule on es9",
                "a full disk on nodes"
            ]
        );
        assert_eq!(report.line(), "12 passed, 1 failed, 4 skipped");
    }

    #[test]
    fn a_part_left_out_names_its_server() {
        assert_eq!(server_of("the spike rule on es9"), Some("es9"));
        assert_eq!(server_of("paging on os3 (needs JDK 21 or later)"), Some("os3"));
        assert_eq!(server_of("an unassigned primary on nodes"), Some("nodes"));
        assert_eq!(server_of("guests (run on es9)"), None);
        assert_eq!(server_of("built on sand"), None);
    }

    #[test]
    fn one_thread_writes_the_name_first() {
        let report = TestReport::parse(
            "test a ... skipped: a (no tool)\nok\ntest result: ok. 1 passed; 0 failed; 0 ignored",
        );
        assert_eq!((report.passed, report.skipped.len()), (0, 1));
    }

    #[test]
    fn cases_in_folders_are_counted_by_their_names() {
        let report = TestReport::parse(
            "running 3 tests\ntest cron           ... ok\ntest unknown-index ... FAILED\ntest slow           ... ignored\n\n\
             failures:\n\n---- unknown-index ----\n-a\n+b\n\n\nfailures:\n    unknown-index\n\n\n\
             test result: FAILED. 1 passed; 1 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.10s",
        );
        assert_eq!((report.passed, report.failed), (1, 1));
        assert_eq!(
            (report.failures, report.skipped),
            (vec!["unknown-index".into()], vec!["slow (ignored)".into()])
        );
    }

    #[test]
    fn a_run_without_results_counts_nothing() {
        assert_eq!(
            TestReport::parse("error[E0433]: failed to resolve\n3 passed; 4 failed"),
            TestReport::default()
        );
    }

    #[test]
    fn an_excerpt_is_the_account_of_the_failures() {
        let excerpt = excerpt(OUTPUT);
        assert!(excerpt.starts_with("failures:\n\n---- engine::kill stdout ----\n"), "{excerpt}");
        assert!(excerpt.ends_with("    engine::kill\n"), "{excerpt}");
    }

    #[test]
    fn without_failures_the_excerpt_is_the_end() {
        let output = "test a ... ok\nerror: could not compile";
        assert_eq!(excerpt(output), "error: could not compile");
    }
}
