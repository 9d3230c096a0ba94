//! Links into Discover, one a line.
use watchbell_pipeline::discover::{Discover, covering};

/// A link of ours is read as it was written; what covers several is a link of bounded length.
pub fn discover(input: &[u8]) {
    let Ok(input) = std::str::from_utf8(input) else { return };
    let links: Vec<&str> = input.lines().collect();
    for link in &links {
        let Some(read) = Discover::read(link) else { continue };
        let written = read.link();
        assert_eq!(Discover::read(&written).as_ref(), Some(&read), "{written}");
    }
    if let Some(link) = covering(links.iter().copied()) {
        let all = links.iter().collect::<std::collections::BTreeSet<_>>();
        assert!(all.len() == 1 || Discover::read(&link).is_some(), "{link}");
    }
}
