//! Converts between the generated types and the host's types. Rows are moved: a page crosses without work per row.
use watchbell_contract as contract;
use watchbell_contract::{Duration, Timestamp};
use watchbell_rows::GroupedRows;

use super::bindings::alerter_types as alerter;
use super::bindings::types as wit;
use crate::bytes::shortened;
use crate::limits::{FAULTS_MAX, TEXT_BYTES_MAX};

pub(crate) fn context(context: &contract::Context) -> wit::Context {
    wit::Context {
        key: context.key.clone(),
        every: context.every.map(Duration::millis),
        lateness: context.lateness.millis(),
        indices: context.indices.clone(),
    }
}

pub(crate) fn call(call: &contract::Call<'_>) -> wit::Call {
    let contract::Window { start, settled, end } = call.window;
    wit::Call {
        params: call.params.to_owned(),
        context: context(call.context),
        state: call.state.map(<[u8]>::to_vec),
        window: wit::Window { start: start.0, settled: settled.0, end: end.0 },
    }
}

pub(crate) fn rows(page: GroupedRows) -> wit::Rows {
    wit::Rows {
        times: page.times,
        columns: columns(page.columns),
        groups: wit::Groups { rows: page.groups.rows, labels: columns(page.groups.labels) },
    }
}

fn columns(columns: Vec<contract::Column>) -> Vec<wit::Column> {
    let column = |column: contract::Column| wit::Column {
        field: column.field,
        is_mapped: column.is_mapped,
        values: match column.values {
            contract::Values::Integers(values) => wit::Values::Integers(values),
            contract::Values::Numbers(values) => wit::Values::Numbers(values),
            contract::Values::Booleans(values) => wit::Values::Booleans(values),
            contract::Values::Words(words) => wit::Values::Words(wit::Dictionary {
                codes: words.codes,
                ends: words.ends,
                bytes: words.bytes,
            }),
            contract::Values::Points(points) => wit::Values::Points(wit::Points {
                latitudes: points.latitudes,
                longitudes: points.longitudes,
            }),
        },
        present: column.present,
        offsets: column.offsets,
    };
    columns.into_iter().map(column).collect()
}

pub(crate) fn about(about: wit::About) -> contract::About {
    contract::About {
        name: about.name,
        version: about.version,
        summary: about.summary,
        params_schema: about.params_schema,
        state_version: about.state_version,
        state_layout: about.state_layout,
    }
}

pub(crate) fn plan(plan: wit::Plan) -> contract::Plan {
    contract::Plan { history: Duration(plan.history), grid: plan.grid.map(Duration) }
}

pub(crate) fn faults(faults: Vec<wit::Fault>) -> Vec<contract::Fault> {
    let more = faults.len().saturating_sub(FAULTS_MAX);
    let fault = |fault: wit::Fault| contract::Fault { path: text(fault.path), message: text(fault.message) };
    let mut faults: Vec<_> = faults.into_iter().take(FAULTS_MAX).map(fault).collect();
    if more > 0 {
        faults.push(contract::Fault { path: String::new(), message: format!("and {more} more errors") });
    }
    faults
}

pub(crate) fn problem(problem: wit::Problem) -> contract::Problem {
    match problem {
        wit::Problem::Rows(message) => contract::Problem::Rows(text(message)),
        wit::Problem::State(message) => contract::Problem::State(text(message)),
        wit::Problem::Other(message) => contract::Problem::Other(text(message)),
    }
}

/// Truncates a module's messages: they end up in logs, stored rows and alerts, which are kept for a long time.
fn text(text: String) -> String {
    if text.len() > TEXT_BYTES_MAX { shortened(&text, TEXT_BYTES_MAX) } else { text }
}

pub(crate) fn round(round: wit::Round) -> contract::Round {
    contract::Round {
        questions: round.questions.into_iter().map(question).collect(),
        is_scouting: round.is_scouting,
    }
}

fn query(query: wit::Query) -> contract::Query {
    match query {
        wit::Query::Lucene(text) => contract::Query::Lucene(text),
        wit::Query::Dsl(text) => contract::Query::Dsl(text),
    }
}

fn question(question: wit::Question) -> contract::Question {
    contract::Question {
        over: range(question.over),
        only: only(question.only),
        filter: question.filter.map(query),
        ask: match question.ask {
            wit::Ask::Hits(hits) => {
                contract::Ask::Hits(contract::Hits { fields: hits.fields, filters: filters(hits.filters) })
            }
            wit::Ask::Buckets(buckets) => contract::Ask::Buckets(contract::Buckets {
                by: buckets.by,
                every: buckets.every.map(Duration),
                offset: Duration::ZERO,
                metrics: buckets.metrics.into_iter().map(metric).collect(),
                filters: filters(buckets.filters),
            }),
            wit::Ask::Search(search) => {
                let pick = search.picks.into_iter().map(|pick| (pick.name, pick.pointer)).collect();
                contract::Ask::Search(contract::RawSearch { body: search.body, pick })
            }
            wit::Ask::Cluster(view) => contract::Ask::Cluster(match view {
                wit::ClusterView::Health => contract::ClusterView::Health,
                wit::ClusterView::UnassignedShards => contract::ClusterView::UnassignedShards,
                wit::ClusterView::PendingTasks => contract::ClusterView::PendingTasks,
                wit::ClusterView::Disks => contract::ClusterView::Disks,
                wit::ClusterView::Gate => contract::ClusterView::Gate,
            }),
        },
    }
}

fn range(range: wit::Range) -> contract::Range {
    contract::Range::new(Timestamp(range.start), Timestamp(range.end))
}

fn only(only: Vec<wit::AnyOf>) -> Vec<contract::AnyOf> {
    only.into_iter().map(|any| contract::AnyOf { field: any.field, values: any.values }).collect()
}

fn filters(filters: Vec<wit::NamedFilter>) -> Vec<contract::NamedFilter> {
    let filter =
        |named: wit::NamedFilter| contract::NamedFilter { name: named.name, query: query(named.query) };
    filters.into_iter().map(filter).collect()
}

fn metric(metric: wit::Metric) -> contract::Metric {
    contract::Metric {
        name: metric.name,
        source: match metric.source {
            wit::Source::Field(field) => contract::Source::Field(field),
            wit::Source::Script(script) => contract::Source::Script(script),
        },
        calc: match metric.calc {
            wit::Calc::Minimum => contract::Calc::Minimum,
            wit::Calc::Maximum => contract::Calc::Maximum,
            wit::Calc::Average => contract::Calc::Average,
            wit::Calc::Sum => contract::Calc::Sum,
            wit::Calc::ValueCount => contract::Calc::ValueCount,
            wit::Calc::Cardinality => contract::Calc::Cardinality,
            wit::Calc::Percentile(rank) => contract::Calc::Percentile(rank),
        },
        filter: metric.filter.map(query),
    }
}

pub(crate) fn signals(finding: wit::Finding, key: &[String]) -> Vec<contract::Signal> {
    finding.signals.into_iter().map(|found| signal(found, key)).collect()
}

fn signal(signal: wit::Signal, key: &[String]) -> contract::Signal {
    let evidence = |evidence: wit::Evidence| match evidence {
        wit::Evidence::Selection(selection) => contract::Evidence::Selection(contract::Selection {
            over: range(selection.over),
            only: only(selection.only),
            filters: selection.filter.into_iter().map(query).collect(),
            newest: selection.newest,
        }),
        wit::Evidence::Documents(documents) => contract::Evidence::Documents(
            documents
                .into_iter()
                .map(|named| contract::Document { at: Timestamp(named.at), index: named.index, id: named.id })
                .collect(),
        ),
    };
    // A label without a name is one too many: it is refused later, where it can be said what is wrong.
    let names = key.iter().cloned().chain(std::iter::repeat(String::new()));
    contract::Signal {
        labels: names.zip(signal.labels).map(|(name, value)| contract::Label { name, value }).collect(),
        at: Timestamp(signal.at),
        until: signal.until.map(Timestamp),
        kind: match signal.kind {
            wit::SignalKind::Firing => contract::SignalKind::Firing,
            wit::SignalKind::Clear => contract::SignalKind::Clear,
            wit::SignalKind::Event => contract::SignalKind::Event,
        },
        identity: signal.identity,
        value: signal.value,
        threshold: signal.threshold,
        summary: signal.summary,
        details: signal.details,
        evidence: signal.evidence.map(evidence),
    }
}

pub(crate) fn alerter_about(about: alerter::About) -> contract::AlerterAbout {
    let product = |product: alerter::Product| contract::Product {
        name: product.name,
        summary: product.summary,
        params_schema: product.params_schema,
        text: contract::AlertText {
            format: match product.text.format {
                alerter::TextFormat::Plain => contract::TextFormat::Plain,
                alerter::TextFormat::Markdown => contract::TextFormat::Markdown,
                alerter::TextFormat::Html => contract::TextFormat::Html,
                alerter::TextFormat::Mrkdwn => contract::TextFormat::Mrkdwn,
            },
            styles: true,
            title_max: product.text.title_max,
            body_max: product.text.body_max,
        },
    };
    contract::AlerterAbout {
        name: about.name,
        version: about.version,
        products: about.products.into_iter().map(product).collect(),
    }
}

pub(crate) fn destination(product: &str, params: &str) -> alerter::Destination {
    alerter::Destination { product: product.to_owned(), params: params.to_owned() }
}

pub(crate) fn delivery(product: &str, params: &str, message: &contract::Intent) -> alerter::Delivery {
    alerter::Delivery { destination: destination(product, params), intent: intent(message) }
}

fn intent(intent: &contract::Intent) -> alerter::Intent {
    let label = |label: &contract::Label| wit::Label { name: label.name.clone(), value: label.value.clone() };
    alerter::Intent {
        id: intent.id.clone(),
        episode: intent.episode.clone(),
        rule: intent.rule.clone(),
        owner: intent.owner.clone(),
        environment: intent.environment.clone(),
        labels: intent.labels.iter().map(label).collect(),
        cause: match intent.cause {
            contract::Cause::Opened => alerter::Cause::Opened,
            contract::Cause::Worse => alerter::Cause::Worse,
            contract::Cause::Repeat => alerter::Cause::Repeat,
            contract::Cause::Escalated => alerter::Cause::Escalated,
            contract::Cause::Acknowledged => alerter::Cause::Acknowledged,
            contract::Cause::Resolved => alerter::Cause::Resolved,
            contract::Cause::Event => alerter::Cause::Event,
            contract::Cause::Was => alerter::Cause::Was,
            contract::Cause::Summary => alerter::Cause::Summary,
            contract::Cause::Test => alerter::Cause::Test,
        },
        person: intent.person.clone(),
        severity: match intent.severity {
            contract::Severity::Info => alerter::Severity::Info,
            contract::Severity::Warning => alerter::Severity::Warning,
            contract::Severity::Critical => alerter::Severity::Critical,
        },
        at: intent.at.0,
        since: intent.since.0,
        value: intent.value,
        threshold: intent.threshold,
        title: intent.title.clone(),
        body: intent.body.clone(),
        summary: intent.summary.clone(),
        details: intent.details.clone(),
        link: intent.link.clone(),
        acknowledge_link: intent.acknowledge_link.clone(),
        previous: intent
            .previous
            .as_ref()
            .map(|receipt| alerter::Receipt { reference: receipt.reference.clone() }),
        attempt: intent.attempt,
        maybe_repeated: intent.maybe_repeated,
    }
}

pub(crate) fn receipt(receipt: alerter::Receipt) -> contract::Receipt {
    contract::Receipt { reference: receipt.reference.map(text) }
}

pub(crate) fn refusal(refusal: alerter::Refusal) -> contract::Refusal {
    match refusal {
        alerter::Refusal::Refused(reason) => contract::Refusal::Refused(text(reason)),
        alerter::Refusal::Unavailable(later) => contract::Refusal::Unavailable {
            reason: text(later.reason),
            retry_after: later.retry_after.map(Duration),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_module_says_in_passing_is_cut() {
        let long = || "ä".repeat(TEXT_BYTES_MAX);
        let most = TEXT_BYTES_MAX + "…".len();
        let fault = || wit::Fault { path: long(), message: long() };
        let found = faults((0..FAULTS_MAX + 5).map(|_| fault()).collect());
        assert_eq!((found.len(), found[0].message.len(), found[0].path.len()), (FAULTS_MAX + 1, most, most));
        assert_eq!(found[FAULTS_MAX].message, "and 5 more errors");
        let contract::Problem::Other(text) = problem(wit::Problem::Other(long())) else { panic!() };
        assert_eq!(text.len(), most);
        let contract::Refusal::Refused(text) = refusal(alerter::Refusal::Refused(long())) else { panic!() };
        assert_eq!(text.len(), most);
        let unavailable =
            refusal(alerter::Refusal::Unavailable(alerter::Later { reason: long(), retry_after: Some(5) }));
        let contract::Refusal::Unavailable { reason, .. } = unavailable else { panic!() };
        assert_eq!(reason.len(), most);
        let reference = receipt(alerter::Receipt { reference: Some(long()) }).reference;
        assert_eq!(reference.unwrap().len(), most);
    }
}
