//! ElastAlert's texts as a manifest's templates.
mod dialect; // what a template is written for
pub(crate) mod jinja; // Jinja2
pub(crate) mod python; // str.format
mod terms; // what a text may name, in our words
mod markup; // what a text's own words are to its receivers
mod literal; // text that stands for itself
mod whole; // what ElastAlert adds below a text
mod alert; // title and body of a rule

pub(crate) use alert::alert;
pub(crate) use dialect::Dialect;
pub(crate) use literal::Writer;
pub(crate) use markup::Markup;
pub(crate) use terms::{Term, Terms};
