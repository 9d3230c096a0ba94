//! From a question to the pages of its answer.
use std::sync::Arc;

use tokio::time::Instant;
use watchbell_contract::{Ask, Question};

use crate::{
    buckets::{BucketsCursor, MergedCursor},
    cluster_state,
    error::ErrorKind,
    mapping_cache::MappingCache,
    pages::Pages,
    paging::{HitsCursor, Paging},
    prepared::{Asked, Prepared, Shape},
    proof::Proof,
    query, raw_search, reached,
    resolve::Group,
    source::Source,
    target::Target,
};

/// Asks `question` of `target`. Everything ends at `deadline`.
pub(crate) async fn ask(
    mappings: &Arc<MappingCache>,
    paging: &Arc<Paging>,
    target: &Target,
    question: &Question,
    deadline: Instant,
) -> Result<Pages, ErrorKind> {
    let session = &mappings.session;
    if let Ask::Cluster(what) = &question.ask {
        return Ok(Pages::ready(Some(cluster_state::ask(session, *what, question.over, deadline).await?)));
    }
    let asked = Asked::new(target, question);
    let began = Instant::now();
    let Some(mut mapping) = mappings.mapping_of_data(target, &asked.fields(), deadline).await? else {
        return Ok(Pages::ready(None));
    };
    let mut prepared = Prepared::new(&asked, &mapping);
    if prepared.is_err() {
        // The index that it failed for may be gone by now.
        mapping = mappings.mapping_since(target, &asked.fields(), began, deadline).await?;
        prepared = Prepared::new(&asked, &mapping);
    }
    let prepared = prepared?;
    let owned = target.clone();
    let (over, filters) = (question.over, prepared.filters.clone());
    let source = match (&question.ask, &prepared.shape) {
        (Ask::Hits(hits), Shape::Hits(plan)) => {
            let named = hits.filters.iter().map(query::named).collect::<Result<_, _>>()?;
            let plan = plan.clone();
            let cursor = HitsCursor::new(Arc::clone(paging), owned, over, filters, named, plan, deadline);
            Source::Hits(Box::new(cursor))
        }
        (Ask::Buckets(buckets), Shape::Buckets(groups)) => match &groups[..] {
            [Group { indices: None, parts }] => {
                let fields = (&*mapping, &parts[..]);
                let cursor =
                    BucketsCursor::new(Arc::clone(session), owned, over, filters, buckets, fields, deadline)?;
                Source::Buckets(Box::new(cursor))
            }
            groups => {
                let indices: Vec<&String> =
                    groups.iter().filter_map(|group| group.indices.as_ref()).flatten().collect();
                let aliases = reached::filters(session, target, &indices, deadline).await?;
                let fields = (&*mapping, groups);
                let filters = (&filters[..], &aliases);
                let cursor = MergedCursor::new(session, target, over, filters, buckets, fields, deadline)?;
                Source::Merged(Box::new(cursor))
            }
        },
        (Ask::Search(search), _) => {
            let rows = raw_search::ask(session, target, search, over, filters, deadline).await?;
            Source::Ready(Some(rows))
        }
        _ => return Ok(Pages::ready(None)),
    };
    let unmapped = asked.unmapped(&mapping);
    let proof = Proof::new(asked, prepared, mapping, deadline);
    Ok(Pages::start(Arc::clone(mappings), source, proof, unmapped))
}
