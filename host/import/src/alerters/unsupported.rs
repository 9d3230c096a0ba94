//! Alerters that no receiver replaces, and discontinued services.
use super::alerter::{Alerter, Make};

const DISCONTINUED: &str = "the service no longer exists";

const fn dropped(name: &'static str, options: &'static [&'static str], why: &'static str) -> Alerter {
    Alerter { name, also: &[], options, make: Make::Dropped(why) }
}

pub(super) const ALERTERS: &[Alerter] = &[
    dropped(
        "tencent_sms",
        &[
            "tencent_sms_secret_id",
            "tencent_sms_secret_key",
            "tencent_sms_sdk_appid",
            "tencent_sms_to_number",
            "tencent_sms_region",
            "tencent_sms_sign_name",
            "tencent_sms_template_id",
            "tencent_sms_template_parm",
        ],
        "Tencent requires its own signature over each request",
    ),
    dropped(
        "exotel",
        &[
            "exotel_account_sid",
            "exotel_auth_token",
            "exotel_to_number",
            "exotel_from_number",
            "exotel_message_body",
        ],
        "ElastAlert uses the vendor's library, whose requests are not documented",
    ),
    dropped(
        "indexer",
        &["indexer_connection", "indexer_config", "indexer_alert_config", "indexer_alerts_name"],
        "write a destination with `use: index`, with credentials that may create documents there",
    ),
    dropped(
        "stomp",
        &[
            "stomp_hostname",
            "stomp_hostport",
            "stomp_login",
            "stomp_password",
            "stomp_destination",
            "stomp_ssl",
        ],
        "Watchbell does not speak STOMP",
    ),
    dropped(
        "zabbix",
        &["zbx_sender_host", "zbx_sender_port", "zbx_host_from_field", "zbx_host", "zbx_key"],
        "Watchbell does not speak Zabbix's trapper protocol",
    ),
    dropped(
        "stride",
        &[
            "stride_access_token",
            "stride_cloud_id",
            "stride_conversation_id",
            "stride_converstation_id",
            "stride_proxy",
            "stride_ignore_ssl_errors",
        ],
        DISCONTINUED,
    ),
];
