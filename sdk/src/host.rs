//! The calls a plugin may make. In a module they are imports; natively they go to the test's mock.

#[cfg(target_arch = "wasm32")]
pub(crate) use crate::wire::alerter::watchbell::plugin::http::send;
#[cfg(target_arch = "wasm32")]
pub(crate) use crate::wire::alerter::watchbell::plugin::mail::send as send_mail;
#[cfg(target_arch = "wasm32")]
pub(crate) use crate::wire::rule::watchbell::plugin::log::write;

#[cfg(not(target_arch = "wasm32"))]
pub(crate) use crate::testing::mock::{send, send_mail, write};
