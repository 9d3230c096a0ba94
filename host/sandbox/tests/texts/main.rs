//! The component that renders texts: it writes what the crate writes natively, and nothing that a template or a document
//! does passes its limits. Without the built component nothing here can run, which CI takes for a failure.
mod render; // how this binary renders
mod limits; // each limit, by a template that passes it
mod random; // templates of any kind
#[path = "../../../text/tests/goldens/texts.rs"]
mod texts; // the tests of the crate, on the component
#[path = "../../../text/tests/goldens/macros.rs"]
mod macros; // macros of files
