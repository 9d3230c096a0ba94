//! A cluster as it is, and the answers that a server would give about it.
use serde_json::{Value, json};
use watchbell_gate::{Answers, Explained, Explanation, Facts, Group};

#[derive(Clone, Debug)]
pub(crate) struct Model {
    pub(crate) nodes: Vec<Member>,
    pub(crate) shards: Vec<Shard>,
    pub(crate) master: Option<usize>,
    /// Indices of `nodes`; the voting configuration.
    pub(crate) voters: Vec<String>,
    pub(crate) aware: bool,
    pub(crate) persistent: Value,
    pub(crate) transient: Value,
    pub(crate) tasks: usize,
    pub(crate) snapshots: usize,
}

#[derive(Clone, Debug)]
pub(crate) struct Member {
    pub(crate) name: String,
    /// The process: another after a restart.
    pub(crate) start: u32,
    pub(crate) version: (u32, u32, u32),
    pub(crate) zone: String,
    pub(crate) roles: Vec<&'static str>,
    pub(crate) total: u64,
    pub(crate) available: u64,
    pub(crate) store: u64,
}

#[derive(Clone, Debug)]
pub(crate) struct Shard {
    pub(crate) index: String,
    pub(crate) copies: Vec<Copy>,
    /// Deciders that say no beside those that follow from where the copies are: by node, or on all of them.
    pub(crate) blocked: Vec<(Option<String>, &'static str)>,
}

#[derive(Clone, Debug)]
pub(crate) struct Copy {
    pub(crate) primary: bool,
    pub(crate) place: Place,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Place {
    Nowhere,
    /// By name.
    Started(String),
    Initializing(String),
    Relocating(String, String),
}

pub(crate) const GB: u64 = 1 << 30;

impl Member {
    pub(crate) fn new(name: &str, version: &str, zone: &str) -> Self {
        let parts: Vec<u32> = version.split('.').map(|part| part.parse().unwrap()).collect();
        Self {
            name: name.into(),
            start: 1,
            version: (parts[0], parts[1], parts[2]),
            zone: zone.into(),
            roles: vec!["data", "ingest", "master"],
            total: 100 * GB,
            available: 80 * GB,
            store: GB,
        }
    }

    pub(crate) fn id(&self) -> String {
        format!("id-{}", self.name)
    }

    pub(crate) fn is_data(&self) -> bool {
        self.roles.contains(&"data")
    }
}

impl Shard {
    /// A primary and replicas on these nodes; `-` is nowhere.
    pub(crate) fn new(index: &str, places: &[&str]) -> Self {
        let place = |name: &str| match name {
            "-" => Place::Nowhere,
            name => Place::Started(name.into()),
        };
        let copies = places.iter().enumerate();
        Self {
            index: index.into(),
            copies: copies.map(|(at, name)| Copy { primary: at == 0, place: place(name) }).collect(),
            blocked: Vec::new(),
        }
    }

    pub(crate) fn blocked(mut self, node: Option<&str>, decider: &'static str) -> Self {
        self.blocked.push((node.map(str::to_owned), decider));
        self
    }
}

impl Model {
    /// All nodes are master-eligible and vote; the first is the master.
    pub(crate) fn new(nodes: Vec<Member>, shards: Vec<Shard>) -> Self {
        let voters = nodes.iter().map(Member::id).collect();
        Self {
            nodes,
            shards,
            master: Some(0),
            voters,
            aware: true,
            persistent: json!({}),
            transient: json!({}),
            tasks: 0,
            snapshots: 0,
        }
    }

    pub(crate) fn node(&self, name: &str) -> Option<&Member> {
        self.nodes.iter().find(|node| node.name == name)
    }

    pub(crate) fn facts(&self) -> Facts {
        let bodies = self.answers().map(|answer| answer.to_string());
        Facts::read(Answers(bodies.each_ref().map(|body| body.as_bytes()))).expect("answers that can be read")
    }

    pub(crate) fn answers(&self) -> [Value; 6] {
        [self.state(), self.info(), self.stats(), self.settings(), self.pending(), self.health()]
    }

    fn state(&self) -> Value {
        let mut nodes = json!({});
        for node in &self.nodes {
            nodes[node.id()] =
                json!({ "name": node.name, "ephemeral_id": format!("{}-{}", node.name, node.start) });
        }
        let (mut indices, mut routing) = (json!({}), json!({}));
        for shard in &self.shards {
            let replicas = (shard.copies.len() - 1).to_string();
            let filters: Vec<&str> = shard.blocked.iter().map(|(_, decider)| *decider).collect();
            indices[&shard.index] = json!({ "settings": { "index": {
                "number_of_replicas": replicas, "routing": { "allocation": { "include": { "box": filters } } },
            } } });
            let copies: Vec<Value> = shard.copies.iter().map(|copy| self.copy(shard, copy)).collect();
            routing[&shard.index] = json!({ "shards": { "0": copies } });
        }
        let mut state = json!({
            "cluster_name": "model", "cluster_uuid": "u", "nodes": nodes,
            "metadata": {
                "cluster_uuid": "u",
                "cluster_coordination": {
                    "last_committed_config": self.voters, "last_accepted_config": self.voters,
                },
                "indices": indices,
            },
            "routing_table": { "indices": routing },
        });
        if let Some(master) = self.master {
            state["master_node"] = self.nodes[master].id().into();
        }
        if self.snapshots > 0 {
            let one = json!({ "repository": "r", "snapshot": "s", "state": "STARTED" });
            state["snapshots"] = json!({ "snapshots": vec![one; self.snapshots] });
        }
        state
    }

    fn copy(&self, shard: &Shard, copy: &Copy) -> Value {
        let id = |name: &String| format!("id-{name}");
        let (state, node, to) = match &copy.place {
            Place::Nowhere => ("UNASSIGNED", None, None),
            Place::Started(name) => ("STARTED", Some(id(name)), None),
            Place::Initializing(name) => ("INITIALIZING", Some(id(name)), None),
            Place::Relocating(name, to) => ("RELOCATING", Some(id(name)), Some(id(to))),
        };
        let mut wire = json!({
            "index": shard.index, "shard": 0, "primary": copy.primary, "state": state, "node": node,
            "relocating_node": to,
        });
        if copy.place == Place::Nowhere {
            wire["unassigned_info"] = json!({ "reason": "NODE_LEFT", "delayed": false });
        }
        wire
    }

    fn info(&self) -> Value {
        let mut nodes = json!({});
        for node in &self.nodes {
            let (major, minor, patch) = node.version;
            nodes[node.id()] = json!({
                "name": node.name, "version": format!("{major}.{minor}.{patch}"), "roles": node.roles,
                "attributes": { "zone": node.zone }, "host": "127.0.0.1", "ip": "127.0.0.1",
            });
        }
        json!({ "cluster_name": "model", "nodes": nodes })
    }

    fn stats(&self) -> Value {
        let mut nodes = json!({});
        for node in &self.nodes {
            let space = json!({ "total_in_bytes": node.total, "available_in_bytes": node.available });
            nodes[node.id()] = json!({
                "name": node.name, "fs": { "data": [space] }, "indices": { "store": { "size_in_bytes": node.store } },
            });
        }
        json!({ "nodes": nodes })
    }

    fn settings(&self) -> Value {
        let aware = if self.aware { "zone" } else { "" };
        json!({
            "persistent": self.persistent, "transient": self.transient,
            "defaults": { "cluster.routing.allocation.awareness.attributes": aware },
        })
    }

    fn pending(&self) -> Value {
        let task = json!({ "insert_order": 1, "source": "put-mapping", "time_in_queue_millis": 7 });
        json!({ "tasks": vec![task; self.tasks] })
    }

    fn health(&self) -> Value {
        let copies = || self.shards.iter().flat_map(|shard| &shard.copies);
        let count = |what: fn(&Place) -> bool| copies().filter(|copy| what(&copy.place)).count();
        let red = copies()
            .any(|copy| copy.primary && !matches!(copy.place, Place::Started(_) | Place::Relocating(..)));
        let green = copies().all(|copy| matches!(copy.place, Place::Started(_) | Place::Relocating(..)));
        json!({
            "cluster_name": "model", "timed_out": false, "number_of_nodes": self.nodes.len(),
            "status": if red { "red" } else if green { "green" } else { "yellow" },
            "active_shards": count(|place| matches!(place, Place::Started(_) | Place::Relocating(..))),
            "relocating_shards": count(|place| matches!(place, Place::Relocating(..))),
            "initializing_shards": count(|place| matches!(place, Place::Initializing(_))),
            "unassigned_shards": count(|place| *place == Place::Nowhere),
            "number_of_pending_tasks": self.tasks,
        })
    }

    /// Why `node` does not take another copy of `shard`: what follows from the cluster, and what blocks it besides.
    pub(crate) fn reasons(&self, shard: &Shard, node: &Member) -> Vec<&'static str> {
        let holders: Vec<&Member> = shard.copies.iter().filter_map(|copy| self.holder(&copy.place)).collect();
        let mut reasons = Vec::new();
        if holders.iter().any(|holder| holder.name == node.name) {
            reasons.push("same_shard");
        }
        let primary = shard.copies.iter().find(|copy| copy.primary).and_then(|copy| self.holder(&copy.place));
        match primary {
            Some(primary) if node.version < primary.version => reasons.push("node_version"),
            None => reasons.push("replica_after_primary_active"),
            Some(_) => {}
        }
        if self.aware {
            let mut zones: Vec<&str> =
                self.nodes.iter().filter(|node| node.is_data()).map(|node| node.zone.as_str()).collect();
            zones.sort_unstable();
            zones.dedup();
            let most = shard.copies.len().div_ceil(zones.len().max(1));
            if holders.iter().filter(|holder| holder.zone == node.zone).count() >= most {
                reasons.push("awareness");
            }
        }
        let blocked = shard.blocked.iter().filter(|(on, _)| on.as_ref().is_none_or(|on| *on == node.name));
        reasons.extend(blocked.map(|(_, decider)| *decider));
        reasons
    }

    fn holder(&self, place: &Place) -> Option<&Member> {
        match place {
            Place::Nowhere => None,
            Place::Started(name) | Place::Initializing(name) | Place::Relocating(name, _) => self.node(name),
        }
    }

    /// The answer about `group`, as a server gives it.
    pub(crate) fn explanation(&self, group: &Group) -> Value {
        let Some(shard) = self.shards.iter().find(|shard| shard.index == group.shard.index) else {
            return json!({ "error": { "type": "index_not_found_exception", "reason": "no such index" }, "status": 404 });
        };
        let unassigned =
            shard.copies.iter().any(|copy| copy.primary == group.primary && copy.place == Place::Nowhere);
        if !unassigned {
            return json!({
                "index": shard.index, "shard": 0, "primary": group.primary, "current_state": "started",
                "can_remain_on_current_node": "yes",
            });
        }
        let mut can = "no";
        let mut nodes = Vec::new();
        for node in self.nodes.iter().filter(|node| node.is_data()) {
            let mut reasons = self.reasons(shard, node);
            if group.primary {
                reasons.retain(|reason| !["replica_after_primary_active", "node_version"].contains(reason));
            }
            let decision = if reasons.is_empty() { "yes" } else { "no" };
            if reasons.is_empty() {
                can = "yes";
            }
            let deciders: Vec<Value> = reasons
                .iter()
                .map(|decider| json!({ "decider": decider, "decision": "NO", "explanation": "for a reason" }))
                .collect();
            nodes.push(json!({
                "node_id": node.id(), "node_name": node.name, "node_decision": decision, "deciders": deciders,
            }));
        }
        if group.primary && can == "yes" {
            can = "no_valid_shard_copy";
        }
        json!({
            "index": shard.index, "shard": 0, "primary": group.primary, "current_state": "unassigned",
            "unassigned_info": { "reason": "NODE_LEFT" }, "can_allocate": can, "node_allocation_decisions": nodes,
        })
    }

    pub(crate) fn explain(&self, group: &Group) -> Explained {
        read(&self.explanation(group))
    }
}

/// As the client hands it over.
pub(crate) fn read(answer: &Value) -> Explained {
    if answer.get("error").is_some() {
        return Explained::Gone("no such index".into());
    }
    match Explanation::read(answer.to_string().as_bytes()) {
        Ok(explanation) => Explained::By(explanation),
        Err(fault) => Explained::Failed(fault.to_string()),
    }
}
