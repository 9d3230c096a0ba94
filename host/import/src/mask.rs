//! `@@TOKENS@@` and `${VARIABLES}`, kept out of the YAML parser's sight.
//!
//! ElastAlert's users put either anywhere, for both are replaced before YAML is read. Each of their characters is
//! exchanged, one for one, for a private-use character: places stay as they are, and the parser sees plain letters.

const BASE: u32 = 0xE000;

/// `None`: the text holds such characters itself; then where the first stands, in characters from 0.
pub(crate) fn mask(text: &str) -> Result<String, usize> {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        if is_private(first) {
            return Err(out.chars().count());
        }
        let hidden = token_at(rest)
            .map_or_else(|| braced_at(rest).map_or(0, |name| name.len() + 3), |name| name.len() + 4);
        if hidden > 0 {
            // Tokens and variables are ASCII, so bytes are characters here.
            out.extend(rest[..hidden].chars().map(|c| char::from_u32(BASE + u32::from(c)).unwrap_or(c)));
            rest = &rest[hidden..];
        } else {
            out.push(first);
            rest = &rest[first.len_utf8()..];
        }
    }
    Ok(out)
}

pub(crate) fn unmask(text: &str) -> String {
    text.chars()
        .map(|c| if is_private(c) { char::from_u32(u32::from(c) - BASE).unwrap_or(c) } else { c })
        .collect()
}

/// Writes variables as tokens, and tells which there were. ElastAlert takes `$x` for a variable too, where one is set;
/// only names in capitals are taken for one here.
pub(crate) fn variables(text: &str) -> (String, Vec<String>) {
    let (mut out, mut found) = (String::with_capacity(text.len()), Vec::new());
    let mut rest = text;
    while let Some(at) = rest.find('$') {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        let (name, length) = match (braced_at(rest), bare_at(rest)) {
            (Some(name), _) => (name, name.len() + 3),
            (None, Some(name)) => (name, name.len() + 1),
            (None, None) => {
                out.push('$');
                rest = &rest[1..];
                continue;
            }
        };
        out.push_str(&format!("@@{name}@@"));
        found.push(name.to_string());
        rest = &rest[length..];
    }
    out.push_str(rest);
    (out, found)
}

/// The name of the token that is all of `text`.
pub(crate) fn lone_token(text: &str) -> Option<&str> {
    token_at(text).filter(|name| name.len() + 4 == text.len())
}

/// The names of the tokens in `text`.
pub(crate) fn tokens(text: &str) -> Vec<&str> {
    let mut found = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find("@@") {
        rest = &rest[at..];
        match token_at(rest) {
            Some(name) => {
                found.push(name);
                rest = &rest[name.len() + 4..];
            }
            None => rest = &rest[2..],
        }
    }
    found
}

/// The name of the token that `text` begins with, as manifests know them.
pub(crate) fn token_at(text: &str) -> Option<&str> {
    let inner = text.strip_prefix("@@")?;
    let end = inner
        .bytes()
        .position(|byte| !(byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-')))?;
    (end > 0 && inner[end..].starts_with("@@")).then(|| &inner[..end])
}

fn braced_at(text: &str) -> Option<&str> {
    let inner = text.strip_prefix("${")?;
    let (name, _) = inner.split_once('}')?;
    is_variable(name).then_some(name)
}

fn bare_at(text: &str) -> Option<&str> {
    let inner = text.strip_prefix('$')?;
    let end = inner.find(|c: char| !(c.is_alphanumeric() || c == '_')).unwrap_or(inner.len());
    let name = &inner[..end];
    // `$option$` names an option of the rule.
    let named = is_variable(name) && !name.bytes().any(|byte| byte.is_ascii_lowercase());
    (named && !inner[end..].starts_with('$')).then_some(name)
}

/// Not `$_`, which is PowerShell's and nobody sets on purpose.
fn is_variable(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.bytes().any(|byte| byte.is_ascii_alphanumeric())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

fn is_private(c: char) -> bool {
    ('\u{E000}'..='\u{E07F}').contains(&c)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_masked_comes_back_and_keeps_its_length() {
        let text = "a: @@x.y-z@@\nb: [${B}, $C] @@ é";
        let masked = mask(text).unwrap();
        assert_eq!(masked.chars().count(), text.chars().count());
        assert!(!masked.contains("@@x") && !masked.contains('{') && masked.contains("@@ é"));
        assert_eq!(unmask(&masked), text);
        assert_eq!(mask("ab\u{E040}"), Err(2));
    }

    #[test]
    fn variables_become_tokens() {
        let names = |text| variables(text).1;
        assert_eq!(variables("http://${HOST}:$PORT/x").0, "http://@@HOST@@:@@PORT@@/x");
        assert_eq!(names("$A_1 ${b}"), ["A_1", "b"]);
        for plain in ["$x", "$owner$", "$OWNER$", "${a-b}", "${", "$", "5 $ x", "$5", "$_.Name", "${_}"] {
            assert_eq!(variables(plain), (plain.to_string(), vec![]), "{plain}");
        }
        assert_eq!(lone_token("@@A@@"), Some("A"));
        assert_eq!((lone_token("@@A@@b"), lone_token("@@@@")), (None, None));
        assert_eq!(tokens("x@@a@@ @@ y@@b.c@@"), ["a", "b.c"]);
    }
}
