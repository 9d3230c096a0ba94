//! Two system calls. Neither keeps memory of ours; at most a struct on the stack.
use std::time::Duration;

/// The CPU time of this thread since it began.
///
/// A guest's limit counts this and not wall-clock time, so that an overloaded host does not end rules that did nothing
/// wrong.
#[expect(unsafe_code, reason = "clock_gettime writes one struct of ours")]
pub(crate) fn thread_time() -> Duration {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `time` is a valid timespec for the length of the call.
    unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &raw mut time) };
    Duration::new(u64::try_from(time.tv_sec).unwrap_or(0), u32::try_from(time.tv_nsec).unwrap_or(0))
}

/// The user that owns created files.
#[expect(unsafe_code, reason = "geteuid takes nothing and cannot fail")]
pub(crate) fn effective_user() -> u32 {
    // SAFETY: geteuid has no preconditions.
    unsafe { libc::geteuid() }
}
