//! Text messages: how many segments a text takes, and what is left of one that would take more.
//!
//! Source: 3GPP TS 23.038, the GSM 7-bit default alphabet; concatenated messages lose 7 septets or 3 UTF-16 units of
//! each segment to a header.

/// The longest text that a sender of text messages accepts, in characters, however many segments that would be.
const CHARACTERS_MAX: usize = 1_600;

/// A text is worth sending if this much of it is left beside the links, in characters.
const TEXT_MIN: usize = 40;

/// The characters of the GSM alphabet beside ASCII's letters, digits and most of its punctuation.
const GSM: &str = "£¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ¤¡ÄÖÑÜ§¿äöñüà@$";
/// Those that take two septets.
const GSM_EXTENDED: &str = "^{}\\[~]|€\u{c}";

/// `text` and the `links` that fit below it, in at most `segments` segments. The text is cut; a link is whole or left
/// out, the last one first.
pub(crate) fn sms(text: &str, segments: usize, links: &[String]) -> String {
    let text = plain(text.trim());
    (0..=links.len())
        .rev()
        .find_map(|count| {
            let tail: String = links[..count].iter().map(|link| format!("\n{link}")).collect();
            beside(&text, &tail, segments.max(1))
        })
        .unwrap_or_default()
}

/// As much of `text` as fits before `tail`, with it. `None`: too little.
fn beside(text: &str, tail: &str, segments: usize) -> Option<String> {
    let whole = format!("{text}{tail}");
    if fits(&whole, segments) {
        return Some(whole);
    }
    let ends: Vec<usize> = text.char_indices().map(|(at, _)| at).collect();
    let cut = |characters: usize| format!("{}...{tail}", text[..ends[characters]].trim_end());
    // The longest beginning that fits: its length is between 0, and all.
    let (mut short, mut long) = (0, ends.len());
    while short + 1 < long {
        let middle = short.midpoint(long);
        if fits(&cut(middle), segments) { short = middle } else { long = middle }
    }
    (short >= TEXT_MIN || tail.is_empty() && short > 0).then(|| cut(short))
}

fn fits(text: &str, segments: usize) -> bool {
    let (units, one, several) = match septets(text) {
        Some(septets) => (septets, 160, 153),
        None => (text.encode_utf16().count(), 70, 67),
    };
    let room = if segments == 1 { one } else { several * segments };
    units <= room && text.chars().count() <= CHARACTERS_MAX
}

/// The length in the GSM alphabet. `None`: it has not all of the characters, and the message is sent as UTF-16.
fn septets(text: &str) -> Option<usize> {
    text.chars()
        .map(|character| match character {
            extended if GSM_EXTENDED.contains(extended) => Some(2),
            '`' => None,
            ' '..='~' => Some(1),
            other => GSM.contains(other).then_some(1),
        })
        .sum()
}

/// Without the typographic characters that would make a whole message UTF-16 and more than double its segments.
fn plain(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '‘' | '’' | '`' => plain.push('\''),
            '“' | '”' | '„' => plain.push('"'),
            '–' | '—' | '‑' => plain.push('-'),
            '…' => plain.push_str("..."),
            '·' | '•' => plain.push('-'),
            '\u{a0}' | '\u{202f}' => plain.push(' '),
            other => plain.push(other),
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    fn links(of: &[&str]) -> Vec<String> {
        of.iter().map(|link| (*link).to_owned()).collect()
    }

    #[test]
    fn what_fits_is_sent_with_its_links() {
        let sent = sms(" spiked \n", 1, &links(&["Acknowledge: https://a.example/1", "https://b.example"]));
        assert_eq!(sent, "spiked\nAcknowledge: https://a.example/1\nhttps://b.example");
    }

    #[test]
    fn a_text_is_cut_and_a_link_is_not() {
        let link = format!("https://a.example/{}", "x".repeat(60));
        let sent = sms(&"word ".repeat(100), 1, &links(&[&link]));
        assert!(sent.ends_with(&format!("...\n{link}")), "{sent}");
        assert_eq!(septets(&sent), Some(160));
    }

    #[test]
    fn the_last_link_is_left_out_first() {
        let long = format!("https://a.example/{}", "x".repeat(300));
        let sent = sms(&"word ".repeat(100), 2, &links(&["https://b.example", &long]));
        assert!(sent.ends_with("...\nhttps://b.example"), "{sent}");
        assert!(septets(&sent).unwrap() <= 306);
        assert_eq!(sms("short", 1, &links(&[&long])), "short");
    }

    #[test]
    fn one_character_outside_the_alphabet_costs_more_than_half() {
        assert_eq!(septets("{€}"), Some(6));
        assert_eq!(septets("grün"), Some(4));
        assert_eq!(septets("日"), None);
        assert_eq!(sms(&"日".repeat(100), 1, &[]).encode_utf16().count(), 70);
        assert_eq!(sms(&"😀".repeat(100), 2, &[]).encode_utf16().count(), 133);
        assert_eq!(sms("“it’s – fine…”", 1, &[]), "\"it's - fine...\"");
    }

    #[test]
    fn a_message_has_a_limit_however_many_segments_it_may_take() {
        assert_eq!(sms(&"x".repeat(5_000), 100, &[]).chars().count(), CHARACTERS_MAX);
    }
}
