//! The story as it happens, one line per event: when, who, what.
use std::io::IsTerminal;
use std::path::Path;

use serde_json::Value;

pub(crate) fn say(who: &str, what: &str) {
    tell(who, what, "36");
}

pub(crate) fn say_loud(who: &str, what: &str) {
    tell(who, what, "1;33");
}

fn tell(who: &str, what: &str, colour: &str) {
    let at = jiff::ZonedDateTime::now().strftime("%H:%M:%S").to_string();
    let who = if std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none() {
        format!("\x1b[{colour}m{who:>5}\x1b[0m")
    } else {
        format!("{who:>5}")
    };
    for (number, line) in what.lines().enumerate() {
        if number == 0 {
            println!("{at}  {who}  {line}");
        } else {
            println!("                 {line}");
        }
    }
}

/// A line of the host's log, as a person would tell it. What the story does not need is left out; errors never are.
pub(crate) fn retell(line: &str) {
    let Ok(entry) = serde_json::from_str::<Value>(line) else {
        return say_loud("host", line);
    };
    let text = |key: &str| entry[key].as_str().unwrap_or_default().to_owned();
    let (rule, message) = (text("rule"), text("message"));
    match text("outcome").as_str() {
        "committed" => {
            let window = text("window");
            let end = window.rsplit("..").next().unwrap_or_default();
            let (rows, signals) = (&entry["rows"], &entry["signals"]);
            // A line a second would bury the story: quiet windows are told every fifth second.
            let quiet = signals == 0 && !end.trim_end_matches('Z').ends_with(['0', '5']);
            if !quiet {
                say("rule", &format!("{rule}: evaluated until {end}, {rows} rows, {signals} signals"));
            }
        }
        "failed" => say_loud("rule", &format!("{rule}: {message}")),
        _ if message.starts_with("episode")
            || message.starts_with("delivered")
            || message.starts_with("command")
            || message.starts_with("primed") =>
        {
            say("host", &format!("{rule} {message}"));
        }
        _ if text("level") == "ERROR" || text("level") == "WARN" => {
            say_loud("host", &format!("{rule} {message} {}", text("error")));
        }
        _ => {}
    }
}

pub(crate) fn look_further(rules: &Path, store: &Path) {
    println!();
    println!("Where to look next:");
    println!("  {}/web/spike-in-5xxs.yaml         the rule", rules.display());
    println!("  {}/environments/demo.yaml         where it ran", rules.display());
    println!("  plugins/rule-spike/src/lib.rs       what it computes, in Rust, as a WebAssembly component");
    println!("  watchbell check --environment demo  every error of every manifest at once");
    println!("  (the store of this run, {}, is deleted with it)", store.display());
}
