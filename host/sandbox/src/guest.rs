//! The host's data for one run of a module.
use wasmtime::ResourceLimiter;
use watchbell_contract::{Intent, RecordedCall};

use crate::bytes::Size;
use crate::capabilities::Receiver;
use crate::capabilities::http::{HttpAccess, HttpHost};
use crate::capabilities::log::LogBook;
use crate::capabilities::mail::MailHost;
use crate::clock::GuestClock;
use crate::limits::{CORE_INSTANCES_MAX, Limits, MEMORIES_MAX, TABLE_ELEMENTS_MAX, TABLES_MAX};

/// The data of a store.
pub(crate) struct Guest {
    pub(crate) clock: GuestClock,
    pub(crate) memory: Memory,
    pub(crate) logs: LogBook,
    pub(crate) output_bytes_max: usize,
    /// An alerter's destination; rules have none.
    pub(crate) access: Option<Access>,
}

/// What one delivery may reach.
pub(crate) enum Access {
    Http(HttpAccess),
    Mail(watchbell_mail::Access),
}

impl Guest {
    pub(crate) fn new(limits: &Limits, access: Option<Access>) -> Self {
        Self {
            clock: GuestClock::new(limits.time_max),
            memory: Memory { bytes: 0, bytes_max: limits.memory_bytes_max },
            logs: LogBook::new(limits),
            output_bytes_max: limits.output_bytes_max,
            access,
        }
    }

    /// What a call to `http` has access to.
    pub(crate) fn http(&mut self) -> HttpHost<'_> {
        let access = match &mut self.access {
            Some(Access::Http(access)) => Some(access),
            Some(Access::Mail(_)) | None => None,
        };
        HttpHost { access, clock: &mut self.clock }
    }

    /// What a call to `mail` has access to.
    pub(crate) fn mail(&mut self) -> MailHost<'_> {
        let access = match &mut self.access {
            Some(Access::Mail(access)) => Some(access),
            Some(Access::Http(_)) | None => None,
        };
        MailHost { access, clock: &mut self.clock }
    }
}

impl Access {
    /// The access of a delivery of `intent` to `receiver`.
    pub(crate) fn new(receiver: Receiver, intent: &Intent) -> Self {
        let recorded = intent.recorded.clone();
        match receiver {
            Receiver::Http(destination) => Self::Http(HttpAccess::new(destination, recorded)),
            Receiver::Mail(server) => {
                Self::Mail(watchbell_mail::Access::new(server, intent.id.clone(), recorded))
            }
        }
    }

    /// Whether something was sent of which nobody knows whether it arrived.
    pub(crate) fn is_interrupted(&self) -> bool {
        match self {
            Self::Http(access) => access.interrupted,
            Self::Mail(access) => access.is_interrupted(),
        }
    }

    /// What need not be sent again if this attempt fails.
    pub(crate) fn take_recorded(&mut self) -> Vec<RecordedCall> {
        match self {
            Self::Http(access) => access.take_recorded(),
            Self::Mail(access) => access.take_recorded(),
        }
    }

    /// Who was refused although others were accepted, with the reason.
    pub(crate) fn take_refused(&mut self) -> Vec<watchbell_mail::Refusal> {
        match self {
            Self::Http(_) => Vec::new(),
            Self::Mail(access) => access.take_refused(),
        }
    }
}

/// Ends the call if memory exceeds the limit, so that the message names the limit: a guest whose allocation merely
/// fails aborts without a message.
pub(crate) struct Memory {
    pub(crate) bytes: usize,
    bytes_max: usize,
}

#[derive(Debug, thiserror::Error)]
#[error("the memory limit of {} is reached", Size(*limit))]
pub(crate) struct MemoryRefused {
    pub(crate) limit: usize,
}

#[derive(Debug, thiserror::Error)]
#[error("the module's table would have {wanted} entries, more than the {TABLE_ELEMENTS_MAX} allowed")]
pub(crate) struct TableRefused {
    pub(crate) wanted: usize,
}

impl ResourceLimiter for Guest {
    fn memory_growing(&mut self, current: usize, desired: usize, _: Option<usize>) -> wasmtime::Result<bool> {
        let memory = &mut self.memory;
        let bytes = memory.bytes.saturating_add(desired.saturating_sub(current));
        if bytes > memory.bytes_max {
            return Err(MemoryRefused { limit: memory.bytes_max }.into());
        }
        memory.bytes = bytes;
        Ok(true)
    }

    fn table_growing(&mut self, _: usize, desired: usize, _: Option<usize>) -> wasmtime::Result<bool> {
        if desired > TABLE_ELEMENTS_MAX {
            return Err(TableRefused { wanted: desired }.into());
        }
        Ok(true)
    }

    fn instances(&self) -> usize {
        CORE_INSTANCES_MAX
    }

    fn memories(&self) -> usize {
        MEMORIES_MAX
    }

    fn tables(&self) -> usize {
        TABLES_MAX
    }
}
