//! Texts of messages, rendered outside the shell's loop.
use std::sync::Arc;

use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;
use watchbell_sandbox::Renderer;
use watchbell_text::{Job, Text};

use crate::chain;

/// Renders a few texts at once, on threads that may block. Half of the cores are left to evaluation.
#[derive(Clone)]
pub(crate) struct Texts {
    renderer: Renderer,
    threads: Arc<Semaphore>,
}

impl Texts {
    pub(crate) fn new(renderer: Renderer) -> Self {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        Self { renderer, threads: Arc::new(Semaphore::new((cores / 2).max(1))) }
    }

    /// `Err` says why there is no text.
    pub(crate) async fn render(&self, job: Job) -> Result<Text, String> {
        let Ok(_thread) = self.threads.acquire().await else {
            return Err("the host is stopping".into());
        };
        let renderer = self.renderer.clone();
        let rendered = spawn_blocking(move || renderer.render(&job)).await;
        match rendered {
            Ok(Ok(rendered)) => Ok(rendered.text),
            Ok(Err(fault)) => Err(chain(&fault)),
            Err(error) => Err(error.to_string()),
        }
    }
}
