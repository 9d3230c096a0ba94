//! What came of many comparisons with each server.
use std::collections::BTreeMap;
use std::io::Write;

use serde_json::Value as Json;

use crate::listed::listed;

#[derive(Default)]
struct Counts {
    equal: usize,
    refused: usize,
    different: usize,
    listed: usize,
}

pub(crate) struct Tally {
    what: String,
    seed: usize,
    documents: usize,
    counts: BTreeMap<&'static str, Counts>,
    tried: usize,
    /// Questions that some documents answer and others do not, or that have buckets.
    dividing: usize,
    wrong: Vec<String>,
}

impl Tally {
    pub(crate) fn new(what: &str, seed: usize, documents: usize) -> Self {
        Self {
            what: what.to_owned(),
            seed,
            documents,
            counts: BTreeMap::new(),
            tried: 0,
            dividing: 0,
            wrong: Vec::new(),
        }
    }

    pub(crate) fn divides(&mut self, ours: &Json) {
        self.tried += 1;
        let some = ours["ids"].as_array().is_some_and(|ids| !ids.is_empty() && ids.len() < self.documents);
        self.dividing += usize::from(some || ours["aggs"].is_object());
    }

    pub(crate) fn count(
        &mut self,
        server: &'static str,
        body: &Json,
        ours: &Json,
        theirs: &Json,
        same: bool,
    ) {
        let counts = self.counts.entry(server).or_default();
        match (same, ours["status"].is_null()) {
            (true, true) => counts.equal += 1,
            (true, false) => counts.refused += 1,
            (false, _) if listed(server, body, ours, theirs).is_some() => counts.listed += 1,
            (false, _) => {
                counts.different += 1;
                self.wrong.push(format!("{server} {body}\n  server {theirs}\n  node   {ours}"));
            }
        }
    }

    /// Past the capture of tests, which would show it of a failure alone.
    pub(crate) fn print(&self) {
        let mut lines = String::new();
        for (server, counts) in &self.counts {
            let Counts { equal, refused, different, listed } = counts;
            lines.push_str(&format!(
                "{} on {server}, seed {}: {} tried, {equal} equal, {refused} refused by both, {different} different, \
                 {listed} listed\n",
                self.what, self.seed, self.tried
            ));
        }
        // A closed pipe is not a failure.
        let _ = std::io::stderr().lock().write_all(lines.as_bytes());
    }

    /// Nothing is different, and at least one in `part` questions divides the documents.
    pub(crate) fn check(&self, part: usize) {
        assert!(
            self.dividing > self.tried / part,
            "only {} of {} divide the documents: the grammar says little",
            self.dividing,
            self.tried
        );
        assert!(
            self.wrong.is_empty(),
            "seed {}: {} different\n{}",
            self.seed,
            self.wrong.len(),
            self.wrong.join("\n")
        );
    }
}
