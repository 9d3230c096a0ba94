//! The language of `simple_query_string`: it has no errors, and ignores what makes no sense.
//!
//! As Lucene's `SimpleQueryParser`, whose tree grows to the left: an operator that differs from the last one takes
//! everything before it as its first clause.
use super::{Node, Occur};

/// Deeper parentheses are refused, because they are read recursively.
const DEPTH_MAX: usize = 64;
/// A tree that grows deeper to the left is refused, because it is bound, tested and dropped recursively.
const TREE_DEPTH_MAX: usize = 256;
/// More parentheses and quotes that are never closed are refused, because each is looked for to the end.
const UNCLOSED_MAX: usize = 100;
/// The largest edit distance.
const EDITS_MAX: usize = 2;

/// The operators that are enabled.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Flags(u32);

impl Default for Flags {
    fn default() -> Self {
        Self(u32::MAX)
    }
}

const AND: u32 = 1;
const NOT: u32 = 1 << 1;
const OR: u32 = 1 << 2;
const PREFIX: u32 = 1 << 3;
const PHRASE: u32 = 1 << 4;
const PRECEDENCE: u32 = 1 << 5;
const ESCAPE: u32 = 1 << 6;
const WHITESPACE: u32 = 1 << 7;
const FUZZY: u32 = 1 << 8;
const NEAR: u32 = 1 << 9;

impl Flags {
    /// `OR|AND|PREFIX`, or the sum of their bits.
    pub fn read(text: &str) -> Result<Self, String> {
        if let Ok(bits) = text.parse::<i32>() {
            return Ok(if bits == -1 { Self::default() } else { Self(bits.cast_unsigned()) });
        }
        let mut bits = 0;
        for name in text.split('|').filter(|name| !name.is_empty()) {
            bits |= match name.to_ascii_uppercase().as_str() {
                "ALL" => return Ok(Self::default()),
                "NONE" => return Ok(Self(0)),
                "AND" => AND,
                "NOT" => NOT,
                "OR" => OR,
                "PREFIX" => PREFIX,
                "PHRASE" => PHRASE,
                "PRECEDENCE" => PRECEDENCE,
                "ESCAPE" => ESCAPE,
                "WHITESPACE" => WHITESPACE,
                "FUZZY" => FUZZY,
                "NEAR" | "SLOP" => NEAR,
                other => return Err(format!("Unknown simple_query_string flag [{other}]")),
            };
        }
        Ok(if bits == 0 { Self::default() } else { Self(bits) })
    }

    fn has(self, flag: u32) -> bool {
        self.0 & flag != 0
    }
}

/// Reads any text; only nested parentheses are limited.
///
/// `every`: the default operator is AND.
pub fn parse(text: &str, every: bool, flags: Flags) -> Result<Node, String> {
    if text.trim() == "*" {
        return Ok(Node::All);
    }
    let chars: Vec<char> = text.chars().collect();
    let default = if every { Occur::Must } else { Occur::Should };
    let mut reader = Reader {
        chars: &chars,
        at: 0,
        flags,
        default,
        top: None,
        depth: 0,
        next: None,
        last: None,
        not: 0,
        unclosed: 0,
    };
    reader.read(0)?;
    Ok(reader.top.unwrap_or(Node::Nothing))
}

struct Reader<'a> {
    chars: &'a [char],
    at: usize,
    flags: Flags,
    default: Occur,
    top: Option<Node>,
    /// Of `top`.
    depth: usize,
    /// The operator for the next clause, and that of the last.
    next: Option<Occur>,
    last: Option<Occur>,
    not: usize,
    unclosed: usize,
}

impl Reader<'_> {
    fn here(&self) -> Option<char> {
        self.chars.get(self.at).copied()
    }

    fn read(&mut self, depth: usize) -> Result<(), String> {
        if depth > DEPTH_MAX {
            return Err(format!("a query with parentheses nested more than {DEPTH_MAX} deep"));
        }
        while let Some(c) = self.here() {
            let on = |flag| self.flags.has(flag);
            match c {
                '(' if on(PRECEDENCE) => self.inner(depth)?,
                ')' if on(PRECEDENCE) => self.at += 1,
                '"' if on(PHRASE) => self.phrase()?,
                '+' if on(AND) => self.operator(Occur::Must),
                '|' if on(OR) => self.operator(Occur::Should),
                '-' if on(NOT) => {
                    // It is directly before what it negates; two cancel out.
                    self.not += 1;
                    self.at += 1;
                    continue;
                }
                ' ' | '\t' | '\n' | '\r' if on(WHITESPACE) => self.at += 1,
                _ => self.word()?,
            }
            self.not = 0;
        }
        Ok(())
    }

    fn operator(&mut self, occur: Occur) {
        if self.next.is_none() && self.top.is_some() {
            self.next = Some(occur);
        }
        self.at += 1;
    }

    /// A query in parentheses; an unclosed one loses its parenthesis.
    fn inner(&mut self, depth: usize) -> Result<(), String> {
        self.at += 1;
        let start = self.at;
        let (mut open, mut escaped) = (1, false);
        while let Some(c) = self.here() {
            if escaped {
                escaped = false;
            } else {
                match c {
                    '\\' if self.flags.has(ESCAPE) => escaped = true,
                    '(' => open += 1,
                    ')' => open -= 1,
                    _ => {}
                }
                if open == 0 {
                    break;
                }
            }
            self.at += 1;
        }
        if self.at == self.chars.len() {
            self.reopen(start)?;
        } else if self.at == start {
            self.next = None;
            self.at += 1;
        } else {
            let mut inner = Reader {
                chars: &self.chars[..self.at],
                at: start,
                flags: self.flags,
                default: self.default,
                top: None,
                depth: 0,
                next: None,
                last: None,
                not: 0,
                unclosed: self.unclosed,
            };
            inner.read(depth + 1)?;
            self.unclosed = inner.unclosed;
            if let Some(node) = inner.top {
                self.add(node, inner.depth)?;
            }
            self.at += 1;
        }
        Ok(())
    }

    /// Goes on behind a parenthesis or quote that is never closed.
    fn reopen(&mut self, start: usize) -> Result<(), String> {
        self.at = start;
        self.unclosed += 1;
        if self.unclosed > UNCLOSED_MAX {
            return Err(format!(
                "a query with more than {UNCLOSED_MAX} parentheses or quotes that are not closed"
            ));
        }
        Ok(())
    }

    fn phrase(&mut self) -> Result<(), String> {
        self.at += 1;
        let start = self.at;
        let (mut text, mut escaped, mut near) = (String::new(), false, false);
        while let Some(c) = self.here() {
            if !escaped {
                if c == '\\' && self.flags.has(ESCAPE) {
                    escaped = true;
                    self.at += 1;
                    continue;
                }
                if c == '"' {
                    if self.chars.get(self.at + 1) == Some(&'~') && self.flags.has(NEAR) {
                        self.at += 1;
                        near = self.at + 1 < self.chars.len();
                    }
                    break;
                }
            }
            escaped = false;
            text.push(c);
            self.at += 1;
        }
        if self.at == self.chars.len() {
            self.reopen(start)?;
        } else if self.at == start {
            self.next = None;
            self.at += 1;
        } else {
            let slop = if near { self.distance() } else { 0 };
            self.add(Node::Term { field: None, text, quoted: true, slop: Some(slop) }, 1)?;
            self.at += 1;
        }
        Ok(())
    }

    fn word(&mut self) -> Result<(), String> {
        let (mut text, mut escaped, mut prefix, mut fuzzy) = (String::new(), false, false, false);
        while let Some(c) = self.here() {
            if !escaped {
                if c == '\\' && self.flags.has(ESCAPE) {
                    (escaped, prefix) = (true, false);
                    self.at += 1;
                    continue;
                }
                if self.ends_word(c) {
                    break;
                }
                if !text.is_empty() && c == '~' && self.flags.has(FUZZY) {
                    fuzzy = true;
                    break;
                }
                prefix = !text.is_empty() && c == '*' && self.flags.has(PREFIX);
            }
            escaped = false;
            text.push(c);
            self.at += 1;
        }
        if text.is_empty() {
            return Ok(());
        }
        let word = |text| Node::Term { field: None, text, quoted: false, slop: None };
        let node = if fuzzy {
            match self.distance().min(EDITS_MAX) {
                0 => word(text),
                edits => Node::Fuzzy { field: None, text, edits: Some(edits.to_string()) },
            }
        } else if prefix {
            text.pop();
            Node::Prefix { field: None, text }
        } else {
            word(text)
        };
        self.add(node, 1)
    }

    fn ends_word(&self, c: char) -> bool {
        match c {
            '"' => self.flags.has(PHRASE),
            '|' => self.flags.has(OR),
            '+' => self.flags.has(AND),
            '(' | ')' => self.flags.has(PRECEDENCE),
            ' ' | '\t' | '\n' | '\r' => self.flags.has(WHITESPACE),
            _ => false,
        }
    }

    /// The number after a `~`: two if there is none, zero if it is not a number.
    fn distance(&mut self) -> usize {
        if self.here() != Some('~') {
            return 0;
        }
        let mut digits = String::new();
        loop {
            self.at += 1;
            match self.here() {
                Some(c) if !self.ends_word(c) => digits.push(c),
                _ => break,
            }
        }
        if digits.is_empty() { 2 } else { digits.parse().unwrap_or(0) }
    }

    /// `depth`: of `node`.
    fn add(&mut self, node: Node, depth: usize) -> Result<(), String> {
        let (node, depth) = match self.not % 2 {
            1 => (Node::Without(Box::new(node)), depth + 1),
            _ => (node, depth),
        };
        let Some(top) = self.top.take() else {
            (self.top, self.depth) = (Some(node), depth);
            self.next = None;
            return Ok(());
        };
        let occur = self.next.take().unwrap_or(self.default);
        let same = self.last == Some(occur);
        self.last = Some(occur);
        self.top = Some(match top {
            Node::Bool(mut clauses) if same => {
                self.depth = self.depth.max(depth + 1);
                clauses.push((occur, node));
                Node::Bool(clauses)
            }
            top => {
                self.depth = self.depth.max(depth) + 1;
                Node::Bool(vec![(occur, top), (occur, node)])
            }
        });
        if self.depth > TREE_DEPTH_MAX {
            return Err(format!("a query whose operators alternate more than {TREE_DEPTH_MAX} times"));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn show(node: &Node) -> String {
        match node {
            Node::All => "*".into(),
            Node::Nothing => "-".into(),
            Node::Term { text, quoted: false, .. } => text.clone(),
            Node::Term { text, slop, .. } => format!("\"{text}\"~{}", slop.unwrap_or(0)),
            Node::Prefix { text, .. } => format!("{text}*"),
            Node::Fuzzy { text, edits, .. } => format!("{text}~{}", edits.as_deref().unwrap_or("")),
            Node::Without(node) => format!("!{}", show(node)),
            Node::Bool(clauses) => {
                let mark = |occur: &Occur| match occur {
                    Occur::Must => "+",
                    Occur::Not => "!",
                    Occur::Should => "",
                };
                let clauses = clauses.iter().map(|(occur, node)| format!("{}{}", mark(occur), show(node)));
                format!("({})", clauses.collect::<Vec<_>>().join(" "))
            }
            other => format!("{other:?}"),
        }
    }

    fn read(text: &str) -> String {
        show(&parse(text, false, Flags::default()).unwrap())
    }

    #[test]
    fn the_tree_grows_to_the_left() {
        assert_eq!(read("a b | c"), "(a b c)");
        assert_eq!(read("a b + c"), "(+(a b) +c)");
        assert_eq!(read("a + b | c"), "((+a +b) c)");
        assert_eq!(read("a -b"), "(a !b)");
        assert_eq!(read("-(a | b)"), "!(a b)");
        assert_eq!(read("--a"), "a");
        assert_eq!(show(&parse("a b", true, Flags::default()).unwrap()), "(+a +b)");
    }

    #[test]
    fn words_phrases_and_what_is_never_closed() {
        assert_eq!(read("\"a b\"~2 c~ d~1 e*"), "(\"a b\"~2 c~2 d~1 e*)");
        assert_eq!(read("\"a"), "a");
        assert_eq!(read("(a"), "a");
        assert_eq!(read("a)"), "a");
        assert_eq!(read(r"a\* b\ c"), "(a* b c)");
        assert_eq!(read("*"), "*");
        assert_eq!(read(""), "-");
        assert_eq!(read("+ a | | b"), "(a b)");
        assert_eq!(read("()"), "-");
    }

    #[test]
    fn what_would_take_a_stack_or_the_square_of_its_length_is_refused() {
        let read = |text: &str| parse(text, false, Flags::default()).map(drop);
        for (text, why) in [
            ("a + b | c ".repeat(100_000), "alternate more than 256 times"),
            (format!("({}) ", "a + b | c ".repeat(300)).repeat(2), "alternate"),
            ("(".repeat(1_000_000), "more than 100 parentheses"),
            ("a~\\\"".repeat(300_000), "more than 100 parentheses or quotes"),
        ] {
            let told = read(&text).unwrap_err();
            assert!(told.contains(why), "{told}");
        }
        assert_eq!(read(&"a | b c ".repeat(100_000)), Ok(()));
        assert_eq!(read(&format!("{}a", "(a + b | ".repeat(50))), Ok(()));
    }

    #[test]
    fn flags_turn_operators_into_text() {
        let only = |flags: &str, text: &str| show(&parse(text, false, Flags::read(flags).unwrap()).unwrap());
        assert_eq!(only("NONE", "a | b"), "a | b");
        assert_eq!(only("OR|WHITESPACE", "a* | -b"), "(a* -b)");
        assert!(Flags::read("MAYBE").is_err());
    }

    proptest! {
        #[test]
        fn every_text_is_read(parts in prop::collection::vec(prop::sample::select(
            vec!["a", "é", " ", "+", "|", "-", "\"", "(", ")", "*", "~", "~1", "\\", "b c", "~99999999999999999999"]), 0..30),
            every in any::<bool>(), flags in any::<i32>()) {
            let _ = parse(&parts.concat(), every, Flags::read(&flags.to_string()).unwrap());
        }
    }
}
