//! `type:` and its options as `use:` and `params:`.
mod maker; // parameters in the making
mod counts; // rules that look at events
mod metrics; // rules that look at aggregations

use maker::Maker;

use crate::sheet::Sheet;
use crate::yaml::Yaml;

/// What judges, and by which parameters.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Kind {
    pub(crate) module: String,
    pub(crate) params: Vec<(String, Yaml)>,
}

/// `files`: the text of a file that the rule names, by its path. `None`: at fault, which is told.
pub(crate) fn kind(
    sheet: &mut Sheet,
    key: &mut Vec<String>,
    files: &dyn Fn(&str) -> Option<String>,
) -> Option<Kind> {
    let Some(module) = sheet.text("type") else {
        sheet.fault("type", "`type` is missing", "name one of ElastAlert's types of rules");
        return None;
    };
    let mut made = Maker { sheet, params: Vec::new() };
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
            let message = format!("`{other}` is a rule of your own in Python");
            sheet.fault("type", message, "write it as a plugin (`watchbell plugin new NAME --kind rule`) and a manifest for it by hand");
            return None;
        }
        other => {
            let near = watchbell_manifest::nearest(other, crate::known::TYPES.iter().map(|(name, _)| *name));
            let remedy = near.map_or_else(
                || "name one of ElastAlert's types".into(),
                |near| format!("did you mean `{near}`?"),
            );
            sheet.fault("type", format!("there is no type `{other}`"), remedy);
            return None;
        }
    }
    let params = made.params;
    sheet.carried("type", format!("`use: {module}`"));
    Some(Kind { module, params })
}
