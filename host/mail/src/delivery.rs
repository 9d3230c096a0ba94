//! Sends a guest's mail, and remembers which recipients have it.
use std::time::Duration;

use lettre::Address;
use serde::{Deserialize, Serialize};
use tokio::time::Instant;
use watchbell_contract::RecordedCall;

use crate::limits::MAILS_MAX;
use crate::mail::{Failure, Mail, Refusal, Sent};
use crate::message::{Prepared, prepare};
use crate::server::{Inner, MailServer, is_same};
use crate::session::{Session, Verdicts};

/// How long a server may take to let go of a connection.
const QUIT_MAX: Duration = Duration::from_secs(1);
/// As statuses of HTTP say it: of a mail that nobody waits for any more, and of one that some have.
const WHOLE: u16 = 200;
const PARTIAL: u16 = 206;

/// One delivery's access to its mail server.
pub struct Access {
    server: MailServer,
    /// The id of the message that is delivered.
    intent: String,
    mails: u32,
    waited: Duration,
    /// A mail was sent, but the server's answer was lost.
    interrupted: bool,
    /// Who got which mail: in earlier attempts, and in this one.
    recorded: Vec<RecordedCall>,
    /// Recipients that were refused in this attempt although others were accepted, with the server's reason.
    refused: Vec<Refusal>,
}

/// What became of a mail so far.
#[derive(Default, Deserialize, Serialize)]
struct Progress {
    message_id: String,
    accepted: Vec<String>,
    /// With the server's reason.
    refused: Vec<(String, String)>,
}

impl Access {
    /// `recorded`: what the attempt before handed over.
    pub fn new(server: MailServer, intent: String, recorded: Vec<RecordedCall>) -> Self {
        Self {
            server,
            intent,
            mails: 0,
            waited: Duration::ZERO,
            interrupted: false,
            recorded,
            refused: Vec::new(),
        }
    }

    /// Sends a mail; `number` is its own among those of the delivery, 0 to 15.
    ///
    /// # Errors
    /// As `Failure` says. Needs a tokio runtime.
    pub async fn send(&mut self, number: u32, mail: Mail) -> Result<Sent, Failure> {
        if number >= MAILS_MAX {
            let most = MAILS_MAX - 1;
            return Err(Failure::Invalid(format!("the mail has the number {number}: use 0 to {most}")));
        }
        let before = self.recorded.iter().find(|recorded| recorded.number == number);
        // A record that cannot be read is of nobody: the mail is sent again, with the same `Message-ID`.
        let mut progress: Progress =
            before.and_then(|before| serde_json::from_slice(&before.body).ok()).unwrap_or_default();
        if before.is_some_and(|before| before.status == WHOLE) {
            return Ok(sent(progress));
        }
        self.mails += 1;
        if self.mails > MAILS_MAX {
            return Err(Failure::Denied(format!("more than {MAILS_MAX} mails in one delivery")));
        }
        let to = &self.server.0;
        let prepared = prepare(mail, number, &self.intent, to)?;
        progress.message_id.clone_from(&prepared.message_id);
        let began = Instant::now();
        let left = to.settings.timeout.saturating_sub(self.waited);
        let mut is_sent = false;
        let exchange = exchange(to, &prepared, &progress, &mut is_sent);
        let outcome = tokio::time::timeout(left, exchange).await;
        self.waited += began.elapsed();
        let outcome = outcome.unwrap_or_else(|_| {
            let slow = too_slow(to);
            Err(if is_sent { Failure::Interrupted(slow) } else { Failure::Unavailable(slow) })
        });
        self.interrupted |= matches!(outcome, Err(Failure::Interrupted(_)));
        let verdicts = outcome.map_err(|failure| scrubbed(failure, to))?;
        self.judge(number, progress, verdicts)
    }

    /// Records who has the mail, and says what is left to do.
    fn judge(&mut self, number: u32, mut progress: Progress, verdicts: Verdicts) -> Result<Sent, Failure> {
        let text = |(address, why): (Address, String)| (address.to_string(), why);
        let refused: Vec<(String, String)> = verdicts.refused.into_iter().map(text).collect();
        let later: Vec<(String, String)> = verdicts.later.into_iter().map(text).collect();
        progress.accepted.extend(verdicts.accepted.iter().map(Address::to_string));
        let host = &self.server.0.settings.host;
        if progress.accepted.is_empty() && later.is_empty() {
            return Err(Failure::Refused(format!("`{host}` refused every recipient: {}", listed(&refused))));
        }
        if !progress.accepted.is_empty() {
            self.refused.extend(refused.iter().cloned().map(refusal));
            progress.refused.extend(refused);
            let status = if later.is_empty() { WHOLE } else { PARTIAL };
            let body = serde_json::to_vec(&progress).unwrap_or_default();
            self.recorded.retain(|recorded| recorded.number != number);
            self.recorded.push(RecordedCall { number, status, headers: vec![], body });
        }
        if later.is_empty() {
            return Ok(sent(progress));
        }
        let count = progress.accepted.len();
        let others = if count == 0 { String::new() } else { format!(", {count} others have it") };
        Err(Failure::Unavailable(format!("`{host}` does not accept yet: {}{others}", listed(&later))))
    }

    /// Whether something was sent of which nobody knows whether it arrived.
    pub fn is_interrupted(&self) -> bool {
        self.interrupted
    }

    /// Recipients that were refused in this attempt although others were accepted.
    pub fn take_refused(&mut self) -> Vec<Refusal> {
        std::mem::take(&mut self.refused)
    }

    /// What need not be sent again if this attempt fails.
    pub fn take_recorded(&mut self) -> Vec<RecordedCall> {
        std::mem::take(&mut self.recorded)
    }
}

fn sent(progress: Progress) -> Sent {
    Sent { message_id: progress.message_id, refused: progress.refused.into_iter().map(refusal).collect() }
}

fn refusal((address, reason): (String, String)) -> Refusal {
    Refusal { address, reason }
}

/// The first of them with their reasons.
fn listed(refused: &[(String, String)]) -> String {
    const SHOWN: usize = 3;
    let shown: Vec<String> =
        refused.iter().take(SHOWN).map(|(address, why)| format!("`{address}` ({why})")).collect();
    match refused.len().saturating_sub(SHOWN) {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}

/// Sends a mail to those of its recipients of whom nothing is known yet.
async fn exchange(
    to: &Inner,
    mail: &Prepared,
    progress: &Progress,
    is_sent: &mut bool,
) -> Result<Verdicts, Failure> {
    let known = |recipient: &Address| {
        let refused = progress.refused.iter().map(|(address, _)| address);
        let mut known = progress.accepted.iter().chain(refused).filter_map(|text| text.parse().ok());
        known.any(|known: Address| is_same(&known, recipient))
    };
    let left: Vec<Address> = mail.recipients.iter().filter(|it| !known(it)).cloned().collect();
    if left.is_empty() {
        return Ok(Verdicts { accepted: vec![], refused: vec![], later: vec![] });
    }
    let mut session = Session::open(to).await?;
    let outcome = session.send(&left, &mail.bytes, is_sent).await;
    // The outcome is known, so the time that this takes must not end the delivery.
    if tokio::time::timeout(QUIT_MAX, session.quit()).await.is_err() {
        tracing::debug!(host = to.settings.host, "the mail server does not let go of the connection");
    }
    outcome
}

fn too_slow(to: &Inner) -> String {
    let limit = watchbell_contract::Duration::from(to.settings.timeout);
    format!("`{}` did not answer within the destination's timeout of {limit}", to.settings.host)
}

fn scrubbed(failure: Failure, to: &Inner) -> Failure {
    let scrub = |text: String| to.scrubber.text(&text);
    match failure {
        Failure::Denied(text) => Failure::Denied(scrub(text)),
        Failure::Invalid(text) => Failure::Invalid(scrub(text)),
        Failure::Refused(text) => Failure::Refused(scrub(text)),
        Failure::Unavailable(text) => Failure::Unavailable(scrub(text)),
        Failure::Interrupted(text) => Failure::Interrupted(scrub(text)),
    }
}
