//! `mail`: mails to the delivery's own destination. The guest writes them; the host owns the server, the credentials,
//! the sender and the list of recipients (`watchbell_mail`).
use wasmtime::component::{HasData, Linker};
use watchbell_mail::limits::{MAILS_MAX, TEXT_BYTES_MAX};
use watchbell_mail::{self as mails, Access};

use crate::bytes::Size;
use crate::clock::GuestClock;
use crate::contract::since_v0_2::bindings::mail::{self, Failure, Mail, Refusal, Sent};
use crate::contract::since_v0_2::bindings::types::Field;

/// What a delivery may send.
pub(super) fn limits() -> String {
    format!(
        "{MAILS_MAX} mails per delivery, each with a text and HTML of {}, to addresses that the destination lists; all within the destination's `timeout`",
        Size(TEXT_BYTES_MAX)
    )
}

/// What one call has access to.
pub(crate) struct MailHost<'a> {
    /// `None` outside of a delivery to a mail server.
    pub(crate) access: Option<&'a mut Access>,
    pub(crate) clock: &'a mut GuestClock,
}

impl mail::Host for MailHost<'_> {
    /// The guest's clock is stopped meanwhile: a slow server is not the guest's fault.
    async fn send(&mut self, number: u32, mail: Mail) -> wasmtime::Result<Result<Sent, Failure>> {
        let Some(access) = &mut self.access else {
            return Ok(Err(Failure::Denied(
                "mails are allowed only in `deliver`, to a destination with a mail server".into(),
            )));
        };
        self.clock.pause();
        let outcome = access.send(number, written(mail)).await;
        self.clock.resume();
        Ok(outcome.map(sent).map_err(failure))
    }
}

struct Mails;

impl HasData for Mails {
    type Data<'a> = MailHost<'a>;
}

/// Gives each version of the interface to the modules of `linker`.
pub(crate) fn link<T: Send + 'static>(
    linker: &mut Linker<T>,
    host: fn(&mut T) -> MailHost<'_>,
) -> wasmtime::Result<()> {
    mail::add_to_linker::<T, Mails>(linker, host)
}

fn written(mail: Mail) -> mails::Mail {
    mails::Mail {
        to: mail.to,
        cc: mail.cc,
        bcc: mail.bcc,
        reply_to: mail.reply_to,
        subject: mail.subject,
        text: mail.text,
        html: mail.html,
        headers: mail.headers.into_iter().map(|Field { name, value }| (name, value)).collect(),
        references: mail.references,
    }
}

fn sent(sent: mails::Sent) -> Sent {
    let refusal = |refusal: mails::Refusal| Refusal { address: refusal.address, reason: refusal.reason };
    Sent { message_id: sent.message_id, refused: sent.refused.into_iter().map(refusal).collect() }
}

fn failure(failure: mails::Failure) -> Failure {
    match failure {
        mails::Failure::Denied(text) => Failure::Denied(text),
        mails::Failure::Invalid(text) => Failure::Invalid(text),
        mails::Failure::Refused(text) => Failure::Refused(text),
        mails::Failure::Unavailable(text) => Failure::Unavailable(text),
        mails::Failure::Interrupted(text) => Failure::Interrupted(text),
    }
}
