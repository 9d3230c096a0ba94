//! The standard analyzer: words by Unicode's rules, in lower case.
use unicode_segmentation::UnicodeSegmentation;

/// As the standard tokenizer's `max_token_length`; a longer word is split at this many characters.
const TOKEN_CHARS_MAX: usize = 255;

pub fn analyze(text: &str) -> Vec<Box<str>> {
    let mut tokens = Vec::new();
    for word in text.unicode_words() {
        let lower = word.to_lowercase();
        if lower.len() <= TOKEN_CHARS_MAX {
            tokens.push(lower.into());
        } else {
            let chars: Vec<char> = lower.chars().collect();
            tokens.extend(chars.chunks(TOKEN_CHARS_MAX).map(|part| part.iter().collect::<String>().into()));
        }
    }
    tokens
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_split_and_lowered() {
        let words = |text: &str| analyze(text).join("|");
        assert_eq!(
            words("The 2 QUICK Brown-Foxes jumped, don't: foo.bar 1.5"),
            "the|2|quick|brown|foxes|jumped|don't|foo.bar|1.5"
        );
        assert_eq!(words("GET /a/b_c?x=1 HTTP/1.1"), "get|a|b_c|x|1|http|1.1");
        assert_eq!(words("  !! "), "");
    }
}
