//! Reads aggregations. What is not known is refused in Elasticsearch's words.
use serde_json::{Map, Value as Json};

use super::composite::{Composite, Source};
use super::histogram::{DateHistogram, Histogram, Interval};
use super::metric::{Calc, Metric};
use super::range::Ranges;
use super::sorted::{By, Order};
use super::terms::{Choice, Terms};
use super::{Agg, BUCKETS_MAX, Kind};
use crate::dates::{Formats, Unit, Zone};
use crate::errors::{Answer, Refusal};
use crate::query;

const DEPTH_MAX: usize = 20;

const UNMODELLED: &[&str] = &[
    "top_hits",
    "bucket_selector",
    "bucket_sort",
    "bucket_script",
    "multi_terms",
    "nested",
    "reverse_nested",
    "global",
    "extended_stats",
    "percentile_ranks",
    "significant_terms",
    "rare_terms",
    "sampler",
    "scripted_metric",
    "geo_bounds",
    "date_range",
    "ip_range",
    "auto_date_histogram",
    "variable_width_histogram",
    "median_absolute_deviation",
    "top_metrics",
    "avg_bucket",
    "max_bucket",
    "min_bucket",
    "sum_bucket",
    "derivative",
    "cumulative_sum",
    "moving_fn",
    "weighted_avg",
    "boxplot",
    "rate",
    "string_stats",
    "children",
    "parent",
    "adjacency_matrix",
    "matrix_stats",
    "geotile_grid",
];

pub(crate) fn parse(json: &Json) -> Answer<Vec<Agg>> {
    at(json, 0)
}

fn at(json: &Json, depth: usize) -> Answer<Vec<Agg>> {
    if depth > DEPTH_MAX {
        return Err(Refusal::illegal(format!("aggregations are nested more than {DEPTH_MAX} deep")));
    }
    let object = json.as_object().ok_or_else(|| Refusal::parsing("Expected [START_OBJECT] under [aggs]"))?;
    object.iter().map(|(name, body)| one(name, body, depth)).collect()
}

fn one(name: &str, body: &Json, depth: usize) -> Answer<Agg> {
    let wrong = |what: &str| Refusal::parsing(format!("{what} under aggregation [{name}]"));
    if name.is_empty() || name.contains(['[', ']', '>']) {
        return Err(Refusal::parsing(format!(
            "Invalid aggregation name [{name}]. Aggregation names can contain any character except '[', ']', and '>'"
        )));
    }
    let body = body.as_object().ok_or_else(|| wrong("Expected [START_OBJECT]"))?;
    let (mut kind, mut subs) = (None, Vec::new());
    for (key, value) in body {
        match key.as_str() {
            "aggs" | "aggregations" => subs = at(value, depth + 1)?,
            "meta" => return Err(Refusal::unmodelled("aggregation key [meta]")),
            _ if kind.is_some() => {
                return Err(Refusal::parsing(format!(
                    "Found two aggregation type definitions in [{name}]: one of them [{key}]"
                )));
            }
            key => kind = Some(read(name, key, value)?),
        }
    }
    let kind =
        kind.ok_or_else(|| Refusal::parsing(format!("Missing definition for aggregation [{name}]")))?;
    if matches!(kind, Kind::Metric(_)) && !subs.is_empty() {
        return Err(Refusal::illegal(format!("Aggregator [{name}] cannot accept sub-aggregations")));
    }
    if matches!(kind, Kind::Composite(_)) && depth > 0 {
        return Err(Refusal::illegal("[composite] aggregation cannot be used with a parent aggregation"));
    }
    // An order by what is not there would silently be no order.
    if let Kind::Terms(Terms { order, .. }) | Kind::DateHistogram(DateHistogram { order: Some(order), .. }) =
        &kind
    {
        for (by, _) in &order.0 {
            if let By::Sub(sub, _) = by
                && !subs
                    .iter()
                    .any(|agg| agg.name == *sub && matches!(agg.kind, Kind::Metric(_) | Kind::Filter(_)))
            {
                return Err(Refusal::illegal(format!(
                    "Invalid aggregation order path [{sub}]. Cannot find aggregation named [{sub}]"
                )));
            }
        }
    }
    Ok(Agg { name: name.to_owned(), kind, subs })
}

fn read(name: &str, kind: &str, value: &Json) -> Answer<Kind> {
    match kind {
        "filter" => return query::parse(value).map(Kind::Filter),
        "filters" => return filters(value),
        _ => {}
    }
    let body = value.as_object().ok_or_else(|| {
        Refusal::parsing(format!("Expected [START_OBJECT] under [{kind}], but got [{value}] in [{name}]"))
    })?;
    let mut body = Body { kind, rest: body.clone() };
    let read = match kind {
        "min" => metric(&mut body, Calc::Min)?,
        "max" => metric(&mut body, Calc::Max)?,
        "avg" => metric(&mut body, Calc::Avg)?,
        "sum" => metric(&mut body, Calc::Sum)?,
        "value_count" => metric(&mut body, Calc::ValueCount)?,
        "stats" => metric(&mut body, Calc::Stats)?,
        "cardinality" => {
            body.rest.shift_remove("precision_threshold");
            metric(&mut body, Calc::Cardinality)?
        }
        "percentiles" => percentiles(&mut body)?,
        "terms" => Kind::Terms(terms(&mut body)?),
        "date_histogram" => Kind::DateHistogram(date_histogram(&mut body)?),
        "histogram" => Kind::Histogram(histogram(&mut body)?),
        "range" => Kind::Range(ranges(&mut body)?),
        "missing" => Kind::Missing(body.field()?),
        "composite" => Kind::Composite(composite(&mut body)?),
        other if UNMODELLED.contains(&other) => {
            return Err(Refusal::unmodelled(format!("aggregation [{other}]")));
        }
        other => return Err(Refusal::parsing(format!("Unknown aggregation type [{other}]"))),
    };
    body.finish()?;
    Ok(read)
}

/// What is left of an aggregation's body; whatever nobody takes is unknown.
struct Body<'a> {
    kind: &'a str,
    rest: Map<String, Json>,
}

impl Body<'_> {
    fn take(&mut self, key: &str) -> Option<Json> {
        self.rest.shift_remove(key)
    }

    fn wrong(&self, key: &str, value: &Json) -> Refusal {
        Refusal::parsing(format!("[{}] failed to parse field [{key}]: [{value}]", self.kind))
    }

    fn text(&mut self, key: &str) -> Answer<Option<String>> {
        match self.take(key) {
            None => Ok(None),
            Some(Json::String(text)) => Ok(Some(text)),
            Some(other) => Err(self.wrong(key, &other)),
        }
    }

    fn field(&mut self) -> Answer<String> {
        let field = self.text("field")?;
        // Scripts are the other way to say it.
        field.ok_or_else(|| {
            Refusal::illegal(format!(
                "Required one of fields [field, script], but none were specified in [{}]",
                self.kind
            ))
        })
    }

    fn count(&mut self, key: &str, default: usize) -> Answer<usize> {
        match self.take(key) {
            None => Ok(default),
            Some(value) => {
                let number = value.as_u64().and_then(|n| usize::try_from(n).ok());
                number.ok_or_else(|| self.wrong(key, &value))
            }
        }
    }

    fn flag(&mut self, key: &str) -> Answer<Option<bool>> {
        match self.take(key) {
            None => Ok(None),
            Some(Json::Bool(flag)) => Ok(Some(flag)),
            Some(other) => Err(self.wrong(key, &other)),
        }
    }

    fn number(&mut self, key: &str) -> Answer<Option<f64>> {
        match self.take(key) {
            None => Ok(None),
            Some(value) => value.as_f64().map(Some).ok_or_else(|| self.wrong(key, &value)),
        }
    }

    fn format(&mut self) -> Answer<Option<Formats>> {
        self.text("format")?.map(|text| Formats::new(&text).map_err(Refusal::illegal)).transpose()
    }

    fn zone(&mut self) -> Answer<Zone> {
        match self.text("time_zone")? {
            None => Ok(Zone::UTC),
            Some(text) => {
                Zone::parse(&text).ok_or_else(|| Refusal::illegal(format!("Unknown time-zone ID: {text}")))
            }
        }
    }

    fn finish(&self) -> Answer<()> {
        match self.rest.keys().next() {
            None => Ok(()),
            Some(key) => Err(Refusal::content(format!("[{}] unknown field [{key}]", self.kind))),
        }
    }
}

fn metric(body: &mut Body<'_>, calc: Calc) -> Answer<Kind> {
    Ok(Kind::Metric(Metric { calc, field: body.field()?, missing: body.take("missing") }))
}

fn percentiles(body: &mut Body<'_>) -> Answer<Kind> {
    let percents = match body.take("percents") {
        None => vec![1.0, 5.0, 25.0, 50.0, 75.0, 95.0, 99.0],
        Some(value) => {
            let numbers =
                value.as_array().and_then(|all| all.iter().map(Json::as_f64).collect::<Option<Vec<_>>>());
            let numbers =
                numbers.filter(|all| !all.is_empty() && all.iter().all(|p| (0.0..=100.0).contains(p)));
            numbers.ok_or_else(|| body.wrong("percents", &value))?
        }
    };
    let keyed = body.flag("keyed")?.unwrap_or(true);
    body.rest.shift_remove("tdigest");
    metric(body, Calc::Percentiles { percents, keyed })
}

fn terms(body: &mut Body<'_>) -> Answer<Terms> {
    for hint in
        ["shard_size", "execution_hint", "collect_mode", "show_term_doc_count_error", "shard_min_doc_count"]
    {
        if hint != "show_term_doc_count_error" || body.rest.get(hint) == Some(&Json::Bool(false)) {
            body.rest.shift_remove(hint);
        }
    }
    let order = match body.take("order") {
        Some(order) => Order::parse(&order)?,
        None => Order(vec![(By::Count, true)]),
    };
    let choice = |value: Option<Json>| value.map(|value| Choice::parse(&value)).transpose();
    let terms = Terms {
        field: body.field()?,
        size: body.count("size", 10)?,
        min_doc_count: body.count("min_doc_count", 1)?,
        order,
        missing: body.take("missing"),
        format: body.format()?,
        include: choice(body.take("include"))?,
        exclude: choice(body.take("exclude"))?,
    };
    if terms.min_doc_count == 0 {
        return Err(Refusal::unmodelled("min_doc_count [0] of [terms]"));
    }
    if terms.size == 0 || terms.size > BUCKETS_MAX {
        return Err(Refusal::content(format!(
            "[size] must be greater than 0 and at most {BUCKETS_MAX}. Found [{}]",
            terms.size
        )));
    }
    Ok(terms)
}

/// A time value such as `90s`, in milliseconds.
fn span(text: &str) -> Option<i64> {
    let (sign, text) = match text.strip_prefix('-') {
        Some(text) => (-1, text),
        None => (1, text.strip_prefix('+').unwrap_or(text)),
    };
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let factor = match &text[digits..] {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return None,
    };
    text[..digits].parse::<i64>().ok()?.checked_mul(factor)?.checked_mul(sign)
}

fn interval(body: &mut Body<'_>) -> Answer<Interval> {
    match (body.text("fixed_interval")?, body.text("calendar_interval")?) {
        (Some(text), None) => {
            let fixed = span(&text).filter(|span| *span > 0).map(Interval::Fixed);
            fixed.ok_or_else(|| Refusal::illegal(format!("failed to parse setting [date_histogram.fixedInterval] with value [{text}] as a time value")))
        }
        (None, Some(text)) => Ok(Interval::Calendar(match text.as_str() {
            "second" | "1s" => Unit::Second,
            "minute" | "1m" => Unit::Minute,
            "hour" | "1h" => Unit::Hour,
            "day" | "1d" => Unit::Day,
            "week" | "1w" => Unit::Week,
            "month" | "1M" => Unit::Month,
            "quarter" | "1q" => Unit::Quarter,
            "year" | "1y" => Unit::Year,
            other => {
                return Err(Refusal::content(format!(
                    "The supplied interval [{other}] could not be parsed as a calendar interval."
                )));
            }
        })),
        (None, None) => Err(Refusal::illegal(
            "Required one of fields [fixed_interval, calendar_interval], but none were specified.",
        )),
        _ => Err(Refusal::content(
            "Cannot use [fixed_interval] with [calendar_interval] configuration option.",
        )),
    }
}

fn offset(body: &mut Body<'_>) -> Answer<i64> {
    match body.take("offset") {
        None => Ok(0),
        Some(value) => {
            let millis = value.as_i64().or_else(|| span(value.as_str()?));
            millis.ok_or_else(|| body.wrong("offset", &value))
        }
    }
}

fn date_histogram(body: &mut Body<'_>) -> Answer<DateHistogram> {
    let bounds = |value: Option<Json>, key: &str| -> Answer<Option<(Json, Json)>> {
        let Some(value) = value else { return Ok(None) };
        let pair = value.get("min").zip(value.get("max")).map(|(min, max)| (min.clone(), max.clone()));
        pair.map(Some).ok_or_else(|| Refusal::unmodelled(format!("[{key}] without both min and max")))
    };
    Ok(DateHistogram {
        field: body.field()?,
        interval: interval(body)?,
        offset: offset(body)?,
        zone: body.zone()?,
        format: body.format()?,
        min_doc_count: body.count("min_doc_count", 0)?,
        order: body.take("order").map(|order| Order::parse(&order)).transpose()?,
        keyed: body.flag("keyed")?.unwrap_or(false),
        missing: body.take("missing"),
        extended: bounds(body.take("extended_bounds"), "extended_bounds")?,
        hard: bounds(body.take("hard_bounds"), "hard_bounds")?,
    })
}

fn histogram(body: &mut Body<'_>) -> Answer<Histogram> {
    let interval = body.number("interval")?.filter(|interval| *interval > 0.0);
    Ok(Histogram {
        field: body.field()?,
        interval: interval
            .ok_or_else(|| Refusal::illegal("[interval] must be >0 for histogram aggregation"))?,
        offset: body.number("offset")?.unwrap_or(0.0),
        min_doc_count: body.count("min_doc_count", 0)?,
        keyed: body.flag("keyed")?.unwrap_or(false),
        missing: body.take("missing"),
    })
}

fn ranges(body: &mut Body<'_>) -> Answer<Ranges> {
    let list = body.take("ranges").unwrap_or_default();
    let mut ranges = Vec::new();
    for range in list.as_array().into_iter().flatten() {
        let mut one = Body { kind: "range", rest: range.as_object().cloned().unwrap_or_default() };
        ranges.push((one.text("key")?, one.number("from")?, one.number("to")?));
        one.finish()?;
    }
    if ranges.is_empty() {
        return Err(Refusal::illegal("No [ranges] specified for the [range] aggregation"));
    }
    Ok(Ranges { field: body.field()?, ranges, keyed: body.flag("keyed")?.unwrap_or(false) })
}

fn filters(value: &Json) -> Answer<Kind> {
    let body = value.as_object().ok_or_else(|| Refusal::parsing("[filters] must be an object"))?;
    let mut body = Body { kind: "filters", rest: body.clone() };
    let filters = match body.take("filters") {
        Some(Json::Object(named)) => named
            .iter()
            .map(|(name, filter)| Ok((Some(name.clone()), query::parse(filter)?)))
            .collect::<Answer<Vec<_>>>()?,
        Some(Json::Array(list)) => {
            list.iter().map(|filter| Ok((None, query::parse(filter)?))).collect::<Answer<Vec<_>>>()?
        }
        _ => return Err(Refusal::illegal("[filters] cannot be null or empty")),
    };
    let name = body.text("other_bucket_key")?;
    let other = body.flag("other_bucket")?.unwrap_or(name.is_some());
    body.finish()?;
    Ok(Kind::Filters { filters, other: other.then(|| name.unwrap_or_else(|| "_other_".into())) })
}

fn composite(body: &mut Body<'_>) -> Answer<Composite> {
    let list = body.take("sources").unwrap_or_default();
    let mut sources = Vec::new();
    for source in list.as_array().into_iter().flatten() {
        let malformed = || Refusal::parsing(format!("[composite] malformed source [{source}]"));
        let single = |json: &Json| -> Option<(String, Json)> {
            let object = json.as_object().filter(|object| object.len() == 1)?;
            object.iter().next().map(|(key, value)| (key.clone(), value.clone()))
        };
        let (name, inner) = single(source).ok_or_else(malformed)?;
        let (kind, options) = single(&inner).ok_or_else(malformed)?;
        let mut one = Body { kind: "composite", rest: options.as_object().cloned().ok_or_else(malformed)? };
        let dates = match kind.as_str() {
            "terms" => None,
            "date_histogram" => Some((interval(&mut one)?, offset(&mut one)?, one.zone()?)),
            other => return Err(Refusal::unmodelled(format!("composite source [{other}]"))),
        };
        let read = Source {
            name,
            field: one.field()?,
            dates,
            format: one.format()?,
            descending: match one.text("order")?.as_deref() {
                None | Some("asc") => false,
                Some("desc") => true,
                Some(other) => return Err(Refusal::illegal(format!("Unknown SortOrder [{other}]"))),
            },
            missing_bucket: one.flag("missing_bucket")?.unwrap_or(false),
            missing_first: match one.text("missing_order")?.as_deref() {
                None | Some("default") => None,
                Some("first") => Some(true),
                Some("last") => Some(false),
                Some(other) => return Err(Refusal::illegal(format!("Unknown missing_order [{other}]"))),
            },
        };
        one.finish()?;
        sources.push(read);
    }
    if sources.is_empty() {
        return Err(Refusal::illegal("Composite [sources] cannot be null or empty"));
    }
    let after = match body.take("after") {
        None => None,
        Some(Json::Object(after)) => Some(after),
        Some(other) => return Err(body.wrong("after", &other)),
    };
    let size = body.count("size", 10)?;
    if size == 0 || size > BUCKETS_MAX {
        return Err(Refusal::illegal(format!(
            "[size] must be greater than 0 and at most {BUCKETS_MAX}. Found [{size}]"
        )));
    }
    Ok(Composite { size, sources, after })
}
