use rusqlite::{Connection, OptionalExtension, params};
use watchbell_pipeline::record::{Commit, Epoch, HostId, Loss, Lost, Nonce, Owned, PartitionId, Tenure};

use super::rows::{RowError, epoch};

/// The notifier's value in the column `what`, where partitions have their number.
const NOTIFIER: i64 = -1;

/// A row of `owned`.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    pub(crate) owner: HostId,
    pub(crate) tenure: Tenure,
    nonce: Option<Nonce>,
    /// The number of a partition's last transition.
    pub(crate) transitions: u64,
}

pub(crate) enum Taken {
    Now(Row),
    /// Its epoch is not the expected one; this is its row, if it has one.
    Not(Option<Row>),
}

/// What happens to a commit.
#[derive(Default)]
pub(crate) struct Verdict {
    /// The parts to write. Parts that were written before are in neither list.
    pub(crate) stands: Vec<Owned>,
    pub(crate) lost: Vec<Lost>,
}

/// Makes `owner` the owner of `what`, if it is owned under the epoch `seen`.
pub(crate) fn take(
    db: &Connection,
    what: Owned,
    owner: &HostId,
    seen: Option<Epoch>,
) -> Result<Taken, RowError> {
    let old = row(db, what)?;
    let Tenure { epoch, number } = old.as_ref().map(|row| row.tenure).unwrap_or_default();
    if seen.is_some_and(|seen| seen != epoch) {
        return Ok(Taken::Not(old));
    }
    let tenure = Tenure { epoch: Epoch(epoch.0 + 1), number };
    db.prepare_cached(
        "INSERT INTO owned (what, owner, epoch, number, transitions) VALUES (?1, ?2, ?3, 0, 0)
         ON CONFLICT (what) DO UPDATE SET owner = excluded.owner, epoch = excluded.epoch, nonce = NULL",
    )?
    .execute(params![key(what), owner.0, tenure.epoch.0.cast_signed()])?;
    let transitions = old.map_or(0, |row| row.transitions);
    Ok(Taken::Now(Row { owner: owner.clone(), tenure, nonce: None, transitions }))
}

/// Which parts of `commit` may be written; or the part that has no owner.
pub(crate) fn judge(db: &Connection, commit: &Commit) -> Result<Result<Verdict, Owned>, RowError> {
    let mut verdict = Verdict::default();
    for part in &commit.partitions {
        let what = Owned::Partition(part.partition);
        let Some(row) = row(db, what)? else { return Ok(Err(what)) };
        verdict.add(what, row.judge(part.tenure, commit.nonce), None);
    }
    if let Some(part) = &commit.notifier {
        let Some(row) = row(db, Owned::Notifier)? else { return Ok(Err(Owned::Notifier)) };
        let missing = part.depends.iter().find(|partition| verdict.has_lost(**partition)).copied();
        verdict.add(Owned::Notifier, row.judge(part.tenure, commit.nonce), missing);
    }
    Ok(Ok(verdict))
}

/// A commit of `what` is written: the next commit has the next number.
pub(crate) fn written(db: &Connection, what: Owned, nonce: Nonce) -> rusqlite::Result<()> {
    db.prepare_cached("UPDATE owned SET number = number + 1, nonce = ?2 WHERE what = ?1")?
        .execute(params![key(what), nonce.0.cast_signed()])?;
    Ok(())
}

/// Sets the number of the partition's last transition to `number`.
pub(crate) fn numbered(db: &Connection, partition: PartitionId, number: u64) -> rusqlite::Result<()> {
    db.prepare_cached("UPDATE owned SET transitions = ?2 WHERE what = ?1")?
        .execute(params![key(Owned::Partition(partition)), number.cast_signed()])?;
    Ok(())
}

/// What is owned and by whom: the partitions by number, then the notifier.
pub(crate) fn owned(db: &Connection) -> rusqlite::Result<Vec<(Owned, HostId, Tenure)>> {
    let mut statement =
        db.prepare("SELECT what, owner, epoch, number FROM owned ORDER BY what = ?1, what")?;
    let rows = statement.query_map([NOTIFIER], |row| {
        let what = match row.get(0)? {
            NOTIFIER => Owned::Notifier,
            _ => Owned::Partition(PartitionId(row.get(0)?)),
        };
        let number: i64 = row.get(3)?;
        let tenure = Tenure { epoch: epoch(row.get(2)?), number: number.cast_unsigned() };
        Ok((what, HostId(row.get(1)?), tenure))
    })?;
    rows.collect()
}

fn row(db: &Connection, what: Owned) -> Result<Option<Row>, RowError> {
    let mut statement =
        db.prepare_cached("SELECT owner, epoch, number, nonce, transitions FROM owned WHERE what = ?1")?;
    let row = statement
        .query_row([key(what)], |row| {
            let number: i64 = row.get(2)?;
            let nonce: Option<i64> = row.get(3)?;
            let transitions: i64 = row.get(4)?;
            Ok(Row {
                owner: HostId(row.get(0)?),
                tenure: Tenure { epoch: epoch(row.get(1)?), number: number.cast_unsigned() },
                nonce: nonce.map(|nonce| Nonce(nonce.cast_unsigned())),
                transitions: transitions.cast_unsigned(),
            })
        })
        .optional()?;
    Ok(row)
}

fn key(what: Owned) -> i64 {
    match what {
        Owned::Partition(partition) => i64::from(partition.0),
        Owned::Notifier => NOTIFIER,
    }
}

/// What happens to one part of a commit.
enum Judgement {
    Write,
    /// It was already written.
    Written,
    Lose(Loss),
}

impl Row {
    fn judge(&self, tenure: Tenure, nonce: Nonce) -> Judgement {
        let Tenure { epoch, number } = self.tenure;
        if epoch == tenure.epoch && number == tenure.number {
            Judgement::Write
        } else if epoch == tenure.epoch && number == tenure.number + 1 && self.nonce == Some(nonce) {
            Judgement::Written
        } else if epoch < tenure.epoch || epoch == tenure.epoch && number < tenure.number {
            Judgement::Lose(Loss::WentBack)
        } else {
            Judgement::Lose(Loss::Superseded { epoch, owner: self.owner.clone() })
        }
    }
}

impl Verdict {
    /// `missing`: a partition that was lost, and that this part depends on.
    fn add(&mut self, what: Owned, judgement: Judgement, missing: Option<PartitionId>) {
        match (judgement, missing) {
            (Judgement::Write, None) => self.stands.push(what),
            (Judgement::Write, Some(on)) => self.lost.push(Lost { what, why: Loss::Depends(on) }),
            (Judgement::Written, _) => {}
            (Judgement::Lose(why), _) => self.lost.push(Lost { what, why }),
        }
    }

    fn has_lost(&self, partition: PartitionId) -> bool {
        self.lost.iter().any(|lost| lost.what == Owned::Partition(partition))
    }
}
