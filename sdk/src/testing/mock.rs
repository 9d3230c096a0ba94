//! A mock of the host's calls: one per thread, so that tests do not interfere.
use std::cell::RefCell;
use std::collections::VecDeque;

use crate::http::{Failure, Request, Response};
use crate::log::Level;
use crate::mail;
use crate::mail::{Mail, Sent};

/// The maximum number of requests or mails of one message.
const REQUESTS_MAX: u32 = 16;

thread_local! {
    static LOGS: RefCell<Vec<(Level, String)>> = const { RefCell::new(Vec::new()) };
    static HTTP: RefCell<Option<Script>> = const { RefCell::new(None) };
    static MAIL: RefCell<Option<MailScript>> = const { RefCell::new(None) };
}

#[derive(Default)]
struct Script {
    answers: VecDeque<Result<Response, Failure>>,
    requests: Vec<Request>,
}

#[derive(Default)]
struct MailScript {
    answers: VecDeque<Result<Sent, mail::Failure>>,
    mails: Vec<Mail>,
}

pub(crate) fn write(level: Level, message: &str) {
    // `cargo test` shows it if the test fails.
    eprintln!("{level:?}: {message}");
    LOGS.with_borrow_mut(|logs| logs.push((level, message.to_owned())));
}

pub(crate) fn send(number: u32, request: &Request) -> Result<Response, Failure> {
    HTTP.with_borrow_mut(|script| {
        let script =
            script.as_mut().ok_or(Failure::Denied("no receiver: create a `MockHttp` first".into()))?;
        if number >= REQUESTS_MAX {
            return Err(Failure::Denied(format!("request {number}: a message may send {REQUESTS_MAX}")));
        }
        script.requests.push(request.clone());
        script.answers.pop_front().unwrap_or(Err(Failure::Unreachable("the script has ended".into())))
    })
}

pub(crate) fn send_mail(number: u32, mail: &Mail) -> Result<Sent, mail::Failure> {
    MAIL.with_borrow_mut(|script| {
        let script =
            script.as_mut().ok_or(mail::Failure::Denied("no server: create a `MockMail` first".into()))?;
        if number >= REQUESTS_MAX {
            return Err(mail::Failure::Denied(format!("mail {number}: a message may send {REQUESTS_MAX}")));
        }
        script.mails.push(mail.clone());
        script.answers.pop_front().unwrap_or(Err(mail::Failure::Unavailable("the script has ended".into())))
    })
}

/// The lines logged on this thread since the last call, each with its level.
pub fn take_logs() -> Vec<(Level, String)> {
    LOGS.take()
}

/// A scripted receiver: answers the requests of this thread, until it is dropped.
///
/// ```
/// use watchbell_sdk::http::{Request, send};
/// use watchbell_sdk::testing::MockHttp;
///
/// let receiver = MockHttp::answering([(200, "ok")]);
/// assert!(send(0, &Request::post_json("{}")).unwrap().is_success());
/// assert_eq!(receiver.requests()[0].method, "POST");
/// ```
pub struct MockHttp(());

impl MockHttp {
    /// A receiver that gives these answers, in order; after the last one it is unreachable. Replaces an earlier
    /// receiver of this thread.
    pub fn script(answers: impl IntoIterator<Item = Result<Response, Failure>>) -> Self {
        HTTP.set(Some(Script { answers: answers.into_iter().collect(), requests: vec![] }));
        Self(())
    }

    /// A receiver that answers with these statuses and bodies, in order; after the last one it is unreachable.
    pub fn answering<'a>(answers: impl IntoIterator<Item = (u16, &'a str)>) -> Self {
        Self::script(
            answers
                .into_iter()
                .map(|(status, body)| Ok(Response { status, headers: vec![], body: body.into() })),
        )
    }

    /// The requests sent so far.
    pub fn requests(&self) -> Vec<Request> {
        HTTP.with_borrow(|script| script.as_ref().map_or_else(Vec::new, |script| script.requests.clone()))
    }
}

impl Drop for MockHttp {
    fn drop(&mut self) {
        HTTP.set(None);
    }
}

/// A scripted mail server: answers the mails of this thread, until it is dropped.
///
/// ```
/// use watchbell_sdk::mail::{Mail, send};
/// use watchbell_sdk::testing::MockMail;
///
/// let server = MockMail::accepting(["<1@example.com>"]);
/// assert_eq!(send(0, &Mail::new("A subject", "A text")).unwrap().message_id, "<1@example.com>");
/// assert_eq!(server.mails()[0].subject, "A subject");
/// ```
pub struct MockMail(());

impl MockMail {
    /// A server that gives these answers, in order; after the last one it is unavailable. Replaces an earlier server of
    /// this thread.
    pub fn script(answers: impl IntoIterator<Item = Result<Sent, mail::Failure>>) -> Self {
        MAIL.set(Some(MailScript { answers: answers.into_iter().collect(), mails: vec![] }));
        Self(())
    }

    /// A server that accepts mails and gives them these `Message-ID`s, in order; after the last one it is unavailable.
    pub fn accepting<'a>(message_ids: impl IntoIterator<Item = &'a str>) -> Self {
        let sent = |message_id: &str| Ok(Sent { message_id: message_id.into(), refused: vec![] });
        Self::script(message_ids.into_iter().map(sent))
    }

    /// The mails sent so far.
    pub fn mails(&self) -> Vec<Mail> {
        MAIL.with_borrow(|script| script.as_ref().map_or_else(Vec::new, |script| script.mails.clone()))
    }
}

impl Drop for MockMail {
    fn drop(&mut self) {
        MAIL.set(None);
    }
}
