//! What a fuzzer printed, as figures.
use std::path::PathBuf;

use serde_json::{Value, json};

/// One target's run.
#[derive(Debug, PartialEq)]
pub(super) struct Outcome {
    target: String,
    executions: u64,
    /// Edges of the program's control flow that an input took.
    coverage: u64,
    /// Inputs that each cover something new.
    corpus: u64,
    pub(super) crashes: Vec<PathBuf>,
}

impl Outcome {
    /// `output`: everything that libFuzzer wrote. Its last line of progress has `cov: 12 ft: 30 corp: 7/99b`.
    pub(super) fn read(target: &str, output: &str, crashes: Vec<PathBuf>) -> Outcome {
        let last = |word: &str| {
            let after = output.rsplit_once(word).map(|(_, after)| after.trim_start()).unwrap_or_default();
            let digits: String = after.chars().take_while(char::is_ascii_digit).collect();
            digits.parse().unwrap_or(0)
        };
        Outcome {
            target: target.to_owned(),
            executions: last("stat::number_of_executed_units:"),
            coverage: last(" cov:"),
            corpus: last(" corp:"),
            crashes,
        }
    }

    pub(super) fn line(&self) -> String {
        let Outcome { target, executions, coverage, corpus, crashes } = self;
        format!(
            "{target:<9} {executions:>12} executions, {coverage:>6} edges, {corpus:>5} inputs, {} failed",
            crashes.len()
        )
    }

    pub(super) fn json(&self) -> Value {
        json!({
            "target": self.target,
            "executions": self.executions,
            "coverage": self.coverage,
            "corpus": self.corpus,
            "crashes": self.crashes.iter().map(|path| path.display().to_string()).collect::<Vec<_>>(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_figures_count() {
        let output = "#2\tINITED cov: 9 ft: 10 corp: 1/2b exec/s: 0 rss: 40Mb\n\
                      #41\tNEW    cov: 12 ft: 30 corp: 7/99b lim: 4 exec/s: 0 rss: 41Mb L: 3/9 MS: 1 CrossOver-\n\
                      #4096\tDONE   cov: 12 ft: 31 corp: 8/101b lim: 41 exec/s: 4096 rss: 41Mb\n\
                      stat::number_of_executed_units: 4096\nstat::average_exec_per_sec:     4096\n";
        let outcome = Outcome::read("hits", output, vec![PathBuf::from("a/crash-1")]);
        assert_eq!((outcome.executions, outcome.coverage, outcome.corpus), (4_096, 12, 8));
        assert_eq!(outcome.line(), "hits              4096 executions,     12 edges,     8 inputs, 1 failed");
        assert_eq!(outcome.json()["crashes"][0], "a/crash-1");
    }
}
