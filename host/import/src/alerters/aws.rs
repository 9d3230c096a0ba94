//! Amazon's services, whose requests are signed (Signature Version 4).
use super::alerter::{Alerter, Make};
use super::context::Context;
use super::destination::{Destination, Webhook};
use super::mail::addresses;
use crate::mask::tokens;
use crate::yaml::Yaml;

pub(super) const ALERTERS: &[Alerter] = &[
    Alerter {
        name: "sns",
        also: &[],
        options: &[
            "sns_topic_arn",
            "sns_aws_access_key_id",
            "sns_aws_secret_access_key",
            "sns_aws_region",
            "sns_aws_profile",
        ],
        make: Make::Destinations(sns),
    },
    Alerter {
        name: "ses",
        also: &[],
        options: &[
            "ses_email",
            "ses_email_from_field",
            "ses_email_add_domain",
            "ses_from_addr",
            "ses_aws_access_key",
            "ses_aws_secret_key",
            "ses_aws_region",
            "ses_aws_profile",
            "ses_email_reply_to",
            "ses_cc",
            "ses_bcc",
        ],
        make: Make::Destinations(ses),
    },
    Alerter {
        name: "sqs",
        also: &[],
        options: &[
            "sqs_queue_url",
            "sqs_aws_access_key_id",
            "sqs_aws_secret_access_key",
            "sqs_aws_region",
            "sqs_aws_profile",
        ],
        make: Make::Destinations(sqs),
    },
];

/// Where boto3 would look for a region last of all.
const REGION: &str = "us-east-1";
/// The recipients of one mail.
const SES_MAX: usize = 50;

fn sns(context: &mut Context<'_>) -> Vec<Destination> {
    if context.needs(&["sns_topic_arn"]).is_none() {
        return Vec::new();
    }
    let Some(topic) = context.options.text("sns_topic_arn") else { return Vec::new() };
    if tokens(&topic).is_empty() && !is_topic(&topic) {
        return context.refuse("sns_topic_arn", "not the ARN of a topic: `arn:aws:sns:REGION:ACCOUNT:NAME`");
    }
    context.options.carried("sns_topic_arn", "`params.topic`");
    let of_topic = topic.split(':').nth(3).filter(|region| tokens(region).is_empty() && !region.is_empty());
    let region = region(context, "sns_aws_region", of_topic);
    let auth = signed(
        context,
        "sns",
        &region,
        ["sns_aws_access_key_id", "sns_aws_secret_access_key", "sns_aws_profile"],
    );
    let name = topic.rsplit(':').next().map(|name| name.trim_end_matches(".fifo").to_string());
    let made = Destination::new("sns", Yaml::Text(format!("https://sns.{region}.amazonaws.com")));
    let made = made.auth(Some(auth)).params(vec![("topic".into(), Yaml::Text(topic))]);
    vec![made.about(name.as_deref())]
}

/// Whether the receiver takes a `topic` or a `phone` of this value.
pub(crate) fn is_sns_target(kind: &str, text: &str) -> bool {
    if kind == "topic" {
        return is_topic(text);
    }
    let digits = text.strip_prefix('+').unwrap_or_default();
    (7..=15).contains(&digits.len())
        && digits.bytes().all(|byte| byte.is_ascii_digit())
        && !digits.starts_with('0')
}

/// As the receiver accepts it.
fn is_topic(text: &str) -> bool {
    let parts: Vec<&str> = text.split(':').collect();
    let [arn, partition, service, region, account, name] = parts[..] else { return false };
    let name = name.strip_suffix(".fifo").unwrap_or(name);
    let made_of = |text: &str, more: &str| {
        !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || more.contains(c))
    };
    arn == "arn"
        && partition.starts_with("aws")
        && partition.chars().all(|c| c.is_ascii_lowercase() || c == '-')
        && service == "sns"
        && made_of(region, "-")
        && region.chars().all(|c| !c.is_ascii_uppercase())
        && !account.is_empty()
        && account.bytes().all(|byte| byte.is_ascii_digit())
        && made_of(name, "_-")
}

fn ses(context: &mut Context<'_>) -> Vec<Destination> {
    if context.needs(&["ses_email", "ses_from_addr"]).is_none() {
        return Vec::new();
    }
    let to = addresses(context, "ses_email", "`params.to`");
    let mut from = addresses(context, "ses_from_addr", "`params.from`");
    let cc = addresses(context, "ses_cc", "`params.cc`");
    let bcc = addresses(context, "ses_bcc", "`params.bcc`");
    let reply_to = addresses(context, "ses_email_reply_to", "`params.reply_to`");
    context.options.drop_all(
        &["ses_email_from_field", "ses_email_add_domain"],
        "a document cannot choose who is notified: a rule's recipients are its destinations",
    );
    if to.is_empty() || from.is_empty() {
        return Vec::new();
    }
    if to.len() + cc.len() + bcc.len() > SES_MAX {
        let why = format!("more than {SES_MAX} addresses: SES sends a mail to no more");
        return context.refuse("ses_email", why);
    }
    let region = region(context, "ses_aws_region", None);
    let auth =
        signed(context, "ses", &region, ["ses_aws_access_key", "ses_aws_secret_key", "ses_aws_profile"]);
    let name = to.first().cloned();
    let mut params = vec![("from".to_string(), Yaml::Text(from.remove(0))), ("to".into(), Yaml::texts(to))];
    for (key, list) in [("cc", cc), ("bcc", bcc), ("reply_to", reply_to)] {
        if !list.is_empty() {
            params.push((key.to_string(), Yaml::texts(list)));
        }
    }
    if region != REGION {
        // A mail's thread needs the Message-ID that SES gives it.
        params.push(("message_id_domain".into(), Yaml::Text(format!("{region}.amazonses.com"))));
    }
    let made = Destination::new("ses", Yaml::Text(format!("https://email.{region}.amazonaws.com")));
    vec![made.auth(Some(auth)).params(params).about(name.as_deref().map(super::mail::user))]
}

/// The Query API's `SendMessage`, which is a form.
fn sqs(context: &mut Context<'_>) -> Vec<Destination> {
    let Some(url) = context.address("sqs_queue_url", "SQS_QUEUE_URL") else { return Vec::new() };
    let host = match &url {
        Yaml::Text(url) => url.split("://").nth(1).and_then(|rest| rest.split('/').next()).map(String::from),
        _ => None,
    };
    let of_url = host.as_deref().and_then(|host| host.strip_prefix("sqs.")?.split('.').next());
    let region = region(context, "sqs_aws_region", of_url);
    let auth = signed(
        context,
        "sqs",
        &region,
        ["sqs_aws_access_key_id", "sqs_aws_secret_access_key", "sqs_aws_profile"],
    );
    let name = match &url {
        Yaml::Text(url) => url.rsplit('/').next().map(|name| name.trim_end_matches(".fifo").to_string()),
        _ => None,
    };
    let form = Yaml::map([
        ("Action", Yaml::text("SendMessage")),
        ("Version", Yaml::text("2012-11-05")),
        ("MessageBody", Yaml::text("{{ headline }}\n{{ body }}")),
    ]);
    vec![Webhook::form(url, form).auth(auth).plain().made().about(name.as_deref())]
}

/// `eu-central-1`
pub(crate) fn is_region(text: &str) -> bool {
    !text.is_empty()
        && text.len() <= 63
        && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
}

fn region(context: &mut Context<'_>, option: &str, of_address: Option<&str>) -> String {
    let written = context.options.text(option).filter(|region| is_region(region));
    match written {
        Some(_) => context.options.carried(option, "the destination's address and `auth`"),
        None => context.options.dropped(option, "not the name of a region"),
    }
    let of_address = of_address.map(String::from).filter(|region| is_region(region));
    written.or(of_address).unwrap_or_else(|| REGION.into())
}

/// `options`: the key's id, the key, and the profile that ElastAlert takes them from otherwise.
fn signed(context: &mut Context<'_>, service: &str, region: &str, options: [&str; 3]) -> Yaml {
    let [id, key, profile] = options;
    let (id, key) = if context.options.has(profile) || context.options.node(id).is_none() {
        let name = context.options.text(profile);
        let about = match &name {
            Some(profile) => format!("of the profile `{profile}`, from `~/.aws/credentials`"),
            None => "of an account that may send, such as ElastAlert's own".into(),
        };
        context.options.drop_all(&[id, key], "ElastAlert uses the profile instead");
        // Each profile has a key of its own.
        let of = name.unwrap_or_default();
        let secrets = &mut *context.secrets;
        let (id_name, id) =
            secrets.of_file("AWS_ACCESS_KEY_ID", &of, &format!("the id of an access key {about}"));
        let (key_name, key) =
            secrets.of_file("AWS_SECRET_ACCESS_KEY", &of, &format!("the access key {about}"));
        let what = format!("the variables {id_name} and {key_name}: destinations read no AWS profile");
        context.options.changed(profile, what);
        (id, key)
    } else {
        let service = service.to_uppercase();
        let id = context.secret(id, &format!("{service}_ACCESS_KEY_ID"));
        let key = context.secret(key, &format!("{service}_SECRET_ACCESS_KEY"));
        (id.unwrap_or(Yaml::Null), key.unwrap_or(Yaml::Null))
    };
    let entries = Yaml::map([
        ("region", Yaml::text(region)),
        ("service", Yaml::text(service)),
        ("access_key_id", id),
        ("secret_access_key", key),
    ]);
    Yaml::map([("sigv4", entries)])
}

#[cfg(test)]
mod tests {
    use super::is_topic;

    #[test]
    fn a_topic_is_an_arn() {
        assert!(is_topic("arn:aws:sns:eu-central-1:123456789012:ops"));
        assert!(is_topic("arn:aws-cn:sns:cn-north-1:123456789012:ops_2.fifo"));
        for text in
            ["ops", "arn:aws:sqs:eu-central-1:1:ops", "arn:aws:sns:eu-central-1::ops", "arn:aws:sns:x:1:"]
        {
            assert!(!is_topic(text), "{text}");
        }
    }
}
