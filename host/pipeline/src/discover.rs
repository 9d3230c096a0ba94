//! Links into Discover of Kibana (or OpenSearch Dashboards) in that program's own form, and one link that covers
//! several.
use watchbell_contract::Timestamp;

/// Longer links are truncated or rejected by too many programs along the way.
const CHARS_MAX: usize = 2_000;

/// What a link shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Discover {
    /// The address of the program, without a trailing slash.
    pub program: String,
    pub from: Timestamp,
    pub to: Timestamp,
    /// Index patterns, separated by commas.
    pub index: String,
    /// Lucene clauses, each in parentheses; a document must match all of them.
    pub clauses: Vec<String>,
}

impl Discover {
    /// The filters are sent as one Lucene query: users can read and change it in the search bar, unlike filter pills
    /// made of raw DSL.
    pub fn link(&self) -> String {
        let query = if self.clauses.is_empty() { "*".to_owned() } else { self.clauses.join(" AND ") };
        let time =
            format!("(time:(from:{},to:{}))", quote(&self.from.to_string()), quote(&self.to.to_string()));
        let query = format!("(index:{},query:(language:lucene,query:{}))", quote(&self.index), quote(&query));
        // Rison is part of the fragment, escaped like a query.
        let escaped = |text: &str| form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
        format!("{}{PATH}_g={}&_a={}", self.program, escaped(&time), escaped(&query))
    }

    /// What `link` shows, if it was made here.
    pub fn read(link: &str) -> Option<Self> {
        let (program, query) = link.split_once(PATH)?;
        let mut pairs = form_urlencoded::parse(query.as_bytes());
        let (_, time) = pairs.next().filter(|(name, _)| name == "_g")?;
        let (_, asked) = pairs.next().filter(|(name, _)| name == "_a")?;
        let (from, rest) = unquote(time.strip_prefix("(time:(from:")?)?;
        let (to, rest) = unquote(rest.strip_prefix(",to:")?)?;
        if rest != "))" {
            return None;
        }
        let (index, rest) = unquote(asked.strip_prefix("(index:")?)?;
        let (query, rest) = unquote(rest.strip_prefix(",query:(language:lucene,query:")?)?;
        let clauses = if query == "*" { Vec::new() } else { clauses(&query) };
        (rest == "))").then_some(())?;
        Some(Self {
            program: program.to_owned(),
            from: from.parse().ok()?,
            to: to.parse().ok()?,
            index,
            clauses,
        })
    }
}

const PATH: &str = "/app/discover#/?";

/// One link that shows everything that `links` show. It shows exactly that where a link of reasonable length can
/// express it; otherwise also other documents within their span and common filter. `None` if there are no links, or if
/// they lead to different programs or indices.
pub fn covering<'a>(links: impl IntoIterator<Item = &'a str>) -> Option<String> {
    let mut links: Vec<&str> = links.into_iter().collect();
    links.sort_unstable();
    links.dedup();
    if links.len() <= 1 {
        return links.first().map(|&link| link.to_owned());
    }
    let all = links.into_iter().map(Discover::read).collect::<Option<Vec<_>>>()?;
    let first = all.first()?;
    if all.iter().any(|of| of.program != first.program || of.index != first.index) {
        return None;
    }
    let is_common = |clause: &String| all.iter().all(|of| of.clauses.contains(clause));
    let common: Vec<String> = first.clauses.iter().filter(|clause| is_common(clause)).cloned().collect();
    let mut own: Vec<String> = all
        .iter()
        .map(|of| of.clauses.iter().filter(|clause| !common.contains(clause)).cloned().collect::<Vec<_>>())
        .map(|own| if own.len() > 1 { format!("({})", own.join(" AND ")) } else { own.concat() })
        .collect();
    own.sort_unstable();
    own.dedup();
    let whole = Discover {
        from: all.iter().map(|of| of.from).min()?,
        to: all.iter().map(|of| of.to).max()?,
        clauses: common,
        ..first.clone()
    };
    // A link without clauses of its own shows everything in common.
    let mut exact = whole.clone();
    if !own.iter().any(String::is_empty) {
        exact.clauses.push(format!("({})", own.join(" OR ")));
    }
    let link = exact.link();
    Some(if link.chars().count() <= CHARS_MAX { link } else { whole.link() })
}

/// The clauses of a query, each in its own parentheses.
fn clauses(query: &str) -> Vec<String> {
    let (mut depth, mut quoted, mut escaped) = (0_i32, false, false);
    let (mut clauses, mut begin) = (Vec::new(), 0);
    for (at, c) in query.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => quoted = !quoted,
            _ if quoted => {}
            '(' => depth += 1,
            ')' => depth -= 1,
            ' ' if depth == 0 && at >= begin && query[at..].starts_with(AND) => {
                clauses.push(query[begin..at].to_owned());
                begin = at + AND.len();
            }
            _ => {}
        }
    }
    clauses.push(query[begin..].to_owned());
    clauses
}

const AND: &str = " AND ";

/// A Rison string: `!` escapes itself and the quote.
fn quote(text: &str) -> String {
    format!("'{}'", text.replace('!', "!!").replace('\'', "!'"))
}

/// The Rison string at the beginning, and the rest of the text.
fn unquote(text: &str) -> Option<(String, &str)> {
    let text = text.strip_prefix('\'')?;
    let mut found = String::new();
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '\'' => return Some((found, &text[at + 1..])),
            '!' => found.push(chars.next()?.1),
            c => found.push(c),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(second: i64, clauses: &[&str]) -> Discover {
        let at = |second| Timestamp(second * 1_000);
        Discover {
            program: "https://kibana.example.com/s/ops".into(),
            from: at(second),
            to: at(second + 1),
            index: "logs-*".into(),
            clauses: clauses.iter().map(|&clause| clause.to_owned()).collect(),
        }
    }

    fn read(links: &[Discover]) -> Discover {
        let links: Vec<String> = links.iter().map(Discover::link).collect();
        Discover::read(&covering(links.iter().map(String::as_str)).expect("a link")).expect("one of ours")
    }

    #[test]
    fn a_link_is_read_as_it_was_written() {
        for clauses in [
            &[][..],
            &["(a:1)"],
            &["(it's: \"a!' ) AND (b\" OR c)", "(d:\\\" AND (e AND f))", "(NOT _exists_:g)"],
        ] {
            let link = of(7, clauses);
            assert_eq!(Discover::read(&link.link()), Some(link));
        }
        for other in ["", "https://x.example/app/discover#/?_g=()&_a=()", "https://x.example/"] {
            assert_eq!(Discover::read(other), None, "{other}");
        }
    }

    #[test]
    fn one_link_shows_what_several_do() {
        let filter = "(event.outcome: failure)";
        let id = |id: &str| format!("(_id:\"{id}\")");
        let few: Vec<Discover> = (0..3).map(|n| of(60 - n, &[filter, &id(&n.to_string())])).collect();
        let found = read(&few);
        assert_eq!((found.from, found.to), (of(58, &[]).from, of(60, &[]).to));
        assert_eq!(found.clauses, [filter, "((_id:\"0\") OR (_id:\"1\") OR (_id:\"2\"))"]);
        let mixed = read(&[of(1, &[filter, "(a:1)", "(b:1)"]), of(1, &[filter, "(a:2)"])]);
        assert_eq!(mixed.clauses, [filter, "(((a:1) AND (b:1)) OR (a:2))"]);
        assert_eq!(read(&[of(1, &[filter]), of(2, &[filter, "(a:2)"])]).clauses, [filter]);
    }

    #[test]
    fn too_long_a_link_shows_their_span() {
        let many: Vec<Discover> =
            (0..500).map(|n| of(n, &["(f:1)", &format!("(_id:\"{n:020}\")")])).collect();
        let found = read(&many);
        assert_eq!(found.clauses, ["(f:1)"]);
        assert_eq!((found.from, found.to), (of(0, &[]).from, of(499, &[]).to));
    }

    #[test]
    fn one_link_is_itself_and_others_are_none() {
        assert_eq!(covering([]), None);
        assert_eq!(
            covering(["https://wiki.example.com", "https://wiki.example.com"]).as_deref(),
            Some("https://wiki.example.com")
        );
        let here = of(1, &["(a:1)"]).link();
        let there = Discover { index: "other".into(), ..of(1, &["(a:2)"]) }.link();
        assert_eq!(covering([here.as_str(), there.as_str()]), None);
        assert_eq!(covering([here.as_str(), "https://wiki.example.com"]), None);
    }
}
