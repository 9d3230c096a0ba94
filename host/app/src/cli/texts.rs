//! The texts of rules, rendered on made-up values by the component that renders them in production. A template that
//! passes a limit there costs its rule's alerts their text, and some only need to be rendered for that.
use serde_json::{Map, Value, json};
use watchbell_contract::{AlertText, Cause, Label, TextFormat, Timestamp};
use watchbell_manifest::{BoundRule, Bundle, Diagnostic, Level, ModuleFault, ShownOf, TextPlace};
use watchbell_sandbox::Renderer;
use watchbell_text::{DOCUMENTS, DOCUMENTS_MAX, Job, Part, Subject};

use crate::catalog::Catalog;

/// The maximum faults reported; each may take as long as a text may.
const FAULTS_MAX: usize = 50;

/// A text for a rule that names no destination.
const USUAL: AlertText =
    AlertText { format: TextFormat::Markdown, styles: true, title_max: 1_000, body_max: 65_536 };

/// The templates that pass a limit, with their positions. A template that does not fit made-up values is no fault: real
/// ones are of other types.
pub(crate) fn faults(bundle: &Bundle, catalog: &Catalog) -> Result<Vec<Diagnostic>, ModuleFault> {
    let mut found = Vec::new();
    for rule in &bundle.rules {
        let (title, body) = (&rule.spec.alert.title, &rule.spec.alert.body);
        let texts = [
            (Part::Title, &rule.title_place, title.as_str(), ""),
            (Part::Body, &rule.body_place, "", body.as_str()),
        ];
        for (part, place, title, body) in texts {
            // The host's own texts need no check.
            let Some(place) = place else { continue };
            if found.len() == FAULTS_MAX {
                return Ok(found);
            }
            found.extend(fault(part, place, &sample(bundle, rule, title, body), &catalog.texts()?));
        }
    }
    Ok(found)
}

fn fault(part: Part, place: &TextPlace, job: &Job, renderer: &Renderer) -> Option<Diagnostic> {
    let (place, why) = match renderer.render(job) {
        Err(fault) => (place.at(1, 1), fault.to_string()),
        Ok(rendered) => {
            let fault = rendered.faults.into_iter().map(|found| found.fault).find(|fault| fault.is_limit)?;
            (place.at(fault.line, fault.column), fault.message)
        }
    };
    Some(Diagnostic {
        place,
        level: Level::Error,
        message: format!("`alert.{}` cannot be rendered: {why}", part.as_str()),
        notes: Vec::new(),
        hint: None,
    })
}

/// A message of `rule`, for the destination that takes the longest texts, with a number for everything that is shown.
fn sample(bundle: &Bundle, rule: &BoundRule, title: &str, body: &str) -> Job {
    let (mut details, mut document) = (Map::new(), Map::new());
    for shown in &rule.shown {
        match shown.of {
            ShownOf::Detail => details.insert(shown.field.clone(), json!(42)),
            ShownOf::Document => document.insert(shown.field.clone(), json!(42)),
            ShownOf::Label => None,
        };
    }
    details.insert(DOCUMENTS.into(), vec![Value::Object(document); DOCUMENTS_MAX as usize].into());
    let details = Value::Object(details).to_string();
    let label = |name: &String| Label { name: name.clone(), value: Some("a value".into()) };
    let labels: Vec<Label> = rule.spec.key.iter().map(label).collect();
    let subject = Subject {
        rule: &rule.spec.name.0,
        owner: rule.spec.owner.as_deref(),
        environment: &bundle.environment.name,
        severity: rule.spec.severity,
        cause: Cause::Opened,
        labels: &labels,
        at: Timestamp(0),
        since: Timestamp(0),
        value: Some(42.0),
        threshold: Some(41.0),
        summary: "a summary",
        details: &details,
        link: Some("https://kibana.example.com/app/discover#/"),
        count: 3,
        more: &["another".to_owned(), "one more".to_owned()],
    };
    let to = rule.spec.alert.steps.iter().flat_map(|step| &step.to);
    let texts = to.filter_map(|name| Some(bundle.environment.destinations.get(&name.0)?.outbox.text));
    Job::new(title, body, &subject, texts.max_by_key(|text| text.body_max).unwrap_or(USUAL))
}
