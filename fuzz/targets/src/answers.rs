//! What clusters answer: documents, buckets, field capabilities and errors.
use serde_json::value::RawValue;
use watchbell_contract::Rows;
use watchbell_elastic::fuzzing;

/// A page may take this many times the memory of the answer's bytes: a hit is `{"sort":[1]}` at least, and becomes a
/// place in each of 19 columns.
const GROWTH_MAX: usize = 32;
/// What an error says of an answer, in bytes: an excerpt of 300 characters and the words around it.
const TOLD_BYTES_MAX: usize = 4_096;

/// Reads an answer as hits: a valid page in order of time, of at most as many rows as the answer has hits.
pub fn hits(input: &[u8]) {
    match fuzzing::hits(input) {
        Ok(rows) => {
            page(&rows, input);
            assert!(rows.times.is_sorted(), "rows are not in order of time");
            assert!(rows.len() <= input.len() / br#"{"sort":[1]}"#.len(), "{} rows", rows.len());
        }
        Err(why) => assert!(!why.is_empty()),
    }
    // What a server may send in its place.
    for status in [400, 404, 429, 500, 503] {
        let told = fuzzing::refusal(status, input);
        assert!(told.len() <= TOLD_BYTES_MAX, "an error of {} bytes", told.len());
    }
}

/// Reads an answer as buckets, for a question with groups and for one without, and as field capabilities.
pub fn buckets(input: &[u8]) {
    for is_whole in [false, true] {
        match fuzzing::buckets(input, is_whole) {
            Ok(rows) => page(&rows, input),
            Err(why) => assert!(!why.is_empty()),
        }
    }
    if let Err(why) = fuzzing::fields(input) {
        assert!(!why.is_empty());
    }
}

fn page(rows: &Rows, input: &[u8]) {
    assert_eq!(rows.validate(), Ok(()));
    let most = 1_024 + input.len() * GROWTH_MAX;
    assert!(rows.bytes() <= most, "{} bytes of {} became {}", rows.len(), input.len(), rows.bytes());
    // Not a tree: a number that nothing reads may be out of every range.
    let text = serde_json::from_slice::<&RawValue>(input).map(RawValue::get);
    assert!(text.is_ok_and(|text| text.starts_with('{')), "what is no JSON object became rows");
}
