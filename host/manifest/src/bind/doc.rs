//! A document on its way from text to typed values.
use std::collections::{BTreeMap, HashSet};

use serde::de::DeserializeOwned;
use serde_json::Value;
use watchbell_contract::{Duration, Timestamp};

use crate::limits::{KEPT_BYTES_MAX, MEMORY_BYTES_MAX, PAGE_BYTES, PAGE_BYTES_MAX, PAGE_BYTES_MIN, RUN_MAX};
use crate::overlay::Spans;
use crate::report::{Diagnostic, Level};
use crate::schema::{Schema, path};
use crate::units::DURATION_MAX;
use crate::{RuleLimits, raw};

pub(crate) struct Doc<'a> {
    pub(crate) value: Value,
    pub(crate) spans: &'a Spans,
    pub(crate) faults: &'a mut Vec<Diagnostic>,
    /// What was removed from `value` because it is wrong; it must not be reported as missing as well.
    pub(crate) pruned: Vec<String>,
}

/// How often a document is pruned and checked again: what a pruned value leaves behind may be wrong in turn.
const PRUNING_PASSES_MAX: usize = 4;

impl Doc<'_> {
    /// Checks the document and reads its valid parts, so that the remaining checks still run. `None` if a required part
    /// is wrong.
    pub(crate) fn read<T: DeserializeOwned>(&mut self, schema: &Schema) -> Option<T> {
        let mut wrong = schema.check(&self.value, "", self.spans, self.faults);
        wrong.extend(self.spans.bad());
        for _ in 0..PRUNING_PASSES_MAX {
            self.prune(std::mem::take(&mut wrong))?;
            // Reported in the first round; now only what pruning left incomplete.
            wrong = schema.check(&self.value, "", self.spans, &mut Vec::new());
            if wrong.is_empty() {
                break;
            }
        }
        if !wrong.is_empty() {
            return None;
        }
        match T::deserialize(&self.value) {
            Ok(raw) => Some(raw),
            Err(error) => {
                // Schema and types are both ours. A disagreement is a bug, but no reason to stop a host.
                self.fault("", format!("cannot be understood: {error}")).push(self);
                None
            }
        }
    }

    /// Removes the values at `pointers` from their maps. For a list item the whole list is removed, because positions
    /// are recorded by index. `None` if one of them is the document itself.
    fn prune(&mut self, pointers: Vec<String>) -> Option<()> {
        // Map by map: to remove one key at a time takes the square of a wide map's size.
        let mut by_map: BTreeMap<String, HashSet<String>> = BTreeMap::new();
        for pointer in pointers {
            let mut pointer = pointer.as_str();
            loop {
                let (parent, key) = pointer.rsplit_once('/')?;
                match self.value.pointer(parent) {
                    Some(Value::Object(_)) => {
                        let key = key.replace("~1", "/").replace("~0", "~");
                        by_map.entry(parent.to_owned()).or_default().insert(key);
                        self.pruned.push(pointer.to_owned());
                        break;
                    }
                    // Already removed with something around it.
                    None => break,
                    Some(_) => pointer = parent,
                }
            }
        }
        for (map, keys) in by_map {
            if let Some(Value::Object(map)) = self.value.pointer_mut(&map) {
                map.retain(|key, _| !keys.contains(key));
            }
        }
        Some(())
    }

    /// Whether the value at `pointer` is missing only because it was wrong.
    pub(crate) fn was_wrong(&self, pointer: &str) -> bool {
        self.pruned.iter().any(|pruned| {
            pointer.strip_prefix(pruned.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        })
    }

    /// Whether something at or below `pointer` was removed because it is wrong.
    pub(crate) fn is_faulty(&self, pointer: &str) -> bool {
        self.was_wrong(pointer)
            || self
                .pruned
                .iter()
                .any(|pruned| pruned.strip_prefix(pointer).is_some_and(|rest| rest.starts_with('/')))
    }

    pub(crate) fn fault(&self, pointer: &str, message: impl Into<String>) -> Diagnostic {
        Diagnostic::error(self.spans.value(pointer), message)
    }

    pub(crate) fn warn(&mut self, pointer: &str, message: impl Into<String>, hint: &str) {
        self.faults.push(Diagnostic::warning(self.spans.key(pointer), message).hint(hint));
    }

    /// The number of errors so far; warnings do not count.
    pub(crate) fn errors(&self) -> usize {
        self.faults.iter().filter(|fault| fault.level == Level::Error).count()
    }

    /// A duration that may be zero.
    pub(crate) fn span(&mut self, pointer: &str, typed: Option<raw::Span>, default: Duration) -> Duration {
        let Some(raw::Span(span)) = typed else { return default };
        if span > DURATION_MAX {
            let name = path(pointer);
            self.fault(pointer, format!("`{name}` must be at most ten years")).push(self);
        }
        span
    }

    /// A duration that must not be zero.
    pub(crate) fn positive(
        &mut self,
        pointer: &str,
        typed: Option<raw::Span>,
        default: Duration,
    ) -> Duration {
        let span = self.span(pointer, typed, default);
        if span.is_zero() {
            let name = path(pointer);
            self.fault(pointer, format!("`{name}` must be longer than 0s")).push(self);
        }
        span
    }

    /// `None`: it is none, as was told.
    pub(crate) fn instant(&mut self, pointer: &str, text: &str) -> Option<Timestamp> {
        match text.parse::<jiff::Timestamp>() {
            Ok(instant) => Some(Timestamp(instant.as_millisecond())),
            Err(_) => {
                self.fault(pointer, format!("`{text}` is not an instant"))
                    .hint("write a date, a time and an offset: `2026-12-24T22:00:00+01:00`")
                    .push(self);
                None
            }
        }
    }

    /// The most bytes of one response.
    pub(crate) fn page_bytes(&mut self, pointer: &str, typed: Option<raw::Size>) -> u64 {
        let raw::Size(bytes) = typed.unwrap_or(raw::Size(PAGE_BYTES));
        if !(PAGE_BYTES_MIN..=PAGE_BYTES_MAX).contains(&bytes) {
            let (least, most) = (PAGE_BYTES_MIN >> 10, PAGE_BYTES_MAX >> 30);
            let message = format!("`{}` must be between {least}KiB and {most}GiB", path(pointer));
            self.fault(pointer, message).push(self);
        }
        bytes
    }

    pub(crate) fn limits(&mut self, pointer: &str, typed: &raw::Limits) -> RuleLimits {
        let mut size = |name: &str, typed: Option<raw::Size>, max: u64| {
            let raw::Size(bytes) = typed?;
            let at = format!("{pointer}/{name}");
            if bytes == 0 {
                self.fault(&at, format!("`{}` must be more than 0", path(&at))).push(self);
            } else if bytes > max {
                let message = format!("`{}` must be at most {}MiB", path(&at), max >> 20);
                self.fault(&at, message).push(self);
            }
            Some(bytes)
        };
        let memory_bytes = size("memory", typed.memory, MEMORY_BYTES_MAX);
        let state_bytes = size("state", typed.state, KEPT_BYTES_MAX);
        let output_bytes = size("output", typed.output, KEPT_BYTES_MAX);
        let mut time = |name: &str, typed: Option<raw::Span>| {
            let at = format!("{pointer}/{name}");
            let span = typed.map(|_| self.positive(&at, typed, Duration::ZERO));
            if span.is_some_and(|span| span > RUN_MAX) {
                self.fault(&at, format!("`{}` must be at most {RUN_MAX}", path(&at))).push(self);
            }
            span
        };
        RuleLimits {
            memory_bytes,
            state_bytes,
            output_bytes,
            time: time("time", typed.time),
            deadline: time("deadline", typed.deadline),
            // The schema has checked its bounds.
            episodes: typed.episodes,
        }
    }
}

impl Diagnostic {
    pub(crate) fn push(self, doc: &mut Doc<'_>) {
        doc.faults.push(self);
    }
}
