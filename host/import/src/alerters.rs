//! ElastAlert's alerters as destinations: a module per kind of product; each builds destinations or says why there
//! are none.
mod alerter; // how an alerter is carried over
mod context; // what every alerter needs
mod values; // texts, addresses, credentials
mod destination; // what comes of it
mod mail; // mail servers
mod slack; // Slack
mod teams; // Microsoft Teams
mod chat; // other chat rooms and channels
mod chat_bots; // bots of chat products whose address holds the key
mod pagerduty; // PagerDuty
mod incident; // other incident management
mod monitor; // alert aggregators
mod jira; // Jira
mod ticketing; // other ticketing systems
mod aws; // Amazon's services
mod generic; // any HTTP receiver
mod local; // the host's own machine
mod unsupported; // what no receiver replaces
mod custom; // Python classes of one's own

pub(crate) use alerter::{Alerter, Make};
pub(crate) use aws::{is_region, is_sns_target};
pub(crate) use context::{Context, address, basic, by_severity, header, is_address, literal, members};
pub(crate) use custom::stand_in;
pub(crate) use destination::{Destination, Webhook, is_private, is_private_host};
pub(crate) use mail::{addresses, mailbox};

fn alerters() -> impl Iterator<Item = &'static Alerter> {
    [
        mail::ALERTERS,
        slack::ALERTERS,
        teams::ALERTERS,
        chat::ALERTERS,
        chat_bots::ALERTERS,
        pagerduty::ALERTERS,
        incident::ALERTERS,
        monitor::ALERTERS,
        jira::ALERTERS,
        ticketing::ALERTERS,
        aws::ALERTERS,
        generic::ALERTERS,
        local::ALERTERS,
        unsupported::ALERTERS,
    ]
    .into_iter()
    .flatten()
}

pub(crate) fn alerter(name: &str) -> Option<&'static Alerter> {
    alerters().find(|alerter| alerter.name == name || alerter.also.contains(&name))
}

/// The alerter that an option belongs to.
pub(crate) fn owner(option: &str) -> Option<&'static str> {
    alerters().find(|alerter| alerter.options.contains(&option)).map(|alerter| alerter.name)
}

pub(crate) fn options() -> impl Iterator<Item = &'static str> {
    alerters().flat_map(|alerter| alerter.options.iter().copied())
}

pub(crate) fn names() -> impl Iterator<Item = &'static str> {
    alerters().map(|alerter| alerter.name)
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
            assert!(alerter(name).is_some(), "{name}");
        }
    }
}
