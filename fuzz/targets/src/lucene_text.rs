//! A parsed query as text that parses to the same.
use std::fmt::Write;

use watchbell_query::query::lucene::{Node, Occur};

/// The query as text, for the default operator OR.
pub(crate) fn text(node: &Node) -> String {
    let mut out = String::new();
    write(node, &mut out);
    out
}

fn write(node: &Node, out: &mut String) {
    match node {
        Node::Bool(clauses) => {
            for (number, (occur, clause)) in clauses.iter().enumerate() {
                if number > 0 {
                    out.push(' ');
                }
                match occur {
                    // Without OR, several bare words would be one text.
                    Occur::Should if number > 0 => out.push_str("OR "),
                    Occur::Should => {}
                    Occur::Must => out.push('+'),
                    Occur::Not => out.push('-'),
                }
                let is_group = matches!(clause, Node::Bool(_));
                if is_group {
                    out.push('(');
                }
                write(clause, out);
                if is_group {
                    out.push(')');
                }
            }
        }
        // Only the simple language makes them.
        Node::All | Node::Nothing | Node::Without(_) => {}
        Node::Term { field, text, quoted: false, .. } => {
            name(field.as_deref(), out);
            word(text, out);
        }
        Node::Term { field, text, slop, .. } => {
            name(field.as_deref(), out);
            quoted(text, out);
            if let Some(slop) = slop {
                put(out, format_args!("~{slop}"));
            }
        }
        Node::Fuzzy { field, text, edits } => {
            name(field.as_deref(), out);
            word(text, out);
            put(out, format_args!("~{}", edits.as_deref().unwrap_or_default()));
        }
        Node::Wildcard { field, pattern } => {
            name(field.as_deref(), out);
            out.push_str(pattern);
        }
        Node::Prefix { field, text } => {
            name(field.as_deref(), out);
            word(text, out);
            out.push('*');
        }
        Node::Regexp { field, pattern } => {
            name(field.as_deref(), out);
            put(out, format_args!("/{pattern}/"));
        }
        Node::Range { field, low, high } => {
            name(field.as_deref(), out);
            out.push(if low.as_ref().is_none_or(|(_, inclusive)| *inclusive) { '[' } else { '{' });
            bound(low.as_ref(), out);
            out.push_str(" TO ");
            bound(high.as_ref(), out);
            out.push(if high.as_ref().is_none_or(|(_, inclusive)| *inclusive) { ']' } else { '}' });
        }
    }
}

fn bound(bound: Option<&(String, bool)>, out: &mut String) {
    match bound {
        None => out.push('*'),
        Some((text, _)) => quoted(text, out),
    }
}

fn name(field: Option<&str>, out: &mut String) {
    match field {
        None => {}
        Some("*") => out.push_str("*:"),
        Some(field) => {
            word(field, out);
            out.push(':');
        }
    }
}

/// Every character that could mean something is escaped; so is the first, because `AND` is an operator.
fn word(text: &str, out: &mut String) {
    for (at, c) in text.char_indices() {
        // A slash further on could end a regular expression before it.
        if c == '/' {
            out.push_str("\\u002f");
            continue;
        }
        // `\u` begins a code.
        if c != 'u' && (at == 0 || !c.is_alphanumeric()) {
            out.push('\\');
        }
        out.push(c);
    }
}

fn quoted(text: &str, out: &mut String) {
    out.push('"');
    for c in text.chars() {
        if c == '/' {
            out.push_str("\\u002f");
            continue;
        }
        if matches!(c, '"' | '\\') {
            out.push('\\');
        }
        out.push(c);
    }
    out.push('"');
}

fn put(out: &mut String, what: std::fmt::Arguments<'_>) {
    // Writing to a string cannot fail.
    let _ = out.write_fmt(what);
}
