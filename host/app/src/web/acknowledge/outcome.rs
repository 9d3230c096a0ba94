//! An episode before and after somebody acknowledges it.
use sha2::{Digest as _, Sha256};
use tokio::time::timeout;
use watchbell_contract::Timestamp;
use watchbell_pipeline::record::{Command, CommandId, EpisodeId, EpisodeRecord, Phase};
use watchbell_store::{EpisodeFilter, Read, StoreError};

use super::Outside;
use crate::commands::Submitted;
use crate::web::ANSWER_MAX;

/// What a link or a reply finds.
pub(super) enum Found {
    /// It can be acknowledged.
    Open(EpisodeRecord),
    /// Somebody has it already.
    Taken { episode: EpisodeRecord, by: String, at: Timestamp },
    /// It has ended, or a person has resolved it. `None`: the store has forgotten it since.
    Over(Option<EpisodeRecord>),
}

/// What became of an attempt to acknowledge.
pub(super) enum Outcome {
    /// It is acknowledged by whoever asked.
    Acknowledged(Found),
    /// Somebody was first, or it is over.
    Not(Found),
    /// The host has it, but has not stored it yet.
    Recorded(Found),
    /// Nothing will come of it, for this reason.
    Refused(String),
}

/// The store does not answer.
#[derive(Debug)]
pub(super) struct Unanswered;

impl Found {
    pub(super) fn of(episode: Option<EpisodeRecord>) -> Self {
        let Some(episode) = episode else { return Self::Over(None) };
        match &episode.phase {
            Phase::Pending | Phase::Active => Self::Open(episode),
            Phase::Acknowledged { at, by, .. } => {
                let (at, by) = (*at, by.clone());
                Self::Taken { episode, by, at }
            }
            Phase::ResolvedByHand { .. } | Phase::Resolved { .. } => Self::Over(Some(episode)),
        }
    }
}

impl Outside {
    /// Reads the store, unless it hangs.
    pub(super) async fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce(&dyn Read) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, Unanswered> {
        let answer = async {
            let store = self.store.clone().lock_owned().await;
            tokio::task::spawn_blocking(move || read(&**store)).await
        };
        match timeout(ANSWER_MAX, answer).await {
            Ok(Ok(Ok(read))) => Ok(read),
            Ok(Ok(Err(error))) => {
                tracing::warn!("an acknowledgement cannot read the store: {}", crate::chain(&error));
                Err(Unanswered)
            }
            Ok(Err(_)) | Err(_) => Err(Unanswered),
        }
    }

    pub(super) async fn find(&self, id: &str) -> Result<Found, Unanswered> {
        let filter = EpisodeFilter {
            open: false,
            id: Some(EpisodeId(id.to_owned())),
            rows_max: 1,
            ..EpisodeFilter::default()
        };
        let episodes = self.read(move |store| store.episodes(&filter)).await?;
        Ok(Found::of(episodes.into_iter().next()))
    }

    /// Acknowledges an episode in the name of `by`. `source` says by which link or from which number: whoever presses a
    /// button twice from there sends one command twice, which is applied once.
    pub(super) async fn acknowledge(
        &self,
        id: &str,
        source: &str,
        by: String,
    ) -> Result<Outcome, Unanswered> {
        let open = match self.find(id).await? {
            Found::Open(open) => open,
            found => return Ok(Outcome::Not(found)),
        };
        // Each announcement counts up: after one, for example that the acknowledgement has expired, the same link
        // acknowledges anew.
        let command = || Command::Acknowledge { episode: open.id.clone() };
        let first = command_id(source, &open.id, &open.ordinal.to_string());
        let mut submitted = self.commands.submit(first, by.clone(), command()).await;
        let mut found = self.find(id).await?;
        if submitted == Submitted::Applied && matches!(found, Found::Open(_)) {
            // That was an earlier press, and somebody has taken it back since: this one is another.
            let again = command_id(source, &open.id, &self.clock.now().to_string());
            submitted = self.commands.submit(again, by.clone(), command()).await;
            found = self.find(id).await?;
        }
        Ok(match submitted {
            Submitted::Applied => match found {
                Found::Taken { episode, by: holder, at } if holder != by => {
                    Outcome::Not(Found::Taken { episode, by: holder, at })
                }
                found @ Found::Over(_) => Outcome::Not(found),
                found => Outcome::Acknowledged(found),
            },
            Submitted::Refused(why) => match found {
                Found::Open(_) => Outcome::Refused(why),
                found => Outcome::Not(found),
            },
            Submitted::Recorded => Outcome::Recorded(Found::Open(open)),
            Submitted::NotTaken(why) => Outcome::Refused(why),
        })
    }
}

fn command_id(source: &str, episode: &EpisodeId, press: &str) -> CommandId {
    let mut digest = Sha256::new();
    for part in [source, &episode.0, press] {
        digest.update((part.len() as u64).to_be_bytes());
        digest.update(part);
    }
    CommandId(format!("message-{}", hex::encode(&digest.finalize()[..16])))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_source_makes_one_command_of_an_episode_until_it_is_announced_again() {
        let id = |source, episode: &str, ordinal: u32| {
            command_id(source, &EpisodeId(episode.into()), &ordinal.to_string())
        };
        assert_eq!(id("token", "e", 1), id("token", "e", 1));
        assert_ne!(id("token", "e", 1), id("token", "e", 2));
        assert_ne!(id("token", "e", 1), id("other", "e", 1));
        assert_ne!(id("tokene", "", 1), id("token", "e", 1));
        assert!(!id("token", "e", 1).0.contains("token"), "the log of commands holds no permission");
    }
}
