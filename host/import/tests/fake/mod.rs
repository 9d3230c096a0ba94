//! Modules by the parameters that their rules have, and the products of the HTTP alerter as it is.
use alerter_http::AlerterHttp;
use serde_json::{Map, Value, json};
use watchbell_contract::{AlertText, Context, Duration, Fault, Plan, TextFormat};
use watchbell_manifest::{
    AlerterModuleInfo, AlerterRef, EndpointKind, ModuleFault, ModuleRef, Modules, ProductInfo, RuleModuleInfo,
};
use watchbell_sdk::Alerter;

pub(crate) struct Fake;

/// Each module's parameters: `!` for one that must be there.
const RULES: &[(&str, &str)] = &[
    ("any", "fields:texts"),
    ("blacklist", "field!:text values!:texts"),
    ("whitelist", "field!:text values!:texts ignore_null:flag"),
    ("change", "fields!:texts ignore_null:flag timeframe:span"),
    ("frequency", "num_events!:count timeframe!:span attach_related:flag fetch:text"),
    (
        "spike",
        "timeframe!:span height!:number direction!:direction threshold_ref:count threshold_cur:count \
         alert_on_new_data:flag field:text fetch:text",
    ),
    ("flatline", "threshold!:count timeframe!:span forget_keys:flag expected:texts fetch:text"),
    ("new_term", "fields!:any window:span alert_on_missing_field:flag"),
    ("cardinality", "field!:text timeframe!:span max_cardinality:count min_cardinality:count"),
    (
        "metric_aggregation",
        "metric!:text field:text script:text percentile:number max_threshold:number min_threshold:number \
         timeframe!:span step:span min_doc_count:count",
    ),
    (
        "spike_aggregation",
        "metric!:text field:text script:text percentile:number height!:number direction!:direction timeframe!:span \
         step:span threshold_cur:number threshold_ref:number alert_on_new_data:flag min_doc_count:count",
    ),
    (
        "percentage_match",
        "match!:text max_percentage:number min_percentage:number timeframe!:span step:span min_denominator:count",
    ),
];

fn schema(params: &str) -> Value {
    let mut properties = Map::new();
    let mut required = Vec::new();
    for param in params.split_whitespace() {
        let (name, kind) = param.split_once(':').unwrap();
        if let Some(name) = name.strip_suffix('!') {
            required.push(name.to_string());
        }
        let kind = match kind {
            "texts" => json!({ "type": "array", "items": { "type": "string" } }),
            "text" => json!({ "type": "string", "minLength": 1 }),
            "flag" => json!({ "type": "boolean" }),
            "count" => json!({ "type": "integer", "minimum": 0 }),
            "number" => json!({ "type": "number" }),
            "span" => json!({ "type": "string", "pattern": "^([0-9]+(ms|[smhdw]))+$" }),
            "direction" => json!({ "enum": ["up", "down", "both"] }),
            "any" => json!({}),
            other => panic!("{other}"),
        };
        properties.insert(name.trim_end_matches('!').to_string(), kind);
    }
    json!({ "type": "object", "additionalProperties": false, "properties": properties, "required": required })
}

impl Modules for Fake {
    fn rules(&self) -> Vec<String> {
        RULES.iter().map(|(name, _)| name.to_string()).collect()
    }

    fn rule(&self, module: &ModuleRef) -> Result<RuleModuleInfo, ModuleFault> {
        let ModuleRef::Builtin(name) = module else { return Err(ModuleFault::Unknown) };
        let (_, params) = RULES.iter().find(|(known, _)| known == name).ok_or(ModuleFault::Unknown)?;
        Ok(RuleModuleInfo {
            about_name: name.clone(),
            state_version: 1,
            params_schema: schema(params),
            digest: format!("digest-of-{name}"),
        })
    }

    fn prepare(&self, module: &ModuleRef, params: &Value, context: &Context) -> Result<Plan, Vec<Fault>> {
        let fault = |message: &str| Err(vec![Fault { path: String::new(), message: message.into() }]);
        let one_of = |names: [&str; 2]| names.iter().any(|name| params.get(name).is_some());
        let name = module.to_string();
        match name.as_str() {
            "change" if context.key.is_empty() => return fault("needs a key"),
            "cardinality" if !one_of(["max_cardinality", "min_cardinality"]) => {
                return fault("needs a bound");
            }
            "metric_aggregation" if !one_of(["max_threshold", "min_threshold"]) => {
                return fault("needs a bound");
            }
            "percentage_match" if !one_of(["max_percentage", "min_percentage"]) => {
                return fault("needs a bound");
            }
            "metric_aggregation" | "spike_aggregation" if !one_of(["field", "script"]) => {
                return fault("needs a field or a script");
            }
            _ => {}
        }
        Ok(Plan { history: Duration::from_mins(10), grid: None })
    }

    fn products(&self) -> Vec<String> {
        AlerterHttp::products().into_iter().map(|product| product.name).chain(["email".into()]).collect()
    }

    fn alerter(&self, module: &ModuleRef) -> Result<AlerterModuleInfo, ModuleFault> {
        let ModuleRef::Builtin(name) = module else { return Err(ModuleFault::Unknown) };
        if name == "email" {
            let params_schema = json!({ "type": "object", "additionalProperties": false });
            let text = AlertText { format: TextFormat::Html, styles: true, title_max: 200, body_max: 50_000 };
            return Ok(AlerterModuleInfo {
                products: vec![ProductInfo { name: name.clone(), params_schema, text }],
                endpoint: EndpointKind::Mail,
                digest: "digest-of-email".into(),
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
        if alerter.product == "email" {
            return Ok(());
        }
        AlerterHttp::prepare(&alerter.product, &params.to_string()).map_err(|faults| {
            faults.into_iter().map(|fault| Fault { path: fault.path, message: fault.message }).collect()
        })
    }
}
