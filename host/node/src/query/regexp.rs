//! Lucene's regular expressions, carried over to Rust's. What has no counterpart is refused.
use regex::Regex;

/// As `index.max_regex_length`.
const PATTERN_CHARS_MAX: usize = 1_000;
/// Of the compiled program; about what 1,000 characters with sensible repetitions need.
const PROGRAM_BYTES_MAX: usize = 2 << 20;

/// Compiles a pattern that must match the whole value.
pub(crate) fn compile(pattern: &str, fold: bool) -> Result<Regex, String> {
    if pattern.chars().count() > PATTERN_CHARS_MAX {
        return Err(format!(
            "The length of regex [{}] has exceeded the allowed maximum of [{PATTERN_CHARS_MAX}]",
            pattern.len()
        ));
    }
    let translated = translate(pattern)?;
    regex::RegexBuilder::new(&format!(r"\A(?s:{translated})\z"))
        .case_insensitive(fold)
        .size_limit(PROGRAM_BYTES_MAX)
        .nest_limit(64)
        .build()
        .map_err(|error| {
            format!("regexp [{pattern}] is broken or too large: {}", last_line(&error.to_string()))
        })
}

fn last_line(text: &str) -> String {
    text.lines().last().unwrap_or_default().trim().to_owned()
}

fn translate(pattern: &str) -> Result<String, String> {
    let mut out = String::with_capacity(pattern.len() + 8);
    let mut chars = pattern.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' => {
                let c = chars.next().ok_or("end-of-string expected at the end of the regexp")?;
                escaped(c, &mut out);
            }
            '[' => class(&mut chars, &mut out)?,
            '"' => loop {
                match chars.next() {
                    None => return Err("expected '\"' in the regexp".into()),
                    Some('"') => break,
                    Some(c) => literal(c, &mut out),
                }
            },
            // Any string.
            '@' => out.push_str(".*"),
            '~' | '&' | '<' | '#' => {
                return Err(format!("the regexp operator [{c}] is not modelled by the embedded node"));
            }
            '.' | '?' | '+' | '*' | '|' | '(' | ')' | '{' => {
                out.push(c);
                let mut c = c;
                if c == '{' {
                    c = counts(&mut chars, &mut out)?;
                }
                // Lucene has no lazy repetitions and no groups with flags: there `??` repeats a repetition.
                let next = chars.as_str().chars().next();
                match (c, next) {
                    ('?' | '+' | '*' | '}', Some('?' | '+' | '*')) => {
                        return Err(
                            "a repetition of a repetition is not modelled by the embedded node".into()
                        );
                    }
                    ('(', Some('?')) => return Err("integer or group expected in the regexp".into()),
                    _ => {}
                }
            }
            c => literal(c, &mut out),
        }
    }
    Ok(out)
}

/// The counts of a repetition, as they are, and the brace that ends them.
fn counts(chars: &mut std::str::Chars<'_>, out: &mut String) -> Result<char, String> {
    loop {
        let c = chars
            .next()
            .filter(|c| matches!(c, '0'..='9' | ',' | '}'))
            .ok_or("expected '}' in the regexp")?;
        out.push(c);
        if c == '}' {
            return Ok(c);
        }
    }
}

fn escaped(c: char, out: &mut String) {
    match c {
        'd' => out.push_str("[0-9]"),
        'D' => out.push_str("[^0-9]"),
        'w' => out.push_str("[a-zA-Z0-9_]"),
        'W' => out.push_str("[^a-zA-Z0-9_]"),
        's' => out.push_str(r"[ \t\n\r]"),
        'S' => out.push_str(r"[^ \t\n\r]"),
        c => literal(c, out),
    }
}

/// `^` and `$` are ordinary characters to Lucene, as everything is that is not listed above.
fn literal(c: char, out: &mut String) {
    if c.is_ascii_punctuation() {
        out.push('\\');
    }
    out.push(c);
}

fn class(chars: &mut std::str::Chars<'_>, out: &mut String) -> Result<(), String> {
    out.push('[');
    if chars.as_str().starts_with('^') {
        chars.next();
        out.push('^');
    }
    let mut empty = true;
    loop {
        match chars.next().ok_or("expected ']' in the regexp")? {
            ']' if !empty => break,
            '\\' => escaped(chars.next().ok_or("expected ']' in the regexp")?, out),
            // A range, unless it stands at an edge.
            '-' if !empty && !chars.as_str().starts_with(']') => out.push('-'),
            c => literal(c, out),
        }
        empty = false;
    }
    out.push(']');
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn hit(pattern: &str, text: &str) -> bool {
        compile(pattern, false).unwrap().is_match(text)
    }

    #[test]
    fn the_dialect_of_lucene() {
        assert!(hit("ab.*", "abc") && !hit("b", "abc"));
        assert!(hit("a{2,3}", "aaa") && !hit("a{2,3}", "a"));
        assert!(hit("[a-c]+[^d]", "abe"));
        assert!(hit("^a$", "^a$") && !hit("^a$", "a"));
        assert!(hit("\"a.b\"", "a.b") && !hit("\"a.b\"", "axb"));
        assert!(hit("@", "any\nthing"));
        assert!(hit(r"\d+\.\w", "12.x"));
        assert!(hit("(a|b)c", "bc"));
        for refused in ["~a", "a&b", "<1-5>", "(?i)a", "[a", "a\\", "a**", "(a"] {
            assert!(compile(refused, false).is_err(), "{refused}");
        }
        assert!(compile("A", true).unwrap().is_match("a"));
    }

    proptest! {
        #[test]
        fn no_pattern_makes_it_panic(pattern in "\\PC{0,30}", text in "\\PC{0,10}") {
            if let Ok(regex) = compile(&pattern, true) {
                regex.is_match(&text);
            }
        }
    }
}
