//! Routes. Here a rule names its destinations itself, so they become a page for those who write rules.
use std::collections::{BTreeMap, BTreeSet};

use super::account::{Account, entry, items, texts};
use super::integrations::Receiver;
use super::matchers::{Matcher, conditions, matchers};
use super::times::Interval;
use crate::names::{free, slug};
use crate::node::{Data, Node};
use crate::report::Fate;
use crate::yaml::{Yaml, document};

pub(super) struct Routes {
    /// Markdown; empty if there is no route.
    pub(super) page: String,
    /// Mute intervals.
    pub(super) maintenance: Vec<(String, Yaml)>,
    /// The names of those.
    pub(super) names: BTreeSet<String>,
}

/// What a route has from those above it.
#[derive(Clone)]
struct Above {
    receiver: Option<String>,
    by: Vec<String>,
    wait: String,
    interval: String,
    repeat: String,
    matchers: Vec<Matcher>,
    /// The matchers of the routes that are asked before this one, beside it and beside those above it; `None`: they
    /// cannot be read.
    earlier: Vec<Option<Vec<Matcher>>>,
    /// Whether a route above it goes on to those after it.
    continues: bool,
}

const KEYS: [&str; 3] = ["matchers", "match", "match_re"];

struct Work<'a, 'b> {
    receivers: &'a [Receiver],
    intervals: &'a BTreeMap<String, Interval>,
    account: &'a mut Account<'b>,
    page: String,
    maintenance: Vec<(String, Yaml)>,
    names: BTreeSet<String>,
}

pub(super) fn routes(
    root: &Node,
    receivers: &[Receiver],
    intervals: &BTreeMap<String, Interval>,
    account: &mut Account<'_>,
) -> Routes {
    let names = BTreeSet::new();
    let mut work =
        Work { receivers, intervals, account, page: String::new(), maintenance: Vec::new(), names };
    if let Some(route) = entry(root, "route") {
        let above = Above {
            receiver: None,
            by: Vec::new(),
            wait: "30s".into(),
            interval: "5m".into(),
            repeat: "4h".into(),
            matchers: Vec::new(),
            earlier: Vec::new(),
            continues: false,
        };
        work.page.push_str(HEAD);
        work.route(&route.value, &above);
    }
    Routes { page: work.page, maintenance: work.maintenance, names: work.names }
}

const HEAD: &str = "# Alertmanager's routes\n\nIn Watchbell a rule names its destinations itself. Each section has the `alert:` of the rules that a route\nwas for. A rule whose alerts took several routes names the destinations of all.\n";

/// Why the alerts that a route is for may have more destinations than its own, or others.
fn reaches_others(node: &Node, route: &Above) -> Option<&'static str> {
    if matchers(node, KEYS).map_or(true, |own| own.is_empty()) {
        return Some("the route has no matchers of its own");
    }
    if !items(node.get("routes")).is_empty() {
        return Some("the routes below this one do not inherit it");
    }
    if route.continues {
        return Some("with `continue`, the same alerts reach other routes too");
    }
    let is_apart =
        |earlier: &Option<Vec<Matcher>>| earlier.as_ref().is_some_and(|other| differ(other, &route.matchers));
    (!route.earlier.iter().all(is_apart)).then_some("an earlier route may have the same alerts")
}

/// Whether no alert meets both: they ask for different values of one label.
fn differ(one: &[Matcher], other: &[Matcher]) -> bool {
    let is_exact = |matcher: &Matcher| !matcher.is_regex && !matcher.is_negated;
    one.iter().filter(|one| is_exact(one)).any(|one| {
        let same_label = |other: &&Matcher| is_exact(other) && other.label == one.label;
        other.iter().filter(same_label).any(|other| other.value != one.value)
    })
}

/// Unless it is surely absent or false, a route is taken to continue.
fn continues(node: &Node) -> bool {
    !matches!(node.get("continue").map(|node| &node.data), None | Some(Data::Null | Data::Bool(false)))
}

impl Work<'_, '_> {
    /// Writes a route and those below it.
    fn route(&mut self, node: &Node, above: &Above) {
        let mut own = above.clone();
        let text = |key: &str| node.get(key).and_then(Node::text);
        own.receiver = text("receiver").or(own.receiver);
        own.wait = text("group_wait").unwrap_or(own.wait);
        own.interval = text("group_interval").unwrap_or(own.interval);
        own.repeat = text("repeat_interval").unwrap_or(own.repeat);
        if entry(node, "group_by").is_some() {
            own.by = texts(node.get("group_by"));
        }
        match matchers(node, KEYS) {
            Ok(found) => {
                own.matchers.extend(found);
                self.tell(node, &KEYS, Fate::Changed, "alertmanager-routes.md says which rules are meant");
            }
            Err(why) => {
                // Whatever is below it would be about more alerts than it is for.
                let what = "the matchers of its route cannot be read";
                for entry in node.entries() {
                    match KEYS.contains(&entry.key.as_str()) {
                        true => self.account.told(&entry.place, Fate::Failed, why.clone()),
                        false => self.account.told(&entry.place, Fate::Dropped, what),
                    }
                }
                return;
            }
        }
        own.continues |= continues(node);
        let keys = ["receiver", "group_by", "group_wait", "group_interval", "repeat_interval"];
        self.tell(node, &keys, Fate::Changed, "in the `alert:` that alertmanager-routes.md has for rules");
        self.tell(
            node,
            &["continue"],
            Fate::Changed,
            "a rule names the destinations of every route that its alerts took",
        );
        let when = self.active(node);
        self.mute(node, &own);
        self.section(&own, when);
        for route in items(node.get("routes")) {
            self.route(route, &own);
            own.earlier.push(matchers(route, KEYS).ok());
        }
    }

    fn tell(&mut self, node: &Node, keys: &[&str], fate: Fate, what: &str) {
        for entry in node.entries().iter().filter(|entry| keys.contains(&entry.key.as_str())) {
            self.account.told(&entry.place, fate, what);
        }
    }

    /// `active_time_intervals` as `when:`.
    fn active(&mut self, node: &Node) -> Option<Yaml> {
        let entry = entry(node, "active_time_intervals")?;
        let names = texts(Some(&entry.value));
        let made = match names.as_slice() {
            [name] => match self.intervals.get(name) {
                Some(interval) => interval.when(),
                None => Err(format!("there is no time interval `{name}`")),
            },
            _ => Err("several intervals are not one `when:`".into()),
        };
        match made {
            Ok(when) => {
                let what = "`when:` of the steps in alertmanager-routes.md";
                self.account.told(&entry.place, Fate::Changed, what);
                Some(when)
            }
            Err(why) => {
                self.account.told(&entry.place, Fate::Dropped, why);
                None
            }
        }
    }

    /// `mute_time_intervals` as maintenance windows, which hold what a rule would send anywhere.
    fn mute(&mut self, node: &Node, route: &Above) {
        let Some(entry) = entry(node, "mute_time_intervals") else { return };
        if let Some(why) = reaches_others(node, route) {
            let what = format!("{why}: a maintenance window would hold the alerts for all destinations");
            self.account.told(&entry.place, Fate::Dropped, what);
            return;
        }
        let conditions = conditions(&route.matchers);
        for name in texts(Some(&entry.value)) {
            let windows = match self.intervals.get(&name) {
                Some(interval) => interval.windows(),
                None => Err(format!("there is no time interval `{name}`")),
            };
            let (conditions, windows) = match (&conditions, windows) {
                (Ok(conditions), Ok(windows)) => (conditions, windows),
                (Err(why), _) => {
                    self.account.told(&entry.place, Fate::Dropped, format!("`{name}`: {why}"));
                    continue;
                }
                (_, Err(why)) => {
                    self.account.told(&entry.place, Fate::Dropped, format!("`{name}`: {why}"));
                    continue;
                }
            };
            let wanted = slug(&name).unwrap_or_else(|| "mute".into());
            for matched in conditions {
                for window in &windows {
                    let name = free(&wanted, &mut self.names);
                    let what = format!("`maintenance.{name}`: whoever would be notified is, once it is over");
                    self.account.told(&entry.place, Fate::Changed, what);
                    let matched = ("match".to_string(), Yaml::texts(matched.clone()));
                    let entries = std::iter::once(matched).chain(window.iter().cloned());
                    self.maintenance.push((name, Yaml::Map(entries.collect())));
                }
            }
        }
    }

    fn section(&mut self, route: &Above, when: Option<Yaml>) {
        let receiver = route.receiver.as_deref().unwrap_or_default();
        let title = match conditions(&route.matchers) {
            _ if route.matchers.is_empty() => "Every other rule".to_string(),
            Ok(lists) => {
                let lists: Vec<String> = lists.iter().map(|list| format!("`{}`", list.join(" "))).collect();
                lists.join(" or ")
            }
            Err(_) => {
                let shown = |matcher: &Matcher| {
                    let operator = match (matcher.is_negated, matcher.is_regex) {
                        (false, false) => "=",
                        (false, true) => "=~",
                        (true, false) => "!=",
                        (true, true) => "!~",
                    };
                    format!("`{}{operator}{}`", matcher.label, matcher.value)
                };
                route.matchers.iter().map(shown).collect::<Vec<_>>().join(" ")
            }
        };
        // A line break in a value would begin something else.
        self.page.push_str(&format!("\n## {}\n\n", watchbell_outside::line(&title)));
        let known = self.receivers.iter().find(|known| known.name == receiver);
        let to: Vec<String> =
            known.iter().flat_map(|known| known.destinations.iter().map(|(name, _)| name.clone())).collect();
        if to.is_empty() {
            let receiver = watchbell_outside::line(receiver).to_string();
            self.page
                .push_str(&format!("The receiver `{receiver}` has no destination: nobody is notified.\n"));
            return;
        }
        let to = Yaml::texts(to);
        let mut alert = match when {
            Some(when) => {
                let step = Yaml::map([("after", Yaml::text("0s")), ("to", to), ("when", when)]);
                vec![("escalate".to_string(), Yaml::List(vec![step]))]
            }
            None => vec![("to".to_string(), to)],
        };
        // `...` asks for no groups at all.
        if route.by.iter().any(|label| label == "...") {
            alert.push(("repeat".into(), Yaml::text(route.repeat.clone())));
        } else {
            let by = route.by.iter().filter(|label| *label != "alertname").cloned();
            let group = [
                ("by", Yaml::texts(by)),
                ("wait", Yaml::text(route.wait.clone())),
                ("interval", Yaml::text(route.interval.clone())),
            ];
            alert.push(("group".into(), Yaml::map(group)));
        }
        let text = document("", &[("alert".into(), Yaml::Map(alert))]);
        self.page.push_str(&format!("```yaml\n{text}```\n"));
        if !route.by.iter().any(|label| label == "...") {
            self.page.push_str(&format!(
                "\nA group is of one rule, and of fields that its `key` has. Without `group`, `repeat: {}` notifies again.\n",
                watchbell_outside::line(&route.repeat)
            ));
        }
    }
}
