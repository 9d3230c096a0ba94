//! What the documentation shows of the gate, as it was said to these tests. `BLESS=1` writes it anew.
use std::fs;
use std::sync::Mutex;

use crate::world::repository;

/// Tests run side by side, and the page is one.
static PAGE: Mutex<()> = Mutex::new(());

/// Puts `transcript` into the page, between `<!-- NAME -->` and `<!-- end of NAME -->`.
pub(super) fn keep(name: &str, transcript: &str) {
    println!("{transcript}");
    if std::env::var_os("BLESS").is_none() {
        return;
    }
    let _alone = PAGE.lock().expect("no panic");
    let page = repository().join("docs/upgrading-elasticsearch.md");
    let text = fs::read_to_string(&page).expect("the page");
    let (begin, end) = (format!("<!-- {name} -->\n"), format!("<!-- end of {name} -->"));
    let (before, rest) = text.split_once(&begin).expect("where the transcript begins");
    let (_, after) = rest.split_once(&end).expect("where the transcript ends");
    let transcript = with_an_address(transcript.trim_end());
    fs::write(&page, format!("{before}{begin}```text\n{transcript}\n```\n{end}{after}")).expect("the page");
}

/// With the address that an operator would have.
fn with_an_address(transcript: &str) -> String {
    let mut text = transcript.to_owned();
    while let Some(at) = text.find("http://127.0.0.1:") {
        let port =
            text[at + 17..].find(|c: char| !c.is_ascii_digit()).map_or(text.len(), |end| at + 17 + end);
        text.replace_range(at..port, "https://es.example.com:9200");
    }
    text
}
