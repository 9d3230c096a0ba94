//! Sends a guest's request, and returns only what the guest may see.
use std::error::Error as _;
use std::time::{Duration, SystemTime};

use reqwest::header::{HeaderMap, LOCATION};
use reqwest::{Method, StatusCode};
use tokio::time::Instant;
use url::Url;
use wasmtime::component::{HasData, Linker};
use watchbell_contract::RecordedCall;

use crate::capabilities::http::address::AddressRefused;
use crate::capabilities::http::destination::{Destination, Inner};
use crate::capabilities::http::request::{Prepared, is_below, prepare};
use crate::clock::GuestClock;
use crate::contract::since_v0_2::bindings::http::{self, Failure, Request, Response};
use crate::contract::since_v0_2::bindings::types::Field;
use crate::limits::{RECORDED_BYTES_MAX, REDIRECTS_MAX, REQUESTS_MAX};

/// One delivery's access to its destination.
pub(crate) struct HttpAccess {
    destination: Destination,
    requests: u32,
    waited: Duration,
    /// A request was sent, but its response was lost.
    pub(crate) interrupted: bool,
    /// What receivers accepted: in earlier attempts, and in this one.
    recorded: Vec<RecordedCall>,
    /// The last response of this attempt. It counts as accepted once the guest goes on to another number: a guest that
    /// fails after it may have found that it was no success.
    last: Option<RecordedCall>,
}

impl HttpAccess {
    pub(crate) fn new(destination: Destination, recorded: Vec<RecordedCall>) -> Self {
        Self { destination, requests: 0, waited: Duration::ZERO, interrupted: false, recorded, last: None }
    }

    pub(crate) async fn send(&mut self, number: u32, request: Request) -> Result<Response, Failure> {
        if number >= REQUESTS_MAX {
            let most = REQUESTS_MAX - 1;
            return Err(Failure::Invalid(format!("the request has the number {number}: use 0 to {most}")));
        }
        if let Some(last) = self.last.take_if(|last| last.number != number) {
            self.recorded.push(last);
        }
        if let Some(recorded) = self.recorded.iter().find(|recorded| recorded.number == number) {
            let field = |(name, value): &(String, String)| Field { name: name.clone(), value: value.clone() };
            let headers = recorded.headers.iter().map(field).collect();
            return Ok(Response { status: recorded.status, headers, body: recorded.body.clone() });
        }
        self.requests += 1;
        if self.requests > REQUESTS_MAX {
            return Err(Failure::Denied(format!("more than {REQUESTS_MAX} requests in one delivery")));
        }
        let to = &self.destination.0;
        let prepared = prepare(request, to, wall())?;
        to.check_literal().map_err(|refused| Failure::Denied(refused.to_string()))?;
        if let Some(drafts) = &to.drafts {
            let response = drafts.keep(number, &prepared, to);
            self.last = recorded(number, &response);
            return Ok(response);
        }
        let began = Instant::now();
        let left = to.timeout.saturating_sub(self.waited);
        let outcome = tokio::time::timeout(left, exchange(to, prepared)).await;
        self.waited += began.elapsed();
        let outcome = outcome.unwrap_or_else(|_| Err(Failure::Interrupted(too_slow(to))));
        self.interrupted |= matches!(outcome, Err(Failure::Interrupted(_)));
        self.last = outcome.as_ref().ok().and_then(|response| recorded(number, response));
        outcome.map_err(|failure| scrubbed(failure, &self.destination.0))
    }

    /// What need not be sent again if this attempt fails.
    pub(crate) fn take_recorded(&mut self) -> Vec<RecordedCall> {
        std::mem::take(&mut self.recorded)
    }
}

/// A response to record, if it says that the receiver accepted the request.
fn recorded(number: u32, response: &Response) -> Option<RecordedCall> {
    if !(200..300).contains(&response.status) {
        return None;
    }
    let headers = response.headers.iter().map(|field| (field.name.clone(), field.value.clone())).collect();
    let body = response.body[..response.body.len().min(RECORDED_BYTES_MAX)].to_vec();
    Some(RecordedCall { number, status: response.status, headers, body })
}

/// What one call has access to.
pub(crate) struct HttpHost<'a> {
    /// `None` outside of a delivery.
    pub(crate) access: Option<&'a mut HttpAccess>,
    pub(crate) clock: &'a mut GuestClock,
}

impl http::Host for HttpHost<'_> {
    /// The guest's clock is stopped meanwhile: a slow receiver is not the guest's fault.
    async fn send(&mut self, number: u32, request: Request) -> wasmtime::Result<Result<Response, Failure>> {
        let Some(access) = &mut self.access else {
            return Ok(Err(Failure::Denied("requests are allowed only in `deliver`".into())));
        };
        self.clock.pause();
        let outcome = access.send(number, request).await;
        self.clock.resume();
        Ok(outcome)
    }
}

struct Http;

impl HasData for Http {
    type Data<'a> = HttpHost<'a>;
}

/// Gives each version of the interface to the modules of `linker`.
pub(crate) fn link<T: Send + 'static>(
    linker: &mut Linker<T>,
    host: fn(&mut T) -> HttpHost<'_>,
) -> wasmtime::Result<()> {
    http::add_to_linker::<T, Http>(linker, host)
}

#[expect(clippy::disallowed_methods, reason = "a receiver compares a signature's instant with its own clock")]
fn wall() -> SystemTime {
    SystemTime::now()
}

fn too_slow(to: &Inner) -> String {
    let limit = watchbell_contract::Duration::from(to.timeout);
    format!("the receiver did not answer in full within the destination's timeout of {limit}")
}

async fn exchange(to: &Inner, mut request: Prepared) -> Result<Response, Failure> {
    let mut redirects = 0;
    loop {
        let response = to
            .client
            .request(request.method.clone(), request.url.clone())
            .headers(request.headers.clone())
            .body(request.body.clone())
            .send()
            .await
            .map_err(|error| failed(&error, to))?;
        if request.method == Method::GET
            && redirects < REDIRECTS_MAX
            && !to.auth.signs_the_url()
            && let Some(next) = redirected(response.status(), response.headers(), &request.url, to)
        {
            redirects += 1;
            request.url = next;
            continue;
        }
        return read(to, response).await;
    }
}

/// Where a redirect leads, if it stays below the destination's URL; its credentials must not go elsewhere.
fn redirected(status: StatusCode, headers: &HeaderMap, from: &Url, to: &Inner) -> Option<Url> {
    if !matches!(status.as_u16(), 301 | 302 | 303 | 307 | 308) {
        return None;
    }
    let next = from.join(headers.get(LOCATION)?.to_str().ok()?).ok()?;
    is_below(&to.base, &next).then_some(next)
}

/// Reads a response up to the limit. The status says what the receiver did, so an endless body is truncated. It is not
/// an error, because an error would send the message again.
async fn read(to: &Inner, mut response: reqwest::Response) -> Result<Response, Failure> {
    let status = response.status().as_u16();
    let headers = response
        .headers()
        .iter()
        .filter_map(|(name, value)| {
            let value = to.scrubber.text(value.to_str().ok()?);
            Some(Field { name: name.as_str().to_owned(), value })
        })
        .collect();
    // Read further by the length of the longest secret: otherwise the beginning of a secret across the limit would not
    // be scrubbed.
    let most = to.response_bytes_max.saturating_add(to.scrubber.longest());
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| failed(&error, to))? {
        let room = most - body.len();
        body.extend_from_slice(&chunk[..chunk.len().min(room)]);
        if chunk.len() >= room {
            break;
        }
    }
    Ok(Response { status, headers, body: to.scrubber.cut(body, to.response_bytes_max) })
}

fn failed(error: &reqwest::Error, to: &Inner) -> Failure {
    let mut cause = error.source();
    let mut innermost = None;
    while let Some(error) = cause {
        if let Some(refused) = error.downcast_ref::<AddressRefused>() {
            return Failure::Denied(refused.to_string());
        }
        innermost = Some(error.to_string());
        cause = error.source();
    }
    let host = to.base.host_str().unwrap_or_default();
    let cause = innermost.map(|cause| format!(": {cause}")).unwrap_or_default();
    match error {
        error if error.is_builder() => Failure::Invalid(format!("the request cannot be built{cause}")),
        error if error.is_connect() => Failure::Unreachable(format!("`{host}` cannot be reached{cause}")),
        error if error.is_timeout() => Failure::Interrupted(too_slow(to)),
        _ => Failure::Interrupted(format!("the connection to `{host}` broke{cause}")),
    }
}

fn scrubbed(failure: Failure, to: &Inner) -> Failure {
    match failure {
        Failure::Denied(text) => Failure::Denied(to.scrubber.text(&text)),
        Failure::Invalid(text) => Failure::Invalid(to.scrubber.text(&text)),
        Failure::Unreachable(text) => Failure::Unreachable(to.scrubber.text(&text)),
        Failure::Interrupted(text) => Failure::Interrupted(to.scrubber.text(&text)),
    }
}
