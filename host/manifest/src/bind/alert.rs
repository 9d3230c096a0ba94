//! What is sent, and to whom.
use watchbell_contract::{Duration, Severity};
use watchbell_pipeline::spec::{AlertSpec, Comparison, DestinationName, Step, Worse};
use watchbell_text::{self as text, Macros, NameKind, check_template};

use super::doc::Doc;
use super::group;
use super::rule::Bench;
use super::schedule::hours;
use super::texts;
use crate::report::suggest;
use crate::{Environment, Shown, raw};

/// What the rule sends and to whom, and what its own texts show.
pub(crate) fn alert(
    doc: &mut Doc<'_>,
    typed: Option<raw::Alert>,
    base: Severity,
    key: &[String],
    zone: Option<&str>,
    bench: &Bench<'_>,
) -> (AlertSpec, Vec<Shown>) {
    let environment = bench.environment;
    let typed = typed.unwrap_or_default();
    let mut shown = Vec::new();
    for (pointer, text) in [("/alert/title", &typed.title), ("/alert/body", &typed.body)] {
        if let Some(text) = text {
            template(doc, pointer, text, bench.macros, key);
            shown.extend(texts::shown(doc, pointer, text));
        }
    }
    let steps = match (typed.to, typed.escalate) {
        (Some(_), Some(_)) => {
            doc.fault("/alert/to", "`alert.to` and `alert.escalate` cannot be combined")
                .hint("make `to` the first step: `- { after: 0s, to: […] }`")
                .push(doc);
            Vec::new()
        }
        (Some(to), None) => {
            let to = destinations(doc, "/alert/to", to, environment);
            vec![Step { after: Duration::ZERO, to, unless_acknowledged: false, severity: None, when: None }]
        }
        (None, Some(steps)) => escalation(doc, steps, zone, environment),
        (None, None) if ["/alert/to", "/alert/escalate"].iter().any(|at| doc.was_wrong(at)) => Vec::new(),
        (None, None) => {
            doc.warn("/alert", "the rule has no destinations", "name destinations: `alert: { to: […] }`");
            Vec::new()
        }
    };
    // A step can never fire if the severity never reaches the one that it requires.
    let highest = if doc.value.get("worse").is_some() { Severity::Critical } else { base };
    for (index, step) in steps.iter().enumerate() {
        if step.severity.is_some_and(|severity| severity > highest) {
            let pointer = format!("/alert/escalate/{index}/severity");
            doc.warn(
                &pointer,
                format!("this step never fires: the rule's severity never exceeds `{}`", highest.as_str()),
                "raise `severity`, or add `worse: { critical: \">= 5\" }`",
            );
        }
    }
    let repeat = repeat(doc, typed.repeat);
    if typed.repeat_max.is_some() && repeat.is_empty() {
        doc.warn("/alert/repeat_max", "nothing is repeated: `repeat` is missing", "add `repeat: 4h`");
    }
    let is_grouped = typed.group.is_some();
    let group = group::group(doc, typed.group, key, zone);
    if is_grouped && !repeat.is_empty() {
        doc.warn(
            "/alert/repeat",
            "nothing is repeated: the messages of a rule with `group` are not repeated one by one",
            "remove `repeat`, or `group`",
        );
    }
    let ack_for = typed.ack.and_then(|ack| ack.lasts);
    let ack_for = ack_for.map(|lasts| doc.positive("/alert/ack/for", Some(lasts), Duration::ZERO));
    let title = typed.title.unwrap_or_else(|| text::TITLE.into());
    let body = typed.body.unwrap_or_else(|| text::BODY.into());
    let alert = AlertSpec {
        macros: bench.macros.imported([title.as_str(), body.as_str()]),
        title,
        body,
        steps,
        repeat,
        repeats_max: typed.repeat_max,
        ack_for,
        hold: doc.span("/alert/for", typed.hold, Duration::ZERO),
        resolve_after: doc.span("/alert/resolve_after", typed.resolve_after, Duration::ZERO),
        group,
    };
    (alert, shown)
}

/// `worse:`, in rising order of severity.
pub(crate) fn worse(doc: &mut Doc<'_>, typed: Option<raw::Worse>, base: Severity) -> Vec<Worse> {
    let Some(typed) = typed else { return Vec::new() };
    let mut found = Vec::new();
    for (severity, text) in [(Severity::Warning, typed.warning), (Severity::Critical, typed.critical)] {
        let Some(text) = text else { continue };
        let pointer = format!("/worse/{}", severity.as_str());
        if severity <= base {
            doc.fault(
                &pointer,
                format!("`{}` is not worse than the rule's severity `{}`", severity.as_str(), base.as_str()),
            )
            .hint("lower `severity`, or remove this")
            .push(doc);
        }
        match comparison(&text) {
            Some(when) => found.push(Worse { severity, when }),
            None => doc.fault(&pointer, format!("`{text}` is not a comparison with a number")).push(doc),
        }
    }
    found
}

fn comparison(text: &str) -> Option<Comparison> {
    let text = text.trim();
    let number = text.trim_start_matches(['<', '>', '=']);
    let bound = number.trim().parse().ok()?;
    match &text[..text.len() - number.len()] {
        ">=" => Some(Comparison::AtLeast(bound)),
        ">" => Some(Comparison::Above(bound)),
        "<=" => Some(Comparison::AtMost(bound)),
        "<" => Some(Comparison::Below(bound)),
        _ => None,
    }
}

fn repeat(doc: &mut Doc<'_>, typed: Option<raw::Repeat>) -> Vec<Duration> {
    match typed {
        None => Vec::new(),
        Some(raw::Repeat::Always(span)) => vec![doc.positive("/alert/repeat", Some(span), Duration::ZERO)],
        Some(raw::Repeat::Growing(spans)) => spans
            .into_iter()
            .enumerate()
            .map(|(index, span)| doc.positive(&format!("/alert/repeat/{index}"), Some(span), Duration::ZERO))
            .collect(),
    }
}

fn escalation(
    doc: &mut Doc<'_>,
    steps: Vec<raw::Step>,
    zone: Option<&str>,
    environment: Option<&Environment>,
) -> Vec<Step> {
    let mut found: Vec<Step> = Vec::new();
    for (index, step) in steps.into_iter().enumerate() {
        let pointer = format!("/alert/escalate/{index}");
        let after = doc.span(&format!("{pointer}/after"), step.after, Duration::ZERO);
        if let Some(earlier) = found.last()
            && earlier.after > after
        {
            let message =
                format!("this step is due before the one above it: {after} after {}", earlier.after);
            doc.fault(&pointer, message).hint("write the steps in order of `after`").push(doc);
        }
        let to = destinations(doc, &format!("{pointer}/to"), step.to, environment);
        let when = step.when.and_then(|when| {
            hours(doc, &format!("{pointer}/when"), when, zone.map(str::to_owned), zone.is_some())
        });
        found.push(Step {
            after,
            to,
            unless_acknowledged: matches!(step.unless, Some(raw::Unless::Acknowledged)),
            severity: step.severity.map(Severity::from),
            when,
        });
    }
    found
}

fn destinations(
    doc: &mut Doc<'_>,
    pointer: &str,
    names: Vec<String>,
    environment: Option<&Environment>,
) -> Vec<DestinationName> {
    if let Some(environment) = environment {
        let rotations = environment.holds.rotations.iter().map(|rotation| rotation.name.0.as_str());
        let known: Vec<&str> = environment.destinations.keys().map(String::as_str).chain(rotations).collect();
        for (index, name) in names.iter().enumerate() {
            if !known.contains(&name.as_str()) {
                let hint = suggest(name, &known)
                    .unwrap_or_else(|| "define it under `destinations:` of the environment".into());
                doc.fault(
                    &format!("{pointer}/{index}"),
                    format!("environment `{}` has no destination `{name}`", environment.name),
                )
                .hint(hint)
                .push(doc);
            }
        }
    }
    names.into_iter().map(DestinationName).collect()
}

fn template(doc: &mut Doc<'_>, pointer: &str, text: &str, macros: &Macros, key: &[String]) {
    // An error at the end of the text may be reported on the line after it.
    let lines = u32::try_from(text.lines().count()).unwrap_or(u32::MAX).max(1);
    let name = crate::schema::path(pointer);
    if let Err(fault) = check_template(text, macros) {
        let place = doc.spans.within(pointer, text, fault.line.min(lines), fault.column);
        let message = format!("`{name}` is not a template: {}", fault.message);
        crate::Diagnostic::error(&place, message).push(doc);
        return;
    }
    for found in text::names(text) {
        let [variable, path @ ..] = found.path.as_slice() else { continue };
        let wanted = path.join(".");
        // The host's own label for a silent index.
        let is_known = |label: &str| {
            label == wanted || label.strip_prefix(&wanted).is_some_and(|rest| rest.starts_with('.'))
        };
        let known = key.iter().map(String::as_str).chain(["no_data"]).any(is_known);
        if found.kind != NameKind::Variable || variable != "labels" || wanted.is_empty() || known {
            continue;
        }
        let place = doc.spans.within(pointer, text, found.line.min(lines), found.column);
        let keys: Vec<&str> = key.iter().map(String::as_str).collect();
        let hint = match suggest(&wanted, &keys) {
            Some(hint) => hint,
            None => {
                format!("a field of the document is `document.{wanted}`; a label needs `key: [{wanted}]`")
            }
        };
        let message = format!("`{name}`: `labels.{wanted}` is always empty: `key` does not name it");
        crate::Diagnostic::warning(&place, message).hint(hint).push(doc);
    }
}
