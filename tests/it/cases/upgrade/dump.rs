use std::collections::BTreeSet;
use std::fmt::Write;
use std::path::Path;

use rusqlite::types::ValueRef;
use rusqlite::{Connection, params};

/// What an old store holds that the new host has to answer for.
pub(super) struct Old {
    sql: String,
    /// Wall time of its last commit of a window.
    pub(super) ended_at: i64,
    /// When the next step of the rule `due-soon` is due.
    pub(super) due_soon: i64,
    pub(super) owed: BTreeSet<String>,
    pub(super) claimed: BTreeSet<String>,
    /// Owed, and perhaps received once.
    pub(super) unanswered: BTreeSet<String>,
    pub(super) dead: BTreeSet<String>,
    /// The ids of those that are open.
    pub(super) episodes: BTreeSet<String>,
    pub(super) gaps: BTreeSet<(String, i64)>,
}

impl Old {
    pub(super) fn load(sql: &str) -> Self {
        let db = Connection::open_in_memory().expect("a database");
        db.execute_batch(sql).expect("the old store");
        let number = |sql: &str| db.query_row(sql, [], |row| row.get(0)).expect(sql);
        let ids = |sql: &str| -> BTreeSet<String> {
            let mut statement = db.prepare(sql).expect(sql);
            statement.query_map([], |row| row.get(0)).expect(sql).map(|id| id.expect("an id")).collect()
        };
        let of = |delivery: &str| ids(&format!("SELECT id FROM intents WHERE delivery = '{delivery}'"));
        let gaps = ids("SELECT rule || ' ' || starts FROM gaps").into_iter().map(|gap| {
            let (rule, starts) = gap.split_once(' ').expect("two words");
            (rule.to_owned(), starts.parse().expect("an instant"))
        });
        let gaps: BTreeSet<(String, i64)> = gaps.collect();
        let old = Self {
            sql: sql.to_owned(),
            ended_at: number("SELECT max(committed_at) FROM rules"),
            due_soon: number("SELECT opened_at + 180000 FROM episodes WHERE rule = 'due-soon'"),
            owed: of("owed"),
            claimed: of("claimed"),
            unanswered: ids("SELECT id FROM intents
                 WHERE delivery = 'owed' AND (maybe_repeated OR message LIKE '%\"maybe_repeated\":true%')"),
            dead: of("dead"),
            episodes: ids("SELECT id FROM episodes WHERE phase <> 'resolved'"),
            gaps,
        };
        old.assert_rich(&db);
        old
    }

    /// A store that holds little proves little.
    fn assert_rich(&self, db: &Connection) {
        let number = |sql: &str| -> u32 { db.query_row(sql, [], |row| row.get(0)).expect(sql) };
        assert!(!self.owed.is_empty() && !self.claimed.is_empty() && !self.dead.is_empty());
        assert!(self.episodes.len() >= 8, "{:?}", self.episodes);
        assert_eq!(number("SELECT count(*) FROM episodes WHERE phase = 'pending'"), 1);
        // Since layout 2 an episode counts no steps, but keeps who was told.
        let layout = number("PRAGMA user_version");
        let steps = if layout < 2 { "step" } else { "json_array_length(notified)" };
        assert_eq!(
            number(&format!("SELECT {steps} FROM episodes WHERE rule = 'frequency'")),
            2,
            "steps done"
        );
        let seen = if layout < 5 { "told" } else { "seen" };
        let remembering =
            format!("SELECT count(*) FROM states JOIN rules ON rule = name WHERE {seen} <> '[]'");
        assert!(number(&remembering) >= 10);
        assert!(number("SELECT count(*) FROM states") >= 20);
        assert!(!self.gaps.is_empty());
        let priming = "SELECT count(*) FROM rules WHERE name = 'priming' AND priming_reached < priming_until";
        assert_eq!(number(priming), 1);
    }

    /// Makes the file that the old host left.
    pub(super) fn write(&self, path: &Path) {
        Connection::open(path).and_then(|db| db.execute_batch(&self.sql)).expect("a store");
    }
}

/// A store as SQL: a line per row, in the order of their keys.
pub(super) fn dump(path: &Path) -> String {
    let db = Connection::open(path).expect("the store");
    let pragma = |name: &str| db.pragma_query_value(None, name, |row| row.get::<_, i64>(0)).expect(name);
    let mut sql = String::new();
    for name in ["application_id", "user_version"] {
        writeln!(sql, "PRAGMA {name} = {};", pragma(name)).expect("a string");
    }
    let schema =
        "SELECT type, name, sql FROM sqlite_master WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite_%'
                  ORDER BY type = 'index', rowid";
    let mut statement = db.prepare(schema).expect("the schema");
    let parts =
        statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?))).expect("the schema");
    let parts: Vec<(String, String, String)> = parts.map(|part| part.expect("a part")).collect();
    for (_, _, text) in &parts {
        writeln!(sql, "{text};").expect("a string");
    }
    for (_, table, _) in parts.iter().filter(|(kind, ..)| kind == "table") {
        let mut statement = db.prepare(&format!("SELECT * FROM {table} ORDER BY 1, 2")).expect("a table");
        let width = statement.column_count();
        let mut rows = statement.query(params![]).expect("rows");
        while let Some(row) = rows.next().expect("a row") {
            let values: Vec<String> =
                (0..width).map(|column| literal(row.get_ref(column).expect("a value"))).collect();
            writeln!(sql, "INSERT INTO {table} VALUES ({});", values.join(", ")).expect("a string");
        }
    }
    sql
}

fn literal(value: ValueRef<'_>) -> String {
    match value {
        ValueRef::Null => "NULL".to_owned(),
        ValueRef::Integer(number) => number.to_string(),
        ValueRef::Real(number) => format!("{number:?}"),
        ValueRef::Text(text) => format!("'{}'", String::from_utf8_lossy(text).replace('\'', "''")),
        ValueRef::Blob(bytes) => {
            format!("x'{}'", bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>())
        }
    }
}
