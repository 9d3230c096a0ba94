//! Texts, rendered natively. The sandbox runs the same tests on the component.
mod render; // how this binary renders
mod texts;
mod macros; // macros of files
