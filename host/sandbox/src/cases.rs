//! Runs the SDK's cases on a component in the sandbox; a rule's own tests run the same cases natively.
use watchbell_contract as contract;
use watchbell_sdk::log::Level;
use watchbell_sdk::testing::{Answer, Runner};
use watchbell_sdk::{
    AnyOf, Ask, Buckets, Calc, Call, ClusterView, Context, Document, Duration, Evidence, Fault, Finding,
    Hits, Labels, Metric, NamedFilter, Plan, Problem, Query, Question, Range, RawSearch, Selection, Signal,
    SignalKind, Source, Timestamp,
};

use crate::capabilities::log::LogLine;
use crate::{GuestFault, Limits, RuleModule, RunError, state};

/// Runs a case's windows on the component, each in a fresh instance, within the default limits. States are the module's
/// own bytes, as in a native run.
#[derive(Debug)]
pub struct CaseRunner<'m> {
    module: &'m RuleModule,
    logs: Vec<LogLine>,
}

impl<'m> CaseRunner<'m> {
    pub fn new(module: &'m RuleModule) -> Self {
        Self { module, logs: Vec::new() }
    }
}

impl Runner for CaseRunner<'_> {
    fn prepare(&mut self, params: &str, context: &Context) -> Result<Plan, Vec<Fault>> {
        let verdict = self
            .module
            .prepare(params, &host_context(context))
            .map_err(|error| vec![Fault::new("", error.to_string())])?;
        match verdict {
            Ok(plan) => Ok(Plan {
                history: Duration(plan.history.millis()),
                grid: plan.grid.map(|grid| Duration(grid.millis())),
            }),
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
        let context = host_context(call.context);
        let state = call.state.map(|bytes| state::wrap(self.module.about(), bytes));
        let call = contract::Call { params: call.params, context: &context, state: state.as_deref(), window };
        let reach = self.module.reach(call.params, call.context, contract::Duration::ZERO);
        let limits = Limits { reach, ..Limits::default() };
        let mut run = self.module.start(&call, &limits).map_err(|error| self.failed(error))?;
        loop {
            let questions = run.questions().map_err(|error| self.failed(error))?;
            if questions.is_empty() {
                let (finding, report) = run.finish().map_err(|error| self.failed(error))?;
                self.logs.extend(report.logs);
                let signals = finding.signals.into_iter().map(signal).collect();
                let state = state::own_bytes(&finding.state).unwrap_or_default().to_vec();
                return Ok(Finding { signals, state });
            }
            for (number, asked) in (0..).zip(questions) {
                for page in answer(&question(asked)).map_err(Problem::Other)? {
                    run.answer(number, page).map_err(|error| self.failed(error))?;
                }
            }
        }
    }

    fn logs(&mut self) -> Vec<(Level, String)> {
        let level = |level: u8| match level {
            0 => Level::Error,
            1 => Level::Warn,
            2 => Level::Info,
            3 => Level::Debug,
            _ => Level::Trace,
        };
        std::mem::take(&mut self.logs).into_iter().map(|line| (level(line.level), line.message)).collect()
    }
}

impl CaseRunner<'_> {
    fn failed(&mut self, mut error: RunError) -> Problem {
        self.logs.append(&mut error.logs);
        problem(error)
    }
}

fn host_context(context: &Context) -> contract::Context {
    contract::Context {
        key: context.key.clone(),
        every: context.every.map(|every| contract::Duration(every.millis())),
        lateness: contract::Duration(context.lateness.millis()),
        indices: context.indices.clone(),
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
        filters.into_iter().map(|named| NamedFilter { name: named.name, query: query(named.query) }).collect()
    };
    let ask = match question.ask {
        contract::Ask::Hits(hits) => Ask::Hits(Hits { fields: hits.fields, filters: filters(hits.filters) }),
        contract::Ask::Buckets(buckets) => Ask::Buckets(Buckets {
            by: buckets.by,
            every: buckets.every.map(|every| Duration(every.millis())),
            metrics: buckets.metrics.into_iter().map(metric).collect(),
            filters: filters(buckets.filters),
        }),
        contract::Ask::Search(search) => Ask::Search(RawSearch { body: search.body, picks: search.pick }),
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
        filter: question.filter.map(query),
        ask,
    }
}

fn query(query: contract::Query) -> Query {
    match query {
        contract::Query::Lucene(text) => Query::Lucene(text),
        contract::Query::Dsl(text) => Query::Dsl(text),
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
    };
    let source = match metric.source {
        contract::Source::Field(field) => Source::Field(field),
        contract::Source::Script(script) => Source::Script(script),
    };
    Metric { name: metric.name, source, calc, filter: metric.filter.map(query) }
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
        identity: signal.identity,
        value: signal.value,
        threshold: signal.threshold,
        summary: signal.summary,
        details: signal.details,
        evidence: signal.evidence.map(evidence),
    }
}

/// The host has added the labels to a selection.
fn evidence(evidence: contract::Evidence) -> Evidence {
    match evidence {
        contract::Evidence::Selection(selection) => Evidence::Selection(Selection {
            over: range(selection.over),
            only: selection.only.into_iter().map(any_of).collect(),
            filter: selection.filters.into_iter().next().map(query),
            newest: selection.newest,
        }),
        contract::Evidence::Documents(documents) => {
            let document = |named: contract::Document| Document {
                at: Timestamp(named.at.0),
                index: named.index,
                id: named.id,
            };
            Evidence::Documents(documents.into_iter().map(document).collect())
        }
    }
}
