//! What stays on the host's machine: a program, and its standard output.
use super::alerter::{Alerter, Make};
use super::context::Context;
use super::destination::Destination;
use crate::node::Data;
use crate::yaml::Yaml;

/// What finds a program by its name, as ElastAlert does.
const ENV: &str = "/usr/bin/env";

pub(super) const ALERTERS: &[Alerter] = &[
    Alerter { name: "debug", also: &[], options: &[], make: Make::Destinations(debug) },
    Alerter {
        name: "command",
        also: &[],
        options: &["command", "pipe_match_json", "pipe_alert_text", "fail_on_non_zero_exit"],
        make: Make::Destinations(command),
    },
];

fn debug(_context: &mut Context<'_>) -> Vec<Destination> {
    vec![Destination::local("stdout", Vec::new())]
}

fn command(context: &mut Context<'_>) -> Vec<Destination> {
    let is_list = context.options.node("command").is_some_and(|node| matches!(node.data, Data::List(_)));
    let Some(words) = context.options.texts("command").filter(|words| !words.is_empty()) else {
        return context.refuse("command", "names no program");
    };
    // `%(name)s`, or `{match[name]}` with `new_style_string_format`.
    if words.iter().any(|word| word.contains("%(") || word.contains('{')) {
        let why = "its arguments are made of the match: let the program read them from its standard input, where the \
                   message is JSON, and write a destination with `use: exec`";
        return context.refuse("command", why);
    }
    let words: Vec<String> = words.iter().map(|word| word.replace("%%", "%")).collect();
    let program = words[0].rsplit('/').next().unwrap_or_default().to_string();
    let (words, how) = match (is_list, words[0].starts_with('/')) {
        // A text is for a shell.
        (false, _) => (["/bin/sh".into(), "-c".into()].into_iter().chain(words).collect(), "by a shell"),
        (true, true) => (words, "as it is"),
        (true, false) => (std::iter::once(ENV.to_string()).chain(words).collect(), "found by its name"),
    };
    context.options.carried("command", format!("the destination's `command`, {how}"));
    context.options.changed(
        "pipe_match_json",
        "the program reads the message as JSON, with the match in `details.documents`",
    );
    context
        .options
        .changed("pipe_alert_text", "the program reads the message as JSON, with `title` and `body`");
    context.options.changed("fail_on_non_zero_exit", "a message is tried again unless the status is 0");
    let hint = if is_list { program } else { "shell".to_string() };
    vec![Destination::local("exec", vec![("command".into(), Yaml::texts(words))]).about(Some(&hint))]
}
