//! Modules and products as a table, with schemas as small as the tests need.
use serde_json::{Value, json};
use watchbell_contract::{AlertText, Context, Duration, Fault, Plan, TextFormat};
use watchbell_manifest::{
    AlerterModuleInfo, AlerterRef, EndpointKind, Identity, ModuleFault, ModuleRef, Modules, ProductInfo,
    RuleModuleInfo,
};

pub(crate) struct Fake;

fn duration() -> Value {
    json!({ "type": "string", "pattern": "^([0-9]+(ms|[smhdw]))+$", "examples": ["5m"] })
}

impl Modules for Fake {
    fn rules(&self) -> Vec<String> {
        vec!["any".into(), "frequency".into(), "spike".into()]
    }

    fn rule(&self, module: &ModuleRef) -> Result<RuleModuleInfo, ModuleFault> {
        let name = match module {
            ModuleRef::Builtin(name) => name.as_str(),
            ModuleRef::File { path, .. } if path.ends_with("broken.wasm") => {
                return Err(ModuleFault::Unusable("built for SDK 0.4; this host offers 0.1–0.3".into()));
            }
            ModuleRef::File { path, .. } if path.ends_with("pager.wasm") => {
                return Err(ModuleFault::OtherKind);
            }
            ModuleRef::File { .. } | ModuleRef::Registry { .. } => "any",
        };
        let params_schema = match name {
            "any" => json!({ "type": "object", "additionalProperties": false, "properties": {} }),
            "frequency" => json!({
                "type": "object", "additionalProperties": false,
                "required": ["count", "timeframe"],
                "properties": { "count": { "type": "integer", "minimum": 1 }, "timeframe": duration() },
            }),
            "spike" => json!({
                "$schema": "https://json-schema.org/draft/2020-12/schema",
                "type": "object", "additionalProperties": false,
                "required": ["timeframe", "height"],
                "x-watchbell-details": ["current", "reference"],
                "properties": {
                    "timeframe": duration(),
                    "height": { "type": "number", "exclusiveMinimum": 0 },
                    "direction": { "$ref": "#/$defs/Direction" },
                    "threshold_cur": { "anyOf": [{ "type": "integer", "minimum": 0 }, { "type": "null" }] },
                },
                "$defs": { "Direction": { "type": "string", "enum": ["up", "down", "both"] } },
            }),
            "searching" => json!({
                "type": "object", "additionalProperties": false,
                "properties": {
                    "body": { "type": "object", "x-watchbell-search": true },
                    "script": { "type": "string", "x-watchbell-needs": "scripts" },
                },
            }),
            // Shipped rules use these modules; their parameters are tested elsewhere.
            "sequence" | "query" | "cluster_health" => json!({ "type": "object" }),
            _ => return Err(ModuleFault::Unknown),
        };
        Ok(RuleModuleInfo {
            about_name: name.into(),
            state_version: 1,
            params_schema,
            digest: format!("digest-of-{name}"),
        })
    }

    fn identity(&self, module: &ModuleRef) -> Result<Identity, ModuleFault> {
        match module {
            ModuleRef::Builtin(_) => Err(ModuleFault::Unknown),
            ModuleRef::File { sha256, .. } => Ok(Identity { digest: sha256.clone(), signers: vec![] }),
            ModuleRef::Registry { digest, .. } => {
                let signers = vec![format!("{}=", &digest[..43])];
                Ok(Identity { digest: digest.clone(), signers })
            }
        }
    }

    fn prepare(&self, module: &ModuleRef, params: &Value, context: &Context) -> Result<Plan, Vec<Fault>> {
        if params["timeframe"] == "0s" {
            let message = "must be longer than 0s".into();
            return Err(vec![Fault { path: "/timeframe".into(), message }]);
        }
        if params["timeframe"] == "1ms" {
            let Context { key, every, lateness, indices } = context;
            let every = every.map_or_else(|| "cron".into(), |every| every.to_string());
            let message = format!("sees {key:?}, {every}, {lateness} and {indices:?}");
            return Err(vec![Fault { path: "/timeframe".into(), message }]);
        }
        if context.key.len() > 2 {
            return Err(vec![Fault { path: String::new(), message: "at most two key fields".into() }]);
        }
        let (history, grid) = match params["timeframe"].as_str() {
            // It evaluates a day as a whole.
            Some(hours @ ("1d" | "23h" | "1d1h")) if module.to_string() == "frequency" => {
                let hours = match hours {
                    "23h" => 23,
                    "1d1h" => 25,
                    _ => 24,
                };
                (Duration::ZERO, Some(Duration::from_hours(hours)))
            }
            Some("500d") => (Duration::from_hours(24 * 500), Some(Duration::from_hours(24 * 8))),
            _ => (Duration::from_mins(10), None),
        };
        Ok(Plan { history, grid })
    }

    fn products(&self) -> Vec<String> {
        ["slack", "webhook", "email", "exec", "stdout"].map(str::to_owned).into()
    }

    fn alerter(&self, module: &ModuleRef) -> Result<AlerterModuleInfo, ModuleFault> {
        let file = match module {
            ModuleRef::Builtin(name) => name.clone(),
            ModuleRef::File { path, .. } => path.file_name().unwrap().to_string_lossy().into_owned(),
            ModuleRef::Registry { place, .. } => place.rsplit('/').next().unwrap().to_owned(),
        };
        let (format, names): (_, &[&str]) = match file.as_str() {
            "slack" => (TextFormat::Mrkdwn, &["slack"]),
            "webhook" => (TextFormat::Plain, &["webhook"]),
            "email" => (TextFormat::Html, &["email"]),
            "exec" => (TextFormat::Plain, &["exec"]),
            "stdout" => (TextFormat::Plain, &["stdout"]),
            // Whatever a module calls its product, the host knows nothing of it.
            "pager.wasm" | "pager" => (TextFormat::Plain, &["slack"]),
            "mailer.wasm" => (TextFormat::Html, &["mailer"]),
            "several.wasm" => (TextFormat::Plain, &["pager", "tickets", "tickets-eu"]),
            "rule.wasm" => return Err(ModuleFault::OtherKind),
            "broken.wasm" => return Err(ModuleFault::Unusable("it imports neither of two".into())),
            _ => return Err(ModuleFault::Unknown),
        };
        let product = |name: &&str| ProductInfo {
            name: (*name).into(),
            params_schema: json!({
                "type": "object", "additionalProperties": false,
                "properties": { "method": { "enum": ["POST", "PUT"] }, "channel": { "type": "string" }, "body": {} },
            }),
            text: AlertText { format, styles: true, title_max: 150, body_max: 3_000 },
        };
        Ok(AlerterModuleInfo {
            products: names.iter().map(product).collect(),
            endpoint: match names[0] {
                "exec" => EndpointKind::Exec,
                "stdout" => EndpointKind::Stdout,
                name if name.contains("mail") => EndpointKind::Mail,
                _ => EndpointKind::Http,
            },
            digest: format!("digest-of-{file}"),
        })
    }

    fn prepare_destination(&self, alerter: &AlerterRef, params: &Value) -> Result<(), Vec<Fault>> {
        if alerter.product == "slack" && params["channel"] == "" {
            return Err(vec![Fault { path: "/channel".into(), message: "names no channel".into() }]);
        }
        Ok(())
    }
}
