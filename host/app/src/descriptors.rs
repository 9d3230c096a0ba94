//! Open files and sockets: how many the process may have, and which share of them strangers may take.
use rlimit::Resource;

/// Connections for health and metrics may take one in this many; the rest is for searches, deliveries and the store.
const SHARE: u64 = 4;
/// The system's own default on Linux, where the limit cannot be read.
const LIMIT_UNKNOWN: u64 = 1_024;

/// Raises this process's limit as far as it may, and says so in the log. Returns the limit in force.
pub(crate) fn raise() -> u64 {
    let before = Resource::NOFILE.get_soft().unwrap_or(LIMIT_UNKNOWN);
    match rlimit::increase_nofile_limit(u64::MAX) {
        Ok(limit) if limit > before => {
            tracing::info!(before, limit, "raised the limit of open files to the most that is allowed");
            limit
        }
        Ok(limit) => {
            tracing::info!(limit, "the limit of open files is the most that is allowed");
            limit
        }
        Err(error) => {
            tracing::warn!(limit = before, %error, "cannot raise the limit of open files");
            before
        }
    }
}

/// How many connections may be open at once, of the `asked` ones. Says so in the log if that is fewer.
pub(crate) fn connections(asked: usize, limit: u64) -> usize {
    let share = usize::try_from(limit / SHARE).unwrap_or(usize::MAX).max(1);
    if asked > share {
        tracing::warn!(
            asked,
            connections = share,
            limit,
            "fewer connections for health and metrics, so that searches, deliveries and the store have files left: \
             raise the limit of open files (`ulimit -n`, systemd's LimitNOFILE)"
        );
    }
    asked.min(share)
}

#[cfg(test)]
mod tests {
    #[test]
    fn connections_take_at_most_a_quarter_of_the_descriptors() {
        let granted = [1_048_576, 1_024, 400, 3].map(|limit| super::connections(256, limit));
        assert_eq!(granted, [256, 256, 100, 1]);
    }
}
