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
    if is_below(&words[0], is_list) {
        let why = "its program is below ElastAlert's own folder: write its absolute path";
        return context.refuse("command", why);
    }
    if holds_credential(&words) {
        let why = "an argument looks like a credential, which is never written: pass it by `variables` of a destination \
                   with `use: exec`";
        return context.refuse("command", why);
    }
    let program = words[0].rsplit('/').next().unwrap_or_default().to_string();
    let (words, how) = match (is_list, words[0].starts_with('/')) {
        // A text is for a shell.
        (false, _) => (["/bin/sh".into(), "-c".into()].into_iter().chain(words).collect(), "by a shell"),
        (true, true) => (words, "as it is"),
        (true, false) => (std::iter::once(ENV.to_string()).chain(words).collect(), "found by its name"),
    };
    let what = format!(
        "the destination's `command`, {how}; it also runs for later messages of an episode, its end included (`cause` \
         says which), again after a status other than 0, and is killed after 30 s (`timeout`)"
    );
    context.options.changed("command", what);
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

/// Whether a program is below the folder that ElastAlert runs in. A shell replaces `~` and variables.
fn is_below(command: &str, is_list: bool) -> bool {
    let program = match is_list {
        true => command,
        false => command.split_whitespace().next().unwrap_or_default(),
    };
    let is_replaced = !is_list && (program.starts_with(['~', '$', '"', '\'']) || program.contains('='));
    program.contains('/') && !program.starts_with('/') && !is_replaced
}

/// Whether a command's words tell a user's password, a token or the like. A shell's command is one text of several words.
fn holds_credential(words: &[String]) -> bool {
    let words: Vec<String> = words.iter().map(|word| word.to_lowercase()).collect();
    let text = words.join(" ");
    // An argument as it is, and what a shell makes of it.
    tells_user(words.iter().map(String::as_str))
        || tells_user(text.split_whitespace())
        || ["authorization:", "password=", "token=", "api_key="].iter().any(|mark| text.contains(mark))
}

/// Whether a user is followed by a password, as in `curl -u user:password`.
fn tells_user<'a>(words: impl Iterator<Item = &'a str>) -> bool {
    let mut is_user = false;
    for word in words {
        let attached = ["--user=", "-u"].iter().find_map(|option| word.strip_prefix(option));
        let value = if is_user { Some(word) } else { attached };
        // `-u` of other programs is an address.
        let is_address = |value: &str| {
            let is_http = |scheme: &str| value.trim_matches(['"', '\'']).starts_with(scheme);
            ["http://", "https://"].into_iter().any(is_http) && !value.contains('@')
        };
        if value.is_some_and(|value| value.contains(':') && !is_address(value)) {
            return true;
        }
        // The last of several short options has the value: `-su`.
        is_user = word == "--user" || word.starts_with('-') && !word.starts_with("--") && word.ends_with('u');
    }
    false
}

#[cfg(test)]
mod tests {
    use super::{holds_credential, is_below};

    #[test]
    fn a_program_has_an_absolute_path_or_a_bare_name() {
        for (command, is_list, expected) in [
            ("bin/notify", true, true),
            ("./notify --to /tmp/x", false, true),
            ("~/notify", true, true),
            ("~/notify", false, false),
            ("/opt/notify", true, false),
            ("notify", true, false),
            ("notify > /tmp/x", false, false),
            ("OUT=/tmp/x notify", false, false),
        ] {
            assert_eq!(is_below(command, is_list), expected, "{command}");
        }
    }

    #[test]
    fn a_credential_is_recognized() {
        let of =
            |words: &[&str]| holds_credential(&words.iter().map(ToString::to_string).collect::<Vec<_>>());
        for words in [
            ["curl", "-u", "ann:x"],
            ["curl", "--user=ann:x", "http://a"],
            ["curl", "-uann:x", "http://a"],
            ["curl", "-su", "ann lee:x"],
            ["curl", "-H", "Authorization: Bearer x"],
            ["curl", "http://a/?TOKEN=x", ""],
            ["sh", "-c", "curl --user ann:x http://a"],
        ] {
            assert!(of(&words), "{words:?}");
        }
        assert!(!of(&["notify", "-u", "critical", "http://a:80/"]));
        assert!(!of(&["notify", "-u", "http://a:80/"]));
    }
}
