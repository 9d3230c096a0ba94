//! The shipped rules and the products of the HTTP alerter as they are, in this process instead of the sandbox.
use alerter_http::AlerterHttp;
use schemars::JsonSchema;
use serde_json::{Value, json};
use watchbell_contract::{AlertText, Context, Duration, Fault, Plan, TextFormat};
use watchbell_manifest::{
    AlerterModuleInfo, AlerterRef, EndpointKind, ModuleFault, ModuleRef, Modules, ProductInfo, RuleModuleInfo,
};
use watchbell_sdk::Alerter;
use watchbell_sdk::testing::{Native, Runner};

pub(crate) struct Fake;

struct Shipped {
    name: &'static str,
    schema: fn() -> Value,
    prepare: fn(&str, &watchbell_sdk::Context) -> Result<watchbell_sdk::Plan, Vec<watchbell_sdk::Fault>>,
}

const fn shipped<R: watchbell_sdk::Rule + JsonSchema>(name: &'static str) -> Shipped {
    Shipped {
        name,
        schema: || {
            let mut schema = schemars::schema_for!(R).to_value();
            schema["additionalProperties"] = json!(false);
            schema
        },
        prepare: |params, context| Native::<R>::default().prepare(params, context),
    }
}

const RULES: &[Shipped] = &[
    shipped::<rule_any::Any>("any"),
    shipped::<rule_blacklist::Blacklist>("blacklist"),
    shipped::<rule_whitelist::Whitelist>("whitelist"),
    shipped::<rule_change::Change>("change"),
    shipped::<rule_frequency::Frequency>("frequency"),
    shipped::<rule_spike::Spike>("spike"),
    shipped::<rule_flatline::Flatline>("flatline"),
    shipped::<rule_new_term::NewTerm>("new_term"),
    shipped::<rule_cardinality::Cardinality>("cardinality"),
    shipped::<rule_metric_aggregation::MetricAggregation>("metric_aggregation"),
    shipped::<rule_spike_aggregation::SpikeAggregation>("spike_aggregation"),
    shipped::<rule_percentage_match::PercentageMatch>("percentage_match"),
];

impl Modules for Fake {
    fn rules(&self) -> Vec<String> {
        RULES.iter().map(|rule| rule.name.to_string()).collect()
    }

    fn rule(&self, module: &ModuleRef) -> Result<RuleModuleInfo, ModuleFault> {
        let ModuleRef::Builtin(name) = module else { return Err(ModuleFault::Unknown) };
        let rule = RULES.iter().find(|rule| rule.name == name).ok_or(ModuleFault::Unknown)?;
        Ok(RuleModuleInfo {
            about_name: name.clone(),
            state_version: 1,
            params_schema: (rule.schema)(),
            digest: format!("digest-of-{name}"),
        })
    }

    fn prepare(&self, module: &ModuleRef, params: &Value, context: &Context) -> Result<Plan, Vec<Fault>> {
        let name = module.to_string();
        let rule = RULES.iter().find(|rule| rule.name == name).expect("a shipped rule");
        let context = watchbell_sdk::Context {
            key: context.key.clone(),
            every: context.every.map(|every| watchbell_sdk::Duration(every.0)),
            lateness: watchbell_sdk::Duration(context.lateness.0),
            indices: context.indices.clone(),
        };
        let plan = (rule.prepare)(&params.to_string(), &context);
        plan.map(|plan| Plan {
            history: Duration(plan.history.0),
            grid: plan.grid.map(|grid| Duration(grid.0)),
        })
        .map_err(|faults| {
            faults.into_iter().map(|fault| Fault { path: fault.path, message: fault.message }).collect()
        })
    }

    fn products(&self) -> Vec<String> {
        AlerterHttp::products()
            .into_iter()
            .map(|product| product.name)
            .chain(["email", "exec", "stdout"].map(str::to_owned))
            .collect()
    }

    fn alerter(&self, module: &ModuleRef) -> Result<AlerterModuleInfo, ModuleFault> {
        let ModuleRef::Builtin(name) = module else { return Err(ModuleFault::Unknown) };
        let kind = match name.as_str() {
            "email" => Some(EndpointKind::Mail),
            "exec" => Some(EndpointKind::Exec),
            "stdout" => Some(EndpointKind::Stdout),
            _ => None,
        };
        if let Some(endpoint) = kind {
            let params_schema = json!({ "type": "object", "additionalProperties": false });
            let text = AlertText { format: TextFormat::Html, styles: true, title_max: 200, body_max: 50_000 };
            return Ok(AlerterModuleInfo {
                products: vec![ProductInfo { name: name.clone(), params_schema, text }],
                endpoint,
                digest: format!("digest-of-{name}"),
            });
        }
        let product = AlerterHttp::products().into_iter().find(|product| product.name == *name);
        let product = product.ok_or(ModuleFault::Unknown)?;
        // What a template's text is turned into does not change whether it is one.
        let text = AlertText { format: TextFormat::Markdown, styles: true, title_max: 150, body_max: 3_000 };
        Ok(AlerterModuleInfo {
            products: vec![ProductInfo {
                name: product.name,
                params_schema: serde_json::from_str(&product.params_schema).unwrap(),
                text,
            }],
            endpoint: EndpointKind::Http,
            digest: format!("digest-of-{name}"),
        })
    }

    fn prepare_destination(&self, alerter: &AlerterRef, params: &Value) -> Result<(), Vec<Fault>> {
        if ["email", "exec", "stdout"].contains(&alerter.product.as_str()) {
            return Ok(());
        }
        AlerterHttp::prepare(&alerter.product, &params.to_string()).map_err(|faults| {
            faults.into_iter().map(|fault| Fault { path: fault.path, message: fault.message }).collect()
        })
    }
}
