//! The output: a small tree, and readable YAML for it.
//!
//! The maintained serde emitters quote `@@TOKEN@@`, which turns what may be a number into a string, and have one style
//! for everything: hence this one. The tests read its output with `watchbell-manifest`.
use crate::mask::lone_token;

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Yaml {
    Null,
    Bool(bool),
    /// Exactly as written.
    Number(String),
    Text(String),
    /// A token that stands for a value of any type: it is written without quotes.
    Token(String),
    List(Vec<Yaml>),
    Map(Vec<(String, Yaml)>),
}

/// Values that fit within this many characters stay on one line.
const WIDTH: usize = 100;

impl Yaml {
    pub(crate) fn text(text: impl Into<String>) -> Self {
        Self::Text(text.into())
    }

    pub(crate) fn map<const N: usize>(entries: [(&str, Yaml); N]) -> Self {
        Self::Map(entries.into_iter().map(|(key, value)| (key.to_string(), value)).collect())
    }

    pub(crate) fn texts(texts: impl IntoIterator<Item = String>) -> Self {
        Self::List(texts.into_iter().map(Self::Text).collect())
    }

    /// Every text in it, keys left out.
    pub(crate) fn visit(&self, see: &mut dyn FnMut(&str)) {
        match self {
            Self::Text(text) | Self::Token(text) => see(text),
            Self::List(items) => items.iter().for_each(|item| item.visit(see)),
            Self::Map(entries) => entries.iter().for_each(|(_, value)| value.visit(see)),
            Self::Null | Self::Bool(_) | Self::Number(_) => {}
        }
    }

    fn is_empty(&self) -> bool {
        matches!(self, Self::List(items) if items.is_empty())
            || matches!(self, Self::Map(entries) if entries.is_empty())
    }
}

impl From<serde_json::Value> for Yaml {
    fn from(value: serde_json::Value) -> Self {
        match value {
            serde_json::Value::Null => Self::Null,
            serde_json::Value::Bool(value) => Self::Bool(value),
            serde_json::Value::Number(value) => Self::Number(value.to_string()),
            serde_json::Value::String(text) => Self::Text(text),
            serde_json::Value::Array(items) => Self::List(items.into_iter().map(Self::from).collect()),
            serde_json::Value::Object(entries) => {
                Self::Map(entries.into_iter().map(|(key, value)| (key, Self::from(value))).collect())
            }
        }
    }
}

/// A document: the entries at the left edge, `comment` above them.
pub(crate) fn document(comment: &str, entries: &[(String, Yaml)]) -> String {
    let mut out = if comment.is_empty() { String::new() } else { format!("# {}\n", printable(comment)) };
    block_map(entries, 0, &mut out);
    out
}

/// On one line, whatever the names of files hold: a line break in one would begin a key of the manifest.
fn printable(comment: &str) -> String {
    let mut out = String::with_capacity(comment.len());
    for c in comment.chars() {
        let is_special = matches!(
            c,
            '\u{2028}' | '\u{2029}' | '\u{FEFF}' | '\u{FFFE}' | '\u{FFFF}' | '\u{E000}'..='\u{F8FF}'
        );
        if c.is_control() || is_special {
            out.extend(c.escape_unicode());
        } else {
            out.push(c);
        }
    }
    out
}

fn block_map(entries: &[(String, Yaml)], indent: usize, out: &mut String) {
    for (index, (key, value)) in entries.iter().enumerate() {
        if index > 0 || !out.ends_with("- ") {
            pad(indent, out);
        }
        out.push_str(&scalar(key, false));
        out.push(':');
        entry(value, indent, out);
    }
}

/// What follows `key:`.
fn entry(value: &Yaml, indent: usize, out: &mut String) {
    let used = out.len() - out.rfind('\n').map_or(0, |at| at + 1);
    if let Some(line) = flow(value, indent == 0).filter(|line| used + 1 + line.chars().count() <= WIDTH) {
        out.push(' ');
        out.push_str(&line);
        out.push('\n');
        return;
    }
    match value {
        Yaml::Map(entries) => {
            out.push('\n');
            block_map(entries, indent + 2, out);
        }
        Yaml::List(items) => {
            out.push('\n');
            for item in items {
                pad(indent + 2, out);
                out.push('-');
                match item {
                    Yaml::Map(entries)
                        if flow(item, false).is_none_or(|line| line.chars().count() + indent + 4 > WIDTH) =>
                    {
                        out.push(' ');
                        block_map(entries, indent + 4, out);
                    }
                    // A list's items are never the top of a document.
                    item => entry(item, indent + 2, out),
                }
            }
        }
        Yaml::Text(text) => match literal(text) {
            Some((header, lines)) => {
                out.push(' ');
                out.push_str(header);
                out.push('\n');
                for line in lines {
                    if !line.is_empty() {
                        pad(indent + 2, out);
                        out.push_str(line);
                    }
                    out.push('\n');
                }
            }
            None => {
                out.push(' ');
                out.push_str(&scalar(text, false));
                out.push('\n');
            }
        },
        value => {
            out.push(' ');
            out.push_str(&plain(value));
            out.push('\n');
        }
    }
}

/// A value on one line; `None`: it needs more. `top`: maps of maps are easier to read below each other there.
fn flow(value: &Yaml, top: bool) -> Option<String> {
    Some(match value {
        Yaml::Text(text) if text.contains('\n') && literal(text).is_some() => return None,
        Yaml::Text(text) => scalar(text, true),
        value if value.is_empty() => {
            if matches!(value, Yaml::List(_)) {
                "[]".into()
            } else {
                "{}".into()
            }
        }
        Yaml::List(items) => {
            let items: Option<Vec<String>> = items.iter().map(|item| flow(item, false)).collect();
            format!("[{}]", items?.join(", "))
        }
        Yaml::Map(entries) => {
            if top
                && entries.iter().any(|(_, value)| matches!(value, Yaml::Map(entries) if !entries.is_empty()))
            {
                return None;
            }
            let entries: Option<Vec<String>> = (entries.iter())
                .map(|(key, value)| Some(format!("{}: {}", scalar(key, true), flow(value, false)?)))
                .collect();
            format!("{{ {} }}", entries?.join(", "))
        }
        value => plain(value),
    })
}

fn plain(value: &Yaml) -> String {
    match value {
        Yaml::Bool(value) => value.to_string(),
        Yaml::Number(text) => text.clone(),
        Yaml::Token(text) if lone_token(text).is_some() => text.clone(),
        Yaml::Token(text) | Yaml::Text(text) => scalar(text, true),
        Yaml::Null | Yaml::List(_) | Yaml::Map(_) => "null".into(),
    }
}

/// A string on one line, quoted if it could be read as anything else.
fn scalar(text: &str, in_flow: bool) -> String {
    if is_plain(text, in_flow) { text.to_string() } else { quoted(text) }
}

fn is_plain(text: &str, in_flow: bool) -> bool {
    // What YAML 1.1 does not read as a string is quoted too: people still expect it.
    const WORDS: [&str; 8] = ["true", "false", "yes", "no", "on", "off", "null", "~"];
    let inner = |c: char| match c {
        ' ' | '_' | '.' | '/' | '-' | '*' | '+' | '(' | ')' | '%' | '=' | '$' | ';' | '^' | '<' | '>'
        | '?' | '!' | '~' => true,
        ':' => true,
        c => c.is_alphanumeric(),
    };
    text.starts_with(|c: char| c.is_alphabetic() || matches!(c, '_' | '/'))
        && text.chars().all(inner)
        && !text.ends_with([' ', ':'])
        && !text.contains(": ")
        && !(in_flow && text.contains(":") && !text.contains("://"))
        && !WORDS.contains(&text.to_lowercase().as_str())
        || is_duration(text)
}

/// `5m`, `1h30m`: begins with a digit, and is no number.
fn is_duration(text: &str) -> bool {
    text.len() >= 2
        && text.starts_with(|c: char| c.is_ascii_digit())
        && text.ends_with(['s', 'm', 'h', 'd', 'w'])
        && text.bytes().all(|byte| byte.is_ascii_digit() || matches!(byte, b's' | b'm' | b'h' | b'd' | b'w'))
}

fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        match c {
            // `@@` that begins no token would be told as one that does not end.
            '@' if rest.starts_with("@@") => match crate::mask::token_at(rest) {
                Some(name) => {
                    out.push_str(&rest[..name.len() + 4]);
                    rest = &rest[name.len() + 4..];
                    continue;
                }
                None => out.push_str("\\x40"),
            },
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            '\r' => out.push_str("\\r"),
            c if c.is_control()
                || matches!(c, '\u{2028}' | '\u{2029}' | '\u{FEFF}' | '\u{FFFE}' | '\u{FFFF}') =>
            {
                let code = u32::from(c);
                out.push_str(&if code < 0x100 { format!("\\x{code:02x}") } else { format!("\\u{code:04x}") });
            }
            c => out.push(c),
        }
        rest = &rest[c.len_utf8()..];
    }
    out.push('"');
    out
}

/// Text of several lines as a literal block: its header and its lines. `None`: a block cannot hold it.
fn literal(text: &str) -> Option<(&'static str, Vec<&str>)> {
    let (header, body) = match text.strip_suffix('\n') {
        Some(body) => ("|", body),
        None => ("|-", text),
    };
    let lines: Vec<&str> = body.split('\n').collect();
    let odd = |c: char| {
        c.is_control() && c != '\n'
            || matches!(c, '\u{85}' | '\u{2028}' | '\u{2029}' | '\u{FEFF}' | '\u{FFFE}' | '\u{FFFF}')
    };
    let stray = text.match_indices("@@").count() != crate::mask::tokens(text).len() * 2;
    let holds = (body.contains('\n') || header == "|")
        && !body.ends_with('\n')
        && !lines[0].starts_with([' ', '\t'])
        && !lines[0].is_empty()
        && !lines.iter().any(|line| line.ends_with([' ', '\t']))
        && !text.contains(odd)
        && !stray;
    holds.then_some((header, lines))
}

fn pad(indent: usize, out: &mut String) {
    out.extend(std::iter::repeat_n(' ', indent));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(value: Yaml) -> String {
        document("", &[("k".into(), value)])
    }

    #[test]
    fn short_things_stay_on_a_line() {
        let params = Yaml::map([("timeframe", Yaml::text("5m")), ("cur", Yaml::Token("@@a.b@@".into()))]);
        assert_eq!(shown(params), "k: { timeframe: 5m, cur: @@a.b@@ }\n");
        assert_eq!(shown(Yaml::texts(["a".into(), "b,c".into()])), "k: [a, \"b,c\"]\n");
        assert_eq!(shown(Yaml::List(vec![])), "k: []\n");
    }

    #[test]
    fn long_things_stand_below_each_other() {
        let term = Yaml::map([("term", Yaml::map([("field", Yaml::text("v".repeat(90)))]))]);
        let expected = format!("k:\n  - term:\n      field: {}\n  - x\n", "v".repeat(90));
        assert_eq!(shown(Yaml::List(vec![term, Yaml::text("x")])), expected);
        assert_eq!(shown(Yaml::text("a\n  b\n\nc\n")), "k: |\n  a\n    b\n\n  c\n");
    }

    #[test]
    fn what_could_be_misread_is_quoted() {
        for (text, written) in [
            ("yes", "\"yes\""),
            ("5", "\"5\""),
            ("", "\"\""),
            ("a: b", "\"a: b\""),
            ("*a", "\"*a\""),
            ("logstash-*", "logstash-*"),
            ("@timestamp", "\"@timestamp\""),
            ("@@ x", "\"\\x40@ x\""),
            ("@@a@@ x", "\"@@a@@ x\""),
            ("a #b", "\"a #b\""),
            (" a", "\" a\""),
            ("a\nb ", "\"a\\nb \""),
            ("http://h:1/x", "http://h:1/x"),
        ] {
            assert_eq!(shown(Yaml::text(text)), format!("k: {written}\n"), "{text}");
        }
    }

    fn tree() -> impl proptest::strategy::Strategy<Value = Yaml> {
        use proptest::prelude::*;
        let text = prop_oneof!["[ -~\n]{0,20}", "(\\PC|\n){0,12}", "[a-z]{80,120}"].prop_filter(
            "the reader takes private-use characters and variables for its own",
            |text| {
                !text.contains('$')
                    && !text.contains(|c| ('\u{E000}'..='\u{F8FF}').contains(&c))
                    && !text.contains("@@")
            },
        );
        let leaf = prop_oneof![
            text.clone().prop_map(Yaml::Text),
            any::<bool>().prop_map(Yaml::Bool),
            any::<i32>().prop_map(|number| Yaml::Number(number.to_string())),
            Just(Yaml::Null),
            Just(Yaml::Token("@@a.b@@".into())),
        ];
        leaf.prop_recursive(4, 40, 5, move |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..5).prop_map(Yaml::List),
                prop::collection::btree_map(
                    "[ -#%-~]{1,12}".prop_filter("a key", |key| key != "<<" && !key.contains("@@")),
                    inner,
                    0..5
                )
                .prop_map(|map| Yaml::Map(map.into_iter().collect())),
            ]
        })
    }

    #[test]
    fn a_comment_stays_a_comment() {
        assert_eq!(
            document("from a\rname: evil\n\u{7}é\u{2028}", &[("k".into(), Yaml::text("v"))]),
            "# from a\\u{d}name: evil\\u{a}\\u{7}é\\u{2028}\nk: v\n"
        );
    }

    proptest::proptest! {
        #![proptest_config(proptest::prelude::ProptestConfig { failure_persistence: None, ..Default::default() })]

        #[test]
        fn what_is_written_is_read_as_it_was(tree in tree()) {
            let text = document("A comment.", &[("k".into(), tree.clone())]);
            let read = crate::tree::parse(&"x".into(), &text);
            let read = read.map(|document| crate::options::as_yaml(&document.entries[0].value));
            proptest::prop_assert_eq!(read.as_ref(), Ok(&tree), "{}", text);
        }
    }
}
