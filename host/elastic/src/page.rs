use watchbell_contract::Rows;

use crate::{columns::ColumnBuilder, plan::FieldPlan, words::Words};

/// Rows while they are read: columns, and what orders rows of one instant.
#[derive(Debug)]
pub(crate) struct PageBuilder {
    /// The sort key of each row, in the unit of `FieldPlan::nanos`.
    pub(crate) keys: Vec<i64>,
    pub(crate) columns: Vec<ColumnBuilder>,
    index_codes: Vec<u32>,
    indices: Words,
    id_ends: Vec<u32>,
    ids: Vec<u8>,
}

impl PageBuilder {
    pub(crate) fn new(plan: &FieldPlan) -> Self {
        Self {
            keys: vec![],
            columns: plan.columns.iter().map(|column| ColumnBuilder::new(column.kind)).collect(),
            index_codes: vec![],
            indices: Words::default(),
            id_ends: vec![],
            ids: vec![],
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.keys.len()
    }

    /// Ends a row. Columns that were not filled have no value.
    pub(crate) fn end_row(&mut self, key: i64, index: &[u8], id: &[u8]) {
        self.keys.push(key);
        let rows = self.keys.len();
        for column in &mut self.columns {
            if column.rows() < rows {
                column.missing();
            }
        }
        let code = self.indices.code(index);
        self.index_codes.push(code);
        self.ids.extend_from_slice(id);
        self.id_ends.push(self.ids.len() as u32);
    }

    /// Adds the indices of the rows, including rows that were truncated.
    pub(crate) fn note_indices(&self, seen: &mut std::collections::BTreeSet<String>) {
        for code in 0..self.indices.len() {
            let name = String::from_utf8_lossy(self.indices.word(code));
            if !seen.contains(&*name) {
                seen.insert(name.into_owned());
            }
        }
    }

    pub(crate) fn adopt(&mut self, other: &Self, rows: std::ops::Range<usize>) {
        for (to, from) in self.columns.iter_mut().zip(&other.columns) {
            to.adopt(from, rows.clone());
        }
        for row in rows {
            self.end_row(other.keys[row], other.index(row), other.id(row));
        }
    }

    pub(crate) fn truncate(&mut self, rows: usize) {
        self.keys.truncate(rows);
        self.columns.iter_mut().for_each(|column| column.truncate(rows));
        self.index_codes.truncate(rows);
        self.id_ends.truncate(rows);
        self.ids.truncate(self.id_ends.last().copied().unwrap_or(0) as usize);
    }

    /// Sorts rows of one instant by (`_index`, `_id`). Servers return them in the order in which shards answered.
    pub(crate) fn settle_ties(&mut self) {
        let mut order: Vec<u32> = vec![];
        let mut start = 0;
        while start < self.len() {
            let end = start + self.keys[start..].iter().take_while(|&&key| key == self.keys[start]).count();
            let settled = (start + 1..end).all(|row| self.identity(row - 1) <= self.identity(row));
            if !settled {
                if order.is_empty() {
                    order = (0..self.len() as u32).collect();
                }
                order[start..end].sort_by(|&a, &b| self.identity(a as usize).cmp(&self.identity(b as usize)));
            }
            start = end;
        }
        if order.is_empty() {
            return;
        }
        self.columns.iter_mut().for_each(|column| column.reorder(&order));
        self.index_codes = order.iter().map(|&row| self.index_codes[row as usize]).collect();
        let mut ids = Vec::with_capacity(self.ids.len());
        let mut id_ends = Vec::with_capacity(self.id_ends.len());
        for &row in &order {
            ids.extend_from_slice(self.id(row as usize));
            id_ends.push(ids.len() as u32);
        }
        (self.ids, self.id_ends) = (ids, id_ends);
    }

    /// Where the rows of the last instant begin; `unit` keys make up an instant (1: the keys themselves).
    pub(crate) fn last_instant(&self, unit: i64) -> usize {
        let Some(&last) = self.keys.last() else { return 0 };
        let last = last.div_euclid(unit);
        self.keys.len() - self.keys.iter().rev().take_while(|&&key| key.div_euclid(unit) == last).count()
    }

    pub(crate) fn finish(self, plan: &FieldPlan) -> Rows {
        let mut times = self.keys;
        if plan.nanos {
            times.iter_mut().for_each(|time| *time = time.div_euclid(1_000_000));
        }
        let mut columns: Vec<_> = plan
            .columns
            .iter()
            .zip(self.columns)
            .map(|(planned, column)| column.finish_field(planned.name.clone(), planned.is_mapped()))
            .collect();
        for (column, planned) in plan.columns.iter().enumerate() {
            if let crate::plan::ValueSource::SameAs(other) = planned.source {
                columns[column] = columns[other].clone();
            }
        }
        Rows { times, columns }
    }

    fn identity(&self, row: usize) -> (&[u8], &[u8]) {
        (self.index(row), self.id(row))
    }

    fn index(&self, row: usize) -> &[u8] {
        self.indices.word(self.index_codes[row])
    }

    fn id(&self, row: usize) -> &[u8] {
        let start = if row == 0 { 0 } else { self.id_ends[row - 1] as usize };
        &self.ids[start..self.id_ends[row] as usize]
    }
}
