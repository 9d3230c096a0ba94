use watchbell_contract::{Label, TextFormat};
use watchbell_text::{Macros, Subject, check_macros, check_template};

use crate::render::render_with;
use crate::texts::{LINK, body, subject, wants};

/// A file of macros as teams share them.
const LINKS: &str = "{# links below every text #}\n\
    {% set wiki = 'https://wiki.example.com/' %}\n\
    {%- macro runbook(page) %}[Runbook]({{ wiki }}{{ page }}){% endmacro %}\n\
    {%- macro foot(page) %}**{{ labels.host }}** · {{ runbook(page) }} · [Documents]({{ link }}){% endmacro %}\n\
    {%- macro box() %}<b>{{ caller() }}</b>{% endmacro %}\n\
    {%- macro all() %}{{ count }} in all{% endmacro %}";

fn shared() -> Macros {
    [
        ("links", LINKS),
        ("more", "{% import 'links' as l %}{% macro two(a, b) %}{{ l.runbook(a) }} {{ b }}{% endmacro %}"),
    ]
    .into_iter()
    .collect()
}

fn with_macros(body: &str, details: &serde_json::Value, format: TextFormat) -> String {
    let (details, labels) =
        (details.to_string(), [Label { name: "host".into(), value: Some("db_1*".into()) }]);
    render_with(&shared(), "t", body, &subject(&details, &labels), wants(format, 4_000)).body
}

/// A value that would like to be a link to somewhere else and bold: only its bare address is clickable.
const EVIL: &str = "a](<a href=\"https://evil.example\">https://evil.example</a>) &lt;b&gt;";

#[test]
fn what_macros_write_is_markup_and_what_they_are_given_is_not() {
    let details = serde_json::json!({ "page": "a](https://evil.example) <b>" });
    let source = "{% import 'links' as links %}{{ links.foot(details.page) }}";
    assert_eq!(
        with_macros(source, &details, TextFormat::Html),
        "<b>db_1*</b> · <a href=\"https://wiki.example.com/a%5D%28https%3A%2F%2Fevil.example%29%20%3Cb%3E\">Runbook</a> · \
         <a href=\"https://kibana.example.com/app/discover#/?_g=%28time%3Anow%29&amp;_a=%28query:%27a%2Ab%27%29\">Documents</a>"
    );
    let both = "{% from 'more' import two %}{{ two('x', details.page) }}";
    assert!(with_macros(both, &details, TextFormat::Html).ends_with(EVIL));
    let called = "{% from 'links' import box as b %}{% call b() %}*{{ details.page }}*{% endcall %}";
    assert_eq!(with_macros(called, &details, TextFormat::Html), format!("<b><i>{EVIL}</i></b>"));
}

/// Nothing that a template does to a value makes markup of it, in a macro, a block or beside one.
#[test]
fn no_filter_makes_markup_of_a_value() {
    let evil = "<b>**a** [x](https://evil.example)</b>";
    let details = serde_json::json!({ "evil": evil, "list": [evil, evil] });
    let uses = [
        "{{ details.evil | safe }}",
        "{{ details.evil | e }}",
        "{{ details.evil | safe | escape | string }}",
        "{{ details | tojson }}",
        "{{ m() ~ details.evil }}",
        "{{ details.evil ~ m() }}",
        "{{ m() + details.evil }}",
        "{{ m() | replace('a', details.evil) }}",
        "{{ [m(), details.evil] | join(details.evil) }}",
        "{{ details.list | join(m()) }}",
        "{{ '%s' | format(details.evil) }}{{ m() | format(details.evil) }}",
        "{{ (m() ~ details.evil)[1:] }}",
        "{{ (m() ~ details.evil) | reverse | reverse }}",
        "{{ (m() ~ details.evil) | list | join }}",
        "{{ (m() ~ details.evil) | split(' ') | join(' ') }}",
        "{{ details.evil | indent(2) }}{{ details.evil | trim }}{{ details.evil | first }}",
        "{% set x %}{{ details.evil }}{% endset %}{{ x }}",
        "{% set x = details.evil %}{% filter upper %}{{ x }}{% endfilter %}",
        "{{ n(details.evil) }}{{ n(n(details.evil)) }}",
    ];
    for used in uses {
        let source = format!(
            "{{% macro m() %}}%s a{{% endmacro %}}{{% macro n(a) %}}{{{{ a }}}}{{% endmacro %}}{used}"
        );
        let text = body(&source, &details, TextFormat::Html);
        assert!(!text.contains("template failed"), "{used}: {text}");
        for tag in ["<b>", "<a href=\"https://evil.example\">x</a>", "<i>"] {
            assert!(!text.to_lowercase().contains(tag), "{used}: {text}");
        }
        assert!(text.to_lowercase().contains("a"), "{used}: {text}");
    }
}

/// A stored manifest may say so still: such a text is replaced as a whole.
#[test]
fn another_way_to_escape_is_refused_when_a_text_is_rendered() {
    let details = serde_json::json!({ "evil": "**a**" });
    for mode in ["'html'", "false", "'json'", "true"] {
        let block = format!("{{% autoescape {mode} %}}{{{{ details.evil | e }}}}{{% endautoescape %}}");
        let text = body(&block, &details, TextFormat::Html);
        assert!(text.contains("template failed: a text may not use `autoescape`"), "{text}");
        let macros = [("m", format!("{{% macro m() %}}{block}{{% endmacro %}}"))].into_iter().collect();
        let source = "{% import 'm' as m %}{{ m.m() }}";
        let text = render_with(&macros, "t", source, &subject("{}", &[]), wants(TextFormat::Plain, 400)).body;
        assert!(text.contains("in the macros of `m`: a text may not use `autoescape`"), "{text}");
    }
}

#[test]
fn the_hosts_own_link_is_whole_in_a_macro_as_well() {
    let details = serde_json::json!({});
    let source = "{% macro l(to) %}{{ to }} {{ link }}{% endmacro %}{{ l(link) }}";
    assert_eq!(body(source, &details, TextFormat::Markdown), format!("<{LINK}> <{LINK}>"));
}

#[test]
fn a_text_says_how_many_signals_it_stands_for_unless_its_macros_do() {
    let subject = Subject { count: 3, ..subject("{}", &[]) };
    let title =
        |source: &str| render_with(&shared(), source, "b", &subject, wants(TextFormat::Plain, 400)).title;
    assert_eq!(title("{% import 'links' as l %}a"), "a (and 2 more)");
    assert_eq!(title("{% import 'links' as l %}{{ l.all() }}"), "3 in all");
}

#[test]
fn faults_of_macros_have_their_places() {
    let fault = |source: &str| check_template(source, &shared()).expect_err("a fault").message;
    assert_eq!(
        fault("{% import 'link' as l %}"),
        "there is no file `texts/link.jinja`; there are `links`, `more`"
    );
    assert_eq!(
        check_template("{% import 'link' as l %}", &Macros::default()).expect_err("a fault").message,
        "there are no macros to import: put them into the file `texts/link.jinja`"
    );
    assert_eq!(
        fault("{% import 'more' as l %}{{ l.three() }}"),
        "`texts/more.jinja` has no macro `three`; it has `two`"
    );
    assert_eq!(
        fault("{% from 'more' import three as t %}{{ t() }}"),
        "`texts/more.jinja` has no macro `three`; it has `two`"
    );
    assert_eq!(
        fault("{% include 'more' %}"),
        "a text may not use `include`; import macros instead: `{% import \"links\" as links %}`"
    );
    assert_eq!(
        fault("a{% autoescape 'html' %}{{ value | e }}{% endautoescape %}"),
        "a text may not use `autoescape`: values are always data, and macros are markup"
    );
    assert!(fault("{% import rule as l %}").starts_with("an import needs the name of a file in quotes"));

    let of = |files: &[(&str, &str)], name: &str| {
        let macros: Macros = files.iter().map(|(name, source)| (*name, *source)).collect();
        check_macros(name, &macros).map_err(|fault| (fault.line, fault.column, fault.message))
    };
    assert_eq!(shared().files().find_map(|(name, _)| check_macros(name, &shared()).err()), None);
    let circle = [("a", "{% import 'b' as b %}"), ("b", "\n{% import 'a' as a %}")];
    assert_eq!(
        of(&circle, "b").unwrap_err(),
        (2, 4, "`b` imports itself, directly or through another file".into())
    );
    assert!(of(&[("a", "{% import 'a' as a %}")], "a").is_err());
    let lost = |source: &str| of(&[("a", source)], "a").unwrap_err();
    assert_eq!(lost("{% macro m() %}{% endmacro %}\n\n  lost"), (3, 1, OUTSIDE.into()));
    assert_eq!(lost("{% macro m() %}{% endmacro %}\n{{ value }}"), (2, 4, OUTSIDE.into()));
    assert_eq!(lost("{% macro m( %}").0, 1);
    let large = "a".repeat(60_000);
    let macros: Macros =
        (0..5).map(|n| (format!("f{n}"), format!("{{% macro m() %}}{large}{{% endmacro %}}"))).collect();
    let all = (0..5).map(|n| format!("{{% import 'f{n}' as f{n} %}}")).collect::<String>();
    let fault = check_template(&all, &macros).expect_err("a fault");
    assert!(fault.is_limit && fault.message == "it imports more than 256 KiB of macros", "{fault}");
}

const OUTSIDE: &str = "what is written outside of macros is not shown: an import takes the macros alone";

#[test]
fn a_macro_that_fails_is_named_with_its_file() {
    let macros: Macros =
        [("bad", "{% macro m() %}\n{{ value | join('a', 1, 2, 3) }}{% endmacro %}")].into_iter().collect();
    let source = "{% import 'bad' as bad %}{{ bad.m() }}";
    let text = render_with(&macros, "t", source, &subject("{}", &[]), wants(TextFormat::Plain, 4_000)).body;
    assert!(text.contains("(the rule's body template failed: in the macros of `bad`: "), "{text}");
}
