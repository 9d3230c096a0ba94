//! Differences between the servers themselves that drawn questions run into, each with its reason.
//!
//! Every rule is of one or two servers, so that the others still hold the node to the same question.
use serde_json::Value as Json;

use crate::compare::{same, without};

/// Why `server` answers otherwise than the node, which follows the newest Elasticsearch; `None`: for no known reason.
pub(crate) fn listed(server: &str, body: &Json, ours: &Json, theirs: &Json) -> Option<&'static str> {
    let text = body.to_string();
    let has = |part: &str| text.contains(part);
    let old = server == "es7" || server == "os3";
    let mut bare = theirs.clone();
    without(&mut bare, "meta");
    if old && same(ours, &bare, 1e-9) {
        return Some("shows an empty `meta` of filters on a field that is nowhere");
    }
    if old && (has("\"min\":{\"field\":\"nope\"") || has("\"max\":{\"field\":\"nope\"")) {
        return Some("a minimum of a field that is nowhere ends the collection, also of what is beside it");
    }
    if server == "es7" && has("{\"wildcard\":{\"message\":") {
        return Some("lowers the case of a pattern on a text, as newer ones do in `query_string` alone");
    }
    if old && theirs["status"] == 400 && has("\"must_not\"") && has("{\"bool\":{\"minimum_should_match\"") {
        return Some("reads the clauses beside the exclusion of an empty bool, one of which is wrong");
    }
    if old && has("\"ip_range\"") {
        return Some("leaves the ranges of addresses out of a bucket without documents");
    }
    if server == "os3" && has("\"date_histogram\"") && has("\"after\":{") {
        return Some("loses its place after a key of a `date_histogram` source, or fails at it");
    }
    if server == "os3" && same(&ours["ids"], &theirs["ids"], 0.0) && (has("exists") || has("message:*")) {
        return Some("does not count an empty text, though it returns it among the hits");
    }
    None
}
