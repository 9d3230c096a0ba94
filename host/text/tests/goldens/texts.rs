use std::fmt::Write as _;

use crate::render::render;
use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use pulldown_cmark::{Event, Options, Parser, Tag};
use watchbell_contract::{AlertText, Cause, Label, Severity, TextFormat, Timestamp};
use watchbell_text::{BODY, Macros, Subject, TITLE, check_template};

pub(crate) const LINK: &str =
    "https://kibana.example.com/app/discover#/?_g=%28time%3Anow%29&_a=(query:'a*b')";

pub(crate) fn subject<'a>(details: &'a str, labels: &'a [Label]) -> Subject<'a> {
    Subject {
        rule: "logins",
        owner: Some("sec"),
        environment: "default",
        severity: Severity::Warning,
        cause: Cause::Event,
        person: None,
        labels,
        at: Timestamp(0),
        since: Timestamp(0),
        value: Some(2.0),
        threshold: None,
        summary: "2 failed logins",
        details,
        link: Some(LINK),
        count: 1,
        more: &[],
    }
}

pub(crate) fn wants(format: TextFormat, max: u32) -> AlertText {
    AlertText { format, styles: true, title_max: max, body_max: max }
}

pub(crate) fn body(source: &str, details: &serde_json::Value, format: TextFormat) -> String {
    let details = details.to_string();
    render("t", source, &subject(&details, &[]), wants(format, 4_000)).body
}

fn title(source: &str, details: &serde_json::Value, format: TextFormat, max: u32) -> String {
    let details = details.to_string();
    render(source, "b", &subject(&details, &[]), wants(format, max)).title
}

const FORMATS: [TextFormat; 4] =
    [TextFormat::Plain, TextFormat::Markdown, TextFormat::Html, TextFormat::Mrkdwn];

#[test]
fn a_long_value_leaves_the_templates_words() {
    for sign in ["*", "&", "<", "_", "`", "~", "👩‍👩‍👧", "e\u{301}", "שלום", "\u{200b}", "x", "\u{0}y"]
    {
        let details = serde_json::json!({ "message": sign.repeat(9_000), "host": "db-1" });
        for format in FORMATS {
            let text = title("DB error: {{ details.message }} on {{ details.host }}", &details, format, 130);
            assert!(text.starts_with("DB error: ") && text.ends_with("… on db-1"), "{format:?} {text}");
            assert!((127..=130).contains(&text.chars().count()), "{format:?} {text}");
        }
    }
}

#[test]
fn the_longest_values_are_shortened_first() {
    let details = serde_json::json!({ "a": "a".repeat(30), "b": "b".repeat(500), "c": "c".repeat(20) });
    let text = title("{{ details.a }} {{ details.b }} {{ details.c }}", &details, TextFormat::Plain, 120);
    assert_eq!(text, format!("{} {}… {}", "a".repeat(30), "b".repeat(67), "c".repeat(20)));
}

#[test]
fn plain_means_plain() {
    let details = serde_json::json!({ "host": "db_primary_01", "ip": "10.0.0.1", "n": -5 });
    let source = "{{ details.ip }} **{{ details.n }}** on `{{ details.host }}` > [see]({{ link }})";
    assert_eq!(
        title(source, &details, TextFormat::Plain, 500),
        format!("10.0.0.1 -5 on db_primary_01 > see ({LINK})")
    );
}

#[test]
fn plain_is_plain_where_the_receiver_reads_markup() {
    let details = serde_json::json!({ "host": "db_primary_01", "html": "<b>1 & 2</b>", "n": "*5*" });
    let source = "**{{ details.n }}** on `{{ details.host }}`\n\n<i>{{ details.html }}</i> [see]({{ link }}) {{ link }}";
    let read = |format| {
        let wants = AlertText { styles: false, ..wants(format, 4_000) };
        render("t", source, &subject(&details.to_string(), &[]), wants).body
    };
    let amp = LINK.replace('&', "&amp;");
    assert_eq!(
        read(TextFormat::Mrkdwn),
        format!(
            "\u{200b}*\u{200b}5\u{200b}*\u{200b} on db_primary_01\n\n&lt;b&gt;1 &amp; 2&lt;/b&gt; see (<{amp}>) <{amp}>"
        )
    );
    let link = amp.replace('\'', "&#39;");
    let link = format!("<a href=\"{link}\">{link}</a>");
    assert_eq!(
        read(TextFormat::Html),
        format!("*5* on db_primary_01<br>\n<br>\n&lt;b&gt;1 &amp; 2&lt;/b&gt; see ({link}) {link}")
    );
}

#[test]
fn a_link_can_be_followed_in_every_format() {
    let none = serde_json::json!({});
    let amp = LINK.replace('&', "&amp;");
    let safe = LINK.replace('(', "%28").replace(')', "%29").replace('\'', "%27").replace('*', "%2A");
    let safe_amp = safe.replace('&', "&amp;");
    for (format, bare, named) in [
        (TextFormat::Plain, LINK.to_owned(), format!("go ({LINK})")),
        (TextFormat::Markdown, format!("<{LINK}>"), format!("[go]({safe})")),
        (
            TextFormat::Html,
            format!("<a href=\"{0}\">{0}</a>", amp.replace('\'', "&#39;")),
            format!("<a href=\"{safe_amp}\">go</a>"),
        ),
        (TextFormat::Mrkdwn, format!("<{amp}>"), format!("<{safe_amp}|go>")),
    ] {
        assert_eq!(body("At {{ link }}.", &none, format), format!("At {bare}."), "{format:?}");
        assert_eq!(body("[go]({{ link }})", &none, format), named, "{format:?}");
    }
}

#[test]
fn an_address_in_a_document_can_be_followed() {
    let details = serde_json::json!({ "m": "see https://x.example/_a_*b*?c=(d)&e=f, please" });
    let read = |format| body("{{ details.m }}", &details, format);
    let url = "https://x.example/_a_*b*?c=(d)&e=f";
    assert_eq!(read(TextFormat::Plain), format!("see {url}, please"));
    assert_eq!(read(TextFormat::Markdown), format!("see <{url}>, please"));
    let amp = url.replace('&', "&amp;");
    assert_eq!(read(TextFormat::Html), format!("see <a href=\"{amp}\">{amp}</a>, please"));
    assert_eq!(read(TextFormat::Mrkdwn), format!("see {amp}, please"));
}

/// Addresses with signs that mean something in a format, and at which a sentence might end.
const ADDRESSES: [&str; 8] = [
    "https://x.example/_a_/b_c_",
    "https://x.example/*a*/b*",
    "https://x.example/~a~b~",
    "https://x.example/a(b)_(c)",
    "https://x.example/a?b=1&c=d_",
    "https://x.example/a.",
    "https://x.example/a!?,;:",
    "https://x.example/app#/?_g=(time:(from:'1'))&_a=(q:(a))",
];

#[test]
fn an_address_has_no_invisible_characters_in_any_format() {
    for address in ADDRESSES {
        let details = serde_json::json!({ "u": address, "m": format!("at {address} again") });
        let amp = address.replace('&', "&amp;");
        let html = amp.replace('\'', "&#39;");
        for (format, written) in [
            (TextFormat::Plain, address),
            (TextFormat::Markdown, address),
            (TextFormat::Html, &html),
            (TextFormat::Mrkdwn, &amp),
        ] {
            // The host's own link, and a value that is an address as a whole.
            let of = Subject { link: Some(address), ..subject("{}", &[]) };
            let text = render("t", "see {{ link }}.", &of, wants(format, 4_000)).body;
            assert!(text.contains(written) && !text.contains('\u{200b}'), "{format:?} {text}");
            let text = body("see {{ details.u }} again", &details, format);
            assert!(text.contains(written) && !text.contains('\u{200b}'), "{format:?} {text}");
            // Within other words its end is the sentence's.
            let text = body("{{ details.m }}", &details, format);
            let sure = written.trim_end_matches(['.', '!', '?', ',', ';', ':', '_', '*', '~', '-']);
            assert!(text.contains(sure), "{format:?} {text}");
        }
    }
}

#[test]
fn the_hosts_link_stays_while_longer_ones_go() {
    let details = serde_json::json!({ "user": "e\u{301}".repeat(450) });
    let source = "{{ details.user }} [go](https://kibana/{{ details.user }}) <a href=\"https://k/{{ details.user }}\">x</a> {{ link }}";
    let amp = LINK.replace('&', "&amp;");
    for (format, link) in [
        (TextFormat::Plain, LINK.to_owned()),
        (TextFormat::Markdown, format!("<{LINK}>")),
        (TextFormat::Html, format!("<a href=\"{0}\">{0}</a>", amp.replace('\'', "&#39;"))),
        (TextFormat::Mrkdwn, format!("<{amp}>")),
    ] {
        let text = render("t", source, &subject(&details.to_string(), &[]), wants(format, 3_000)).body;
        assert!(text.ends_with(&format!("go x {link}")), "{format:?} {text}");
        assert!(text.chars().count() > 900, "the value keeps what is left: {text}");
    }
}

#[test]
fn the_beginning_of_an_address_has_no_invisible_characters() {
    let link = format!("https://k.example/{}", "_a*b_".repeat(200));
    let of = Subject { link: Some(&link), ..subject("{}", &[]) };
    let text = render("t", "see {{ link }} now", &of, wants(TextFormat::Mrkdwn, 300)).body;
    assert!(text.starts_with("see https://k.example/_a*b__a*b_") && text.ends_with("… now"), "{text}");
    assert!(!text.contains('\u{200b}'), "{text}");
}

#[test]
fn a_link_without_words_shows_where_it_leads() {
    let details = serde_json::json!({ "u": "https://evil.example/|https://good.example/>x<" });
    let url = "https://evil.example/%7Chttps://good.example/%3Ex%3C";
    let text = body("[]({{ details.u }})", &details, TextFormat::Mrkdwn);
    assert_eq!(text, format!("<{url}>"));
    assert_eq!(body("[]({{ details.u }})", &details, TextFormat::Markdown), format!("<{url}>"));
}

#[test]
fn an_address_within_a_value_ends_with_it() {
    let details = serde_json::json!({ "m": "[x](https://evil.example)", "n": "y" });
    let text = body("{{ details.m }}/a{{ details.n }}", &details, TextFormat::Html);
    assert_eq!(text, "[x](<a href=\"https://evil.example\">https://evil.example</a>)/ay");
}

#[test]
fn only_the_web_becomes_a_link() {
    let details = serde_json::json!({ "u": "javascript:alert(1)", "s": "javascript" });
    for format in FORMATS {
        let text = body("[a]({{ details.u }}) [b]({{ details.s }}:x) {{ details.u }}", &details, format);
        assert!(!text.contains("href") && !text.contains("](") && !text.contains('|'), "{format:?} {text}");
    }
}

#[test]
fn a_value_turns_no_words_but_its_own() {
    let details = serde_json::json!({ "a": "\u{202e}gnp.exe\u{2066}\u{0}\u{1}\u{1b}[2J שלום" });
    assert_eq!(title("{{ details.a }} | end", &details, TextFormat::Plain, 100), "gnp.exe[2J שלום | end");
}

#[test]
fn null_and_missing_have_their_defaults() {
    let details = r#"{"user.name":"ada","documents":[{"user":{"name":"ada"},"message":null}],"region":null}"#;
    let labels = [Label { name: "host".into(), value: None }];
    let source = "A={{ details.user.name }} B={{ document['user.name'] }} C={{ details.region | default('none') }} \
                  D={{ labels.host | default('none') }} E={{ documents[0].message | d('-') }} F={{ gone | default }}";
    let text = render(source, "", &subject(details, &labels), wants(TextFormat::Plain, 200));
    assert_eq!(text.title, "A=ada B=ada C=none D=none E=- F=");
}

#[test]
fn the_standard_text() {
    let details = r#"{"documents":[{"event":{"action":"login"},"user":{"name":"eve_1"},"zone":"a","message":"no\nway"}]}"#;
    let labels = [Label { name: "host.name".into(), value: Some("db-1".into()) }];
    let text = render(TITLE, BODY, &subject(details, &labels), wants(TextFormat::Plain, 2_000));
    assert_eq!(text.title, "2 failed logins");
    assert_eq!(
        text.body,
        format!(
            "2 failed logins\nsec · warning · logins\n\n- host.name: db-1\n- message: no way\n- user.name: eve_1\n\
             - event.action: login\n- zone: a\n\n{LINK}"
        )
    );
    let html = render(TITLE, BODY, &subject(details, &labels), wants(TextFormat::Html, 2_000));
    assert!(html.body.contains("• user.name: eve_1<br>"), "{}", html.body);
    let few = render(
        TITLE,
        BODY,
        &Subject { owner: None, link: None, ..subject("{}", &[]) },
        wants(TextFormat::Markdown, 200),
    );
    assert_eq!(few.body, "2 failed logins  \nwarning · logins");
}

#[test]
fn what_is_missing_of_the_documents_is_said() {
    // The rule uses that name for a number of its own.
    let details = r#"{"documents":7,"_documents":[{"zone":"a"}],"documents_note":"40 documents more"}"#;
    let text = render(TITLE, BODY, &subject(details, &[]), wants(TextFormat::Plain, 500));
    assert!(text.body.ends_with(&format!("\n\n- zone: a\n\n40 documents more\n\n{LINK}")), "{}", text.body);
    let own = "{{ details.documents }} {{ document.zone }} {{ documents | length }} {{ documents_note }}";
    let text = render(own, "", &subject(details, &[]), wants(TextFormat::Plain, 500));
    assert_eq!(text.title, "7 a 1 40 documents more");
    let none = r#"{"count":3,"documents":[],"documents_note":"its documents could not be fetched"}"#;
    let text = render(TITLE, BODY, &subject(none, &[]), wants(TextFormat::Plain, 500));
    assert!(text.body.contains("- count: 3\n\nits documents could not be fetched\n"), "{}", text.body);
}

#[test]
fn a_group_says_how_many_it_is() {
    let more = ["b".to_owned(), "c".to_owned()];
    let subject = Subject { count: 3, more: &more, ..subject("{}", &[]) };
    let read = |title, body| render(title, body, &subject, wants(TextFormat::Plain, 500));
    let text = read("{{ summary }}", "Look.");
    assert_eq!(
        (text.title.as_str(), text.body.as_str()),
        ("2 failed logins (and 2 more)", "Look.\n\n3 in all:\n\n- b\n- c")
    );
    let own = read("{{ count }} logins", "{{ more | join(', ') }}");
    assert_eq!((own.title.as_str(), own.body.as_str()), ("3 logins", "b, c"));
}

#[test]
fn a_template_that_runs_away_costs_no_alert() {
    let details = serde_json::json!({ "a": "x".repeat(10_000) });
    let text = body(
        "{% for n in range(20000) %}{{ details.a }} and much more of it{% endfor %}",
        &details,
        TextFormat::Markdown,
    );
    assert!(text.chars().count() <= 4_000);
    let text = body(
        "{% for n in range(30000) %}01234567890123456789012345678901234567890123456789012345678901234567890123456789{% endfor %}",
        &details,
        TextFormat::Markdown,
    );
    assert!(text.contains("more than 2 MiB"), "{text}");
}

#[test]
fn faults_of_templates_have_their_places() {
    let fault = |source: &str| {
        let fault = check_template(source, &Macros::default()).expect_err("a fault");
        (fault.line, fault.column, fault.message)
    };
    let (line, column, message) = fault("a\n b {{ valeu }}");
    assert_eq!((line, column), (2, 7));
    assert!(message.starts_with("unknown name `valeu`"), "{message}");
    assert_eq!(fault("{% if false %}{{ x | upper }}{% endif %}").1, 18);
    assert_eq!(fault("{% if false %}{{ value | uper }}{% endif %}").2, "unknown filter `uper`");
    assert_eq!(fault("{{ value is od }}").2, "unknown test `od`");
    assert_eq!(fault("\n{{ value").0, 2);
    assert!(
        check_template(BODY, &Macros::default()).is_ok() && check_template(TITLE, &Macros::default()).is_ok()
    );
    assert!(
        check_template("{{ details.anything | default(labels.x) | d('y') | round(2) }}", &Macros::default())
            .is_ok()
    );
}

/// Pieces of templates: words, values in every possible place, links.
const PIECES: [&str; 14] = [
    "{{ details.a }}",
    "{{ details.b }} ",
    "**{{ details.a }}**",
    "*{{ details.b }}*x",
    "`{{ details.a }}`",
    "<code>{{ details.b }}</code>",
    "~~{{ details.a }}~~",
    "\n- {{ details.b }}\n- word\n\n",
    "[go]({{ link }})",
    "[{{ details.a }}]({{ link }})",
    "{{ link }}",
    "\n\nRunbook: https://wiki.example.com/a_b\n",
    "<pre>{{ details.b }}</pre>",
    " 1. x! ",
];

const SIGNS: [&str; 40] = [
    "*",
    "&",
    "<",
    ">",
    "_",
    "`",
    "~",
    "\\",
    "[",
    "]",
    "(",
    ")",
    "|",
    "#",
    "-",
    "+",
    "=",
    ".",
    "!",
    "@",
    "\"",
    "'",
    "$",
    "{",
    "}",
    "%",
    ":",
    ";",
    " ",
    "\n",
    "\t",
    "1",
    "a",
    "é",
    "e\u{301}",
    "👩‍👩‍👧",
    "שלום",
    "\u{200b}",
    "\u{202e}",
    "\u{0}",
];

const PHRASES: [&str; 10] = [
    "<!channel>",
    "@everyone",
    "[x](https://evil.example)",
    "<https://evil.example|x>",
    "https://doc.example/_a_*b*(c)&d",
    "javascript:alert(1)",
    "    code",
    "\u{F0001}\u{F003C}b>",
    "&lt;b&gt;",
    "</pre><b>",
];

fn hostile() -> impl Strategy<Value = String> {
    let sign = prop_oneof![8 => prop::sample::select(&SIGNS[..]), 1 => prop::sample::select(&PHRASES[..])];
    let mixed = prop::collection::vec(sign, 0..60).prop_map(|signs| signs.concat());
    let long =
        (prop::sample::select(&SIGNS[..]), 1_usize..2_000).prop_map(|(sign, count)| sign.repeat(count));
    prop_oneof![3 => mixed, 1 => long]
}

fn format() -> impl Strategy<Value = TextFormat> {
    prop::sample::select(&FORMATS[..])
}

fn template() -> impl Strategy<Value = String> {
    prop::collection::vec(prop::sample::select(&PIECES[..]), 1..8)
        .prop_map(|pieces| format!("Alert {}", pieces.concat()))
}

/// What is wrong with `text`, if it is HTML or mrkdwn.
fn malformed(text: &str, format: TextFormat) -> Option<String> {
    let mut rest = text;
    let mut open: Vec<&str> = Vec::new();
    while let Some(at) = rest.find(['<', '>', '&']) {
        rest = &rest[at..];
        if let Some(entity) =
            ["&amp;", "&lt;", "&gt;", "&quot;", "&#39;"].iter().find(|entity| rest.starts_with(**entity))
        {
            rest = &rest[entity.len()..];
            continue;
        }
        let Some((tag, behind)) = rest.strip_prefix('<').and_then(|rest| rest.split_once('>')) else {
            return Some(format!("a bare sign at {rest}"));
        };
        rest = behind;
        if format == TextFormat::Mrkdwn {
            if !tag.starts_with("https://kibana.example.com/")
                && !tag.starts_with("https://wiki.example.com/")
            {
                return Some(format!("a link to {tag}"));
            }
            continue;
        }
        let known = ["b", "i", "s", "code", "pre", "br", "a"];
        let name = tag.trim_start_matches('/').split(' ').next().unwrap_or_default();
        if !known.contains(&name) || tag.contains('<') {
            return Some(format!("a tag {tag}"));
        }
        match tag.strip_prefix('/') {
            Some(name) if open.pop() != Some(name) => return Some(format!("</{name}> out of turn")),
            Some(_) => {}
            None if name != "br" => open.push(name),
            None => {}
        }
    }
    (!open.is_empty()).then(|| format!("{open:?} left open"))
}

/// What a reader of rendered Markdown sees, ignoring white space, and where links lead.
fn read_markdown(text: &str) -> (String, Vec<String>) {
    let (mut words, mut links) = (String::new(), Vec::new());
    for event in Parser::new_ext(text, Options::ENABLE_STRIKETHROUGH) {
        match event {
            Event::Text(text) | Event::Code(text) => words.push_str(&text),
            Event::Start(Tag::Link { dest_url, .. } | Tag::Image { dest_url, .. }) => {
                links.push(dest_url.into_string())
            }
            Event::Html(html) | Event::InlineHtml(html) => {
                write!(words, "HTML {html}").expect("a string takes it")
            }
            Event::Rule => words.push_str("RULE"),
            _ => {}
        }
    }
    (seen(&words), links)
}

fn seen(text: &str) -> String {
    text.chars()
        .filter(|c| !c.is_whitespace() && *c != '\u{200b}')
        .map(|c| if c == '`' { '\'' } else { c })
        .collect()
}

/// The same inputs on every machine, unless overridden.
fn config() -> ProptestConfig {
    let usual = ProptestConfig::default();
    let rng_seed =
        if std::env::var_os("PROPTEST_RNG_SEED").is_some() { usual.rng_seed } else { RngSeed::Fixed(8) };
    ProptestConfig { rng_seed, cases: usual.cases.max(1_000), failure_persistence: None, ..usual }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn a_text_fits_is_valid_and_begins_as_its_template(
        source in template(), a in hostile(), b in hostile(), format in format(), styles in any::<bool>(),
        max in prop_oneof![0_u32..60, 100_u32..400, Just(3_000)],
    ) {
        let details = serde_json::json!({ "a": a, "b": b }).to_string();
        let wants = AlertText { styles, ..wants(format, max) };
        let text = render(&source, &source, &subject(&details, &[]), wants);
        for text in [&text.title, &text.body] {
            prop_assert!(text.chars().count() <= max as usize, "{} of {max}: {text:?}", text.chars().count());
            let begins = "Alert".chars().take((max as usize).saturating_sub(1)).collect::<String>();
            prop_assert!(text.starts_with(&begins), "{text:?}");
            if matches!(format, TextFormat::Html | TextFormat::Mrkdwn) {
                prop_assert_eq!(malformed(text, format), None, "{:?}", text);
            }
            if format == TextFormat::Markdown {
                let (words, links) = read_markdown(text);
                prop_assert!(!words.contains("HTML") && !words.contains("RULE"), "{text:?}");
                let known = ["https://kibana.example.com/", "https://wiki.example.com/", "https://doc.example/", "https://evil.example"];
                for link in links {
                    prop_assert!(known.iter().any(|known| link.starts_with(known)), "{link} in {text:?}");
                }
            }
        }
        prop_assert!(!text.title.contains('\n'), "{:?}", text.title);
    }

    #[test]
    fn the_templates_words_and_links_stay(
        a in hostile(), b in hostile(), format in format(), styles in any::<bool>(), max in 250_u32..3_000,
    ) {
        let details = serde_json::json!({ "a": a, "b": b }).to_string();
        let source = "Alert **{{ details.a }}** and {{ details.b }}\n\n[runbook](https://wiki.example.com/db) [go]({{ link }}) end";
        // Plain text writes an address next to its words, and HTML writes it twice.
        let max = if styles { max } else { max + 250 };
        let wants = AlertText { styles, ..wants(format, max) };
        let text = render("t", source, &subject(&details, &[]), wants).body;
        prop_assert!(text.starts_with("Alert ") && text.ends_with(" end"), "{text:?}");
        prop_assert!(text.contains("https://wiki.example.com/db") && text.contains("kibana.example.com"), "{text:?}");
        prop_assert!(text.contains("and"), "{text:?}");
    }

    #[test]
    fn markdown_says_what_plain_text_says(source in template(), a in hostile(), b in hostile()) {
        // Addresses are percent-encoded in links, and plain text writes a link's target.
        let source = source.replace("[go]({{ link }})", "go").replace("[{{ details.a }}]({{ link }})", "").replace("</pre>", "</pre>\n");
        let (a, b) = (a.replace("://", ":"), b.replace("://", ":"));
        let details = serde_json::json!({ "a": a, "b": b }).to_string();
        let write = |format| render("t", &source, &subject(&details, &[]), wants(format, 60_000)).body;
        let (markdown, plain) = (write(TextFormat::Markdown), write(TextFormat::Plain));
        let bullets = |text: &str| seen(text).replace(|c: char| c.is_ascii_digit() || c == '-' || c == '.', "");
        prop_assert_eq!(bullets(&read_markdown(&markdown).0), bullets(&plain), "{:?}", markdown);
    }
}
