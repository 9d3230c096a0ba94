//! Plain scalars as PyYAML reads them.
use serde_json::Number;

use crate::node::Data;

/// A plain scalar by YAML 1.1, as PyYAML resolves it.
pub(crate) fn plain(text: String) -> Data {
    match text.as_str() {
        "" | "~" | "null" | "Null" | "NULL" => return Data::Null,
        "yes" | "Yes" | "YES" | "true" | "True" | "TRUE" | "on" | "On" | "ON" => return Data::Bool(true),
        "no" | "No" | "NO" | "false" | "False" | "FALSE" | "off" | "Off" | "OFF" => return Data::Bool(false),
        _ => {}
    }
    match integer(&text).or_else(|| float(&text)) {
        // A number is written in decimal, whatever it was typed in: it stands in texts as Python writes it.
        Some(value) => Data::Number { written: value.to_string(), value },
        None => Data::Text(text),
    }
}

fn integer(text: &str) -> Option<Number> {
    let (sign, digits): (i64, &str) = match text.strip_prefix('-') {
        Some(digits) => (-1, digits),
        None => (1, text.strip_prefix('+').unwrap_or(text)),
    };
    if !digits.starts_with(|c: char| c.is_ascii_digit()) {
        return None;
    }
    if digits.contains(':') {
        return sixties(digits).and_then(|value| sign.checked_mul(value)).map(Number::from);
    }
    let (radix, digits) = match digits.as_bytes() {
        [b'0', b'x', ..] => (16, &digits[2..]),
        [b'0', b'b', ..] => (2, &digits[2..]),
        [b'0', _, ..] => (8, &digits[1..]),
        _ => (10, digits),
    };
    let digits = digits.replace('_', "");
    if digits.is_empty() || !digits.chars().all(|c| c.is_digit(radix)) {
        return None;
    }
    i64::from_str_radix(&digits, radix).ok().map(|value| Number::from(sign * value))
}

/// `1:30` is 90 to YAML 1.1.
fn sixties(digits: &str) -> Option<i64> {
    let is_digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit() || byte == b'_');
    let (first, rest) = digits.split_once(':')?;
    if !first.starts_with(|c: char| ('1'..='9').contains(&c)) || !is_digits(first) {
        return None;
    }
    rest.split(':').try_fold(first.replace('_', "").parse::<i64>().ok()?, |value, part| {
        let digit = part.parse::<i64>().ok().filter(|digit| *digit < 60 && part.len() <= 2)?;
        value.checked_mul(60)?.checked_add(digit)
    })
}

fn float(text: &str) -> Option<Number> {
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    // Without a dot it is a text to PyYAML, `1e5` for one.
    let (whole, rest) = digits.split_once('.')?;
    let (fraction, exponent) = match rest.find(['e', 'E']) {
        Some(at) => (&rest[..at], Some(&rest[at + 1..])),
        None => (rest, None),
    };
    let is_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'_');
    let signed = |text: &str| {
        text.strip_prefix(['-', '+']).is_some_and(|digits| !digits.is_empty() && is_digits(digits))
    };
    let any = whole.bytes().chain(fraction.bytes()).any(|byte| byte.is_ascii_digit());
    if !any || !is_digits(whole) || !is_digits(fraction) || exponent.is_some_and(|text| !signed(text)) {
        return None;
    }
    text.replace('_', "").parse::<f64>().ok().and_then(Number::from_f64)
}
