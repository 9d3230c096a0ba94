//! Pages as the host hands them to a component, for rules that run natively.
use watchbell_rows::{Column, GroupedRows, Values};

use crate::wire::types as wire;

impl From<GroupedRows> for wire::Rows {
    fn from(page: GroupedRows) -> Self {
        let columns = |columns: Vec<Column>| columns.into_iter().map(column).collect();
        Self {
            times: page.times,
            columns: columns(page.columns),
            groups: wire::Groups { rows: page.groups.rows, labels: columns(page.groups.labels) },
        }
    }
}

fn column(column: Column) -> wire::Column {
    wire::Column {
        field: column.field,
        is_mapped: column.is_mapped,
        values: match column.values {
            Values::Integers(values) => wire::Values::Integers(values),
            Values::Numbers(values) => wire::Values::Numbers(values),
            Values::Booleans(values) => wire::Values::Booleans(values),
            Values::Words(words) => wire::Values::Words(wire::Dictionary {
                codes: words.codes,
                ends: words.ends,
                bytes: words.bytes,
            }),
            Values::Points(points) => wire::Values::Points(wire::Points {
                latitudes: points.latitudes,
                longitudes: points.longitudes,
            }),
        },
        present: column.present,
        offsets: column.offsets,
    }
}
