//! Tokens, by longest match, as in Lucene's grammar.

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Token {
    And,
    Or,
    Not,
    Plus,
    Minus,
    /// `+`, `-` or `!` before white space: a term of that one character.
    BareOperator(char),
    Open,
    Close,
    Colon,
    Star,
    Quoted(String),
    Term(String),
    Prefix(String),
    Wildcard(String),
    Regexp(String),
    /// `~2`.
    Fuzzy(String),
    /// `^2`.
    Boost(String),
    Range {
        low: Option<String>,
        high: Option<String>,
        low_inclusive: bool,
        high_inclusive: bool,
    },
}

fn is_space(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\n' | '\r' | '\u{3000}')
}

fn starts_term(c: char) -> bool {
    !is_space(c) && !"+-!():^[]\"{}~*?\\/".contains(c)
}

fn continues_term(c: char) -> bool {
    starts_term(c) || c == '-' || c == '+'
}

pub(crate) fn tokens(text: &str) -> Result<Vec<Token>, String> {
    let mut lexer = Lexer { chars: text.chars().collect(), at: 0 };
    let mut tokens = Vec::new();
    while let Some(token) = lexer.next()? {
        tokens.push(token);
    }
    Ok(tokens)
}

struct Lexer {
    chars: Vec<char>,
    at: usize,
}

impl Lexer {
    fn peek(&self, ahead: usize) -> Option<char> {
        self.chars.get(self.at + ahead).copied()
    }

    fn spaces(&mut self) {
        while self.peek(0).is_some_and(is_space) {
            self.at += 1;
        }
    }

    fn unexpected(&self) -> String {
        match self.peek(0) {
            Some(c) => format!("Lexical error at column {}.  Encountered: \"{c}\"", self.at + 1),
            None => format!("Lexical error at column {}.  Encountered: <EOF>", self.at + 1),
        }
    }

    fn next(&mut self) -> Result<Option<Token>, String> {
        self.spaces();
        let Some(c) = self.peek(0) else { return Ok(None) };
        let term = self.term();
        // A longer term wins over an operator: `ANDROID`, `a&&b`, `||x`.
        if let Some((end, kind)) = term {
            let image: String = self.chars[self.at..end].iter().collect();
            self.at = end;
            return Ok(Some(match (image.as_str(), kind) {
                ("AND" | "&&", _) => Token::And,
                ("OR" | "||", _) => Token::Or,
                ("NOT", _) => Token::Not,
                ("*", _) => Token::Star,
                (_, TermKind::Plain) => Token::Term(image),
                (_, TermKind::Prefix) => Token::Prefix(image),
                (_, TermKind::Wildcard) => Token::Wildcard(image),
            }));
        }
        if matches!(c, '+' | '-' | '!') && self.peek(1).is_some_and(is_space) {
            self.at += 2;
            return Ok(Some(Token::BareOperator(c)));
        }
        let token = match c {
            '+' => Token::Plus,
            '-' => Token::Minus,
            '!' => Token::Not,
            '(' => Token::Open,
            ')' => Token::Close,
            ':' => Token::Colon,
            '^' => return self.number(true).map(|number| Some(Token::Boost(number))),
            '~' => return self.number(false).map(|number| Some(Token::Fuzzy(number))),
            '"' => return self.quoted().map(|text| Some(Token::Quoted(text))),
            '/' => return self.regexp().map(|text| Some(Token::Regexp(text))),
            '[' | '{' => return self.range().map(Some),
            _ => return Err(self.unexpected()),
        };
        self.at += 1;
        Ok(Some(token))
    }

    /// The longest term, prefix or wildcard that starts here; of equal lengths the simplest.
    fn term(&self) -> Option<(usize, TermKind)> {
        let mut at = self.at;
        let mut wild = 0;
        while let Some(&c) = self.chars.get(at) {
            let first = at == self.at;
            match c {
                '\\' => {
                    if self.chars.get(at + 1).is_none() {
                        break;
                    }
                    at += 2;
                }
                '*' | '?' => {
                    wild += 1;
                    at += 1;
                }
                c if starts_term(c) || (!first && continues_term(c)) => at += 1,
                _ => break,
            }
        }
        if at == self.at {
            return None;
        }
        let plain_start = !matches!(self.chars[self.at], '*' | '?');
        let ends_in_star = self.chars[at - 1] == '*' && !(at >= 2 && self.escaped(at - 1));
        let kind = match wild {
            0 => TermKind::Plain,
            1 if ends_in_star && plain_start => TermKind::Prefix,
            _ => TermKind::Wildcard,
        };
        Some((at, kind))
    }

    /// Whether the character at `at` is escaped by a backslash.
    fn escaped(&self, at: usize) -> bool {
        self.chars[..at].iter().rev().take_while(|c| **c == '\\').count() % 2 == 1
    }

    fn number(&mut self, required: bool) -> Result<String, String> {
        self.at += 1;
        if required {
            self.spaces();
        }
        let start = self.at;
        while self.peek(0).is_some_and(|c| c.is_ascii_digit()) {
            self.at += 1;
        }
        if self.at > start && self.peek(0) == Some('.') && self.peek(1).is_some_and(|c| c.is_ascii_digit()) {
            self.at += 1;
            while self.peek(0).is_some_and(|c| c.is_ascii_digit()) {
                self.at += 1;
            }
        }
        if required && self.at == start {
            return Err(self.unexpected());
        }
        Ok(self.chars[start..self.at].iter().collect())
    }

    fn quoted(&mut self) -> Result<String, String> {
        self.at += 1;
        let start = self.at;
        loop {
            match self.peek(0) {
                None => return Err(self.unexpected()),
                Some('\\') => self.at += 2,
                Some('"') => {
                    let text = self.chars[start..self.at].iter().collect();
                    self.at += 1;
                    return Ok(text);
                }
                Some(_) => self.at += 1,
            }
            self.at = self.at.min(self.chars.len());
        }
    }

    /// The longest text between slashes in which every other slash is escaped. A backslash at the end does not escape
    /// the last slash.
    fn regexp(&mut self) -> Result<String, String> {
        self.at += 1;
        let start = self.at;
        let mut end = None;
        for at in (start..self.chars.len()).filter(|at| self.chars[*at] == '/') {
            end = Some(at);
            if at == start || self.chars[at - 1] != '\\' {
                break;
            }
        }
        let Some(end) = end else {
            self.at = self.chars.len();
            return Err(self.unexpected());
        };
        self.at = end + 1;
        Ok(self.chars[start..end].iter().collect())
    }

    fn range(&mut self) -> Result<Token, String> {
        let low_inclusive = self.peek(0) == Some('[');
        self.at += 1;
        let low = self.goop()?;
        self.spaces();
        // `TO` must be a separate word: `TOM` would be a bound.
        let to = self.peek(0) == Some('T')
            && self.peek(1) == Some('O')
            && self.peek(2).is_some_and(|c| is_space(c) || c == '"');
        if !to {
            return Err(self.unexpected());
        }
        self.at += 2;
        let high = self.goop()?;
        self.spaces();
        let high_inclusive = match self.peek(0) {
            Some(']') => true,
            Some('}') => false,
            _ => return Err(self.unexpected()),
        };
        self.at += 1;
        Ok(Token::Range { low, high, low_inclusive, high_inclusive })
    }

    /// One bound; `None` for `*`.
    fn goop(&mut self) -> Result<Option<String>, String> {
        self.spaces();
        if self.peek(0) == Some('"') {
            return self.quoted().map(Some);
        }
        let start = self.at;
        while self.peek(0).is_some_and(|c| !matches!(c, ' ' | ']' | '}')) {
            self.at += 1;
        }
        let text: String = self.chars[start..self.at].iter().collect();
        match text.as_str() {
            "" => Err(self.unexpected()),
            "*" => Ok(None),
            _ => Ok(Some(text)),
        }
    }
}

#[derive(Clone, Copy)]
enum TermKind {
    Plain,
    Prefix,
    Wildcard,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_match_wins() {
        assert_eq!(tokens("AND").unwrap(), [Token::And]);
        assert_eq!(tokens("ANDROID").unwrap(), [Token::Term("ANDROID".into())]);
        assert_eq!(tokens("a-b").unwrap(), [Token::Term("a-b".into())]);
        assert_eq!(tokens("- a").unwrap(), [Token::BareOperator('-'), Token::Term("a".into())]);
        assert_eq!(tokens("-a").unwrap(), [Token::Minus, Token::Term("a".into())]);
        assert_eq!(tokens("a*").unwrap(), [Token::Prefix("a*".into())]);
        assert_eq!(tokens("*a*").unwrap(), [Token::Wildcard("*a*".into())]);
        assert_eq!(tokens(r"a\*").unwrap(), [Token::Term(r"a\*".into())]);
        assert_eq!(tokens("*").unwrap(), [Token::Star]);
        let regexp = |text: &str| Token::Regexp(text.into());
        assert_eq!(tokens(r"/a\/b/c").unwrap(), [regexp(r"a\/b"), Token::Term("c".into())]);
        assert_eq!(tokens(r"/[a-z]:\\/").unwrap(), [regexp(r"[a-z]:\\")]);
        assert_eq!(tokens(r"(/C:\\/)").unwrap(), [Token::Open, regexp(r"C:\\"), Token::Close]);
        assert_eq!(tokens(r"/(^|\\/)[^\\/]/ /b/").unwrap(), [regexp(r"(^|\\/)[^\\/]"), regexp("b")]);
    }

    #[test]
    fn unfinished_text_is_refused() {
        for text in ["\"a", "/a", "[1 TO 2", "[1 2]", "[1 TO", "a^", "\\", "}"] {
            assert!(tokens(text).is_err(), "{text}");
        }
    }
}
