//! Reads the manifests again while the host runs. A bundle with errors changes nothing.
use std::sync::Arc;

use watchbell_pipeline::input::Input;
use watchbell_pipeline::record::BundleRef;

use super::{Shell, ShellEvent};
use crate::bind::Deployment;
use crate::shrink_guard;

/// Whether the manifests are being read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reading {
    No,
    UnderWay,
    /// They may have changed since reading started: read them once more afterwards.
    Again,
}

impl Shell {
    /// Reading files, compiling modules and running programs for secrets happen outside the loop, which must never
    /// wait.
    pub(super) fn start_reload(&mut self) {
        if self.reading != Reading::No {
            self.reading = Reading::Again;
            return;
        }
        self.reading = Reading::UnderWay;
        let (reload, events) = (Arc::clone(&self.reload), self.events.clone());
        tokio::spawn(async move {
            let read = tokio::task::spawn_blocking(move || reload()).await.unwrap_or_else(|lost| {
                tracing::error!("cannot read the manifests: {lost}");
                None
            });
            // The shell may have ended by now; then nobody waits for this.
            let _ = events.send(ShellEvent::Reloaded(read.map(Box::new)));
        });
    }

    pub(super) fn reloaded(&mut self, deployment: Option<Box<Deployment>>) {
        let again = std::mem::replace(&mut self.reading, Reading::No) == Reading::Again;
        match deployment {
            Some(deployment) => self.replace(*deployment),
            None => tracing::error!("the manifests have errors: keeping the bundle in force"),
        }
        if again {
            self.start_reload();
        }
    }

    fn replace(&mut self, deployment: Deployment) {
        let known = shrink_guard::in_force(&self.deployment.specs);
        if !self.allow_shrink
            && let Err(shrunk) = shrink_guard::check(&known, &deployment.specs)
        {
            tracing::error!("{shrunk}; keeping the bundle in force");
            return;
        }
        for what in deployment.awaiting_restart(&self.deployment) {
            tracing::warn!("{what} has changed; restart the host to apply the change");
        }
        self.access.send_replace(Arc::clone(&deployment.access));
        self.links.replace(deployment.acknowledge.clone());
        self.deployment = Arc::new(deployment);
        self.compare_clocks();
        if self.has_begun {
            self.put_in_force();
        }
    }

    pub(super) fn put_in_force(&mut self) {
        self.generation += 1;
        self.progress.freed(self.clock.now());
        let deployment = &self.deployment;
        tracing::info!(
            bundle = deployment.digest,
            rules = deployment.specs.len(),
            environment = deployment.environment,
            "bundle in force"
        );
        let bundle = BundleRef::after(self.bundle.as_ref(), deployment.digest.clone());
        let input = Input::Bundle {
            bundle: bundle.clone(),
            rules: deployment.specs.clone(),
            destinations: deployment.destination_specs.clone(),
            holds: deployment.holds.clone(),
        };
        self.bundle = Some(bundle);
        self.handle(input);
        self.is_news = true;
    }
}
