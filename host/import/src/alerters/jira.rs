//! Jira: an episode is an issue.
use super::alerter::{Alerter, Make};
use super::context::{Context, NO_ADDRESS, address, holds_secret, is_address, members};
use super::destination::Destination;
use super::mail::of_file;
use crate::yaml::Yaml;

pub(super) const ALERTERS: &[Alerter] = &[Alerter {
    name: "jira",
    also: &[],
    options: &[
        "jira_server",
        "jira_project",
        "jira_issuetype",
        "jira_account_file",
        "jira_assignee",
        "jira_component",
        "jira_components",
        "jira_description",
        "jira_label",
        "jira_labels",
        "jira_parent",
        "jira_priority",
        "jira_watchers",
        "jira_bump_tickets",
        "jira_ignore_in_title",
        "jira_max_age",
        "jira_bump_not_in_statuses",
        "jira_bump_in_statuses",
        "jira_bump_only",
        "jira_transition_to",
        "jira_bump_after_inactivity",
    ],
    make: Make::Destinations(jira),
}];

fn jira(context: &mut Context<'_>) -> Vec<Destination> {
    if context.needs(&["jira_server", "jira_account_file", "jira_project", "jira_issuetype"]).is_none() {
        return Vec::new();
    }
    let options = &mut *context.options;
    let Some(server) = options.text("jira_server") else { return Vec::new() };
    if !holds_secret(&server) && !is_address(&server) {
        return context.refuse("jira_server", NO_ADDRESS);
    }
    if holds_secret(&server) {
        return context.refuse("jira_server", "an address with a password in it: write the server alone");
    }
    options.carried("jira_server", "the destination's address");
    let Some(file) = options.text("jira_account_file") else { return Vec::new() };
    let is_cloud = server.contains(".atlassian.net");
    let assignee = options.text("jira_assignee").map(|who| match is_cloud {
        // Jira Cloud has known people by their IDs alone since 2019.
        true => ("accountId", Yaml::Text(who)),
        false => ("name", Yaml::Text(who)),
    });
    match is_cloud {
        true => {
            options.changed("jira_assignee", "`params.assignee.accountId`: Jira Cloud wants an account's ID")
        }
        false => options.carried("jira_assignee", "`params.assignee.name`"),
    }
    let labels = both(context, ["jira_label", "jira_labels"], "`params.labels`");
    let (labels, odd): (Vec<_>, Vec<_>) =
        labels.into_iter().partition(|label| !label.is_empty() && !label.contains(char::is_whitespace));
    if !odd.is_empty() {
        let what = format!("`params.labels`, without those that contain spaces: {}", odd.join(", "));
        context.options.changed("jira_labels", what.clone());
        context.options.changed("jira_label", what);
    }
    let components = both(context, ["jira_component", "jira_components"], "`params.components`");
    let texts = |list: Vec<String>| (!list.is_empty()).then(|| Yaml::texts(list.into_iter().take(50)));
    let (project, issue_type) = (context.plain("jira_project"), context.plain("jira_issuetype"));
    if project.is_none() || issue_type.is_none() {
        return Vec::new();
    }
    let params = members([
        ("project", project.clone()),
        ("issue_type", issue_type),
        ("labels", texts(labels)),
        ("components", texts(components)),
        ("assignee", assignee.map(|(name, who)| Yaml::map([(name, who)]))),
        ("parent", context.plain("jira_parent")),
    ]);
    let auth = of_file(context, "jira_account_file", &file, "JIRA");
    left(context);
    let made = Destination::new("jira", address(&server)).auth(Some(auth)).params(params);
    let project = match &project {
        Some(Yaml::Text(project)) => Some(project.as_str()),
        _ => None,
    };
    vec![made.about(project)]
}

/// The texts of two options, of which one is for a single text.
fn both(context: &mut Context<'_>, options: [&str; 2], what: &str) -> Vec<String> {
    let mut found = Vec::new();
    for option in options {
        found.extend(context.options.texts(option).unwrap_or_default());
        context.options.carried(option, what);
    }
    found
}

fn left(context: &mut Context<'_>) {
    let options = &mut *context.options;
    options.dropped("jira_description", "the description is the rule's `alert.body`: write it there");
    options.dropped(
        "jira_priority",
        "a position in the server's list: write the name by severity, `params.priority: { critical: Highest }`",
    );
    options.dropped("jira_watchers", "an issue has those that the project's scheme adds");
    options.changed(
        "jira_bump_tickets",
        "an open episode has one issue, with a comment for each change (`params.comment_on`)",
    );
    options.drop_all(
        &[
            "jira_ignore_in_title",
            "jira_max_age",
            "jira_bump_not_in_statuses",
            "jira_bump_in_statuses",
            "jira_bump_only",
            "jira_bump_after_inactivity",
        ],
        "issues are not searched for: an episode knows its own",
    );
    options.dropped(
        "jira_transition_to",
        "a transition has an ID: write it in `params.transitions`, for when an episode is acknowledged or over",
    );
    for option in options.keys() {
        if option.starts_with("jira_") && !options.is_settled(&option) {
            options.dropped(
                &option,
                "a field that ElastAlert finds by its name: write it by its ID, `params.fields`",
            );
        }
    }
}
