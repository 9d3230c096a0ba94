//! A manifest's document becomes a bound rule.
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde_json::{Map, Value, json};
use watchbell_contract::{Duration, Plan, Severity, Timestamp};
use watchbell_pipeline::active::{Active, ActiveFault, Outside, Written};
use watchbell_pipeline::schedule::{Cron, CronFault};
use watchbell_pipeline::spec::{CatchUp, Meaning, NoData, RuleName, RuleSpec, Schedule};
use watchbell_values::is_date_math;

use super::doc::Doc;
use super::module::module_ref;
use super::target::{Asked, target};
use super::{alert, digest};
use crate::calendar;
use crate::limits::{EVERY_MIN, GRID_MAX, HISTORY_MAX};
use crate::overlay::join;
use crate::report::{Diagnostic, suggest};
use crate::schema::{Schema, lower};
use crate::{BoundRule, Environment, ModuleFault, ModuleRef, Modules, RuleModuleInfo, raw};

const DELAY: Duration = Duration::from_secs(10);
const LATENESS: Duration = Duration::from_mins(2);
const WINDOW_MAX: Duration = Duration::from_hours(1);
const DEADLINE: Duration = Duration::from_mins(1);

/// What rules are bound against.
pub(crate) struct Bench<'a> {
    /// `None`: at fault itself; what depends on it is not judged.
    pub(crate) environment: Option<&'a Environment>,
    pub(crate) modules: &'a dyn Modules,
    /// Compiled once per module.
    pub(crate) schemas: BTreeMap<ModuleRef, Schema>,
}

impl Bench<'_> {
    /// `None`: at fault.
    pub(crate) fn rule(&mut self, doc: &mut Doc<'_>, source: &Path) -> Option<BoundRule> {
        let before = doc.errors();
        let raw: raw::Rule = doc.read(crate::schema::rule())?;
        let params = raw.params.unwrap_or_else(|| Value::Object(Map::new()));
        let module = module_ref(doc, &raw.module, raw.sha256.as_deref(), source);
        let judged = module.and_then(|module| {
            let info = self.module(doc, &module, &raw.module)?;
            let plan = self.params(doc, &module, &info, &params, &raw.key);
            Some((module, info, plan))
        });

        let target = target(
            doc,
            Asked {
                cluster: raw.cluster,
                index: raw.index,
                time_field: raw.time_field,
                filter: raw.filter,
                ignore_unavailable: raw.ignore_unavailable,
            },
            self.environment,
        );
        let zone = raw.timezone.clone();
        if raw.cron.is_none() && raw.active.is_none() && zone.is_some() && !doc.was_wrong("/cron") {
            doc.fault("/timezone", "`timezone` belongs to `cron` and `active`").hint("remove it").push(doc);
        }
        let has_cron = raw.cron.is_some();
        let schedule = schedule(doc, raw.every, raw.cron, raw.timezone);
        let active = raw.active.and_then(|active| hours(doc, active, zone, has_cron));
        let delay = doc.span("/delay", raw.delay, DELAY);
        let lateness = doc.span("/lateness", raw.lateness, LATENESS);
        let lookback = raw.lookback.map(|_| doc.positive("/lookback", raw.lookback, Duration::ZERO));
        let severity = raw.severity.map_or_else(Severity::default, Severity::from);
        let worse = alert::worse(doc, raw.worse, severity);
        let (alert, shown) = alert::alert(doc, raw.alert, severity, &raw.key, self.environment);
        let own = doc.limits("/limits", &raw.limits);
        let limits = self.environment.map_or(own, |environment| own.over(environment.limits));

        let (module, info, plan) = judged?;
        let (schedule, plan) = (schedule?, plan?);
        let calendar = calendar::span(&params);
        if let (Some(name), Schedule::Every(_)) = (calendar, &schedule) {
            doc.fault(
                &format!("/params/{name}"),
                format!("`{name}: day` needs `cron`: a day is one of its time zone"),
            )
            .hint(format!("write `{name}: 1d` for 24 hours, or `cron: \"0 0 * * *\"` with `timezone`"))
            .push(doc);
        }
        let grid = grid(&schedule, plan);
        warn_of_grids(doc, &schedule, plan);
        let window_max = doc.positive("/window_max", raw.window_max, WINDOW_MAX.max(grid));
        if window_max < grid {
            doc.fault(
                "/window_max",
                format!("`window_max` must be at least {grid}, the time between two windows"),
            )
            .push(doc);
        }
        let spec = RuleSpec {
            meaning: meaning(&info, &params, &target, &raw.key),
            state_version: info.state_version,
            name: RuleName(raw.name),
            owner: raw.owner,
            enabled: raw.enabled.unwrap_or(true),
            cluster: target.cluster.clone(),
            schedule,
            grid,
            checks: !plan.grid.is_zero(),
            calendar: calendar.is_some(),
            history: plan.history,
            delay,
            lateness,
            lookback,
            catch_up: match raw.catch_up {
                Some(raw::CatchUp::All) => CatchUp::All,
                Some(raw::CatchUp::Merge) | None => CatchUp::Merge,
                Some(raw::CatchUp::Latest) => CatchUp::Latest,
            },
            window_max,
            deadline: limits.deadline.unwrap_or(DEADLINE),
            key: raw.key,
            severity,
            worse,
            no_data: match raw.no_data {
                Some(raw::NoData::Ignore) | None => NoData::Ignore,
                Some(raw::NoData::Hold) => NoData::Hold,
                Some(raw::NoData::Alert) => NoData::Alert,
            },
            active,
            alert,
        };
        let effective = effective(&doc.value, &spec, &target);
        (doc.errors() == before).then(|| BoundRule {
            spec,
            module,
            module_digest: info.digest,
            details: crate::shown::details(&info.params_schema, &params),
            params,
            shown,
            target,
            limits,
            description: raw.description,
            links: raw.links,
            source: source.to_path_buf(),
            effective,
        })
    }

    fn module(&self, doc: &mut Doc<'_>, module: &ModuleRef, typed: &str) -> Option<RuleModuleInfo> {
        let told = self.may_run(doc, module, typed)?.and_then(|()| self.modules.rule(module));
        match told {
            Ok(info) => Some(info),
            Err(ModuleFault::Unknown) => {
                let known = self.modules.rules();
                let known: Vec<&str> = known.iter().map(String::as_str).collect();
                doc.fault("/use", format!("unknown module `{typed}`"))
                    .maybe_hint(suggest(typed, &known))
                    .push(doc);
                None
            }
            Err(ModuleFault::Unusable(why)) => {
                doc.fault("/use", format!("the module `{typed}` cannot be used: {why}")).push(doc);
                None
            }
        }
    }

    /// Whether the environment allows it, asked before any of it runs. `None`: it does not.
    fn may_run(&self, doc: &mut Doc<'_>, module: &ModuleRef, typed: &str) -> Option<Result<(), ModuleFault>> {
        let environment = self.environment;
        let policy = environment.and_then(|environment| environment.plugins.as_ref());
        // What is built in is a part of the program, and trusted with it.
        let (Some(environment), Some(policy)) = (environment, policy) else { return Some(Ok(())) };
        if matches!(module, ModuleRef::Builtin(_)) {
            return Some(Ok(()));
        }
        let identity = match self.modules.identity(module) {
            Ok(identity) => identity,
            Err(fault) => return Some(Err(fault)),
        };
        if policy.allows(&identity) {
            return Some(Ok(()));
        }
        let (name, digest) = (&environment.name, &identity.digest);
        let signed = match &*identity.signers {
            [] => "nobody has signed it".to_owned(),
            keys => format!("it is signed by {}, which is not among `plugins.keys`", keys.join(", ")),
        };
        doc.fault("/use", format!("the module `{typed}` may not run in environment `{name}`"))
            .note(format!("its digest is {digest}, and {signed}"))
            .hint(format!(
                "add `sha256:{digest}` to `plugins.allow` of the environment, or have it signed by one of `plugins.keys`"
            ))
            .push(doc);
        None
    }

    fn params(
        &mut self,
        doc: &mut Doc<'_>,
        module: &ModuleRef,
        info: &RuleModuleInfo,
        params: &Value,
        key: &[String],
    ) -> Option<Plan> {
        let usual = calendar::with_day(params, calendar::LENGTHS[0]);
        if !self.schemas.contains_key(module) {
            match Schema::new(info.params_schema.clone()) {
                Ok(schema) => self.schemas.insert(module.clone(), schema),
                Err(message) => {
                    doc.fault("/use", format!("the module `{module}` has no usable schema: {message}"))
                        .push(doc);
                    return None;
                }
            };
        }
        let before = doc.faults.len();
        self.schemas.get(module)?.check(&usual, "/params", doc.spans, doc.faults);
        if doc.faults.len() > before {
            return None;
        }
        without_effect(doc, &info.params_schema, params);
        doubt(doc, &info.params_schema, params, "/params");
        match self.modules.prepare(module, &usual, key) {
            Ok(plan) => match calendar::span(params) {
                Some(name) => self.days(doc, module, params, key, name),
                None => within(doc, plan),
            },
            Err(faults) => {
                for fault in faults {
                    let pointer = format!("/params{}", fault.path);
                    let name = crate::schema::path(&pointer);
                    doc.fault(&pointer, format!("`{name}`: {}", fault.message)).push(doc);
                }
                None
            }
        }
    }

    /// The plan for days of the calendar, each judged as a whole: a day's parts would not fit one of another length.
    fn days(
        &self,
        doc: &mut Doc<'_>,
        module: &ModuleRef,
        params: &Value,
        key: &[String],
        name: &str,
    ) -> Option<Plan> {
        let is_whole = |day: &Duration| {
            let plan = self.modules.prepare(module, &calendar::with_day(params, *day), key);
            plan.is_ok_and(|plan| plan.grid == *day)
        };
        if calendar::LENGTHS.iter().all(is_whole) {
            return Some(Plan { history: Duration::ZERO, grid: calendar::LENGTHS[0] });
        }
        doc.fault(
            &format!("/params/{name}"),
            format!("`{name}: day` needs a module that judges a day as a whole"),
        )
        .hint(format!("leave `step` out if there is one, or write `{name}: 1d` for 24 hours"))
        .push(doc);
        None
    }
}

/// What a module still reads but no longer heeds, by its schema's `deprecated`.
fn without_effect(doc: &mut Doc<'_>, schema: &Value, params: &Value) {
    for name in params.as_object().into_iter().flatten().map(|(name, _)| name) {
        let property = &schema["properties"][name];
        if property["deprecated"] == true {
            let why = property["description"].as_str().unwrap_or("remove it");
            doc.warn(&format!("/params/{name}"), format!("`params.{name}` has no effect any more"), why);
        }
    }
}

/// Warns of listed values that YAML reads otherwise than they look, where any value may stand.
fn doubt(doc: &mut Doc<'_>, schema: &Value, value: &Value, pointer: &str) {
    match value {
        Value::Object(entries) => {
            for (key, value) in entries {
                let schema = schema.pointer(&join("/properties", key)).unwrap_or(&Value::Null);
                doubt(doc, schema, value, &join(pointer, key));
            }
        }
        Value::Array(items) => {
            let schema = schema.get("items").unwrap_or(&Value::Null);
            let only_numbers = schema["type"] == "number" || schema["type"] == "integer";
            for (index, item) in items.iter().enumerate() {
                let at = format!("{pointer}/{index}");
                match doc.spans.doubtful(&at) {
                    Some(typed) if !only_numbers => {
                        let name = crate::schema::path(pointer);
                        let kind = match item {
                            Value::Number(number) => match number.as_f64().filter(|_| number.is_f64()) {
                                Some(number) => format!("the number {number}"),
                                None => format!("the number {number}"),
                            },
                            Value::Bool(truth) => truth.to_string(),
                            _ => "a text, not a boolean".to_owned(),
                        };
                        let hint = format!("put it in quotes for the text: \"{typed}\"");
                        let message = format!("`{typed}` in `{name}` is {kind}");
                        doc.faults.push(Diagnostic::warning(doc.spans.value(&at), message).hint(hint));
                    }
                    _ => doubt(doc, schema, item, &at),
                }
                // A word that is nothing else may be meant.
                if let Some(text) = item.as_str().filter(|text| *text != "now" && is_date_math(text)) {
                    let name = crate::schema::path(pointer);
                    let message = format!("`{text}` in `{name}` is not read as date math: no date is so");
                    let hint = "write a date, or compare with the time in `filter`";
                    doc.faults.push(Diagnostic::warning(doc.spans.value(&at), message).hint(hint));
                }
            }
        }
        _ => {}
    }
}

/// A plan that a host can keep: a parameter of centuries would read all there is before the first verdict.
fn within(doc: &mut Doc<'_>, plan: Plan) -> Option<Plan> {
    let bounds = [
        ("read back", plan.history, HISTORY_MAX, "400 days"),
        ("put between two checks", plan.grid, GRID_MAX, "7 days"),
    ];
    let before = doc.errors();
    for (what, asked, max, named) in bounds {
        if asked > max {
            doc.fault(
                "/params",
                format!("`params` make the module {what} {asked}, and {named} are the most"),
            )
            .hint("shorten its time frames")
            .push(doc);
        }
    }
    (doc.errors() == before).then_some(plan)
}

fn schedule(
    doc: &mut Doc<'_>,
    every: Option<raw::Span>,
    cron: Option<String>,
    timezone: Option<String>,
) -> Option<Schedule> {
    match (every, cron) {
        (Some(_), Some(_)) => {
            doc.fault("/cron", "`every` and `cron` cannot stand together").hint("keep one of them").push(doc);
            None
        }
        (None, None) if doc.was_wrong("/every") || doc.was_wrong("/cron") => None,
        (None, None) => {
            doc.fault("", "`every` or `cron` is missing").hint("for example `every: 1m`").push(doc);
            None
        }
        (Some(_), None) => {
            let every = doc.positive("/every", every, Duration::ZERO);
            if !every.is_zero() && every < EVERY_MIN {
                doc.fault("/every", format!("`every` must be at least {EVERY_MIN}")).push(doc);
            }
            Some(Schedule::Every(every))
        }
        (None, Some(expression)) => {
            let timezone = timezone.unwrap_or_else(|| "UTC".into());
            if let Err(fault) = Cron::parse(&expression, &timezone) {
                let (pointer, message) = match &fault {
                    CronFault::Timezone { .. } => ("/timezone", fault.to_string()),
                    // Of a message of many lines, the first ones repeat the expression.
                    CronFault::Syntax { message, .. } => {
                        let last = message.trim().lines().last().unwrap_or_default().trim_end_matches('.');
                        ("/cron", format!("cron expression `{expression}`: {}", lower(last)))
                    }
                    _ => ("/cron", fault.to_string()),
                };
                doc.fault(pointer, message).push(doc);
                return None;
            }
            Some(Schedule::Cron { expression, timezone })
        }
    }
}

/// The hours of `active:`, by the rule's time zone unless they name their own.
fn hours(doc: &mut Doc<'_>, raw: raw::Active, zone: Option<String>, has_cron: bool) -> Option<Active> {
    let names_zone = raw.timezone.is_some();
    let timezone = raw.timezone.or(zone).unwrap_or_else(|| "UTC".into());
    let written = Written {
        hours: &raw.hours,
        days: &raw.days,
        holidays: &raw.holidays,
        timezone: &timezone,
        outside: match raw.outside {
            Some(raw::Outside::Later) => Outside::Later,
            Some(raw::Outside::Skip) | None => Outside::Skip,
        },
    };
    let fault = match Active::parse(written) {
        Ok(active) => return Some(active),
        Err(fault) => fault,
    };
    let pointer = match &fault {
        ActiveFault::Hours { index, .. } => format!("/active/hours/{index}"),
        ActiveFault::Days { index, .. } => format!("/active/days/{index}"),
        ActiveFault::Holiday { index, .. } => format!("/active/holidays/{index}"),
        // What `cron` says of it already.
        ActiveFault::Timezone { .. } if !names_zone && has_cron => return None,
        ActiveFault::Timezone { .. } if !names_zone => "/timezone".into(),
        ActiveFault::Timezone { .. } => "/active/timezone".into(),
        ActiveFault::Never => "/active".into(),
    };
    doc.fault(&pointer, fault.to_string()).push(doc);
    None
}

/// What a module counts by cells is counted anew where the next instant's cells lie elsewhere: right, and dear if it is
/// so at every instant.
fn warn_of_grids(doc: &mut Doc<'_>, schedule: &Schedule, plan: Plan) {
    const INSTANTS: usize = 24;
    const GRIDS_MAX: usize = 3;
    let Schedule::Cron { expression, timezone } = schedule else { return };
    let Ok(cron) = Cron::parse(expression, timezone) else { return };
    if plan.history.is_zero() || plan.grid.is_zero() {
        return;
    }
    let next = |after: &Timestamp| cron.next_after(*after);
    let instants = std::iter::successors(next(&Timestamp(0)), next).take(INSTANTS);
    let grids: BTreeSet<Duration> = instants.map(|at| at.since(at.floor(plan.grid))).collect();
    if grids.len() > GRIDS_MAX {
        let grid = plan.grid;
        let message =
            format!("its instants are not whole steps of {grid} apart: each run reads {} anew", plan.history);
        doc.warn("/cron", message, &format!("use `every`, or instants that are multiples of {grid} apart"));
    }
}

/// How far apart checks are. Cron's windows end on minutes, or on seconds if it names them.
fn grid(schedule: &Schedule, plan: Plan) -> Duration {
    match schedule {
        _ if !plan.grid.is_zero() => plan.grid,
        Schedule::Every(every) => *every,
        Schedule::Cron { expression, .. } if expression.split_whitespace().count() == 6 => {
            Duration::from_secs(1)
        }
        Schedule::Cron { .. } => Duration::from_mins(1),
    }
}

fn meaning(info: &RuleModuleInfo, params: &Value, target: &crate::TargetSpec, key: &[String]) -> Meaning {
    Meaning(digest(&json!({
        "module": info.about_name,
        "state_version": info.state_version,
        "params": meant(&info.params_schema, params),
        "index": target.indices,
        "filter": target.filter,
        "time_field": target.time_field,
        "key": key,
    })))
}

/// The parameters that say what a kept state means. One whose schema says otherwise only says how long it is kept.
fn meant(schema: &Value, params: &Value) -> Value {
    let mut params = params.clone();
    if let Some(params) = params.as_object_mut() {
        let says = |name: &str| schema.get("properties")?.get(name)?.get("x-watchbell-meaning")?.as_bool();
        params.retain(|name, _| says(name) != Some(false));
    }
    params
}

/// The manifest with its defaults written out.
fn effective(typed: &Value, spec: &RuleSpec, target: &crate::TargetSpec) -> Value {
    let mut out = typed.as_object().cloned().unwrap_or_default();
    let defaults = json!({
        "enabled": spec.enabled,
        "cluster": target.cluster,
        "time_field": target.time_field,
        "delay": spec.delay.to_string(),
        "lateness": spec.lateness.to_string(),
        "catch_up": match spec.catch_up {
            CatchUp::All => "all",
            CatchUp::Merge => "merge",
            CatchUp::Latest => "latest",
        },
        "window_max": spec.window_max.to_string(),
        "severity": spec.severity.as_str(),
        "no_data": match spec.no_data {
            NoData::Ignore => "ignore",
            NoData::Hold => "hold",
            NoData::Alert => "alert",
        },
    });
    for (key, value) in defaults.as_object().into_iter().flatten() {
        out.entry(key).or_insert_with(|| value.clone());
    }
    Value::Object(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_parameter_may_say_that_it_changes_no_meaning() {
        let schema = json!({ "properties": {
            "timeframe": { "type": "string" },
            "known_for": { "type": "string", "x-watchbell-meaning": false },
        } });
        let params = json!({ "timeframe": "5m", "known_for": "30d", "other": 1 });
        assert_eq!(meant(&schema, &params), json!({ "timeframe": "5m", "other": 1 }));
        assert_eq!(meant(&json!({}), &params), params);
    }
}
