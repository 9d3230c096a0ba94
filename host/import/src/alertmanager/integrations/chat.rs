//! Chat rooms and telephones.
use super::{Integration, http_auth, no_http_auth, or_default, plain, required, secret_url};
use crate::alerters::{Context, Destination, members};
use crate::mask::tokens;
use crate::yaml::Yaml;

pub(super) const INTEGRATIONS: &[Integration] = &[
    Integration {
        key: "slack_configs",
        global: &[("api_url", "slack_api_url"), ("api_url_file", "slack_api_url_file")],
        make: slack,
    },
    Integration { key: "discord_configs", global: &[], make: discord },
    Integration {
        key: "telegram_configs",
        global: &[
            ("api_url", "telegram_api_url"),
            ("bot_token", "telegram_bot_token"),
            ("bot_token_file", "telegram_bot_token_file"),
        ],
        make: telegram,
    },
    Integration { key: "msteams_configs", global: &[], make: teams },
    Integration { key: "msteamsv2_configs", global: &[], make: teams },
    Integration {
        key: "mattermost_configs",
        global: &[
            ("webhook_url", "mattermost_webhook_url"),
            ("webhook_url_file", "mattermost_webhook_url_file"),
        ],
        make: mattermost,
    },
    Integration { key: "pushover_configs", global: &[], make: pushover },
];

fn slack(context: &mut Context<'_>) -> Result<Destination, String> {
    if context.options.node("app_token").or_else(|| context.options.node("app_token_file")).is_some() {
        no_http_auth(context);
        let channel = required(context, "channel")?;
        let token = secret_url(context, "app_token", "SLACK_APP_TOKEN")?;
        let made = Destination::new("slack-bot", Yaml::text("https://slack.com/api"));
        return Ok(made.auth(Some(Yaml::map([("bearer", token)]))).params(vec![("channel".into(), channel)]));
    }
    let params = members([
        ("channel", plain(context, "channel")),
        ("username", plain(context, "username")),
        ("icon_url", plain(context, "icon_url")),
        ("icon_emoji", context.emoji("icon_emoji")),
    ]);
    let auth = http_auth(context, "SLACK_TOKEN");
    let url = secret_url(context, "api_url", "SLACK_WEBHOOK_URL")?;
    Ok(Destination::new("slack", url).auth(auth).params(params))
}

fn discord(context: &mut Context<'_>) -> Result<Destination, String> {
    let auth = http_auth(context, "DISCORD_TOKEN");
    let params = members([
        ("username", plain(context, "username").filter(|name| is_short(name, 80))),
        ("avatar_url", plain(context, "avatar_url")),
    ]);
    let url = secret_url(context, "webhook_url", "DISCORD_WEBHOOK_URL")?;
    Ok(Destination::new("discord", url).auth(auth).params(params))
}

fn is_short(value: &Yaml, most: usize) -> bool {
    matches!(value, Yaml::Text(text) if text.chars().count() <= most)
}

fn telegram(context: &mut Context<'_>) -> Result<Destination, String> {
    let auth = http_auth(context, "TELEGRAM_TOKEN");
    let room = context.options.text("chat_id").or_else(|| context.options.text("chat"));
    let room = room.ok_or("`chat_id` is missing")?;
    let digits = room.strip_prefix('-').unwrap_or(&room);
    let is_id = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    if !is_id && tokens(&room).is_empty() {
        return Err("`chat_id` is not a number".into());
    }
    context.options.carried("chat_id", "`params.chat`");
    let topic = context.options.text("message_thread_id").filter(|topic| topic.parse::<i64>().is_ok());
    context.options.carried("message_thread_id", "`params.topic`");
    let silent = context.options.flag("disable_notifications") == Some(true);
    context.options.carried("disable_notifications", "`params.silent`");
    let all = ["info", "warning", "critical"].map(String::from);
    let params = members([
        ("chat", Some(Yaml::Text(room))),
        ("topic", topic.map(Yaml::Number)),
        ("silent", silent.then(|| Yaml::texts(all))),
    ]);
    let host = context.options.text("api_url").unwrap_or_else(|| "https://api.telegram.org".into());
    context.options.carried("api_url", "part of the URL in the variable");
    let how = format!("`{}/bot{{}}`, with the bot's token", host.trim_end_matches('/'));
    let url = context.secret_or_file("bot_token", "TELEGRAM_BOT_URL", Some(&how));
    Ok(Destination::new("telegram", url.ok_or("`bot_token` is missing")?).auth(auth).params(params))
}

fn teams(context: &mut Context<'_>) -> Result<Destination, String> {
    let auth = http_auth(context, "TEAMS_TOKEN");
    Ok(Destination::new("teams", secret_url(context, "webhook_url", "TEAMS_WEBHOOK_URL")?).auth(auth))
}

fn mattermost(context: &mut Context<'_>) -> Result<Destination, String> {
    let auth = http_auth(context, "MATTERMOST_TOKEN");
    let params = members([
        ("channel", plain(context, "channel")),
        ("username", plain(context, "username")),
        ("icon_url", plain(context, "icon_url")),
        ("icon_emoji", context.emoji("icon_emoji")),
    ]);
    let url = secret_url(context, "webhook_url", "MATTERMOST_WEBHOOK_URL")?;
    Ok(Destination::new("mattermost", url).auth(auth).params(params))
}

fn pushover(context: &mut Context<'_>) -> Result<Destination, String> {
    no_http_auth(context);
    // The key of a user is a parameter; without an account's token it is worth nothing.
    let user = match context.options.text("user_key") {
        Some(user) => user,
        None => {
            let path = context.options.text("user_key_file").filter(|path| !path.is_empty());
            let path = path.ok_or("`user_key` is missing")?;
            // A name for each file; the key is written as a token, so no variable is needed.
            let (token, _) = context.secrets.of_file("PUSHOVER_USER", &path, "a user's key");
            let what = format!("the token {token}, because the file is not read");
            context.options.changed("user_key_file", what);
            format!("@@{token}@@")
        }
    };
    let is_key = user.len() == 30 && user.bytes().all(|byte| byte.is_ascii_alphanumeric());
    if !is_key && tokens(&user).is_empty() {
        return Err("`user_key` is not a key of 30 letters and digits".into());
    }
    context.options.carried("user_key", "`params.user`");
    let seconds = |context: &mut Context<'_>, option: &str, least: u64, most: u64| {
        let text = context.options.text(option)?;
        let seconds = seconds(&text).filter(|seconds| (least..=most).contains(seconds));
        match seconds {
            Some(seconds) => {
                context.options.carried(option, format!("`params.{option}`"));
                Some(Yaml::Number(seconds.to_string()))
            }
            None => {
                context.options.dropped(option, format!("not from {least} to {most} seconds"));
                None
            }
        }
    };
    let priority = context.level("priority", -2, 2);
    let priority = or_default(context, "priority", priority, Yaml::Number("2".into()));
    let params = members([
        ("user", Some(Yaml::Text(user))),
        ("device", plain(context, "device")),
        ("sound", plain(context, "sound")),
        ("priority", priority),
        ("retry", seconds(context, "retry", 30, 10_800)),
        ("expire", seconds(context, "expire", 30, 10_800)),
        ("ttl", seconds(context, "ttl", 1, u64::from(u32::MAX))),
    ]);
    let token = secret_url(context, "token", "PUSHOVER_TOKEN")?;
    let auth = Yaml::map([("pointer", Yaml::text("/token")), ("value", token)]);
    let made = Destination::new("pushover", Yaml::text("https://api.pushover.net"));
    Ok(made.auth(Some(Yaml::map([("body", auth)]))).params(params))
}

/// `1h30m` in seconds.
fn seconds(text: &str) -> Option<u64> {
    let mut total: u64 = 0;
    let mut digits = String::new();
    for c in text.chars() {
        if c.is_ascii_digit() {
            digits.push(c);
            continue;
        }
        let factor = match c {
            's' => 1,
            'm' => 60,
            'h' => 3_600,
            'd' => 86_400,
            'w' => 604_800,
            _ => return None,
        };
        let number: u64 = std::mem::take(&mut digits).parse().ok()?;
        total = total.checked_add(number.checked_mul(factor)?)?;
    }
    digits.is_empty().then_some(total)
}

#[cfg(test)]
mod tests {
    use super::seconds;

    #[test]
    fn a_span_is_in_seconds() {
        assert_eq!([seconds("1h30m"), seconds("90s"), seconds("1w")], [Some(5_400), Some(90), Some(604_800)]);
        assert_eq!([seconds("5"), seconds("1y"), seconds("9999999999999999999999s")], [None, None, None]);
    }
}
