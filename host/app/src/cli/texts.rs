//! The texts of rules, rendered on made-up values by the component that renders them in production. A template that
//! passes a limit there costs its rule's alerts their text, and some only need to be rendered for that.
use watchbell_manifest::{BoundRule, Bundle, Diagnostic, Level, ModuleFault, TextPlace};
use watchbell_sandbox::Renderer;
use watchbell_text::{Job, Part};

use crate::catalog::Catalog;
use crate::sample;

/// The maximum faults reported; each may take as long as a text may.
const FAULTS_MAX: usize = 50;

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
            found.extend(fault(part, place, &sampled(bundle, rule, title, body), &catalog.texts()?));
        }
    }
    Ok(found)
}

fn fault(part: Part, place: &TextPlace, job: &Job, renderer: &Renderer) -> Option<Diagnostic> {
    let (place, why) = match renderer.render(job) {
        Err(fault) => (place.at(1, 1), fault.to_string()),
        Ok(rendered) => {
            let fault = rendered.faults.into_iter().map(|found| found.fault).find(|fault| fault.is_limit)?;
            match fault.file {
                Some(_) => (place.at(1, 1), fault.to_string()),
                None => (place.at(fault.line, fault.column), fault.message),
            }
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

/// A message of `rule`, for the destination that takes the longest texts.
fn sampled(bundle: &Bundle, rule: &BoundRule, title: &str, body: &str) -> Job {
    let to = bundle.environment.reached(&rule.spec.alert);
    let texts = to.iter().filter_map(|name| Some(bundle.environment.destinations.get(&name.0)?.outbox.text));
    let wants = texts.max_by_key(|text| text.body_max).unwrap_or(sample::USUAL);
    let more = ["another".to_owned(), "one more".to_owned()];
    let job = sample::job(title, body, &sample::of_rule(bundle, rule), &more, wants);
    job.with_macros(rule.spec.alert.macros.clone())
}
