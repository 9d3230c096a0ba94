//! Plugin names: valid as a crate, an npm package, a file and in a manifest's `use:`.
use std::fmt;

/// Leaves room for a suffix in file names and crate names.
const NAME_CHARS_MAX: usize = 64;

/// Rust's keywords, the names cargo refuses, and those whose type would clash with what a plugin uses.
const RESERVED: &str = "abstract alloc as async await become box break build const continue core crate deps do dyn else \
     enum examples extern false final fn for gen if impl in incremental let loop macro match mod move mut node-modules \
     override priv proc-macro pub ref return schemars self serde serde-json static std struct super test trait true \
     try type typeof unsafe unsized use virtual watchbell watchbell-sdk where while yield \
     context duration fault none plan row rule signals";

/// Lower-case words with hyphens between them, for example `login-burst`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Name(String);

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NameFault {
    #[error(
        "`{typed}` is not a valid plugin name: use words of lower-case letters and digits, joined by `-`, starting with a \
         letter{}",
        suggestion(.typed)
    )]
    Form { typed: String },
    #[error("a plugin name has at most {NAME_CHARS_MAX} characters, this one has {0}")]
    Long(usize),
    #[error(
        "`{0}` has another meaning for cargo, npm or the SDK: choose another name, for example `{0}-rule`"
    )]
    Reserved(String),
}

impl Name {
    /// # Errors
    /// Why it cannot be a plugin's name, with one that could.
    pub fn parse(text: &str) -> Result<Self, NameFault> {
        let chars = text.chars().count();
        if chars > NAME_CHARS_MAX {
            return Err(NameFault::Long(chars));
        }
        let is_word = |word: &str| {
            !word.is_empty() && word.chars().all(|char| char.is_ascii_lowercase() || char.is_ascii_digit())
        };
        if !text.starts_with(|char: char| char.is_ascii_lowercase()) || !text.split('-').all(is_word) {
            return Err(NameFault::Form { typed: text.to_owned() });
        }
        if RESERVED.split_whitespace().any(|reserved| reserved == text) {
            return Err(NameFault::Reserved(text.to_owned()));
        }
        Ok(Self(text.to_owned()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// As a Rust module: `login_burst`.
    pub(crate) fn snake(&self) -> String {
        self.0.replace('-', "_")
    }

    /// As a Rust type: `LoginBurst`.
    pub(crate) fn pascal(&self) -> String {
        let word = |word: &str| word[..1].to_uppercase() + &word[1..];
        self.0.split('-').map(word).collect()
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What was probably meant, if it can be had by simple means.
fn suggestion(typed: &str) -> String {
    let mut name = String::new();
    for char in typed.chars() {
        if char.is_ascii_uppercase() && name.ends_with(|last: char| last.is_ascii_lowercase()) {
            name.push('-');
        }
        name.push(if char.is_ascii_alphanumeric() { char.to_ascii_lowercase() } else { '-' });
    }
    let words: Vec<&str> = name.split('-').filter(|word| !word.is_empty()).collect();
    let name = words.join("-");
    Name::parse(&name).map_or_else(|_| String::new(), |name| format!(", for example `{name}`"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_has_three_forms() {
        let name = Name::parse("login-burst2").unwrap();
        assert_eq!(
            (name.as_str(), &*name.snake(), &*name.pascal()),
            ("login-burst2", "login_burst2", "LoginBurst2")
        );
        // A word that begins with a digit is no reason to refuse.
        assert_eq!(Name::parse("spike-5xx").unwrap().pascal(), "Spike5xx");
    }

    #[test]
    fn bad_names_are_refused_with_one_that_would_do() {
        for (typed, meant) in [
            ("LoginBurst", "`login-burst`"),
            ("login_burst", "`login-burst`"),
            ("../evil", "`evil`"),
            ("a--b", "`a-b`"),
            ("Ünder way", "`nder-way`"),
        ] {
            let told = Name::parse(typed).unwrap_err().to_string();
            assert!(told.contains(meant), "{told}");
        }
        for typed in ["", "-", "5xx", "."] {
            assert!(matches!(Name::parse(typed), Err(NameFault::Form { .. })), "{typed}");
        }
        assert!(Name::parse("serde").unwrap_err().to_string().contains("serde-rule"));
        assert_eq!(Name::parse(&"a".repeat(65)), Err(NameFault::Long(65)));
    }
}
