//! `type:` and its options as `use:` and `params:`.
mod maker; // parameters in the making
mod counts; // rules that look at events
mod metrics; // rules that look at aggregations

use maker::Maker;

use crate::options::Options;
use crate::yaml::Yaml;

/// The module that evaluates the rule, and its parameters.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct RuleType {
    pub(crate) module: String,
    pub(crate) params: Vec<(String, Yaml)>,
}

/// `files` returns the text of a file that the rule names, by path. `None`: there is a fault, which is reported.
pub(crate) fn rule_type(
    options: &mut Options,
    key: &mut Vec<String>,
    files: &dyn Fn(&str) -> Option<String>,
) -> Option<RuleType> {
    let Some(module) = options.text("type") else {
        options.fault("type", "`type` is missing", "name one of ElastAlert's rule types");
        return None;
    };
    let mut made = Maker { options, params: Vec::new() };
    match module.as_str() {
        "any" => {}
        "blacklist" => counts::listed(&mut made, "blacklist", files),
        "whitelist" => counts::listed(&mut made, "whitelist", files),
        "change" => counts::change(&mut made, key),
        "frequency" => counts::frequency(&mut made),
        "spike" => counts::spike(&mut made),
        "flatline" => counts::flatline(&mut made, key),
        "new_term" => counts::new_term(&mut made, key),
        "cardinality" => counts::cardinality(&mut made),
        "metric_aggregation" => metrics::metric_aggregation(&mut made),
        "spike_aggregation" => metrics::spike_aggregation(&mut made),
        "percentage_match" => metrics::percentage_match(&mut made),
        other if other.contains('.') => {
            let message = format!("`{other}` is a custom Python rule");
            options.fault(
                "type",
                message,
                "write it as a plugin (`watchbell plugin new NAME --kind rule --language python`), and its manifest by hand",
            );
            return None;
        }
        other => {
            let near = watchbell_manifest::nearest(other, crate::known::TYPES.iter().map(|(name, _)| *name));
            let remedy = near.map_or_else(
                || "name one of ElastAlert's rule types".into(),
                |near| format!("did you mean `{near}`?"),
            );
            options.fault("type", format!("there is no rule type `{other}`"), remedy);
            return None;
        }
    }
    let params = made.params;
    options.carried("type", format!("`use: {module}`"));
    Some(RuleType { module, params })
}
