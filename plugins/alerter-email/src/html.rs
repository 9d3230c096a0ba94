use watchbell_sdk::{Cause, Intent, Severity};

use crate::facts::Facts;

/// Styles stand at the elements: mail programs drop all others. No picture, script or style is fetched from anywhere.
pub(crate) fn mail(intent: &Intent, facts: &Facts) -> String {
    let color = color(intent);
    // Title and body are HTML of the host's, in which every value is escaped.
    let mut out = format!(
        "<!DOCTYPE html>\n<html><body style=\"font-family:sans-serif;font-size:14px;color:#1d1c1d\">\n\
         <div style=\"border-left:4px solid {color};padding-left:12px\">\n\
         <p style=\"font-size:16px;font-weight:bold;margin:0 0 8px\">{}</p>\n<div>{}</div>\n</div>\n",
        intent.title, intent.body
    );
    if facts.is_repeat {
        out.push_str("<p>This mail may be a repeat: whether an earlier one arrived is not known.</p>\n");
    }
    for (what, link) in &facts.links {
        out.push_str(&format!("<p><a href=\"{}\">{what}</a></p>\n", escaped(link)));
    }
    out.push_str("<table style=\"border-collapse:collapse;font-size:13px\">\n");
    for (name, value) in &facts.rows {
        out.push_str(&format!(
            "<tr><td style=\"padding:2px 12px 2px 0;color:#616061\">{}</td><td>{}</td></tr>\n",
            escaped(name),
            escaped(value)
        ));
    }
    out.push_str("</table>\n</body></html>\n");
    out
}

fn color(intent: &Intent) -> &'static str {
    match (intent.cause, intent.severity) {
        (Cause::Resolved | Cause::Was, _) => "#2eb67d",
        (_, Severity::Info) => "#36c5f0",
        (_, Severity::Warning) => "#ecb22e",
        (_, Severity::Critical) => "#e01e5a",
    }
}

fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
    out
}
