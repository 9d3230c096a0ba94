//! System calls. None keeps memory of ours; at most a struct on the stack.
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

/// Ends this process with its parent, gives up privileges and descriptors that it does not need, and makes it the first
/// to go if memory runs out. What a system does not know is left out.
#[cfg(target_os = "linux")]
#[expect(unsafe_code, reason = "system calls on numbers alone")]
pub(crate) fn stand_alone() {
    // SAFETY: these calls take numbers; the descriptors that are closed belong to nobody yet, as this is the first thing
    // that the process does.
    unsafe {
        libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL);
        libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
        libc::syscall(libc::SYS_close_range, 3, libc::c_uint::MAX, 0);
    }
    let _ = std::fs::write("/proc/self/oom_score_adj", "1000");
}

#[cfg(not(target_os = "linux"))]
pub(crate) fn stand_alone() {}
