//! Title and body of a rule.
use watchbell_text::{Macros, check_template, names};

use super::python::{Part, Which, printf, read};
use super::terms::bare;
use super::{Dialect, Markup, Term, Terms, Writer, jinja, markup, whole};
use crate::node::Data;
use crate::options::Options;

/// The templates; `None`: the manifest's default.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Alert {
    pub(crate) title: Option<String>,
    pub(crate) body: Option<String>,
}

/// `template_file`: the text of the file that `jinja_template_path` names.
pub(crate) fn alert(
    options: &mut Options,
    terms: &mut Terms,
    name: &str,
    template_file: Option<&str>,
    markup: Markup,
) -> Alert {
    let style = options.text("alert_text_type");
    let is_jinja = style.as_deref() == Some("alert_text_jinja");
    let mut made = Alert { title: title(options, terms, name, is_jinja, markup), body: None };
    let source = match (is_jinja, template_file) {
        (true, Some(text)) => Some(("jinja_template_path", text.to_string())),
        _ => options.text("alert_text").map(|text| ("alert_text", text)),
    };
    let text = source.and_then(|(option, source)| {
        let writer = Writer::body(markup);
        let body = if is_jinja {
            of_jinja(options, terms, option, &source, writer)
        } else {
            of_python(options, terms, option, &source, writer)
        };
        checked(options, option, body)
    });
    let is_whole = !matches!(
        style.as_deref(),
        Some("alert_text_only" | "alert_text_jinja" | "exclude_fields" | "aggregation_summary_only")
    );
    // ElastAlert continues with the rule's own text, and with the document.
    let below = match style.as_deref() {
        Some("alert_text_only" | "alert_text_jinja") => None,
        _ if is_whole => whole::below(options, terms, text.is_some()),
        _ => Some("{{ summary }}\n".to_string()),
    };
    style_told(options, style.as_deref(), text.is_some());
    made.body = match (text, below) {
        (Some(text), Some(below)) => Some(format!("{}\n\n{below}", text.trim_end())),
        (text, below) => text.or(below),
    };
    let says_count = |body: &String| names(body).iter().any(|name| name.path == ["count"]);
    if let Some(body) = made.body.as_mut().filter(|body| says_count(body)) {
        body.push_str(whole::OTHERS);
    }
    if is_whole {
        whole::told(options, terms, made.body.is_some());
    } else {
        options.carried("include", "the text alone says what is shown");
    }
    settle(options, is_jinja);
    made
}

fn title(
    options: &mut Options,
    terms: &mut Terms,
    name: &str,
    is_jinja: bool,
    markup: Markup,
) -> Option<String> {
    let mut writer = Writer::title(markup);
    let made = match options.text("alert_subject") {
        Some(source) if is_jinja && !options.has("alert_subject_args") => {
            of_jinja(options, terms, "alert_subject", &source, writer)
        }
        Some(source) => of_python(options, terms, "alert_subject", &source, writer),
        None => {
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
    mut writer: Writer,
) -> Result<String, String> {
    mention_told(options, option, source);
    let args_option = format!("{option}_args");
    let args = options.texts(&args_option);
    let named: Option<Vec<(String, String)>> =
        options.node("alert_text_kw").filter(|_| option == "alert_text").map(|node| {
            node.entries().iter().filter_map(|entry| Some((entry.value.text()?, entry.key.clone()))).collect()
        });
    forget(terms);
    if args.is_none() && named.is_none() {
        writer.text(source);
        return Ok(writer.end());
    }
    let mut left_out = Vec::new();
    for part in read(source)? {
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
            // A string, such as the placeholder, has no format of a number.
            (Term::Untold(expression), Some(format)) if !format.ends_with('s') => {
                let bare = bare(&expression);
                writer.expression(&format!(
                    "('{format}' | format({bare})) if {bare} is number else {expression}"
                ));
            }
            (Term::Untold(expression), Some(format)) => {
                writer.expression(&format!("'{format}' | format({expression})"))
            }
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

fn of_jinja(
    options: &mut Options,
    terms: &mut Terms,
    option: &str,
    source: &str,
    mut writer: Writer,
) -> Result<String, String> {
    mention_told(options, option, source);
    let root = options.text("jinja_root_name").unwrap_or_else(|| "_data".into());
    forget(terms);
    let known = options.clone();
    let whole = terms.whole(Dialect::Message);
    let mut resolve = |name: &str| terms.expression(&known, name, Dialect::Message);
    for part in jinja::parts(source, &root, whole, &mut resolve)? {
        match part {
            jinja::Part::Text(text) => writer.text(&text),
            jinja::Part::Tag(written) => writer.tag(written),
        }
    }
    let text = writer.end();
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

/// What the texts before have said of their names.
fn forget(terms: &mut Terms) {
    terms.untold.clear();
    terms.differing.clear();
}

/// Names that a text uses and that have no value here, or another one.
fn untold(options: &mut Options, terms: &mut Terms, option: &str, shown: &str) {
    if !terms.untold.is_empty() {
        let names: Vec<String> = std::mem::take(&mut terms.untold).into_iter().collect();
        let what = format!(
            "a rule of type `{}` does not report {}: the text shows {shown} there",
            terms.kind,
            list(&names)
        );
        options.changed(option, what);
    }
    if !terms.differing.is_empty() {
        let differing: Vec<String> = std::mem::take(&mut terms.differing).into_iter().collect();
        options.changed(option, differing.join("; "));
    }
}

/// Slack's words that notify people are words like others here.
fn mention_told(options: &mut Options, option: &str, source: &str) {
    if markup::mentions(source) {
        options
            .changed(option, "what mentions people, such as `<!here>`, is shown as text and notifies nobody");
    }
}

/// minijinja's opinion of a template.
fn terms_left(text: &str) -> Option<String> {
    minijinja::Environment::new()
        .template_from_str(text)
        .err()
        .map(|error| error.detail().map_or_else(|| error.kind().to_string(), |detail| detail.to_string()))
}

fn style_told(options: &mut Options, style: Option<&str>, has_text: bool) {
    match style {
        Some("alert_text_only") => options.carried("alert_text_type", "the body is only the text"),
        Some("alert_text_jinja") => options.carried("alert_text_type", "texts are Jinja templates here too"),
        Some("exclude_fields") if has_text => {
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
                format!("{message}: the text, then the rule's `{{{{ summary }}}}` and the document"),
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
    options.carried("alert_missing_value", "what texts show for a field that the document does not have");
    if is_jinja {
        options.carried("jinja_root_name", "names are written without it");
    }
    options.dropped("jinja_filters", "Python filters do not run here; minijinja's built-in filters do");
    options.drop_all(&["use_local_time", "custom_pretty_ts_format"], "times are written as RFC 3339, in UTC");
}

pub(crate) fn list(names: &[String]) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}
