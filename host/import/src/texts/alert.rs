//! Title and body of a rule.
use watchbell_text::{Macros, check_template};

use super::python::{Part, Which, printf, read};
use super::{Dialect, Term, Terms, Writer, jinja};
use crate::node::Data;
use crate::options::Options;

/// The templates; `None`: the manifest's default.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Alert {
    pub(crate) title: Option<String>,
    pub(crate) body: Option<String>,
}

/// `template_file`: the text of the file that `jinja_template_path` names.
///
/// `slack`: whether the texts go to a product with Slack's links.
pub(crate) fn alert(
    options: &mut Options,
    terms: &mut Terms,
    name: &str,
    template_file: Option<&str>,
    slack: bool,
) -> Alert {
    let style = options.text("alert_text_type");
    let is_jinja = style.as_deref() == Some("alert_text_jinja");
    let mut made = Alert { title: title(options, terms, name, is_jinja, slack), body: None };
    let source = match (is_jinja, template_file) {
        (true, Some(text)) => Some(("jinja_template_path", text.to_string())),
        _ => options.text("alert_text").map(|text| ("alert_text", text)),
    };
    if let Some((option, source)) = source {
        let body = if is_jinja {
            of_jinja(options, terms, option, &source)
        } else {
            of_python(options, terms, option, &source, slack)
        };
        made.body = checked(options, option, body).map(|body| match style.as_deref() {
            Some("alert_text_only" | "alert_text_jinja") => body,
            // ElastAlert continues with the rule's own text.
            _ => format!("{}\n\n{{{{ summary }}}}\n", body.trim_end()),
        });
    }
    style_told(options, style.as_deref(), made.body.is_some());
    settle(options, is_jinja);
    made
}

fn title(
    options: &mut Options,
    terms: &mut Terms,
    name: &str,
    is_jinja: bool,
    slack: bool,
) -> Option<String> {
    let made = match options.text("alert_subject") {
        Some(source) if is_jinja && !options.has("alert_subject_args") => {
            of_jinja(options, terms, "alert_subject", &source)
        }
        Some(source) => of_python(options, terms, "alert_subject", &source, slack),
        None => {
            let mut writer = Writer::new(Dialect::Message);
            writer.text(name);
            Ok(writer.end())
        }
    };
    options.dropped("alert_subject_max_len", "titles are shortened to the destination's limit");
    checked(options, "alert_subject", made)
}

fn checked(options: &mut Options, option: &str, made: Result<String, String>) -> Option<String> {
    let part = if option == "alert_subject" { "alert.title" } else { "alert.body" };
    let made = made.and_then(|text| match check_template(&text, &Macros::default()) {
        Ok(()) => Ok(text),
        Err(fault) => Err(fault.to_string()),
    });
    match made {
        Ok(text) if text.trim().is_empty() => {
            options.dropped(option, "empty");
            None
        }
        Ok(text) => {
            if option == "jinja_template_path" {
                options.changed(option, format!("the file's text is `{part}`"));
            } else if !options.is_settled(option) {
                options.carried(option, format!("`{part}`"));
            }
            Some(text)
        }
        Err(why) => {
            options.dropped(option, format!("{why}; Watchbell's default text is used: rewrite `{part}`"));
            None
        }
    }
}

/// A text that Python formats if it has arguments, and otherwise leaves as it is.
fn of_python(
    options: &mut Options,
    terms: &mut Terms,
    option: &str,
    source: &str,
    slack: bool,
) -> Result<String, String> {
    let source = if slack { links(source) } else { source.to_string() };
    let args_option = format!("{option}_args");
    let args = options.texts(&args_option);
    let named: Option<Vec<(String, String)>> =
        options.node("alert_text_kw").filter(|_| option == "alert_text").map(|node| {
            node.entries().iter().filter_map(|entry| Some((entry.value.text()?, entry.key.clone()))).collect()
        });
    terms.untold.clear();
    let mut writer = Writer::new(Dialect::Message);
    if args.is_none() && named.is_none() {
        writer.text(&source);
        return Ok(writer.end());
    }
    let mut left_out = Vec::new();
    for part in read(&source)? {
        let (which, spec) = match part {
            Part::Literal(text) => {
                writer.text(&text);
                continue;
            }
            Part::Field { which, spec } => (which, spec),
        };
        let name = match (&which, &args, &named) {
            (Which::Index(index), Some(args), _) => args
                .get(*index)
                .ok_or(format!("`{{{index}}}` refers to an argument that `{args_option}` does not have"))?,
            (Which::Name(name), None, Some(named)) => {
                &named
                    .iter()
                    .find(|(known, _)| known == name)
                    .ok_or(format!("`{{{name}}}` is not in `alert_text_kw`"))?
                    .1
            }
            (Which::Name(name), _, _) => return Err(format!("`{{{name}}}` has no argument of that name")),
            (Which::Index(index), None, _) => {
                return Err(format!("`{{{index}}}` has no argument: all arguments are named"));
            }
        };
        let format = if spec.is_empty() { None } else { printf(&spec) };
        if !spec.is_empty() && format.is_none() {
            left_out.push(spec);
        }
        match (terms.term(options, name, Dialect::Message), format) {
            (Term::Constant(text), None) => writer.text(&text),
            (Term::Told(expression) | Term::Untold(expression), None) => writer.expression(&expression),
            (Term::Constant(text), Some(format)) => {
                writer.expression(&format!("'{format}' | format({text})"))
            }
            (Term::Told(expression), Some(format)) => {
                writer.expression(&format!("'{format}' | format({expression})"))
            }
            // The placeholder is a string, which number formats reject.
            (Term::Untold(expression), Some(_)) => writer.expression(&expression),
        }
    }
    if !left_out.is_empty() {
        options.changed(
            option,
            format!("without the formats {}, which templates do not support here", list(&left_out)),
        );
    }
    let about = if options.has(&args_option) { args_option.as_str() } else { "alert_text_kw" };
    let missing = format!("`{}`", terms.missing);
    untold(options, terms, about, &missing);
    Ok(writer.end())
}

fn of_jinja(options: &mut Options, terms: &mut Terms, option: &str, source: &str) -> Result<String, String> {
    let root = options.text("jinja_root_name").unwrap_or_else(|| "_data".into());
    terms.untold.clear();
    let known = options.clone();
    let text = jinja::rewrite(source, &root, &mut |name| terms.expression(&known, name, Dialect::Message))?;
    if let Some(names) = terms_left(&text) {
        return Err(names);
    }
    untold(options, terms, option, "nothing");
    options.carried(
        option,
        if option == "alert_subject" {
            "`alert.title`, with Watchbell's names"
        } else {
            "`alert.body`, with Watchbell's names"
        },
    );
    Ok(text)
}

/// Fields that a text uses and the rule does not report.
fn untold(options: &mut Options, terms: &mut Terms, option: &str, shown: &str) {
    if !terms.untold.is_empty() {
        let names: Vec<String> = std::mem::take(&mut terms.untold).into_iter().collect();
        let (kind, names) = (&terms.kind, list(&names));
        let what = format!(
            "a rule of type `{kind}` does not report {names}: the text shows {shown} there, unless it is in `key:`"
        );
        options.changed(option, what);
    }
}

/// minijinja's opinion of a template.
fn terms_left(text: &str) -> Option<String> {
    minijinja::Environment::new()
        .template_from_str(text)
        .err()
        .map(|error| error.detail().map_or_else(|| error.kind().to_string(), |detail| detail.to_string()))
}

/// Slack's `<address|words>` as Markdown's link.
fn links(source: &str) -> String {
    let mut out = String::new();
    let mut rest = source;
    while let Some(at) = rest.find('<') {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        let link = rest.find('>').and_then(|end| {
            let (address, words) = rest[1..end].split_once('|')?;
            let is_address =
                address.starts_with('{') || address.starts_with("http") || address.starts_with("@@");
            // With two arguments, moving them would change their order.
            (is_address && !words.contains(['{', '<', '|']) && !address.contains('<'))
                .then(|| (end, format!("[{words}]({address})")))
        });
        match link {
            Some((end, link)) => {
                out.push_str(&link);
                rest = &rest[end + 1..];
            }
            None => {
                out.push('<');
                rest = &rest[1..];
            }
        }
    }
    out.push_str(rest);
    out
}

fn style_told(options: &mut Options, style: Option<&str>, has_body: bool) {
    match style {
        Some("alert_text_only") => options.carried("alert_text_type", "the body is only the text"),
        Some("alert_text_jinja") => options.carried("alert_text_type", "texts are Jinja templates here too"),
        Some("exclude_fields") if has_body => {
            options.changed("alert_text_type", "the text, then the rule's `{{ summary }}`")
        }
        Some("exclude_fields") => options.changed("alert_text_type", "the rule's `{{ summary }}`"),
        Some("aggregation_summary_only") => {
            options.dropped(
                "alert_text_type",
                "the body is the rule's `{{ summary }}`; a group's message lists its keys below it",
            );
        }
        Some(_) => {
            let message = "not an `alert_text_type` of ElastAlert";
            options.dropped(
                "alert_text_type",
                format!("{message}: the text, then the rule's `{{{{ summary }}}}`"),
            );
        }
        None => {}
    }
}

fn settle(options: &mut Options, is_jinja: bool) {
    options.settle("alert_text_args", "written into `alert.body`");
    options.settle("alert_subject_args", "written into `alert.title`");
    if options.node("alert_text_kw").is_some_and(|node| !matches!(node.data, Data::Map(_))) {
        options.dropped("alert_text_kw", "not a map");
    }
    if options.has("alert_text_args") {
        options.dropped("alert_text_kw", "ElastAlert uses `alert_text_args` instead");
    } else {
        options.settle("alert_text_kw", "written into `alert.body`");
    }
    options.carried("alert_missing_value", "what texts show for a field that the rule does not report");
    if is_jinja {
        options.carried("jinja_root_name", "names are written without it");
    }
    options.dropped("jinja_filters", "Python filters do not run here; minijinja's built-in filters do");
    options.drop_all(&["use_local_time", "custom_pretty_ts_format"], "times are written as RFC 3339, in UTC");
}

pub(crate) fn list(names: &[String]) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_of_slack_are_links_of_markdown() {
        assert_eq!(links("on <{}> | <{}|Show it>"), "on <{}> | [Show it]({})");
        assert_eq!(links("<http://x|y> <!here> <{}|{}> a < b"), "[y](http://x) <!here> <{}|{}> a < b");
    }
}
