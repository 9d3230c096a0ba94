//! The page for people follows the lists.
use std::path::Path;

const BEGIN: &str = "<!-- The host's lists; `BLESS=1 cargo test -p watchbell-confine` writes them. -->\n";

#[test]
fn the_page_has_the_lists() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/searches.md");
    let page = std::fs::read_to_string(&path).unwrap();
    let (head, lists) = page.split_once(BEGIN).unwrap();
    let listing = watchbell_confine::listing();
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(&path, format!("{head}{BEGIN}{listing}")).unwrap();
        return;
    }
    assert_eq!(lists, listing, "`BLESS=1` writes it anew");
}
