//! The words of messages: those of the rule that is in force when a message is claimed.
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

/// The texts of the rules in force, and of ended ones that still owe a message.
#[derive(Debug, Default)]
pub(crate) struct Templates {
    by_rule: BTreeMap<RuleName, AlertTemplate>,
}

const RULE_ENDED: &str = "\n\nThe rule has ended: it was disabled or its file is gone.";

const GAP_TITLE: &str = "{{ rule }} could not judge a slice of time";
const GAP_BODY: &str = "{{ summary }}\n\nThe slice is recorded as a gap, and the rule goes on after it. If it can judge \
                        nothing there either, that is recorded without another message.";

/// It says how many it stands for.
const EDITED_TITLE: &str = "{{ rule }}: {{ count }} more episodes are open";
const EDITED_BODY: &str = "{{ summary }}. The rule's escalation was edited, which made these messages due at once:\n\
                           {% for summary in more %}\n- {{ summary }}\n{%- endfor %}\n";

impl Templates {
    /// Takes the texts of `rules`. A rule that has ended keeps those it had while it is one of `owing`.
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

    /// Renders `message` in the form that its destination wants. A rule that nothing is known of any more still says
    /// its summary.
    pub(crate) fn render(&self, message: &Message, wants: AlertText) -> Text {
        let known = self.by_rule.get(&message.rule);
        let (title, body) = known.map_or(("", "{{ summary }}"), |known| (&known.title, &known.body));
        let subject = message.subject();
        match message.wording {
            Wording::Rule => text::render(title, body, &subject, wants),
            Wording::RuleEnded => text::render(title, &format!("{body}{RULE_ENDED}"), &subject, wants),
            Wording::Gap => text::render(GAP_TITLE, GAP_BODY, &subject, wants),
            Wording::Edited => text::render(EDITED_TITLE, EDITED_BODY, &subject, wants),
        }
    }
}
