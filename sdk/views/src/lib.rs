//! The columns of a cluster's views, in their order: named once, for the host that fills them from a cluster's answers and
//! for the test harness that fills them from what a case writes down.

/// Of `_cluster/health`, one row.
pub const HEALTH: [&str; 11] = [
    "status",
    "number_of_nodes",
    "number_of_data_nodes",
    "active_primary_shards",
    "active_shards",
    "relocating_shards",
    "initializing_shards",
    "unassigned_shards",
    "number_of_pending_tasks",
    "task_max_waiting_in_queue_millis",
    "active_shards_percent_as_number",
];

/// Of `_cat/shards`, a row for each copy of a shard that no node holds.
pub const UNASSIGNED_SHARDS: [&str; 4] = ["index", "shard", "prirep", "unassigned.reason"];

/// Of `_cluster/pending_tasks`, a row for each task.
pub const PENDING_TASKS: [&str; 4] = ["insert_order", "priority", "source", "time_in_queue_millis"];

/// Of `_cat/allocation`, a row for each data node; sizes are in bytes.
pub const DISKS: [&str; 6] = ["node", "shards", "disk.used", "disk.avail", "disk.total", "disk.percent"];

/// What prevents a node from being replaced: a row for each unassigned shard and node, and one for each fault of the
/// cluster.
pub const GATE: [&str; 10] = [
    "index",
    "shard",
    "prirep",
    "unassigned.reason",
    "node",
    "decider",
    "verdict",
    "standing",
    "code",
    "what",
];
