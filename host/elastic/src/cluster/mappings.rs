//! What was learnt of field types, for a while.
use std::sync::Arc;

use elasticsearch::http::Method;
use tokio::time::Instant;

use super::{Inner, REMEMBERED_MAX, encoded, lock};
use crate::{
    cursor::ignoring,
    error::Cause,
    mapping::Mapping,
    target::Target,
    transport::{Request, index_path},
};

pub(super) type MappingKey = (Vec<String>, bool, Vec<String>);

impl Inner {
    pub(crate) async fn mapping(
        &self,
        target: &Target,
        fields: &[&str],
        deadline: Instant,
    ) -> Result<Arc<Mapping>, Cause> {
        let wanted = Mapping::wanted(fields.iter().copied());
        let key = (target.indices.clone(), target.ignore_unavailable, wanted);
        let now = Instant::now();
        if let Some((until, mapping)) = lock(&self.mappings).get(&key)
            && *until > now
        {
            return Ok(Arc::clone(mapping));
        }
        let list = encoded(&key.2.join(","));
        let index = index_path(&target.indices);
        let path = format!("{index}/_field_caps?fields={list}{}", ignoring(target, '&'));
        let request = Request { method: Method::Get, path, body: None, repeatable: true, deadline };
        let mapping = Arc::new(Mapping::parse(&self.send(&request).await?)?);
        // Indices that are yet to come, and a time field without its first document, are looked for each time.
        if mapping.has_index && mapping.check_time(&target.time_field).is_ok() {
            let mut mappings = lock(&self.mappings);
            if mappings.len() >= REMEMBERED_MAX {
                mappings.clear();
            }
            mappings.insert(key, (now + self.config().mapping_ttl, Arc::clone(&mapping)));
        }
        Ok(mapping)
    }

    /// What was believed of field types may be the reason for a failure: it is asked again next time.
    pub(crate) fn forget(&self, target: &Target, cause: &Cause) {
        let suspect = matches!(
            cause,
            Cause::Refused { .. }
                | Cause::PartialShards { .. }
                | Cause::Malformed { .. }
                | Cause::NoIndex { .. }
                | Cause::MappingConflict { .. }
                | Cause::FieldType { .. }
        );
        if suspect {
            lock(&self.mappings).retain(|(indices, ..), _| *indices != target.indices);
        }
    }
}
