use watchbell_contract::Rows;

use crate::{
    buckets::{BucketsCursor, MergedCursor},
    error::ErrorKind,
    paging::HitsCursor,
};

/// Where the rows of an answer come from.
pub(crate) enum Source {
    Hits(Box<HitsCursor>),
    Buckets(Box<BucketsCursor>),
    Merged(Box<MergedCursor>),
    Ready(Option<Rows>),
}

impl Source {
    pub(crate) async fn next(&mut self) -> Result<Option<Rows>, ErrorKind> {
        match self {
            Self::Hits(cursor) => cursor.next().await,
            Self::Buckets(cursor) => cursor.next().await,
            Self::Merged(cursor) => cursor.next().await,
            Self::Ready(rows) => Ok(rows.take()),
        }
    }

    pub(crate) async fn close(&mut self) {
        if let Self::Hits(cursor) = self {
            cursor.close().await;
        }
    }
}
