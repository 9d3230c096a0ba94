//! The calls a plugin may make. In a module they are imports; natively they go to the test's mock.
use crate::http::{Failure, Request, Response};

pub(crate) trait Host {
    fn log(&self, level: u8, message: &str);
    fn send(&self, request: &Request) -> Result<Response, Failure>;
}

#[cfg(target_arch = "wasm32")]
struct Imports;

#[cfg(target_arch = "wasm32")]
impl Host for Imports {
    fn log(&self, level: u8, message: &str) {
        crate::wire::rule::watchbell::plugin::log::write(level, message);
    }

    fn send(&self, request: &Request) -> Result<Response, Failure> {
        crate::wire::alerter::watchbell::plugin::http::send(request)
    }
}

#[cfg(target_arch = "wasm32")]
pub(crate) fn host() -> impl Host {
    Imports
}

#[cfg(not(target_arch = "wasm32"))]
pub(crate) fn host() -> impl Host {
    crate::testing::mock::Mock
}
