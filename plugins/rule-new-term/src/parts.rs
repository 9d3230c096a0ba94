//! The past, asked as buckets: a row for each value that there was, and no document.
//!
//! What lies in the past is only seen, never told, and is known to the step: so a question for each field and each step
//! is enough. A bucket without a time of its own stands at the beginning of its question, so all questions together
//! are in order of time and no page need be held back.
use watchbell_sdk::{Question, Range, Timestamp};

use crate::NewTerm;

/// Questions of a round, as a host allows.
const QUESTIONS_MAX: usize = 64;
const ROUNDS_MAX: usize = 4;

/// What to ask in a round, and how many of the questions, which come first, are for buckets. Documents are asked from
/// `told_from` on, or where the past is cut into more parts than can be asked.
pub(crate) fn questions(
    rule: &NewTerm,
    round: usize,
    over: Range,
    told_from: Timestamp,
) -> (Vec<Question>, usize) {
    let past = Range::new(over.start, told_from.clamp(over.start, over.end));
    // One is left for the documents.
    let a_round = (QUESTIONS_MAX - 1) / rule.fields.len().max(1);
    let parts = parts(past, rule.step().signed(), a_round * ROUNDS_MAX);
    let Some(parts) = parts.filter(|parts| !parts.is_empty()) else {
        let documents = (round == 0).then(|| documents(rule, over));
        return (documents.into_iter().collect(), 0);
    };
    let Some(chunk) = parts.chunks(a_round).nth(round) else { return (vec![], 0) };
    let mut questions: Vec<_> = chunk
        .iter()
        .flat_map(|part| {
            let bucket = |field: &[String]| {
                field.iter().fold(Question::buckets(*part, None), |question, field| question.field(field))
            };
            rule.fields.iter().map(move |term| bucket(term.fields()))
        })
        .collect();
    let buckets = questions.len();
    if (round + 1) * a_round >= parts.len() && past.end < over.end {
        questions.push(documents(rule, Range::new(past.end, over.end)));
    }
    (questions, buckets)
}

fn documents(rule: &NewTerm, over: Range) -> Question {
    let mut fields: Vec<&String> = Vec::new();
    for field in rule.fields.iter().flat_map(|term| term.fields()) {
        if !fields.contains(&field) {
            fields.push(field);
        }
    }
    fields.into_iter().fold(Question::hits(over).identified(), |question, field| question.field(field))
}

/// `over`, cut at the multiples of `step`; none if that makes more than `parts_max`.
fn parts(over: Range, step: i64, parts_max: usize) -> Option<Vec<Range>> {
    let mut parts = Vec::new();
    let mut start = over.start;
    while start < over.end {
        if parts.len() == parts_max {
            return None;
        }
        let next = Timestamp((start.0 - start.0.rem_euclid(step)).saturating_add(step));
        parts.push(Range::new(start, next.min(over.end)));
        start = next;
    }
    Some(parts)
}

#[cfg(test)]
mod tests {
    use watchbell_sdk::{Ask, json};

    use super::*;

    fn rule(fields: usize) -> NewTerm {
        let fields: Vec<_> = (0..fields).map(|n| format!("f{n}")).collect();
        serde_json::from_value(json!({ "fields": fields, "window": "1d" })).unwrap()
    }

    fn range(start: i64, end: i64) -> Range {
        Range::new(Timestamp(start * 60_000), Timestamp(end * 60_000))
    }

    /// Each question's beginning in minutes, and whether it is for buckets.
    fn asked(rule: &NewTerm, round: usize, over: Range, told_from: i64) -> Vec<(i64, bool)> {
        let (questions, buckets) = questions(rule, round, over, Timestamp(told_from * 60_000));
        let is_bucket = |question: &Question| matches!(question.ask, Ask::Buckets(_));
        assert_eq!(questions.iter().filter(|question| is_bucket(question)).count(), buckets);
        questions.iter().map(|question| (question.over.start.0 / 60_000, is_bucket(question))).collect()
    }

    #[test]
    fn the_past_is_asked_by_steps_and_the_rest_as_documents() {
        let one = rule(1);
        assert_eq!(asked(&one, 0, range(10, 70), 1_000), [(10, true), (30, true), (60, true)]);
        assert_eq!(asked(&one, 0, range(10, 70), 40), [(10, true), (30, true), (40, false)]);
        assert_eq!(asked(&one, 0, range(10, 70), 5), [(10, false)]);
        assert!(asked(&one, 1, range(10, 70), 40).is_empty());
        assert!(asked(&one, 1, range(10, 70), 5).is_empty());
        assert_eq!(asked(&rule(2), 0, range(0, 30), 20), [(0, true), (0, true), (20, false)]);
    }

    #[test]
    fn long_pasts_take_several_rounds_and_the_longest_documents() {
        // Half hours of four days: 192 for each of a field.
        let four_days = range(0, 4 * 1_440);
        let counts: Vec<_> = (0..5).map(|round| asked(&rule(1), round, four_days, 9_999).len()).collect();
        assert_eq!(counts, [63, 63, 63, 3, 0]);
        assert!(asked(&rule(1), 3, four_days, 5_000).is_empty());
        assert_eq!(asked(&rule(1), 2, four_days, 5_000).last(), Some(&(5_000, false)));
        assert_eq!(asked(&rule(16), 0, four_days, 9_999), [(0, false)]);
        assert!(asked(&rule(16), 1, four_days, 9_999).is_empty());
    }
}
