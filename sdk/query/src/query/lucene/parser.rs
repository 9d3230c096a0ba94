//! Clauses, as Lucene's classic parser makes them: AND and OR have no precedence, they mark their neighbours.
use super::lexer::{Token, tokens};
use super::{Node, Occur};

/// Deeper parentheses are refused.
const DEPTH_MAX: usize = 64;

/// Reads a query; `None` if it is empty.
///
/// `every`: the default operator is AND.
pub fn parse(text: &str, every: bool) -> Result<Option<Node>, String> {
    let mut parser = Parser { tokens: tokens(text)?, at: 0, every, depth: 0 };
    if parser.tokens.is_empty() {
        return Ok(None);
    }
    let node = parser.query(None)?;
    match parser.tokens.get(parser.at) {
        None => Ok(Some(node)),
        Some(token) => Err(format!("Encountered unexpected {token:?}")),
    }
}

struct Parser {
    tokens: Vec<Token>,
    at: usize,
    every: bool,
    depth: usize,
}

#[derive(Clone, Copy, PartialEq)]
enum Conjunction {
    None,
    And,
    Or,
}

#[derive(Clone, Copy, PartialEq)]
enum Modifier {
    None,
    Required,
    Not,
}

impl Parser {
    fn peek(&self, ahead: usize) -> Option<&Token> {
        self.tokens.get(self.at + ahead)
    }

    fn query(&mut self, field: Option<&str>) -> Result<Node, String> {
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            return Err(format!("parentheses are nested more than {DEPTH_MAX} deep"));
        }
        let mut clauses: Vec<(Occur, Node)> = Vec::new();
        let mut bare = false;
        let mut first = true;
        while first || !matches!(self.peek(0), None | Some(Token::Close)) {
            if let Some(node) = self.several_terms(field)? {
                let occur = if self.every { Occur::Must } else { Occur::Should };
                clauses.push((occur, node));
                bare |= first;
            } else {
                let conjunction = if first { Conjunction::None } else { self.conjunction() };
                let modifier = self.modifier();
                let node = self.clause(field)?;
                bare |= first && modifier == Modifier::None;
                self.add(&mut clauses, conjunction, modifier, node);
            }
            first = false;
        }
        self.depth -= 1;
        if clauses.len() == 1 && bare {
            return clauses.pop().map(|(_, node)| node).ok_or_else(|| "empty query".into());
        }
        Ok(Node::Bool(clauses))
    }

    /// Terms separated only by spaces form one text for the field's analyzer.
    fn several_terms(&mut self, field: Option<&str>) -> Result<Option<Node>, String> {
        let follows = |parser: &Self, ahead: usize| match parser.peek(ahead) {
            Some(Token::Term(text)) => match parser.peek(ahead + 1) {
                Some(
                    Token::Colon | Token::Star | Token::Fuzzy(_) | Token::Boost(_) | Token::And | Token::Or,
                ) => None,
                _ => Some(text.clone()),
            },
            _ => None,
        };
        let Some(Token::Term(text)) = self.peek(0) else { return Ok(None) };
        let mut text = text.clone();
        let Some(_) = follows(self, 1) else { return Ok(None) };
        self.at += 1;
        while let Some(next) = follows(self, 0) {
            text.push(' ');
            text.push_str(&next);
            self.at += 1;
        }
        let text = unescape(&text)?;
        Ok(Some(Node::Term { field: field.map(Into::into), text, quoted: false, slop: None }))
    }

    fn conjunction(&mut self) -> Conjunction {
        let conjunction = match self.peek(0) {
            Some(Token::And) => Conjunction::And,
            Some(Token::Or) => Conjunction::Or,
            _ => return Conjunction::None,
        };
        self.at += 1;
        conjunction
    }

    fn modifier(&mut self) -> Modifier {
        let modifier = match self.peek(0) {
            Some(Token::Plus) => Modifier::Required,
            Some(Token::Minus | Token::Not) => Modifier::Not,
            _ => return Modifier::None,
        };
        self.at += 1;
        modifier
    }

    fn add(
        &self,
        clauses: &mut Vec<(Occur, Node)>,
        conjunction: Conjunction,
        modifier: Modifier,
        node: Node,
    ) {
        if let Some((occur, _)) = clauses.last_mut()
            && *occur != Occur::Not
        {
            match conjunction {
                Conjunction::And => *occur = Occur::Must,
                Conjunction::Or if self.every => *occur = Occur::Should,
                _ => {}
            }
        }
        let occur = match (modifier, conjunction) {
            (Modifier::Not, _) => Occur::Not,
            (Modifier::Required, _) if !self.every => Occur::Must,
            (_, Conjunction::And) => Occur::Must,
            (_, Conjunction::Or) => Occur::Should,
            _ if self.every => Occur::Must,
            _ => Occur::Should,
        };
        clauses.push((occur, node));
    }

    fn clause(&mut self, field: Option<&str>) -> Result<Node, String> {
        let named = match (self.peek(0), self.peek(1)) {
            (Some(Token::Term(name)), Some(Token::Colon)) => Some(unescape(name)?),
            (Some(Token::Star), Some(Token::Colon)) => Some("*".to_owned()),
            _ => None,
        };
        if named.is_some() {
            self.at += 2;
        }
        let field = named.as_deref().or(field);
        if self.peek(0) == Some(&Token::Open) {
            self.at += 1;
            let node = self.query(field)?;
            if self.peek(0) != Some(&Token::Close) {
                return Err("Encountered \"<EOF>\". Was expecting \")\"".into());
            }
            self.at += 1;
            if let Some(Token::Boost(_)) = self.peek(0) {
                self.at += 1;
            }
            return Ok(node);
        }
        self.single(field.map(Into::into))
    }

    fn single(&mut self, field: Option<String>) -> Result<Node, String> {
        let token = self.peek(0).cloned().ok_or("Encountered \"<EOF>\"")?;
        self.at += 1;
        let word = |field, text| Node::Term { field, text, quoted: false, slop: None };
        let mut node = match token {
            Token::Term(text) => word(field, unescape(&text)?),
            Token::BareOperator(c) => word(field, c.to_string()),
            Token::Quoted(text) => Node::Term { field, text: unescape(&text)?, quoted: true, slop: None },
            Token::Star => Node::Wildcard { field, pattern: "*".into() },
            Token::Wildcard(pattern) => Node::Wildcard { field, pattern },
            Token::Prefix(text) => Node::Prefix { field, text: unescape(&text[..text.len() - 1])? },
            Token::Regexp(pattern) => Node::Regexp { field, pattern },
            Token::Range { low, high, low_inclusive, high_inclusive } => {
                let bound = |bound: Option<String>, inclusive| -> Result<_, String> {
                    bound.map(|text| Ok((unescape(&text)?, inclusive))).transpose()
                };
                Node::Range { field, low: bound(low, low_inclusive)?, high: bound(high, high_inclusive)? }
            }
            token => return Err(format!("Encountered unexpected {token:?}")),
        };
        let (mut boosted, mut fuzzed) = (false, false);
        loop {
            match self.peek(0) {
                // A boost only affects the score.
                Some(Token::Boost(_)) if !boosted => boosted = true,
                Some(Token::Fuzzy(number)) if !fuzzed => {
                    fuzzed = true;
                    node = fuzzy(node, number)?;
                }
                _ => break,
            }
            self.at += 1;
        }
        Ok(node)
    }
}

/// Applies a `~` to a word or phrase; patterns ignore it.
fn fuzzy(node: Node, number: &str) -> Result<Node, String> {
    Ok(match node {
        Node::Term { field, text, quoted: false, .. } => {
            Node::Fuzzy { field, text, edits: (!number.is_empty()).then(|| number.to_owned()) }
        }
        Node::Term { field, text, quoted, .. } => {
            Node::Term { field, text, quoted, slop: number.parse::<f32>().ok().map(|slop| slop as usize) }
        }
        Node::Range { .. } | Node::Regexp { .. } => {
            return Err(format!("Encountered unexpected \"~{number}\""));
        }
        node => node,
    })
}

/// Removes backslashes; `\u0041` is a character.
pub(crate) fn unescape(text: &str) -> Result<String, String> {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        if c != '\\' {
            out.push(c);
            continue;
        }
        match chars.next() {
            None => return Err("Term can not end with escape character.".into()),
            Some('u') => {
                let digits: String = chars.by_ref().take(4).collect();
                let code = u32::from_str_radix(&digits, 16).ok().filter(|_| digits.len() == 4);
                let c = code.and_then(char::from_u32);
                out.push(c.ok_or("Truncated or non-hex unicode escape sequence.")?);
            }
            Some(c) => out.push(c),
        }
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Lucene's own notation: `+must -not should`.
    fn show(node: &Node) -> String {
        let on = |field: &Option<String>| field.as_ref().map_or(String::new(), |f| format!("{f}:"));
        match node {
            Node::Bool(clauses) => {
                let clauses: Vec<String> = clauses
                    .iter()
                    .map(|(occur, node)| {
                        let mark = match occur {
                            Occur::Must => "+",
                            Occur::Not => "-",
                            Occur::Should => "",
                        };
                        format!("{mark}{}", show(node))
                    })
                    .collect();
                format!("({})", clauses.join(" "))
            }
            Node::All => "*".into(),
            Node::Nothing => "-".into(),
            Node::Without(node) => format!("!{}", show(node)),
            Node::Term { field, text, quoted: false, .. } => format!("{}<{text}>", on(field)),
            Node::Term { field, text, slop, .. } => {
                format!("{}\"{text}\"{}", on(field), slop.map_or(String::new(), |slop| format!("~{slop}")))
            }
            Node::Fuzzy { field, text, edits } => {
                format!("{}<{text}~{}>", on(field), edits.as_deref().unwrap_or(""))
            }
            Node::Wildcard { field, pattern } => format!("{}w<{pattern}>", on(field)),
            Node::Prefix { field, text } => format!("{}p<{text}>", on(field)),
            Node::Regexp { field, pattern } => format!("{}/{pattern}/", on(field)),
            Node::Range { field, low, high } => format!("{}{low:?}..{high:?}", on(field)),
        }
    }

    fn read(text: &str) -> String {
        parse(text, false).unwrap().map_or("empty".into(), |node| show(&node))
    }

    #[test]
    fn and_and_or_mark_their_neighbours() {
        assert_eq!(read("a OR b AND c"), "(<a> +<b> +<c>)");
        assert_eq!(read("a AND b OR c"), "(+<a> +<b> <c>)");
        assert_eq!(read("a AND NOT b"), "(+<a> -<b>)");
        assert_eq!(read("NOT a"), "(-<a>)");
        assert_eq!(read("+a -b c"), "(+<a> -<b> <c>)");
        assert_eq!(read("a && !b || c"), "(+<a> -<b> <c>)");
        assert_eq!(show(&parse("a OR b c", true).unwrap().unwrap()), "(<a> <b> +<c>)");
    }

    #[test]
    fn bare_neighbours_are_one_text() {
        assert_eq!(read("new york city"), "<new york city>");
        assert_eq!(read("f:(a b)"), "f:<a b>");
        assert_eq!(read("f:a b"), "(f:<a> <b>)");
        assert_eq!(read("a b AND c"), "(<a> +<b> +<c>)");
        assert_eq!(read("a b c AND d"), "(<a b> +<c> +<d>)");
        assert_eq!(read("a b*"), "(<a> p<b>)");
    }

    #[test]
    fn the_forms_of_a_clause() {
        assert_eq!(read("Status: [500 TO 599]"), "Status:Some((\"500\", true))..Some((\"599\", true))");
        assert_eq!(read("a:{1 TO *}"), "a:Some((\"1\", false))..None");
        assert_eq!(read("a:[\"x y\" TO z}"), "a:Some((\"x y\", true))..Some((\"z\", false))");
        assert_eq!(read(r"a:b\:c\ d"), "a:<b:c d>");
        assert_eq!(read(r"a:\u0041"), "a:<A>");
        assert_eq!(read("a:/b[cd]/"), "a:/b[cd]/");
        assert_eq!(read("a:*b?c*"), "a:w<*b?c*>");
        assert_eq!(read("*:*"), "*:w<*>");
        assert_eq!(read("_exists_:a"), "_exists_:<a>");
        assert_eq!(read("a:(b OR c)^2 d^0.5"), "((a:<b> a:<c>) <d>)");
        assert_eq!(read(""), "empty");
        assert_eq!(read("a:>=5"), "a:<>=5>");
        assert_eq!(read("roam~ a:roam~1^2"), "(<roam~> a:<roam~1>)");
        assert_eq!(read("\"a b\"~2 \"c d\"^3"), "(\"a b\"~2 \"c d\")");
    }

    #[test]
    fn what_is_broken_or_not_modelled_is_refused() {
        for text in ["(a", "a)", "AND", "a AND", "a:", "()", "a:(", "+", "a OR OR b", "[1 TO 2]~1", "a~1~1"] {
            assert!(parse(text, false).is_err(), "{text}");
        }
        assert!(parse(&"(".repeat(10_000), false).is_err());
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "\\PC{0,40}") {
            let _ = parse(&text, false);
        }

        #[test]
        fn no_mix_of_its_own_tokens_makes_it_panic(parts in prop::collection::vec(
            prop::sample::select(vec!["a", "b:", "AND", "OR", "NOT", "+", "-", "!", "(", ")", "[", "]", "{", "}", " ", "TO",
                "*", "?", "\"", "/", "\\", "~", "^", "2", "&&", "||", ":", ">=", "_exists_:", "\\u00", "é"]), 0..25),
            every in any::<bool>()) {
            let _ = parse(&parts.concat(), every);
            let _ = parse(&parts.join(" "), every);
        }
    }
}
