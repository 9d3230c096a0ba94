//! The host's data for one run of a module.
use wasmtime::ResourceLimiter;

use crate::bytes::Size;
use crate::capabilities::http::{HttpAccess, HttpHost};
use crate::capabilities::log::LogBook;
use crate::clock::GuestClock;
use crate::limits::{CORE_INSTANCES_MAX, Limits, MEMORIES_MAX, TABLE_ELEMENTS_MAX, TABLES_MAX};

/// The data of a store.
pub(crate) struct Guest {
    pub(crate) clock: GuestClock,
    pub(crate) memory: Memory,
    pub(crate) logs: LogBook,
    pub(crate) output_bytes_max: usize,
    /// An alerter's destination; rules have none.
    pub(crate) http: Option<HttpAccess>,
}

impl Guest {
    pub(crate) fn new(limits: &Limits, http: Option<HttpAccess>) -> Self {
        Self {
            clock: GuestClock::new(limits.time_max),
            memory: Memory { bytes: 0, bytes_max: limits.memory_bytes_max },
            logs: LogBook::new(limits),
            output_bytes_max: limits.output_bytes_max,
            http,
        }
    }

    /// What a call to `http` has access to.
    pub(crate) fn http(&mut self) -> HttpHost<'_> {
        HttpHost { access: self.http.as_mut(), clock: &mut self.clock }
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
