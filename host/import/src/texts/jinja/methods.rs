//! Methods of Python and filters of Jinja that templates here write in another way.
use super::{Names, expression, string};

/// The method that `text`, from its dot on, calls, and what is taken up to its arguments.
pub(super) fn method(text: &str) -> Option<(&str, usize)> {
    let after = text.strip_prefix('.')?;
    let length = after.find(|c: char| !(c.is_alphanumeric() || c == '_')).unwrap_or(after.len());
    (length > 0 && after[length..].starts_with('(')).then(|| (&after[..length], 1 + length))
}

/// Writes the call of a Python method, whose arguments `text` begins with, as what templates have for it; returns how
/// much of `text` that was. `chain`: where what it is called on begins.
pub(super) fn call(
    name: &str,
    text: &str,
    names: &mut Names<'_>,
    chain: usize,
    out: &mut String,
) -> Result<usize, String> {
    let end = closing(text).ok_or("a parenthesis is not closed")?;
    let mut written = String::new();
    expression(&text[1..end], names, &mut written)?;
    let arguments = written.trim();
    let length = end + 1;
    let plain = match name {
        "items" | "upper" | "lower" | "title" | "capitalize" => Some(name),
        "keys" => Some("list"),
        "strip" => Some("trim"),
        _ => None,
    };
    let is_looked_up = text[length..].starts_with(['.', '['])
        && method(&text[length..]).is_none_or(|(name, _)| name == "get");
    let mut filter = |filter: &str| {
        out.push_str(&format!(" | {filter}"));
        // What follows would be looked up in the filter.
        if is_looked_up {
            out.insert(chain, '(');
            out.push(')');
        }
    };
    match plain {
        Some(name) if arguments.is_empty() => filter(name),
        None if matches!(name, "split" | "replace") => filter(&format!("{name}({arguments})")),
        None if name == "get" && !arguments.is_empty() => {
            let key = arguments.starts_with(['"', '\'']).then(|| string(arguments)).flatten();
            let (key, default) = match key {
                Some(length) => arguments.split_at(length),
                None => arguments.split_once(',').unwrap_or((arguments, "")),
            };
            out.push_str(&format!("[{key}]"));
            let default = default.trim().trim_start_matches(',').trim();
            // What is looked up in an absent value is absent too.
            if !is_looked_up && !matches!(default, "" | "none" | "None") {
                out.push_str(&format!(" | default({default})"));
            }
        }
        _ => {
            return Err(format!("`{name}()` is a Python method, which templates do not support here"));
        }
    }
    Ok(length)
}

/// Writes Jinja's filter `truncate`, whose arguments `text` may begin with, as a slice; returns how much of `text` that
/// was. `chain`: where what is cut begins, up to the `|` at the end of `out`.
pub(super) fn truncate(text: &str, chain: usize, out: &mut String) -> Result<usize, String> {
    let arguments = text.trim_start().starts_with('(').then(|| text.len() - text.trim_start().len());
    let (length, taken) = match arguments {
        Some(open) => {
            let end = open + closing(&text[open..]).ok_or("a parenthesis is not closed")?;
            let first = text[open + 1..end].split(',').next().unwrap_or_default().trim();
            let length =
                first.strip_prefix("length").map_or(first, |rest| rest.trim_start().trim_start_matches('='));
            (length.trim().to_string(), end + 1)
        }
        None => ("255".into(), 0),
    };
    if length.is_empty() || !length.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err("`truncate` has a length that is no number".into());
    }
    out.truncate(out.trim_end().trim_end_matches('|').trim_end().len());
    out.insert(chain.min(out.len()), '(');
    out.push_str(&format!(" | string)[:{length}]"));
    Ok(taken)
}

/// Where the parenthesis that `text` begins with is closed.
fn closing(text: &str) -> Option<usize> {
    let (mut depth, mut at) = (0, 0);
    while let Some(c) = text[at..].chars().next() {
        match c {
            '"' | '\'' => {
                at += string(&text[at..])?;
                continue;
            }
            '(' | '[' | '{' => depth += 1,
            ')' | ']' | '}' => {
                depth -= 1;
                if depth == 0 {
                    return Some(at);
                }
            }
            _ => {}
        }
        at += c.len_utf8();
    }
    None
}
