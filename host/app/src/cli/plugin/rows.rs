//! Generated rows: the answer to a rule's question, made from a seed.
use watchbell_contract::{Ask, Buckets, Column, Dictionary, Hits, Question, Rows, Values, Window};

/// Rows per page: as many as the host requests from a cluster at once.
const PAGE_ROWS: u32 = 10_000;

/// What rows to generate.
pub(super) struct Recipe<'a> {
    /// The key fields.
    pub(super) key: &'a [String],
    /// Other fields that hold text.
    pub(super) words: &'a [String],
    pub(super) rows: u32,
    /// How many keys there are, whatever the number of key fields; also how many words another field of text has.
    pub(super) keys: u32,
}

impl Recipe<'_> {
    /// The pages of an answer, in order of time, the same at every call.
    ///
    /// # Errors
    /// Rows cannot be generated for this kind of question.
    pub(super) fn answer(&self, question: &Question, window: Window) -> Result<Vec<Rows>, String> {
        let fields = match &question.ask {
            Ask::Hits(hits) => of_hits(hits),
            Ask::Buckets(buckets) => of_buckets(buckets),
            Ask::Search(_) | Ask::Cluster(_) => {
                return Err(
                    "it asks for more than documents and buckets, which cannot be generated: measure it on a \
                            real cluster"
                        .into(),
                );
            }
        };
        let span = (question.over.end.0 - question.over.start.0).max(1) as u64;
        // Only the window is filled; questions about the time before it get no rows.
        let (start, span) = if question.over.start < window.start {
            (question.over.start.0, span)
        } else {
            (window.start.0, span)
        };
        let mut random = Random(0x9E37_79B9_7F4A_7C15);
        let mut pages = Vec::new();
        let mut done = 0;
        while done < self.rows {
            let count = PAGE_ROWS.min(self.rows - done);
            let time = |row: u32| start + (u64::from(done + row) * span / u64::from(self.rows)) as i64;
            // The same numbers for all key fields: two fields of N values each would be N² keys.
            let keys: Vec<u32> = (0..count).map(|_| random.below(self.keys)).collect();
            let column = |field| self.column(field, &keys, count, &mut random);
            pages.push(Rows {
                times: (0..count).map(time).collect(),
                columns: fields.iter().map(column).collect(),
            });
            done += count;
        }
        Ok(pages)
    }

    fn column(&self, field: &Field<'_>, keys: &[u32], count: u32, random: &mut Random) -> Column {
        let mut pick = || words(&(0..count).map(|_| random.below(self.keys)).collect::<Vec<_>>());
        let is_named = |names: &[String]| names.iter().any(|name| name == field.name);
        let values = match field.kind {
            _ if is_named(self.key) => words(keys),
            _ if is_named(self.words) => pick(),
            FieldType::Word => pick(),
            FieldType::Flag => Values::Booleans((0..count).map(|_| (random.below(10) == 0).into()).collect()),
            FieldType::Count => {
                Values::Integers((0..count).map(|_| i64::from(1 + random.below(9))).collect())
            }
            FieldType::Number => {
                Values::Numbers((0..count).map(|_| f64::from(random.below(1_000))).collect())
            }
        };
        Column { field: field.name.to_owned(), is_mapped: true, values, present: vec![], offsets: vec![] }
    }
}

/// Words of equal length, of which a page holds those that it needs.
fn words(picked: &[u32]) -> Values {
    let mut distinct = picked.to_vec();
    distinct.sort_unstable();
    distinct.dedup();
    let words: Vec<String> = distinct.iter().map(|number| format!("key-{number:08}")).collect();
    let ends = words.iter().scan(0, |end, word| {
        *end += word.len() as u32;
        Some(*end)
    });
    let code = |number: &u32| distinct.binary_search(number).ok().map(|at| at as u32);
    Values::Words(Dictionary {
        codes: picked.iter().filter_map(code).collect(),
        ends: ends.collect(),
        bytes: words.concat().into_bytes(),
    })
}

struct Field<'a> {
    name: &'a str,
    kind: FieldType,
}

#[derive(Clone, Copy)]
enum FieldType {
    Word,
    Flag,
    Count,
    Number,
}

fn of_hits(hits: &Hits) -> Vec<Field<'_>> {
    let numbers = hits.fields.iter().map(|name| Field { name, kind: FieldType::Number });
    let flags = hits.filters.iter().map(|filter| Field { name: &filter.name, kind: FieldType::Flag });
    numbers.chain(flags).collect()
}

fn of_buckets(buckets: &Buckets) -> Vec<Field<'_>> {
    let by = buckets.by.iter().map(|name| Field { name, kind: FieldType::Word });
    let count = std::iter::once(Field { name: "_count", kind: FieldType::Count });
    let metrics = buckets.metrics.iter().map(|metric| Field { name: &metric.name, kind: FieldType::Number });
    let filters = buckets.filters.iter().map(|filter| Field { name: &filter.name, kind: FieldType::Count });
    by.chain(count).chain(metrics).chain(filters).collect()
}

/// SplitMix64: the same rows on every machine.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u32) -> u32 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((mixed ^ (mixed >> 31)) % u64::from(bound.max(1))) as u32
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use watchbell_contract::{NamedFilter, Query, Range, Timestamp};

    #[test]
    fn pages_are_well_formed_in_order_and_the_same_each_time() {
        let over = Range { start: Timestamp(0), end: Timestamp(3_600_000) };
        let window = Window { start: over.start, settled: over.end, end: over.end };
        let filters =
            vec![NamedFilter { name: "failed".into(), query: Query::Lucene("outcome: failed".into()) }];
        let hits = Hits { fields: vec!["host".into(), "user".into(), "bytes".into()], filters };
        let question = Question { over, only: vec![], filter: None, ask: Ask::Hits(hits) };
        let key = ["host".to_owned(), "user".to_owned()];
        let recipe = Recipe { key: &key, words: &[], rows: 25_000, keys: 300 };
        let pages = recipe.answer(&question, window).unwrap();
        assert_eq!(pages.iter().map(Rows::len).collect::<Vec<_>>(), [10_000, 10_000, 5_000]);
        let times: Vec<i64> = pages.iter().flat_map(|page| page.times.clone()).collect();
        assert!(times.is_sorted() && times[0] == 0 && times[24_999] < 3_600_000);
        for page in &pages {
            page.validate().unwrap();
            assert!(
                matches!(&page.column("host").unwrap().values, Values::Words(words) if words.ends.len() == 300)
            );
            let codes = |field: &str| match &page.column(field).unwrap().values {
                Values::Words(words) => words.codes.clone(),
                other => panic!("{other:?}"),
            };
            assert_eq!(codes("host"), codes("user"), "as many keys as asked for");
        }
        assert_eq!(pages, recipe.answer(&question, window).unwrap());
    }
}
