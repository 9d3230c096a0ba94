//! The arithmetic that people write in `bucket_selector` and `bucket_script`: one Painless expression.
//!
//! The rest of Painless is refused.
use std::collections::HashMap;

use serde_json::Value as Json;

/// Longer scripts are refused; a bucket needs a line.
const CHARS_MAX: usize = 1_000;
/// Deeper parentheses are refused.
const DEPTH_MAX: usize = 40;

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Value {
    Bool(bool),
    /// Integer division, as in Java.
    Whole(i64),
    Real(f64),
    Null,
}

#[derive(Clone, Debug)]
pub(super) struct Script {
    tree: Tree,
    params: HashMap<String, Value>,
}

#[derive(Clone, Debug)]
enum Tree {
    Value(Value),
    Param(String),
    Not(Box<Tree>),
    Minus(Box<Tree>),
    Two(Op, Box<Tree>, Box<Tree>),
    If(Box<Tree>, Box<Tree>, Box<Tree>),
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Op {
    Or,
    And,
    Equal,
    Unequal,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    Add,
    Subtract,
    Multiply,
    Divide,
    Rest,
}

/// By precedence, the lowest first.
const OPS: &[&[(&str, Op)]] = &[
    &[("||", Op::Or)],
    &[("&&", Op::And)],
    &[("==", Op::Equal), ("!=", Op::Unequal)],
    &[("<=", Op::LessOrEqual), (">=", Op::GreaterOrEqual), ("<", Op::Less), (">", Op::Greater)],
    &[("+", Op::Add), ("-", Op::Subtract)],
    &[("*", Op::Multiply), ("/", Op::Divide), ("%", Op::Rest)],
];

impl Value {
    pub(super) fn number(self) -> Option<f64> {
        match self {
            Self::Whole(n) => Some(n as f64),
            Self::Real(n) => Some(n),
            Self::Bool(_) | Self::Null => None,
        }
    }

    fn read(json: &Json) -> Option<Self> {
        Some(match json {
            Json::Bool(flag) => Self::Bool(*flag),
            Json::Number(number) => match number.as_i64() {
                Some(whole) => Self::Whole(whole),
                None => Self::Real(number.as_f64()?),
            },
            Json::Null => Self::Null,
            _ => return None,
        })
    }
}

impl Script {
    /// `known`: the names of the bucket's numbers.
    pub(super) fn new(source: &str, params: &Json, known: &[&str]) -> Result<Self, String> {
        if source.len() > CHARS_MAX {
            return Err(format!("a script of more than {CHARS_MAX} bytes"));
        }
        let params = params
            .as_object()
            .into_iter()
            .flatten()
            .map(|(name, value)| Some((name.clone(), Value::read(value)?)))
            .collect::<Option<HashMap<_, _>>>()
            .ok_or("a script parameter that is neither a number nor a boolean")?;
        let source = source.trim().trim_end_matches(';').trim();
        let mut parser = Parser { rest: source.strip_prefix("return ").unwrap_or(source), depth: 0 };
        let tree = parser.choice()?;
        parser.spaces();
        if !parser.rest.is_empty() {
            return Err(format!("the script from [{}] on", parser.rest));
        }
        let mut unknown = Vec::new();
        tree.names(&mut |name| {
            if !params.contains_key(name) && !known.contains(&name) {
                unknown.push(name.to_owned());
            }
        });
        match unknown.first() {
            None => Ok(Self { tree, params }),
            Some(name) => Err(format!("a script that asks for [{name}], which it is not given,")),
        }
    }

    pub(super) fn run(&self, numbers: &[(String, f64)]) -> Result<Value, String> {
        self.tree.run(&|name| {
            let number = numbers.iter().find(|(known, _)| known == name).map(|(_, n)| Value::Real(*n));
            number.or_else(|| self.params.get(name).copied()).unwrap_or(Value::Null)
        })
    }
}

impl Tree {
    fn names(&self, told: &mut impl FnMut(&str)) {
        match self {
            Self::Value(_) => {}
            Self::Param(name) => told(name),
            Self::Not(one) | Self::Minus(one) => one.names(told),
            Self::Two(_, a, b) => {
                a.names(told);
                b.names(told);
            }
            Self::If(a, b, c) => {
                a.names(told);
                b.names(told);
                c.names(told);
            }
        }
    }

    fn run(&self, param: &dyn Fn(&str) -> Value) -> Result<Value, String> {
        let truth = |tree: &Self| match tree.run(param)? {
            Value::Bool(flag) => Ok(flag),
            other => Err(format!("runtime error: cannot cast [{other:?}] to [boolean]")),
        };
        match self {
            Self::Value(value) => Ok(*value),
            Self::Param(name) => Ok(param(name)),
            Self::Not(one) => Ok(Value::Bool(!truth(one)?)),
            Self::Minus(one) => match one.run(param)? {
                Value::Whole(n) => Ok(Value::Whole(n.wrapping_neg())),
                Value::Real(n) => Ok(Value::Real(-n)),
                other => Err(format!("runtime error: cannot negate [{other:?}]")),
            },
            Self::If(condition, yes, no) => if truth(condition)? { yes } else { no }.run(param),
            Self::Two(Op::Or, a, b) => Ok(Value::Bool(truth(a)? || truth(b)?)),
            Self::Two(Op::And, a, b) => Ok(Value::Bool(truth(a)? && truth(b)?)),
            Self::Two(op, a, b) => two(*op, a.run(param)?, b.run(param)?),
        }
    }
}

fn two(op: Op, a: Value, b: Value) -> Result<Value, String> {
    if let (Op::Equal | Op::Unequal, Value::Null | Value::Bool(_), _)
    | (Op::Equal | Op::Unequal, _, Value::Null | Value::Bool(_)) = (op, a, b)
    {
        return Ok(Value::Bool((a == b) == (op == Op::Equal)));
    }
    if let (Value::Whole(a), Value::Whole(b)) = (a, b) {
        return Ok(match op {
            Op::Add => Value::Whole(a.wrapping_add(b)),
            Op::Subtract => Value::Whole(a.wrapping_sub(b)),
            Op::Multiply => Value::Whole(a.wrapping_mul(b)),
            Op::Divide | Op::Rest if b == 0 => return Err("runtime error: / by zero".into()),
            Op::Divide => Value::Whole(a.wrapping_div(b)),
            Op::Rest => Value::Whole(a.wrapping_rem(b)),
            op => Value::Bool(compare(op, a.partial_cmp(&b))),
        });
    }
    let (Some(x), Some(y)) = (a.number(), b.number()) else {
        return Err(format!("runtime error: cannot apply [{op:?}] to [{a:?}] and [{b:?}]"));
    };
    Ok(match op {
        Op::Add => Value::Real(x + y),
        Op::Subtract => Value::Real(x - y),
        Op::Multiply => Value::Real(x * y),
        Op::Divide => Value::Real(x / y),
        Op::Rest => Value::Real(x % y),
        op => Value::Bool(compare(op, x.partial_cmp(&y))),
    })
}

fn compare(op: Op, order: Option<std::cmp::Ordering>) -> bool {
    match op {
        Op::Equal => order.is_some_and(std::cmp::Ordering::is_eq),
        Op::Unequal => !order.is_some_and(std::cmp::Ordering::is_eq),
        Op::Less => order.is_some_and(std::cmp::Ordering::is_lt),
        Op::LessOrEqual => order.is_some_and(std::cmp::Ordering::is_le),
        Op::Greater => order.is_some_and(std::cmp::Ordering::is_gt),
        _ => order.is_some_and(std::cmp::Ordering::is_ge),
    }
}

struct Parser<'a> {
    rest: &'a str,
    depth: usize,
}

impl<'a> Parser<'a> {
    fn spaces(&mut self) {
        self.rest = self.rest.trim_start();
    }

    fn takes(&mut self, text: &str) -> bool {
        self.spaces();
        match self.rest.strip_prefix(text) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    fn word(&mut self) -> &'a str {
        let end = self.rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(self.rest.len());
        let (word, rest) = self.rest.split_at(end);
        self.rest = rest;
        word
    }

    fn choice(&mut self) -> Result<Tree, String> {
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            return Err(format!("a script with brackets nested more than {DEPTH_MAX} deep"));
        }
        let condition = self.level(0)?;
        let tree = if self.takes("?") {
            let yes = self.choice()?;
            if !self.takes(":") {
                return Err(format!("the script at [{}]", self.rest));
            }
            Tree::If(Box::new(condition), Box::new(yes), Box::new(self.choice()?))
        } else {
            condition
        };
        self.depth -= 1;
        Ok(tree)
    }

    fn level(&mut self, level: usize) -> Result<Tree, String> {
        let Some(ops) = OPS.get(level) else { return self.one() };
        let mut left = self.level(level + 1)?;
        while let Some((_, op)) = ops.iter().find(|(text, _)| self.takes(text)) {
            let right = self.level(level + 1)?;
            left = Tree::Two(*op, Box::new(left), Box::new(right));
        }
        Ok(left)
    }

    fn one(&mut self) -> Result<Tree, String> {
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            return Err(format!("a script with brackets nested more than {DEPTH_MAX} deep"));
        }
        let tree = if self.takes("(") {
            let tree = self.choice()?;
            if !self.takes(")") {
                return Err(format!("the script at [{}]", self.rest));
            }
            tree
        } else if self.takes("!") {
            Tree::Not(Box::new(self.one()?))
        } else if self.takes("-") {
            Tree::Minus(Box::new(self.one()?))
        } else {
            self.leaf()?
        };
        self.depth -= 1;
        Ok(tree)
    }

    fn leaf(&mut self) -> Result<Tree, String> {
        self.spaces();
        let start = self.rest;
        if start.starts_with(|c: char| c.is_ascii_digit()) {
            let mut whole = self.word();
            if self.rest.starts_with('.') {
                self.rest = &self.rest[1..];
                let fraction = self.word();
                whole = &start[..whole.len() + 1 + fraction.len()];
                return whole.parse().map(|n| Tree::Value(Value::Real(n))).map_err(|_| format!("[{whole}]"));
            }
            // A literal without a suffix is an int; a larger one does not compile.
            return match whole.parse::<i32>() {
                Ok(number) => Ok(Tree::Value(Value::Whole(number.into()))),
                Err(_) => Err(format!("[{whole}]")),
            };
        }
        match self.word() {
            "true" => Ok(Tree::Value(Value::Bool(true))),
            "false" => Ok(Tree::Value(Value::Bool(false))),
            "null" => Ok(Tree::Value(Value::Null)),
            "params" if self.takes(".") => Ok(Tree::Param(self.word().to_owned())),
            "params" if self.takes("['") || self.takes("[\"") => {
                let end = self.rest.find(['\'', '"']).ok_or_else(|| format!("the script at [{start}]"))?;
                let name = self.rest[..end].to_owned();
                self.rest = &self.rest[end + 1..];
                if self.takes("]") { Ok(Tree::Param(name)) } else { Err(format!("the script at [{start}]")) }
            }
            _ => Err(format!("the script at [{start}]")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn run(source: &str) -> Result<Value, String> {
        let script = Script::new(source, &json!({"least": 3}), &["a", "b"])?;
        script.run(&[("a".into(), 5.0), ("b".into(), f64::NAN)])
    }

    #[test]
    fn arithmetic_is_java_s() {
        assert_eq!(run("params.a > 4 && params['a'] < 6"), Ok(Value::Bool(true)));
        assert_eq!(run("1 + 2 * 3 - 4"), Ok(Value::Whole(3)));
        assert_eq!((run("7 / 2"), run("7 / 2.0")), (Ok(Value::Whole(3)), Ok(Value::Real(3.5))));
        assert_eq!(run("params.a >= params.least ? 1 : 0"), Ok(Value::Whole(1)));
        assert_eq!(
            (run("params.b > 0"), run("params.b != params.b")),
            (Ok(Value::Bool(false)), Ok(Value::Bool(true)))
        );
        assert_eq!(run("!(params.a == null) || false;"), Ok(Value::Bool(true)));
        assert_eq!(run("return -params.a"), Ok(Value::Real(-5.0)));
        assert!(run("1 / 0").is_err() && run("params.a && true").is_err());
    }

    #[test]
    fn what_is_not_arithmetic_is_refused() {
        for source in [
            "",
            "doc['x'].value",
            "Math.max(1, 2)",
            "params.gone > 1",
            "1 +",
            "(1",
            "int x = 1; x",
            "99999999999",
        ] {
            assert!(run(source).is_err(), "{source}");
        }
        assert!(run(&"(".repeat(900)).is_err() && run(&"!".repeat(900)).is_err());
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(parts in prop::collection::vec(prop::sample::select(
            vec!["params.a", "params['b']", "1", "2.5", "+", "-", "*", "/", "%", "(", ")", "?", ":", "<", ">=", "==", "!", "&&", "||", " ", "null", "é"]), 0..20)) {
            let _ = run(&parts.concat());
        }
    }
}
