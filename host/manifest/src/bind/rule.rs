//! Turns a manifest into a bound rule.
use std::collections::BTreeMap;
use std::path::Path;

use serde_json::{Map, Value, json};
use watchbell_contract::{Context, Duration, Plan, Severity};
use watchbell_pipeline::message::HOST;
use watchbell_pipeline::spec::{CatchUp, Meaning, NoData, RuleName, RuleSpec, Schedule};
use watchbell_pipeline::{CANNOT_RUN_LABEL, OVERFLOW_LABEL};
use watchbell_text::Macros;

use super::doc::Doc;
use super::module::{Allowed, Typed, module_ref};
use super::params::{confine, doubt, within, without_effect};
use super::schedule::{grid, hours, schedule, warn_of_grids};
use super::target::{Asked, target};
use super::{alert, digest};
use crate::calendar;
use crate::report::suggest;
use crate::schema::Schema;
use crate::{BoundRule, Environment, ModuleFault, ModuleRef, Modules, RuleModuleInfo, raw};

/// What rules are bound against.
pub(crate) struct Bench<'a> {
    /// `None` if it is invalid; what depends on it is not checked.
    pub(crate) environment: Option<&'a Environment>,
    /// What texts may import.
    pub(crate) macros: &'a Macros,
    pub(crate) modules: &'a dyn Modules,
    /// Compiled once per module.
    pub(crate) schemas: BTreeMap<ModuleRef, Schema>,
}

impl Bench<'_> {
    /// `None` if it is invalid.
    pub(crate) fn rule(&mut self, doc: &mut Doc<'_>, source: &Path) -> Option<BoundRule> {
        let before = doc.errors();
        let raw: raw::Rule = doc.read(crate::schema::rule())?;
        let params = raw.params.unwrap_or_else(|| Value::Object(Map::new()));
        let typed = Typed {
            at: "",
            name: &raw.module,
            sha256: raw.sha256.as_deref(),
            source,
            relative_to: "the manifest",
        };
        let module = module_ref(doc, typed);
        let module = module.and_then(|module| {
            let info = self.module(doc, &module, typed)?;
            Some((module, info))
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
            doc.fault("/timezone", "`timezone` applies only to `cron` and `active`")
                .hint("remove it")
                .push(doc);
        }
        let has_cron = raw.cron.is_some();
        let schedule = schedule(doc, raw.every, raw.cron, raw.timezone);
        let active = raw.active.and_then(|active| hours(doc, "/active", active, zone.clone(), has_cron));
        let delay = doc.span("/delay", raw.delay, RuleSpec::DELAY);
        let lateness = doc.span("/lateness", raw.lateness, RuleSpec::LATENESS);
        let lookback = raw.lookback.map(|_| doc.positive("/lookback", raw.lookback, Duration::ZERO));
        let begin = raw.begin.and_then(|begin| doc.instant("/begin", &begin));
        if lookback.is_some() && begin.is_some() {
            doc.fault("/begin", "`begin` and `lookback` say two different things about the beginning")
                .hint("remove one of them")
                .push(doc);
        }
        let severity = raw.severity.map_or_else(Severity::default, Severity::from);
        let worse = alert::worse(doc, raw.worse, severity);
        let place = |doc: &Doc<'_>, pointer, text: Option<&String>| Some(doc.spans.text(pointer, text?));
        let texts = raw.alert.as_ref();
        let title_place = place(doc, "/alert/title", texts.and_then(|alert| alert.title.as_ref()));
        let body_place = place(doc, "/alert/body", texts.and_then(|alert| alert.body.as_ref()));
        let (alert, shown) = alert::alert(doc, raw.alert, severity, &raw.key, zone.as_deref(), self);
        if raw.name == HOST {
            doc.fault("/name", format!("`{HOST}` is the name by which the host tells about itself"))
                .hint("give the rule another name")
                .push(doc);
        }
        for (place, field) in raw.key.iter().enumerate() {
            let names = match field.as_str() {
                OVERFLOW_LABEL => "the keys beyond `limits.episodes`",
                CANNOT_RUN_LABEL => "a rule that cannot run",
                _ => continue,
            };
            let what = format!("`key` may not have the field `{field}`, which names {names}");
            doc.fault(&format!("/key/{place}"), what).push(doc);
        }
        let own = doc.limits("/limits", &raw.limits);
        let limits = self.environment.map_or(own, |environment| own.over(environment.limits));

        let (module, info) = module?;
        let is_valid = self.schema(doc, &module, &info, &params);
        confine(doc, &info.params_schema, &params, &target);
        // Without a schedule the module would be told what nobody wrote.
        let schedule = schedule?;
        let context = crate::bundle::context(&raw.key, &schedule, lateness, &target.indices);
        let plan = is_valid.and_then(|()| self.plan(doc, &module, &params, &context))?;
        let calendar = calendar::span(&params);
        if let (Some(name), Schedule::Every(_)) = (calendar, &schedule) {
            doc.fault(
                &format!("/params/{name}"),
                format!("`{name}: day` needs `cron`, whose time zone defines the day"),
            )
            .hint(format!("write `{name}: 1d` for 24 hours, or `cron: \"0 0 * * *\"` with `timezone`"))
            .push(doc);
        }
        let grid = grid(&schedule, plan);
        warn_of_grids(doc, &schedule, plan);
        let window_max = doc.positive("/window_max", raw.window_max, RuleSpec::WINDOW_MAX.max(grid));
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
            indices: target.indices.clone(),
            schedule,
            grid,
            checks: plan.grid.is_some(),
            calendar: calendar.is_some(),
            history: plan.history,
            delay,
            lateness,
            lookback,
            begin,
            catch_up: match raw.catch_up {
                Some(raw::CatchUp::All) => CatchUp::All,
                Some(raw::CatchUp::Merge) | None => CatchUp::Merge,
                Some(raw::CatchUp::Latest) => CatchUp::Latest,
            },
            window_max,
            deadline: limits.deadline.unwrap_or(RuleSpec::DEADLINE),
            key: raw.key,
            episodes_max: limits.episodes.unwrap_or(RuleSpec::EPISODES_MAX),
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
            title_place,
            body_place,
            shown,
            target,
            limits,
            description: raw.description,
            links: raw.links,
            source: source.to_path_buf(),
            effective,
        })
    }

    fn module(&self, doc: &mut Doc<'_>, module: &ModuleRef, typed: Typed<'_>) -> Option<RuleModuleInfo> {
        let allowed = Allowed {
            environment: self.environment.map_or("", |environment| &environment.name),
            policy: self.environment.and_then(|environment| environment.plugins.as_ref()),
            modules: self.modules,
        };
        let told = allowed.may_run(doc, module, typed)?.and_then(|()| self.modules.rule(module));
        let name = typed.name;
        match told {
            Ok(info) => return Some(info),
            Err(ModuleFault::Unknown) => {
                let known = self.modules.rules();
                let known: Vec<&str> = known.iter().map(String::as_str).collect();
                doc.fault("/use", format!("unknown module `{name}`"))
                    .maybe_hint(suggest(name, &known))
                    .push(doc);
            }
            Err(ModuleFault::OtherKind) => {
                doc.fault("/use", format!("the module `{name}` is an alerter, not a rule"))
                    .hint("name it in `use` of a destination, in an environment")
                    .push(doc);
            }
            Err(ModuleFault::Unusable(why)) => {
                doc.fault("/use", format!("the module `{name}` cannot be used: {why}")).push(doc);
            }
        }
        None
    }

    /// Checks the parameters by the module's schema. `None` if they are invalid.
    fn schema(
        &mut self,
        doc: &mut Doc<'_>,
        module: &ModuleRef,
        info: &RuleModuleInfo,
        params: &Value,
    ) -> Option<()> {
        let usual = calendar::with_day(params, calendar::LENGTHS[0]);
        if !self.schemas.contains_key(module) {
            match Schema::new(info.params_schema.clone()) {
                Ok(schema) => self.schemas.insert(module.clone(), schema),
                Err(message) => {
                    doc.fault("/use", format!("the module `{module}` has an invalid schema: {message}"))
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
        Some(())
    }

    /// Lets the module check parameters that are valid by its schema.
    fn plan(&self, doc: &mut Doc<'_>, module: &ModuleRef, params: &Value, context: &Context) -> Option<Plan> {
        let usual = calendar::with_day(params, calendar::LENGTHS[0]);
        match self.modules.prepare(module, &usual, context) {
            Ok(plan) => match calendar::span(params) {
                Some(name) => self.days(doc, module, params, context, name),
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

    /// The plan for calendar days, each evaluated as a whole: parts of a day would not fit a day of another length.
    fn days(
        &self,
        doc: &mut Doc<'_>,
        module: &ModuleRef,
        params: &Value,
        context: &Context,
        name: &str,
    ) -> Option<Plan> {
        let is_whole = |day: &Duration| {
            let plan = self.modules.prepare(module, &calendar::with_day(params, *day), context);
            plan.is_ok_and(|plan| plan.grid == Some(*day))
        };
        if calendar::LENGTHS.iter().all(is_whole) {
            return Some(Plan { history: Duration::ZERO, grid: Some(calendar::LENGTHS[0]) });
        }
        doc.fault(
            &format!("/params/{name}"),
            format!("`{name}: day` needs a module that evaluates a day as a whole"),
        )
        .hint(format!("remove `step` if there is one, or write `{name}: 1d` for 24 hours"))
        .push(doc);
        None
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

/// The parameters that give a stored state its meaning. A parameter whose schema says otherwise only affects how long
/// something is kept.
fn meant(schema: &Value, params: &Value) -> Value {
    let mut params = params.clone();
    if let Some(params) = params.as_object_mut() {
        let says = |name: &str| schema.get("properties")?.get(name)?.get("x-watchbell-meaning")?.as_bool();
        params.retain(|name, _| says(name) != Some(false));
    }
    params
}

/// The manifest with all defaults filled in.
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
