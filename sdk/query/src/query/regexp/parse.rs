//! Reads Lucene's grammar. Anything without a meaning stands for itself: `?` at the start of a group is a question
//! mark, so `(?:a)` matches `?:a`.

/// The depth of nested groups and complements.
const DEPTH_MAX: usize = 60;

#[derive(Debug, PartialEq)]
pub(super) enum Expr {
    /// `#`: nothing, not even the empty text.
    Nothing,
    /// Exactly these characters; without any, the empty text.
    Text(String),
    /// `.`
    Any,
    /// `@`: any text.
    AnyText,
    Class {
        negated: bool,
        items: Vec<Item>,
    },
    /// `<1-12>`: a number in the range, with a fixed number of digits, or with any leading zeros.
    Between {
        low: u32,
        high: u32,
        digits: Option<usize>,
    },
    Not(Box<Expr>),
    /// At most this often; `None`: unbounded.
    Repeat {
        of: Box<Expr>,
        least: u32,
        most: Option<u32>,
    },
    Concat(Vec<Expr>),
    And(Vec<Expr>),
    Or(Vec<Expr>),
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Item {
    /// Inclusive at both ends.
    Range(char, char),
    /// `d`, `s` or `w`, or its complement in upper case.
    Known(char),
}

pub(super) fn parse(pattern: &str) -> Result<Expr, String> {
    if pattern.is_empty() {
        return Ok(Expr::Text(String::new()));
    }
    let mut parser = Parser { chars: pattern.chars().collect(), at: 0, depth: 0 };
    let expr = parser.union()?;
    if parser.at < parser.chars.len() {
        return Err(format!("end-of-string expected at position {}", parser.at));
    }
    Ok(expr)
}

struct Parser {
    chars: Vec<char>,
    at: usize,
    depth: usize,
}

impl Parser {
    fn peek(&self) -> Option<char> {
        self.chars.get(self.at).copied()
    }

    fn take(&mut self, c: char) -> bool {
        let here = self.peek() == Some(c);
        self.at += usize::from(here);
        here
    }

    fn next(&mut self) -> Result<char, String> {
        let c = self.peek().ok_or("unexpected end-of-string")?;
        self.at += 1;
        Ok(c)
    }

    fn union(&mut self) -> Result<Expr, String> {
        let mut any = vec![self.intersection()?];
        while self.take('|') {
            any.push(self.intersection()?);
        }
        Ok(single(any, Expr::Or))
    }

    fn intersection(&mut self) -> Result<Expr, String> {
        let mut all = vec![self.concatenation()?];
        while self.take('&') {
            all.push(self.concatenation()?);
        }
        Ok(single(all, Expr::And))
    }

    fn concatenation(&mut self) -> Result<Expr, String> {
        let mut parts = vec![self.repetition()?];
        while !matches!(self.peek(), None | Some(')' | '|' | '&')) {
            parts.push(self.repetition()?);
        }
        Ok(single(parts, Expr::Concat))
    }

    /// Repetitions of repetitions are taken literally: there are no lazy ones.
    fn repetition(&mut self) -> Result<Expr, String> {
        let mut expr = self.complement()?;
        loop {
            let (least, most) = match self.peek() {
                Some('?') => (0, Some(1)),
                Some('*') => (0, None),
                Some('+') => (1, None),
                Some('{') => {
                    self.at += 1;
                    self.counts()?
                }
                _ => return Ok(expr),
            };
            self.at += 1;
            expr = Expr::Repeat { of: Box::new(expr), least, most };
        }
    }

    /// The inside of the braces of `{2}`, `{2,}` and `{2,3}`.
    fn counts(&mut self) -> Result<(u32, Option<u32>), String> {
        let missing = format!("integer expected at position {}", self.at);
        let least = self.digits()?.ok_or(missing)?;
        let most = if self.take(',') { self.digits()? } else { Some(least) };
        if self.peek() != Some('}') {
            return Err(format!("expected '}}' at position {}", self.at));
        }
        match most {
            Some(most) if most < least => {
                Err(format!("invalid repetition range(out of order): {least}..{most}"))
            }
            most => Ok((least, most)),
        }
    }

    fn digits(&mut self) -> Result<Option<u32>, String> {
        let start = self.at;
        while self.peek().is_some_and(|c| c.is_ascii_digit()) {
            self.at += 1;
        }
        let text: String = self.chars[start..self.at].iter().collect();
        match text.parse::<i32>() {
            Ok(number) => Ok(u32::try_from(number).ok()),
            Err(_) if text.is_empty() => Ok(None),
            Err(_) => Err(format!("For input string: \"{text}\"")),
        }
    }

    fn complement(&mut self) -> Result<Expr, String> {
        if !self.take('~') {
            return self.simple();
        }
        let inner = self.deeper(Self::complement)?;
        Ok(Expr::Not(Box::new(inner)))
    }

    fn deeper(&mut self, read: impl Fn(&mut Self) -> Result<Expr, String>) -> Result<Expr, String> {
        if self.depth == DEPTH_MAX {
            return Err(format!(
                "a regexp nested more than {DEPTH_MAX} deep is not modelled by the embedded node"
            ));
        }
        self.depth += 1;
        let read = read(self);
        self.depth -= 1;
        read
    }

    fn simple(&mut self) -> Result<Expr, String> {
        match self.next()? {
            '[' => self.class(),
            '.' => Ok(Expr::Any),
            '#' => Ok(Expr::Nothing),
            '@' => Ok(Expr::AnyText),
            '"' => self.until('"').map(Expr::Text),
            '(' if self.take(')') => Ok(Expr::Text(String::new())),
            '(' => {
                let inner = self.deeper(Self::union)?;
                if self.take(')') { Ok(inner) } else { Err(format!("expected ')' at position {}", self.at)) }
            }
            '<' => self.interval(),
            '\\' => Ok(match self.escaped()? {
                Item::Range(c, _) => Expr::Text(c.into()),
                known => Expr::Class { negated: false, items: vec![known] },
            }),
            c => Ok(Expr::Text(c.into())),
        }
    }

    fn until(&mut self, end: char) -> Result<String, String> {
        let start = self.at;
        loop {
            match self.peek() {
                None => return Err(format!("expected '{end}' at position {}", self.at)),
                Some(c) if c == end => break,
                Some(_) => self.at += 1,
            }
        }
        self.at += 1;
        Ok(self.chars[start..self.at - 1].iter().collect())
    }

    fn class(&mut self) -> Result<Expr, String> {
        let negated = self.take('^');
        let mut items = Vec::new();
        // The first character is never the end: `[]a]` contains a bracket.
        while items.is_empty() || self.peek() != Some(']') {
            if self.peek().is_none() && !items.is_empty() {
                return Err(format!("expected ']' at position {}", self.at));
            }
            items.push(self.item()?);
        }
        self.at += 1;
        Ok(Expr::Class { negated, items })
    }

    fn item(&mut self) -> Result<Item, String> {
        let low = match self.next()? {
            '\\' => match self.escaped()? {
                Item::Range(c, _) => c,
                known => return Ok(known),
            },
            c => c,
        };
        if !self.take('-') {
            return Ok(Item::Range(low, low));
        }
        let high = match self.next()? {
            '\\' => self.next()?,
            c => c,
        };
        if low > high {
            return Err(format!("invalid range: from ({}) cannot be > to ({})", low as u32, high as u32));
        }
        Ok(Item::Range(low, high))
    }

    /// After a backslash: a named class, or a literal character.
    fn escaped(&mut self) -> Result<Item, String> {
        match self.next()? {
            c @ ('d' | 'D' | 's' | 'S' | 'w' | 'W') => Ok(Item::Known(c)),
            c if c.is_ascii_alphabetic() => Err(format!("invalid character class \\{c}")),
            c => Ok(Item::Range(c, c)),
        }
    }

    fn interval(&mut self) -> Result<Expr, String> {
        let text = self.until('>')?;
        let Some((low, high)) = text.split_once('-') else { return Err(format!("'{text}' not found")) };
        let number = |text: &str| text.parse::<i32>().ok().and_then(|number| u32::try_from(number).ok());
        let (Some(first), Some(last)) = (number(low), number(high)) else {
            return Err(format!("interval syntax error at position {}", self.at - 1));
        };
        let digits = (low.len() == high.len()).then_some(low.len());
        Ok(Expr::Between { low: first.min(last), high: first.max(last), digits })
    }
}

fn single(mut parts: Vec<Expr>, many: impl Fn(Vec<Expr>) -> Expr) -> Expr {
    if parts.len() == 1 { parts.remove(0) } else { many(parts) }
}
