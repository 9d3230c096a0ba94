//! Runs the SDK's cases on a component in the sandbox; a rule's own tests run the same cases natively.
use watchbell_contract as contract;
use watchbell_sdk::testing::{Answer, Call, Runner};
use watchbell_sdk::wire::types as wire;
use watchbell_sdk::{
    AnyOf, Ask, Buckets, Calc, ClusterView, Duration, Evidence, Fault, Finding, Hits, Labels, Metric,
    NamedFilter, Plan, Problem, Question, Range, RawSearch, Signal, SignalKind, Timestamp,
};

use crate::{GuestFault, Limits, RuleModule, RunError};

/// Runs a case's windows on the component, each in a fresh instance, within the default limits.
#[derive(Debug)]
pub struct CaseRunner<'m> {
    module: &'m RuleModule,
}

impl<'m> CaseRunner<'m> {
    pub fn new(module: &'m RuleModule) -> Self {
        Self { module }
    }
}

impl Runner for CaseRunner<'_> {
    fn prepare(&mut self, params: &str, key: &[String]) -> Result<Plan, Vec<Fault>> {
        let verdict =
            self.module.prepare(params, key).map_err(|error| vec![Fault::new("", error.to_string())])?;
        match verdict {
            Ok(plan) => {
                Ok(Plan { history: Duration(plan.history.millis()), grid: Duration(plan.grid.millis()) })
            }
            Err(faults) => {
                Err(faults.into_iter().map(|fault| Fault::new(fault.path, fault.message)).collect())
            }
        }
    }

    fn run(&mut self, call: Call<'_>, answer: &mut Answer<'_>) -> Result<Finding, Problem> {
        let window = contract::Window {
            start: contract::Timestamp(call.window.start.0),
            settled: contract::Timestamp(call.window.settled.0),
            end: contract::Timestamp(call.window.end.0),
        };
        let started = self.module.start(call.params, call.key, call.state, window, &Limits::default());
        let mut run = started.map_err(problem)?;
        loop {
            let questions = run.questions().map_err(problem)?;
            if questions.is_empty() {
                let (finding, _) = run.finish().map_err(problem)?;
                let signals = finding.signals.into_iter().map(signal).collect();
                return Ok(Finding { signals, state: finding.state });
            }
            for (number, asked) in (0..).zip(questions) {
                let asked = question(asked);
                for page in answer(&asked).map_err(Problem::Other)? {
                    run.answer(number, rows(page)).map_err(problem)?;
                }
            }
        }
    }
}

fn problem(error: RunError) -> Problem {
    match error.fault {
        GuestFault::Problem(contract::Problem::Rows(message)) => Problem::Rows(message),
        GuestFault::Problem(contract::Problem::State(message)) => Problem::State(message),
        other => Problem::Other(other.to_string()),
    }
}

fn range(range: contract::Range) -> Range {
    Range::new(Timestamp(range.start.0), Timestamp(range.end.0))
}

fn any_of(only: contract::AnyOf) -> AnyOf {
    AnyOf { field: only.field, values: only.values }
}

fn question(question: contract::Question) -> Question {
    let filters = |filters: Vec<contract::NamedFilter>| {
        filters.into_iter().map(|named| NamedFilter { name: named.name, filter: named.filter }).collect()
    };
    let ask = match question.ask {
        contract::Ask::Hits(hits) => Ask::Hits(Hits { fields: hits.fields, filters: filters(hits.filters) }),
        contract::Ask::Buckets(buckets) => Ask::Buckets(Buckets {
            by: buckets.by,
            every: buckets.every.map(|every| Duration(every.millis())),
            metrics: buckets.metrics.into_iter().map(metric).collect(),
            filters: filters(buckets.filters),
        }),
        contract::Ask::Search(search) => Ask::Search(RawSearch { body: search.body, pick: search.pick }),
        contract::Ask::Cluster(view) => Ask::Cluster(match view {
            contract::ClusterView::Health => ClusterView::Health,
            contract::ClusterView::UnassignedShards => ClusterView::UnassignedShards,
            contract::ClusterView::PendingTasks => ClusterView::PendingTasks,
            contract::ClusterView::Disks => ClusterView::Disks,
            contract::ClusterView::Gate => ClusterView::Gate,
        }),
    };
    Question {
        over: range(question.over),
        only: question.only.into_iter().map(any_of).collect(),
        filter: question.filter,
        ask,
    }
}

fn metric(metric: contract::Metric) -> Metric {
    let calc = match metric.calc {
        contract::Calc::Minimum => Calc::Minimum,
        contract::Calc::Maximum => Calc::Maximum,
        contract::Calc::Average => Calc::Average,
        contract::Calc::Sum => Calc::Sum,
        contract::Calc::ValueCount => Calc::ValueCount,
        contract::Calc::Cardinality => Calc::Cardinality,
        contract::Calc::Percentile(percent) => Calc::Percentile(percent),
        contract::Calc::Script(source) => Calc::Script(source),
    };
    Metric { name: metric.name, field: metric.field, calc }
}

fn rows(rows: wire::Rows) -> contract::Rows {
    let column = |column: wire::Column| contract::Column {
        field: column.field,
        values: match column.values {
            wire::Values::Integers(values) => contract::Values::Integers(values),
            wire::Values::Numbers(values) => contract::Values::Numbers(values),
            wire::Values::Booleans(values) => contract::Values::Booleans(values),
            wire::Values::Words(words) => contract::Values::Words(contract::Dictionary {
                codes: words.codes,
                ends: words.ends,
                bytes: words.bytes,
            }),
        },
        present: column.present,
        offsets: column.offsets,
    };
    contract::Rows { times: rows.times, columns: rows.columns.into_iter().map(column).collect() }
}

fn signal(signal: contract::Signal) -> Signal {
    Signal {
        labels: Labels(signal.labels.into_iter().map(|label| label.value).collect()),
        at: Timestamp(signal.at.0),
        until: signal.until.map(|until| Timestamp(until.0)),
        kind: match signal.kind {
            contract::SignalKind::Firing => SignalKind::Firing,
            contract::SignalKind::Clear => SignalKind::Clear,
            contract::SignalKind::Event => SignalKind::Event,
        },
        value: signal.value,
        threshold: signal.threshold,
        summary: signal.summary,
        details: signal.details,
        evidence: signal.evidence.map(|evidence| Evidence {
            over: range(evidence.over),
            only: evidence.only.into_iter().map(any_of).collect(),
            filter: evidence.filter,
            newest: evidence.newest,
        }),
    }
}
