//! ElastAlert's alerters as destinations. A room per kind of product; each says what its request is, or why there is none.
mod recipe; // how an alerter is carried over
mod kitchen; // what every recipe needs
mod slack; // a product of its own
mod chat; // rooms and channels
mod robots; // robots of chat products whose address holds the key
mod incident; // what keeps incidents
mod monitor; // what gathers alerts
mod case_file; // where cases are worked on
mod plain; // any receiver of a request
mod gone; // what one request over HTTP cannot do

pub(crate) use kitchen::{Kitchen, address};
pub(crate) use recipe::{Make, Recipe};

fn recipes() -> impl Iterator<Item = &'static Recipe> {
    [
        slack::RECIPES,
        chat::RECIPES,
        robots::RECIPES,
        incident::RECIPES,
        monitor::RECIPES,
        case_file::RECIPES,
        plain::RECIPES,
        gone::RECIPES,
    ]
    .into_iter()
    .flatten()
}

pub(crate) fn recipe(name: &str) -> Option<&'static Recipe> {
    recipes().find(|recipe| recipe.name == name || recipe.also.contains(&name))
}

/// The alerter that an option belongs to.
pub(crate) fn owner(option: &str) -> Option<&'static str> {
    recipes().find(|recipe| recipe.options.contains(&option)).map(|recipe| recipe.name)
}

pub(crate) fn options() -> impl Iterator<Item = &'static str> {
    recipes().flat_map(|recipe| recipe.options.iter().copied())
}

pub(crate) fn names() -> impl Iterator<Item = &'static str> {
    recipes().map(|recipe| recipe.name)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Reference, section 4.
    const ALERTERS: &str = "alerta alertmanager chatwork command datadog debug dingtalk discord email exotel flashduty \
        gelf gitter googlechat hivealerter indexer iris jira lark line matrixhookshot mattermost ms_power_automate \
        opsgenie pagerduty pagertree post post2 rocketchat servicenow ses slack smseagle sns sqs stomp telegram \
        tencent_sms twilio victorops webex_webhook workwechat yzj zabbix";

    #[test]
    fn every_alerter_of_elastalert2_is_known() {
        let all: Vec<&str> = ALERTERS.split_whitespace().collect();
        assert_eq!(all.len(), 44);
        for name in all {
            assert!(recipe(name).is_some(), "{name}");
        }
    }
}
