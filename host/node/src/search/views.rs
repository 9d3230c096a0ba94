//! State kept between requests: points in time and scrolls.
use std::collections::HashMap;
use std::sync::Arc;

use super::run::{Plan, Sorted};
use super::shard::Hit;
use crate::errors::{Answer, Refusal};
use crate::snapshot::Snapshot;

/// As `search.max_open_scroll_context`; points in time count as well.
const VIEWS_MAX: usize = 500;

#[derive(Default)]
pub(crate) struct Views {
    points: HashMap<String, Point>,
    scrolls: HashMap<String, Scroll>,
    next: u64,
}

struct Point {
    snapshots: Arc<Vec<Snapshot>>,
    /// The last search and its hits: the next page most likely continues it.
    sorted: Option<(String, Arc<Sorted>)>,
    expires: i64,
}

struct Scroll {
    cursor: Cursor,
    expires: i64,
}

/// The remaining pages of a scroll, rendered by the search that opened it.
pub(crate) struct Cursor {
    pub(crate) hits: std::vec::IntoIter<Hit>,
    pub(crate) plan: Arc<Plan>,
    pub(crate) total: Option<serde_json::Value>,
}

impl Views {
    fn id(&mut self, kind: &str) -> Answer<String> {
        if self.points.len() + self.scrolls.len() >= VIEWS_MAX {
            return Err(Refusal::new(
                429,
                "too_many_scroll_contexts_exception",
                format!(
                    "Trying to create too many scroll contexts. Must be less than or equal to: [{VIEWS_MAX}]"
                ),
            ));
        }
        self.next += 1;
        Ok(format!("{kind}-{:08x}-{:08x}", self.next, rand::random::<u32>()))
    }

    fn sweep(&mut self, now: i64) {
        self.points.retain(|_, point| point.expires > now);
        self.scrolls.retain(|_, scroll| scroll.expires > now);
    }

    pub(crate) fn open_point(
        &mut self,
        snapshots: Arc<Vec<Snapshot>>,
        now: i64,
        keep: i64,
    ) -> Answer<String> {
        self.sweep(now);
        let id = self.id("pit")?;
        let expires = now.saturating_add(keep);
        self.points.insert(id.clone(), Point { snapshots, sorted: None, expires });
        Ok(id)
    }

    pub(crate) fn sorted(&self, id: &str, question: &str) -> Option<Arc<Sorted>> {
        let (known, sorted) = self.points.get(id)?.sorted.as_ref()?;
        (known == question).then(|| Arc::clone(sorted))
    }

    /// Keeps a search's hits, unless the point was closed meanwhile.
    pub(crate) fn keep_sorted(&mut self, id: &str, question: String, sorted: Arc<Sorted>) {
        if let Some(point) = self.points.get_mut(id) {
            point.sorted = Some((question, sorted));
        }
    }

    pub(crate) fn point(&mut self, id: &str, now: i64, keep: Option<i64>) -> Answer<Arc<Vec<Snapshot>>> {
        self.sweep(now);
        let point = self.points.get_mut(id).ok_or_else(|| gone(id))?;
        if let Some(keep) = keep {
            point.expires = point.expires.max(now.saturating_add(keep));
        }
        Ok(Arc::clone(&point.snapshots))
    }

    pub(crate) fn close_point(&mut self, id: &str) -> bool {
        self.points.remove(id).is_some()
    }

    pub(crate) fn open_scroll(&mut self, cursor: Cursor, now: i64, keep: i64) -> Answer<String> {
        self.sweep(now);
        let id = self.id("scroll")?;
        self.scrolls.insert(id.clone(), Scroll { cursor, expires: now.saturating_add(keep) });
        Ok(id)
    }

    pub(crate) fn scroll(&mut self, id: &str, now: i64, keep: Option<i64>) -> Answer<&mut Cursor> {
        self.sweep(now);
        if !id.starts_with("scroll-") {
            return Err(Refusal::illegal("Cannot parse scroll id"));
        }
        let scroll = self.scrolls.get_mut(id).ok_or_else(|| gone(id))?;
        if let Some(keep) = keep {
            scroll.expires = scroll.expires.max(now.saturating_add(keep));
        }
        Ok(&mut scroll.cursor)
    }

    pub(crate) fn close_scrolls(&mut self, ids: &[String]) -> usize {
        if ids == ["_all"] {
            return std::mem::take(&mut self.scrolls).len();
        }
        ids.iter().filter(|id| self.scrolls.remove(*id).is_some()).count()
    }
}

fn gone(id: &str) -> Refusal {
    Refusal::new(404, "search_context_missing_exception", format!("No search context found for id [{id}]"))
}
