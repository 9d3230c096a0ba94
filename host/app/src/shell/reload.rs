//! The manifests, read again while the host runs. A bundle with faults changes nothing.
use std::sync::Arc;

use watchbell_pipeline::order::Event;

use super::{Fact, Shell};
use crate::bind::Bindings;
use crate::shrink;

/// Whether the manifests are being read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reading {
    No,
    UnderWay,
    /// They may have changed since the reading began: once more after it.
    Again,
}

impl Shell {
    /// Files are read, modules compiled and secrets' programs run beside the loop, which must never wait.
    pub(super) fn start_reload(&mut self) {
        if self.reading != Reading::No {
            self.reading = Reading::Again;
            return;
        }
        self.reading = Reading::UnderWay;
        let (reload, facts) = (Arc::clone(&self.reload), self.facts.clone());
        tokio::spawn(async move {
            let read = tokio::task::spawn_blocking(move || reload()).await.unwrap_or_else(|lost| {
                tracing::error!("the manifests could not be read: {lost}");
                None
            });
            // The shell may have ended meanwhile; then nobody waits for this.
            let _ = facts.send(Fact::Reloaded(read.map(Box::new)));
        });
    }

    pub(super) fn reloaded(&mut self, bindings: Option<Box<Bindings>>) {
        let again = std::mem::replace(&mut self.reading, Reading::No) == Reading::Again;
        match bindings {
            Some(bindings) => self.replace(*bindings),
            None => tracing::error!("the manifests have faults: the bundle in force stays as it was"),
        }
        if again {
            self.start_reload();
        }
    }

    fn replace(&mut self, bindings: Bindings) {
        let known = shrink::in_force(&self.bindings.specs);
        if !self.allow_shrink
            && let Err(shrunk) = shrink::check(&known, &bindings.specs)
        {
            tracing::error!("{shrunk}; the bundle in force stays as it was");
            return;
        }
        for what in bindings.awaiting_restart(&self.bindings) {
            tracing::warn!("{what} has changed, which takes effect when the host is started again");
        }
        self.bindings = Arc::new(bindings);
        self.compare_clocks();
        if self.has_begun {
            self.put_in_force();
        }
    }

    pub(super) fn put_in_force(&mut self) {
        self.generation += 1;
        self.progress.freed(self.clock.now());
        let bindings = &self.bindings;
        tracing::info!(
            bundle = bindings.digest,
            rules = bindings.specs.len(),
            environment = bindings.environment,
            "bundle in force"
        );
        let event = Event::Bundle {
            digest: bindings.digest.clone(),
            rules: bindings.specs.clone(),
            destinations: bindings.destination_specs.clone(),
        };
        self.handle(event);
        self.is_news = true;
    }
}
