use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::action::Action;
use crate::maintenance::HoldsSpec;
use crate::notifier::Notifier;
use crate::partition::Partition;
use crate::record::{BundleRef, NotifierSnapshot, PartitionId, PartitionSnapshot};
use crate::spec::{DestinationSpec, RuleSpec};

use super::{Coordinator, Deployment, Reading};

impl Coordinator {
    /// Puts a bundle in force. The notifier goes first, so that what partitions emit under the bundle is decided under
    /// it too.
    pub(super) fn take_bundle(
        &mut self,
        bundle: BundleRef,
        rules: Vec<Arc<RuleSpec>>,
        destinations: Vec<DestinationSpec>,
        holds: HoldsSpec,
    ) {
        let known = self.deployment.as_ref().map_or(0, |deployment| deployment.bundle.generation);
        if bundle.generation < known {
            return;
        }
        let names: BTreeSet<&str> = rules.iter().map(|spec| spec.cluster.as_str()).collect();
        let clusters = names.len();
        let mut by_partition: BTreeMap<PartitionId, Vec<Arc<RuleSpec>>> = BTreeMap::new();
        for spec in &rules {
            by_partition.entry(self.partition_of(&spec.name)).or_default().push(Arc::clone(spec));
        }
        self.deployment = Some(Deployment { bundle, rules, by_partition, destinations, holds, clusters });
        self.configure_notifier();
        let owned: Vec<PartitionId> = self.partitions.keys().copied().collect();
        owned.into_iter().for_each(|partition| self.configure_partition(partition));
    }

    pub(super) fn take_partition(&mut self, snapshot: PartitionSnapshot) {
        let id = snapshot.partition;
        self.give_up(id);
        self.partitions.insert(id, Partition::new(self.meta.incarnation.clone(), snapshot));
        self.configure_partition(id);
    }

    pub(super) fn take_notifier(&mut self, snapshot: NotifierSnapshot) {
        let (notifier, notes) = Notifier::new(self.meta.incarnation.clone(), snapshot, self.now);
        self.actions.extend(notes.into_iter().map(Action::Note));
        self.notifier = Some(notifier);
        self.configure_notifier();
        if let Reading::Idle(at) = &mut self.reading {
            *at = self.now;
        }
    }

    /// A partition is no longer this host's, or starts over. Nothing else is affected, except a notifier that has
    /// decided on the partition's unwritten transitions: it starts over from what is written.
    pub(super) fn give_up(&mut self, id: PartitionId) {
        let Some(partition) = self.partitions.remove(&id) else { return };
        let decided = self.notifier.as_ref().map(|notifier| notifier.position(id).number);
        if decided > Some(partition.committed()) {
            self.begin_notifier_anew();
        }
        for name in partition.into_names() {
            self.queue.remove(&name);
            self.gone.insert(name);
        }
    }

    /// What was written under a later bundle waits until this host has that bundle; the host never goes back to an
    /// earlier one.
    fn configure_notifier(&mut self) {
        let Some(deployment) = &self.deployment else { return };
        let generation = deployment.bundle.generation;
        if self.notifier.as_ref().is_some_and(|notifier| notifier.generation() > generation) {
            return;
        }
        let (rules, destinations) = (deployment.rules.clone(), deployment.destinations.clone());
        let holds = deployment.holds.clone();
        self.notify(|notifier, context| {
            notifier.take_bundle(generation, &rules, destinations, holds, context);
        });
    }

    fn configure_partition(&mut self, id: PartitionId) {
        let Some(deployment) = &self.deployment else { return };
        let generation = deployment.bundle.generation;
        if self.partitions.get(&id).is_none_or(|partition| partition.generation() > generation) {
            return;
        }
        let own = deployment.by_partition.get(&id).cloned().unwrap_or_default();
        self.with(id, |partition, context| partition.take_bundle(generation, own, context));
    }
}
