//! The text of messages, from the rule that is in force when a message is claimed.
use std::collections::{BTreeMap, BTreeSet};

use watchbell_contract::AlertText;

use crate::message::{Message, Wording};
use crate::spec::{RuleName, RuleSpec};
use crate::text::{self, Text};

/// A rule's title and body, as minijinja sources.
#[derive(Clone, Debug)]
pub(crate) struct AlertTemplate {
    title: String,
    body: String,
}

/// The templates of the rules in force, and of ended rules that still have queued messages.
#[derive(Debug, Default)]
pub(crate) struct Templates {
    by_rule: BTreeMap<RuleName, AlertTemplate>,
}

const RULE_ENDED: &str = "\n\nThe rule is no longer in force: it was disabled or its file was removed.";

const GAP_TITLE: &str = "{{ rule }} could not evaluate a slice of time";
const GAP_BODY: &str = "{{ summary }}\n\nThe slice is recorded as a gap, and the rule continues after it. If it fails \
                        there too, that gap is recorded without another message.";

/// Says how many episodes it stands for.
const EDITED_TITLE: &str = "{{ rule }}: {{ count }} more episodes are open";
const EDITED_BODY: &str = "{{ summary }}. Editing the rule's escalation made these messages due at once:\n\
                           {% for summary in more %}\n- {{ summary }}\n{%- endfor %}\n";

/// Lists the worst of the keys that it stands for.
const OVERFLOW_TITLE: &str = "{{ rule }}: more keys than its limit of open episodes";
const OVERFLOW_BODY: &str = "{{ summary }}. They share this one episode; a key gets its own when a place is free. \
                             The worst of them:\n{% for key in more %}\n- {{ key }}\n{%- endfor %}\n";

const BACKLOG_TITLE: &str = "{{ rule }}: messages left out";
const BACKLOG_BODY: &str =
    "{{ summary }}. What is open is shown by `watchbell status` and `watchbell explain`.";

impl Templates {
    /// Uses the templates of `rules`. A rule that has ended keeps its templates while it is in `owing`.
    pub(crate) fn put_in_force<'a>(
        &mut self,
        rules: impl Iterator<Item = &'a RuleSpec>,
        owing: &BTreeSet<RuleName>,
    ) {
        self.by_rule.retain(|name, _| owing.contains(name));
        let texts = rules.map(|spec| {
            let template = AlertTemplate { title: spec.alert.title.clone(), body: spec.alert.body.clone() };
            (spec.name.clone(), template)
        });
        self.by_rule.extend(texts);
    }

    /// Renders `message` in the format its destination wants. For a rule whose templates are no longer known, it
    /// renders the summary.
    pub(crate) fn render(&self, message: &Message, wants: AlertText) -> Text {
        let known = self.by_rule.get(&message.rule);
        let (title, body) = known.map_or(("", "{{ summary }}"), |known| (&known.title, &known.body));
        let subject = message.subject();
        match message.wording {
            Wording::Rule => text::render(title, body, &subject, wants),
            Wording::RuleEnded => text::render(title, &format!("{body}{RULE_ENDED}"), &subject, wants),
            Wording::Gap => text::render(GAP_TITLE, GAP_BODY, &subject, wants),
            Wording::Overflow => text::render(OVERFLOW_TITLE, OVERFLOW_BODY, &subject, wants),
            Wording::Backlog => text::render(BACKLOG_TITLE, BACKLOG_BODY, &subject, wants),
            Wording::Edited => text::render(EDITED_TITLE, EDITED_BODY, &subject, wants),
        }
    }
}
