//! Bounds on a template's source. They are checked before it is parsed, because the parser, and everything that walks
//! the parsed tree, recurses on the host's own stack.
use minijinja::machinery::{Token, tokenize};

use super::template::TemplateFault;

/// The maximum size of a template's source, in bytes.
pub const TEMPLATE_BYTES_MAX: usize = 64 << 10;

/// The maximum tokens between two delimiters: `{{ a + a + … }}` nests as deeply as it is long.
const TAG_TOKENS_MAX: u32 = 1_000;

/// The maximum `elif`s of one template: each nests in the one before it.
const ELIFS_MAX: u32 = 200;

/// Whether `source` is small and flat enough to be parsed.
///
/// # Errors
/// The first bound that it exceeds, with its position. Syntax errors are left to the parser.
pub(super) fn check(source: &str) -> Result<(), TemplateFault> {
    if source.len() > TEMPLATE_BYTES_MAX {
        let message =
            format!("it is larger than {} KiB; leave parts of it to a document", TEMPLATE_BYTES_MAX >> 10);
        return Err(TemplateFault::limit(1, 1, message));
    }
    let (mut tokens, mut elifs, mut begins) = (0, 0, false);
    for read in tokenize(source, false, Default::default()) {
        let Ok((token, span)) = read else { return Ok(()) };
        let message = match token {
            Token::VariableStart | Token::BlockStart | Token::TemplateData(_) => {
                (tokens, begins) = (0, true);
                continue;
            }
            Token::Ident("elif") if begins && elifs == ELIFS_MAX => {
                format!("it has more than {ELIFS_MAX} `elif`s; look the value up in a map instead")
            }
            _ if tokens == TAG_TOKENS_MAX => {
                format!("this expression has more than {TAG_TOKENS_MAX} parts; split it with `set`")
            }
            token => {
                elifs += u32::from(begins && matches!(token, Token::Ident("elif")));
                (tokens, begins) = (tokens + 1, false);
                continue;
            }
        };
        let (line, column) = (span.start_line.into(), u32::from(span.start_col) + 1);
        return Err(TemplateFault::limit(line, column, message));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Macros, names};

    fn check_template(source: &str) -> Result<(), TemplateFault> {
        crate::check_template(source, &Macros::default())
    }

    fn fault(source: &str) -> TemplateFault {
        let fault = check_template(source).unwrap_err();
        assert!(names(source).is_empty(), "what is not parsed has no names");
        fault
    }

    #[test]
    fn a_template_has_a_maximum_size() {
        assert_eq!(check_template(&"é".repeat(TEMPLATE_BYTES_MAX / 2)), Ok(()));
        assert_eq!(
            fault(&"a".repeat(TEMPLATE_BYTES_MAX + 1)).message,
            "it is larger than 64 KiB; leave parts of it to a document"
        );
    }

    #[test]
    fn a_chain_does_not_nest_without_end() {
        for (first, step) in
            [("value", " + value"), ("details", ".a"), ("value", "|string"), ("value", "[0]")]
        {
            let chain = |steps: usize| format!("a\n{{{{ {first}{} }}}}", step.repeat(steps));
            assert_eq!(check_template(&chain(200)), Ok(()), "{step}");
            let fault = fault(&chain(2_000));
            assert_eq!(fault.message, "this expression has more than 1000 parts; split it with `set`");
            assert_eq!(fault.line, 2, "{step}");
        }
    }

    #[test]
    fn alternatives_do_not_nest_without_end() {
        let either = |count| format!("{{% if value %}}{}{{% endif %}}", "{% elif value %}".repeat(count));
        assert_eq!(check_template(&either(200)), Ok(()));
        assert_eq!(
            fault(&either(4_000)).message,
            "it has more than 200 `elif`s; look the value up in a map instead"
        );
        // Many short alternatives are no nesting.
        assert_eq!(check_template(&"{% if value %}a{% else %}b{% endif %}".repeat(1_000)), Ok(()));
    }

    #[test]
    fn what_nests_is_refused_by_the_parser() {
        // Signs nest without its bound, but no deeper than an expression has parts.
        for sign in ["-", "not "] {
            assert_eq!(check_template(&format!("{{{{ {}value }}}}", sign.repeat(990))), Ok(()), "{sign}");
        }
        for (open, close) in [("(", ")"), ("[", "]")] {
            let source = format!("{{{{ {}value{} }}}}", open.repeat(490), close.repeat(490));
            assert_eq!(fault(&source).message, "template exceeds maximum recursion limits", "{open}");
        }
        let source = format!("{}{}", "{% if value %}".repeat(2_000), "{% endif %}".repeat(2_000));
        assert_eq!(fault(&source).message, "template exceeds maximum recursion limits");
    }
}
