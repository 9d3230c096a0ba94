use crate::product::ProductSpec;

macro_rules! products {
    ($($name:literal)*) => {
        &[$(($name, include_str!(concat!("../products/", $name, "/product.json")))),*]
    };
}

/// Every product: a name in this list and a folder of that name.
const PRODUCTS: &[(&str, &str)] = products! {
    "alertmanager"
    "discord"
    "gelf"
    "google-chat"
    "gotify"
    "hipchat"
    "index"
    "jira"
    "line"
    "matrix"
    "mattermost"
    "ntfy"
    "opsgenie"
    "pagerduty"
    "pushover"
    "rocket-chat"
    "servicenow"
    "ses"
    "slack"
    "slack-bot"
    "sns"
    "splunk-on-call"
    "statuspage"
    "teams"
    "telegram"
    "thehive"
    "twilio"
    "webhook"
    "zulip"
};

pub(crate) fn names() -> impl Iterator<Item = &'static str> {
    PRODUCTS.iter().map(|(name, _)| *name)
}

pub(crate) fn find(product: &str) -> Result<ProductSpec, String> {
    let Some((_, data)) = PRODUCTS.iter().find(|(name, _)| *name == product) else {
        let known: Vec<_> = names().collect();
        return Err(format!("unknown product `{product}`: use one of `{}`", known.join("`, `")));
    };
    serde_json::from_str(data).map_err(|error| format!("products/{product}/product.json: {error}"))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn the_list_and_the_folders_agree() {
        let folders = std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/products")).unwrap();
        let folders: BTreeSet<String> =
            folders.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        assert_eq!(names().map(str::to_owned).collect::<BTreeSet<_>>(), folders);
    }

    #[test]
    fn the_data_of_each_product_can_be_used() {
        for name in names() {
            let spec = find(name).unwrap();
            spec.check().unwrap_or_else(|faults| panic!("products/{name}/product.json: {faults:#?}"));
        }
    }

    #[test]
    fn an_unknown_product_is_told_with_those_there_are() {
        let told = find("slak").err().unwrap();
        assert!(told.starts_with("unknown product `slak`: use one of `alertmanager`, `discord`, "), "{told}");
        assert!(told.ends_with(", `webhook`, `zulip`"), "{told}");
    }
}
