//! What others wrote: files that are read within bounds, folders that are walked within their root, words that are
//! shown without their control characters, addresses that lead inside.
mod file; // one file
mod walk; // a folder of files
mod words; // text for a terminal or a log
mod address; // addresses of this machine and its network

pub use address::private;
pub use file::{READ_WAIT_MAX, ReadError, read, read_start, read_text};
pub use walk::{Walk, WalkError, Walked};
pub use words::{is_hidden, json, line, lines, yaml_scalar};
