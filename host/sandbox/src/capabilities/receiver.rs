//! Where a delivery goes, by the kind of its destination.
use watchbell_mail::MailServer;

use crate::capabilities::http::Destination;

/// What an alerter may reach while it delivers. Cheap to clone.
#[derive(Clone, Debug)]
pub enum Receiver {
    Http(Destination),
    Mail(MailServer),
}

impl From<&Self> for Receiver {
    fn from(receiver: &Self) -> Self {
        receiver.clone()
    }
}

impl From<&Destination> for Receiver {
    fn from(destination: &Destination) -> Self {
        Self::Http(destination.clone())
    }
}

impl From<&MailServer> for Receiver {
    fn from(server: &MailServer) -> Self {
        Self::Mail(server.clone())
    }
}
