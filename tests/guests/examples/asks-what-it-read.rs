//! Puts a word of a document into a query as it is, so that one document can make it ask what cannot be asked.
use watchbell_sdk::{Context, Duration, Fault, Plan, Question, Range, Row, Rule, Signal, Signals};

#[derive(serde::Deserialize, schemars::JsonSchema)]
pub struct Guest {
    sin: bool,
}

#[watchbell_sdk::rule(name = "asks-what-it-read", summary = "A guest of the sandbox's tests")]
impl Rule for Guest {
    type State = Vec<String>;

    fn plan(&self, _: &Context) -> Result<Plan, Vec<Fault>> {
        Ok(Plan::rows(Duration::ZERO))
    }

    fn ask_round(&self, round: usize, over: Range, _: &Context, read: &mut Vec<String>) -> Vec<Question> {
        if round == 0 {
            return vec![Question::hits(over)];
        }
        let words: Vec<String> =
            std::mem::take(read).iter().map(|word| format!("host.name:\"{word}\"")).collect();
        if words.is_empty() {
            return vec![];
        }
        vec![Question { filter: Some(words.join(" OR ").into()), ..Question::hits(over) }]
    }

    fn is_scouted(&self, round: usize) -> bool {
        self.sin && round == 0
    }

    fn scout(&self, row: &Row<'_>, read: &mut Vec<String>) {
        read.extend(row.labels().0.into_iter().flatten());
    }

    fn row(&self, row: &Row<'_>, _read: &mut Vec<String>, out: &mut Signals) {
        out.push(Signal::event(row.labels(), row.time()).summary("harmless"));
    }
}
