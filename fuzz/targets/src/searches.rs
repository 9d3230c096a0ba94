//! A search in JSON, against the lists of what may be asked.
use serde_json::Value;
use watchbell_confine::{Scope, fault_of_name, fault_of_pattern};

/// A search is allowed or refused with a place and a remedy. What is refused everywhere is allowed by every grant at most.
pub fn searches(input: &[u8]) {
    let Ok(input) = std::str::from_utf8(input) else { return };
    let _ = (fault_of_name(input), fault_of_pattern(input));
    let Ok(search) = serde_json::from_str::<Value>(input) else { return };
    let (least, all) = (Scope::default(), Scope::all());
    for (least, all) in [
        (least.query(&search), all.query(&search)),
        match search.as_object() {
            Some(body) => (least.search(body), all.search(body)),
            None => return,
        },
    ] {
        assert!(all.is_ok() || least.is_err(), "a grant took something away: {search}");
        if let Err(refused) = least {
            let pointer = refused.pointer();
            assert!(pointer.is_empty() || pointer.starts_with('/'), "{pointer}");
            assert!(!refused.remedy("main").is_empty());
        }
    }
}
