use anyhow::Context;
use watchbell_node::{Config, Node};

use super::args::NodeArgs;
use super::{Failure, print};

pub(crate) fn node(args: &NodeArgs) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let node = Node::start(args.listen, Config::default())
            .await
            .with_context(|| format!("cannot listen on {}", args.listen))?;
        print(&format!("READY {}", node.url()))?;
        let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
        tokio::select! {
            _ = terminate.recv() => {}
            _ = tokio::signal::ctrl_c() => {}
        }
        node.stop().await;
        Ok(())
    })
}
