//! What each product does at each cause, read from its golden cases.
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use alerter_http::AlerterHttp;
use libtest_mimic::Failed;
use serde_json::Value as Json;
use watchbell_sdk::{Alerter, Product, TextFormat};

use crate::golden_files;

const CAUSES: [&str; 10] =
    ["opened", "worse", "repeat", "escalated", "acknowledged", "resolved", "event", "was", "summary", "test"];

const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/receivers.md");
const BEGIN: &str = "<!-- Made by `BLESS=1 cargo test -p alerter-http` from the golden cases. -->\n";
const END: &str = "<!-- The end of what is made. -->\n";

/// Each product has a case of each cause, named after it, and says what is refused and what is retried.
pub(crate) fn are_complete() -> Result<(), Failed> {
    let mut missing = Vec::new();
    for product in AlerterHttp::products() {
        let cases = cases(&product.name)?;
        for cause in CAUSES {
            let is_it = |case: &Json| case["intent"]["cause"].as_str().unwrap_or("opened") == cause;
            if !cases.get(cause).is_some_and(is_it) {
                missing.push(format!("{}: {cause}", product.name));
            }
        }
        for outcome in ["refused", "unavailable"] {
            if !cases
                .values()
                .any(|case| case["outcome"].get(outcome).is_some() && !case["requests"].is_null())
            {
                missing.push(format!("{}: one that is {outcome}", product.name));
            }
        }
    }
    if missing.is_empty() { Ok(()) } else { Err(format!("no case of {}", missing.join("; ")).into()) }
}

/// Whether the table in `docs/receivers.md` is what the cases say.
pub(crate) fn are_on_the_page(bless: bool) -> Result<(), Failed> {
    let page = fs::read_to_string(PAGE)?;
    let parts = page.split_once(BEGIN).and_then(|(before, rest)| Some((before, rest.split_once(END)?.1)));
    let Some((before, after)) = parts else {
        return Err(format!("{PAGE} has no place for the table").into());
    };
    let made = format!("{before}{BEGIN}{}{END}{after}", table()?);
    if bless {
        fs::write(PAGE, made)?;
        return Ok(());
    }
    if made == page {
        Ok(())
    } else {
        Err(format!("{PAGE}: BLESS=1 cargo test -p alerter-http makes it").into())
    }
}

/// Of each product, the requests and the causes that have them sent.
fn table() -> Result<String, Failed> {
    let mut table = "| receiver | texts | because of | requests |\n|---|---|---|---|\n".to_owned();
    for product in AlerterHttp::products() {
        let cases = cases(&product.name)?;
        let mut rows: Vec<(String, Vec<&str>)> = Vec::new();
        for cause in CAUSES {
            let Some(case) = cases.get(cause) else { continue };
            let sent = sent(case);
            match rows.iter_mut().find(|(known, _)| *known == sent) {
                Some((_, causes)) => causes.push(cause),
                None => rows.push((sent, vec![cause])),
            }
        }
        for (number, (sent, causes)) in rows.into_iter().enumerate() {
            let name = match number {
                0 => format!("`{}` | {}", product.name, texts(&product)),
                _ => " | ".to_owned(),
            };
            let causes =
                if causes.len() == CAUSES.len() { "each cause".to_owned() } else { causes.join(", ") };
            table.push_str(&format!("| {name} | {causes} | {sent} |\n"));
        }
    }
    Ok(table)
}

fn texts(product: &Product) -> String {
    let format = match product.text.format {
        TextFormat::Plain => "plain",
        TextFormat::Markdown => "Markdown",
        TextFormat::Html => "HTML",
        TextFormat::Mrkdwn => "mrkdwn",
    };
    format!("{format}, {} and {}", product.text.title_max, product.text.body_max)
}

/// The requests of a case, with names in place of the usual message's ids.
fn sent(case: &Json) -> String {
    let previous = case["intent"]["previous"].as_str().unwrap_or("\0");
    let name = |path: &str| {
        path.split('/')
            .map(|segment| match segment.trim_end_matches(".json") {
                "e81d07" => segment.replace("e81d07", "EPISODE"),
                "5f2c9a" => segment.replace("5f2c9a", "MESSAGE"),
                known if known == previous => "FIRST".to_owned(),
                _ => segment.to_owned(),
            })
            .collect::<Vec<_>>()
            .join("/")
    };
    let of = |request: &Json| {
        let text = |member: &str| request[member].as_str().unwrap_or_default();
        format!("`{}`", format!("{} {}", text("method"), name(text("path"))).trim_end())
    };
    let requests: Vec<String> = case["requests"].as_array().into_iter().flatten().map(of).collect();
    if requests.is_empty() { "nothing".to_owned() } else { requests.join(", then ") }
}

pub(crate) fn cases(product: &str) -> Result<BTreeMap<String, Json>, Failed> {
    let mut cases = BTreeMap::new();
    for path in golden_files(product) {
        cases.insert(stem(&path), serde_json::from_str(&fs::read_to_string(&path)?)?);
    }
    Ok(cases)
}

fn stem(path: &Path) -> String {
    path.file_stem().unwrap_or_default().to_string_lossy().into_owned()
}
