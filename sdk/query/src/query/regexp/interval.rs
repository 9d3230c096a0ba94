//! `<1-600>`: a number range, as an alternation of digits.

/// Writes the numbers from `low` to `high`: with a fixed number of digits, or with any number of leading zeros.
pub(super) fn write(low: u32, high: u32, digits: Option<usize>, out: &mut String) {
    if let Some(digits) = digits {
        let (low, high) = (format!("{low:0digits$}"), format!("{high:0digits$}"));
        return out.push_str(&same_width(low.as_bytes(), high.as_bytes()));
    }
    out.push_str("(?:0*(?:");
    let width = |number: u32| number.to_string().len();
    for digits in width(low)..=width(high) {
        if digits > width(low) {
            out.push('|');
        }
        let first =
            if digits == width(low) { low.to_string() } else { format!("1{}", "0".repeat(digits - 1)) };
        let last = if digits == width(high) { high.to_string() } else { "9".repeat(digits) };
        out.push_str(&same_width(first.as_bytes(), last.as_bytes()));
    }
    out.push_str("))");
}

fn same_width(low: &[u8], high: &[u8]) -> String {
    let (Some((first, low)), Some((last, high))) = (low.split_first(), high.split_first()) else {
        return String::new();
    };
    let rest = low.len();
    let digit = |digit: u8| char::from(digit);
    let any = |from: u8, to: u8| format!("[{}-{}][0-9]{{{rest}}}", digit(from), digit(to));
    if first == last {
        return format!("{}{}", digit(*first), same_width(low, high));
    }
    if low.iter().all(|digit| *digit == b'0') && high.iter().all(|digit| *digit == b'9') {
        return any(*first, *last);
    }
    let mut parts = vec![format!("{}{}", digit(*first), same_width(low, &vec![b'9'; rest]))];
    if last - first > 1 {
        parts.push(any(first + 1, last - 1));
    }
    parts.push(format!("{}{}", digit(*last), same_width(&vec![b'0'; rest], high)));
    format!("(?:{})", parts.join("|"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn it_holds_the_numbers_between(low in 0u32..3_000, span in 0u32..3_000, number in 0u32..6_000, zeros in 0usize..3) {
            let mut pattern = String::new();
            write(low, low + span, None, &mut pattern);
            let regex = regex::Regex::new(&format!(r"\A{pattern}\z")).unwrap();
            let text = format!("{}{number}", "0".repeat(zeros));
            prop_assert_eq!(regex.is_match(&text), (low..=low + span).contains(&number));
            let mut pattern = String::new();
            write(low, low + span, Some(5), &mut pattern);
            let regex = regex::Regex::new(&format!(r"\A{pattern}\z")).unwrap();
            prop_assert_eq!(regex.is_match(&format!("{number:05}")), (low..=low + span).contains(&number));
        }
    }
}
