//! Python's `str.format`, read into parts.
use super::literal::quoted;

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Part {
    Literal(String),
    Field { which: Which, spec: String },
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Which {
    Index(usize),
    Name(String),
}

/// # Errors
/// What Python would not format either, and what has no counterpart: attributes and items of arguments.
pub(crate) fn read(template: &str) -> Result<Vec<Part>, String> {
    let mut parts = Vec::new();
    let mut literal = String::new();
    let mut next = 0;
    let mut rest = template;
    while let Some(at) = rest.find(['{', '}']) {
        literal.push_str(&rest[..at]);
        rest = &rest[at..];
        if let Some(after) = rest.strip_prefix("{{").or_else(|| rest.strip_prefix("}}")) {
            literal.push_str(&rest[..1]);
            rest = after;
            continue;
        }
        if rest.starts_with('}') {
            return Err("unmatched `}`; Python wants `}}` for the character itself".into());
        }
        let Some(end) = closing(rest) else {
            return Err("unclosed `{`; Python wants `{{` for the character itself".into());
        };
        if !literal.is_empty() {
            parts.push(Part::Literal(std::mem::take(&mut literal)));
        }
        parts.push(field(&rest[1..end], &mut next)?);
        rest = &rest[end + 1..];
    }
    literal.push_str(rest);
    if !literal.is_empty() {
        parts.push(Part::Literal(literal));
    }
    Ok(parts)
}

/// Where the field that `text` begins with ends; a format may hold fields of its own.
fn closing(text: &str) -> Option<usize> {
    let mut depth = 0;
    for (at, c) in text.char_indices() {
        match c {
            '{' => depth += 1,
            '}' => {
                depth -= 1;
                if depth == 0 {
                    return Some(at);
                }
            }
            _ => {}
        }
    }
    None
}

fn field(inner: &str, next: &mut usize) -> Result<Part, String> {
    let (name, spec) = inner.split_once(':').unwrap_or((inner, ""));
    let name = name.split_once('!').map_or(name, |(name, _)| name);
    if spec.contains('{') {
        return Err(format!("`{{{inner}}}` takes its format from another argument"));
    }
    let digits = name.bytes().take_while(u8::is_ascii_digit).count();
    let which = if name.is_empty() {
        *next += 1;
        Which::Index(*next - 1)
    } else if digits == name.len() {
        Which::Index(name.parse().map_err(|_| format!("`{{{inner}}}` does not name an argument"))?)
    } else if digits > 0 || name.starts_with(['.', '[']) || name.contains('[') {
        return Err(format!("`{{{inner}}}` refers to part of an argument"));
    } else {
        Which::Name(name.to_string())
    };
    Ok(Part::Field { which, spec: spec.to_string() })
}

/// A number format that C's `printf` has too; `None`: there is none.
pub(crate) fn printf(spec: &str) -> Option<String> {
    let (body, kind) = match spec.char_indices().next_back() {
        Some((at, kind @ ('f' | 'd' | 'e' | 'g' | 's'))) => (&spec[..at], kind),
        _ => (spec, 's'),
    };
    let (flag, digits) = match body.chars().next() {
        Some('>') => ("", &body[1..]),
        Some('<') => ("-", &body[1..]),
        Some('+') => ("+", &body[1..]),
        _ => ("", body),
    };
    let fits = digits.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    fits.then(|| format!("%{flag}{digits}{kind}"))
}

/// An expression for `template` with one value in it; `None`: it has other formats.
pub(crate) fn of_value(template: &str, value: &str) -> Option<String> {
    let mut parts = Vec::new();
    for part in read(template).ok()? {
        parts.push(match part {
            Part::Literal(text) => quoted(&text),
            Part::Field { spec, .. } if spec.is_empty() => value.to_string(),
            Part::Field { spec, .. } => match spec.strip_suffix('%') {
                Some(spec) => format!("'{}%%' | format({value} * 100)", printf(&format!("{spec}f"))?),
                None => format!("'{}' | format({value})", printf(&spec)?),
            },
        });
    }
    Some(parts.join(" ~ "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn index(index: usize, spec: &str) -> Part {
        Part::Field { which: Which::Index(index), spec: spec.into() }
    }

    #[test]
    fn fields_and_braces() {
        let literal = |text: &str| Part::Literal(text.into());
        assert_eq!(
            read("{{{}}} {1:.2f}").unwrap(),
            [literal("{"), index(0, ""), literal("} "), index(1, ".2f")]
        );
        assert_eq!(read("{} {}").unwrap(), [index(0, ""), literal(" "), index(1, "")]);
        let named = Part::Field { which: Which::Name("a.b".into()), spec: String::new() };
        assert_eq!(read("{a.b!s}").unwrap(), [named]);
        assert_eq!(read("").unwrap(), []);
    }

    #[test]
    fn what_python_would_not_take() {
        for text in ["{", "}", "a { b", "{0[a]}", "{0.a}", "{:{}}", "{99999999999999999999999}"] {
            assert!(read(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_value_is_formatted() {
        assert_eq!(of_value("{0:.2f} MB", "value").as_deref(), Some("'%.2f' | format(value) ~ ' MB'"));
        assert_eq!(of_value("{:.1%}", "value").as_deref(), Some("'%.1f%%' | format(value * 100)"));
        assert_eq!((of_value("{:,}", "value"), of_value("{", "value")), (None, None));
    }

    #[test]
    fn formats_of_numbers() {
        for (spec, expected) in [
            (".2f", Some("%.2f")),
            ("d", Some("%d")),
            (">10", Some("%10s")),
            (",", None),
            (".1%", None),
            ("^5", None),
        ] {
            assert_eq!(printf(spec).as_deref(), expected, "{spec}");
        }
    }
}
