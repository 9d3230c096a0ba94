//! Jinja2 of an ElastAlert rule as a manifest's template: the language is the same, the names are not.
mod methods; // what Python and Jinja have, and templates write in another way

use methods::{call, method, truncate};

/// A part of a template.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Part {
    /// Literal text.
    Text(String),
    /// An expression or a statement, with its braces.
    Tag(String),
}

/// Rewrites every name that a template does not bind itself. `resolve` takes a path such as `source.ip`, without the
/// root that Jinja texts may use (`_data`), and returns an expression.
///
/// # Errors
/// A description of what has no counterpart.
pub(crate) fn rewrite(
    source: &str,
    root: &str,
    resolve: &mut dyn FnMut(&str) -> String,
) -> Result<String, String> {
    let parts = parts(source, root, "details", resolve)?;
    Ok(parts.into_iter().map(|(Part::Text(text) | Part::Tag(text))| text).collect())
}

/// The same, in parts. `whole`: an expression for the root itself, which holds all that ElastAlert matched.
pub(super) fn parts(
    source: &str,
    root: &str,
    whole: &str,
    resolve: &mut dyn FnMut(&str) -> String,
) -> Result<Vec<Part>, String> {
    let segments = segments(source)?;
    let mut bound: Vec<String> =
        ["loop", "range", "dict", "namespace", "self", "super", "caller", "varargs", "kwargs"]
            .map(String::from)
            .to_vec();
    for segment in &segments {
        if let Segment::Statement(inner) = segment {
            binds(inner, &mut bound);
        }
    }
    let mut names = Names { root, whole, bound: &bound, resolve };
    let mut out: Vec<Part> = Vec::new();
    // A tag with a dash takes the spaces beside it away, also those that are written as an expression later.
    let mut is_trimmed = false;
    for segment in segments {
        if let Segment::Expression(inner) | Segment::Statement(inner) | Segment::Comment(inner) = &segment {
            is_trimmed = inner.ends_with('-');
            if let (true, Some(Part::Text(text))) = (inner.starts_with('-'), out.last_mut()) {
                text.truncate(text.trim_end().len());
            }
        }
        out.push(match segment {
            Segment::Text(text) if is_trimmed => Part::Text(text.trim_start().into()),
            Segment::Text(text) => Part::Text(text.into()),
            Segment::Comment(_) => continue,
            Segment::Expression(inner) => {
                let mut written = String::new();
                expression(inner, &mut names, &mut written)?;
                match plain_text(&written) {
                    Some(text) => Part::Text(text.into()),
                    None => Part::Tag(format!("{{{{{written}}}}}")),
                }
            }
            Segment::Statement(inner) => {
                let mut written = String::new();
                expression(inner, &mut names, &mut written)?;
                Part::Tag(format!("{{%{written}%}}"))
            }
        });
    }
    Ok(out)
}

/// What the names of a template mean.
struct Names<'a> {
    root: &'a str,
    whole: &'a str,
    bound: &'a [String],
    resolve: &'a mut dyn FnMut(&str) -> String,
}

impl Names<'_> {
    fn expression(&mut self, path: &str) -> String {
        if path == self.root {
            return self.whole.to_string();
        }
        let path = path.strip_prefix(self.root).and_then(|path| path.strip_prefix('.')).unwrap_or(path);
        (self.resolve)(path)
    }
}

/// The text that an expression is, if it is one and nothing in it could mean more to a template or to Markdown.
fn plain_text(expression: &str) -> Option<&str> {
    let text = expression.trim().strip_prefix('\'')?.strip_suffix('\'')?;
    (!text.contains(['\'', '\\', '{', '}', '<', '%', '#'])).then_some(text)
}

enum Segment<'a> {
    Text(&'a str),
    Expression(&'a str),
    Statement(&'a str),
    Comment(&'a str),
}

fn segments(source: &str) -> Result<Vec<Segment<'_>>, String> {
    let mut found = Vec::new();
    let mut rest = source;
    let opens = |text: &str| {
        let mut braces = text.match_indices('{');
        braces.find(|(at, _)| text[at + 1..].starts_with(['{', '%', '#'])).map(|(at, _)| at)
    };
    while let Some(at) = opens(rest) {
        if at > 0 {
            found.push(Segment::Text(&rest[..at]));
        }
        let open = &rest[at..at + 2];
        let inner = &rest[at + 2..];
        let close = match open {
            "{{" => "}}",
            "{%" => "%}",
            _ => "#}",
        };
        let Some(end) = ending(inner, close) else {
            return Err(format!("`{open}` is not closed"));
        };
        found.push(match open {
            "{{" => Segment::Expression(&inner[..end]),
            "{%" => Segment::Statement(&inner[..end]),
            _ => Segment::Comment(&inner[..end]),
        });
        rest = &inner[end + 2..];
    }
    if !rest.is_empty() {
        found.push(Segment::Text(rest));
    }
    Ok(found)
}

/// Where `close` stands outside of quotes.
fn ending(text: &str, close: &str) -> Option<usize> {
    let mut quote = None;
    let mut escaped = false;
    for (at, c) in text.char_indices() {
        match quote {
            Some(_) if escaped => escaped = false,
            Some(_) if c == '\\' => escaped = true,
            Some(open) if c == open => quote = None,
            Some(_) => {}
            None if text[at..].starts_with(close) => return Some(at),
            None if matches!(c, '"' | '\'') && close != "#}" => quote = Some(c),
            None => {}
        }
    }
    None
}

/// Names that `for`, `set` and `macro` bind. They count for the whole template: Jinja's scopes are narrower, but a
/// text that gives a field's name to a variable of its own is not worth the difference.
fn binds(statement: &str, bound: &mut Vec<String>) {
    let words: Vec<&str> = statement.trim_matches(['-', '+', ' ', '\n', '\t']).split_whitespace().collect();
    let names = |text: &str| -> Vec<String> {
        text.split(|c: char| !(c.is_alphanumeric() || c == '_'))
            .filter(|name| !name.is_empty())
            .map(String::from)
            .collect()
    };
    match words.first() {
        Some(&"for") => {
            let targets = words.iter().skip(1).take_while(|word| **word != "in");
            targets.for_each(|word| bound.extend(names(word)));
        }
        Some(&"set") => {
            let target = statement.split_once("set").map_or("", |(_, rest)| rest);
            bound.extend(names(target.split('=').next().unwrap_or_default()));
        }
        Some(&"macro") => bound.extend(names(&words[1..].join(" "))),
        _ => {}
    }
}

const KEYWORDS: &[&str] = &[
    "for",
    "in",
    "if",
    "else",
    "elif",
    "endif",
    "endfor",
    "set",
    "endset",
    "and",
    "or",
    "not",
    "is",
    "true",
    "false",
    "none",
    "True",
    "False",
    "None",
    "macro",
    "endmacro",
    "block",
    "endblock",
    "filter",
    "endfilter",
    "raw",
    "endraw",
    "with",
    "endwith",
    "recursive",
    "do",
    "autoescape",
    "endautoescape",
    "break",
    "continue",
];

fn expression(text: &str, names: &mut Names<'_>, out: &mut String) -> Result<(), String> {
    let mut at = 0;
    // What precedes a name says what it is: `|` and `is` precede filters and tests, `.` precedes parts.
    let mut before = ' ';
    // The name that a chain of parts begins with: what a template defines itself has functions of its own.
    let mut owner = "";
    // Where that chain begins in what is written; for each open parenthesis, that of the chain around it.
    let mut chain = out.len();
    let mut around = Vec::new();
    while let Some(c) = text[at..].chars().next() {
        let rest = &text[at..];
        if matches!(c, '"' | '\'') {
            let length = string(rest).ok_or("a quote is not closed")?;
            chain = out.len();
            out.push_str(&rest[..length]);
            at += length;
            before = c;
            owner = "";
        } else if c == '.' && matches!(before, 'x' | ')' | ']' | '"' | '\'') && owner != "loop" {
            match method(rest) {
                Some((name, length)) => {
                    at += length;
                    at += call(name, &text[at..], names, chain, out)?;
                    before = ')';
                }
                None => {
                    out.push(c);
                    at += 1;
                    before = c;
                }
            }
        } else if c.is_alphabetic() || c == '_' {
            let length = rest.find(|c: char| !(c.is_alphanumeric() || c == '_')).unwrap_or(rest.len());
            let name = &rest[..length];
            let after = rest[length..].trim_start();
            let keyword_argument = after.starts_with('=') && !after.starts_with("==");
            if !matches!(before, '.' | '|') {
                (owner, chain) = (name, out.len());
            }
            if before == '|' && name == "truncate" {
                at += length;
                at += truncate(&text[at..], chain, out)?;
                before = ')';
                continue;
            }
            if name == "is" {
                // The test that follows; `is not x` has one more word.
                out.push_str(name);
                at += length;
                let skipped = test(&text[at..]);
                out.push_str(&text[at..at + skipped]);
                at += skipped;
                before = 'x';
                continue;
            }
            let is_ours = KEYWORDS.contains(&name) || names.bound.iter().any(|known| known == name);
            if is_ours || before == '.' || before == '|' || keyword_argument || after.starts_with('(') {
                out.push_str(name);
                at += length;
            } else {
                let (path, length) = path(rest, length);
                out.push_str(&names.expression(&path));
                at += length;
            }
            before = 'x';
        } else if c.is_ascii_digit() {
            let length =
                rest.find(|c: char| !(c.is_alphanumeric() || c == '.' || c == '_')).unwrap_or(rest.len());
            out.push_str(&rest[..length]);
            at += length;
            before = '0';
        } else {
            match c {
                '(' | '[' | '{' if matches!(before, 'x' | ')' | ']') => around.push(chain),
                '(' | '[' | '{' => around.push(out.len()),
                ')' | ']' | '}' => chain = around.pop().unwrap_or(chain),
                _ => {}
            }
            out.push(c);
            at += c.len_utf8();
            if !c.is_whitespace() {
                before = c;
            }
        }
    }
    Ok(())
}

fn string(text: &str) -> Option<usize> {
    let quote = text.chars().next()?;
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            c if c == quote => return Some(at + c.len_utf8()),
            _ => {}
        }
    }
    None
}

/// How long the name of the test is that `text` begins with, spaces and `not` included.
fn test(text: &str) -> usize {
    let word = |text: &str| {
        let start = text.len() - text.trim_start().len();
        let length =
            text[start..].find(|c: char| !(c.is_alphanumeric() || c == '_')).unwrap_or(text[start..].len());
        (start + length, text[start..start + length].to_string())
    };
    let (first, name) = word(text);
    if name == "not" { first + word(&text[first..]).0 } else { first }
}

/// A name with constant parts, as in `a.b["c d"].get("e")`, and its length. Methods other than `get` end it.
fn path(text: &str, first: usize) -> (String, usize) {
    let mut path = text[..first].to_string();
    let mut at = first;
    loop {
        let rest = &text[at..];
        let taken = if let Some(("get", length)) = method(rest) {
            constant(&rest[length..], '(', ')').map(|(name, taken)| (name, length + taken))
        } else if method(rest).is_some() {
            None
        } else if let Some(after) = rest.strip_prefix('.') {
            let length = after.find(|c: char| !(c.is_alphanumeric() || c == '_')).unwrap_or(after.len());
            (length > 0).then(|| (&after[..length], 1 + length))
        } else {
            constant(rest, '[', ']')
        };
        let Some((name, taken)) = taken else { return (path, at) };
        path.push('.');
        path.push_str(name);
        at += taken;
    }
}

/// A string alone between `open`, which `text` begins with, and `close`; and the length of all that.
fn constant(text: &str, open: char, close: char) -> Option<(&str, usize)> {
    let inner = text.strip_prefix(open)?.trim_start();
    let length = inner.starts_with(['"', '\'']).then(|| string(inner)).flatten()?;
    let closing = inner[length..].trim_start().strip_prefix(close)?;
    Some((&inner[1..length - 1], text.len() - closing.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(source: &str) -> Result<String, String> {
        rewrite(source, "_data", &mut |path| format!("<{path}>"))
    }

    #[test]
    fn names_are_written_anew_and_nothing_else() {
        for (source, expected) in [
            ("a {{ host }} b", "a {{ <host> }} b"),
            ("{{ source.ip | default('x') }}", "{{ <source.ip> | default('x') }}"),
            ("{{ _data['source.ip'] }}", "{{ <source.ip> }}"),
            ("{{_data.user.name}}", "{{<user.name>}}"),
            (
                "{% for x in items %}{{ x.y }} {{ loop.index }}{% endfor %}",
                "{% for x in <items> %}{{ x.y }} {{ loop.index }}{% endfor %}",
            ),
            (
                "{% if a is not defined and b == 'c d' %}x{% endif %}",
                "{% if <a> is not defined and <b> == 'c d' %}x{% endif %}",
            ),
            ("{% set t = n + 1 %}{{ t }}", "{% set t = <n> + 1 %}{{ t }}"),
            ("{{ l | join(d=',') }}{# x #}", "{{ <l> | join(d=',') }}"),
            ("{{ \"}}\" ~ a }}", "{{ \"}}\" ~ <a> }}"),
            ("{{ list[0].x }}", "{{ <list>[0].x }}"),
            (
                "{% for k, v in _data | items %}{{ k }}{% endfor %}",
                "{% for k, v in details | items %}{{ k }}{% endfor %}",
            ),
            ("{{- é -}}", "{{- <é> -}}"),
            ("a {{- b -}} c {#- d -#} e", "a{{- <b> -}}ce"),
            ("{{ a.get('b') }} {{ _data.get(\"a\").get('b.c') }}", "{{ <a.b> }} {{ <a.b.c> }}"),
            ("{{ a.get('b', 'n/a') }}", "{{ <a>['b'] | default('n/a') }}"),
            ("{{ a.get('b', {}).get('c') }}", "{{ <a>['b']['c'] }}"),
            (
                "{% for x in items %}{{ x.get('y', n).upper() }}{% endfor %}",
                "{% for x in <items> %}{{ x['y'] | default(<n>) | upper }}{% endfor %}",
            ),
            (
                "{% for k, v in _data.items() %}{{ loop.cycle('a', k) }}{% endfor %}",
                "{% for k, v in details | items %}{{ loop.cycle('a', k) }}{% endfor %}",
            ),
            ("{{ a.b.split(',')[0] }}", "{{ (<a.b> | split(','))[0] }}"),
            ("{{ 1 ~ (a ~ b).lower().split('x')[0] }}", "{{ 1 ~ ((<a> ~ <b>) | lower | split('x'))[0] }}"),
            ("{{ description|truncate }}", "{{ (<description> | string)[:255] }}"),
            ("{{ 1 ~ a.b | upper | truncate(20, true) }}", "{{ 1 ~ (<a.b> | upper | string)[:20] }}"),
            ("{{ 'x'.upper() }}", "{{ 'x' | upper }}"),
        ] {
            assert_eq!(written(source).as_deref(), Ok(expected), "{source}");
        }
    }

    #[test]
    fn what_has_no_counterpart_is_told() {
        assert!(written("{{ _data.popitem() }}").unwrap_err().contains("`popitem()`"));
        assert!(
            written("{% for x in y %}{{ x.strftime('%H') }}{% endfor %}")
                .unwrap_err()
                .contains("`strftime()`")
        );
        assert!(written("{{ a | truncate(n) }}").unwrap_err().contains("`truncate`"));
        assert!(written("{{ a.get('b' }}").unwrap_err().contains("not closed"));
        assert!(written("{{ a").unwrap_err().contains("not closed"));
        assert!(written("{{ 'a }}").is_err());
    }
}
