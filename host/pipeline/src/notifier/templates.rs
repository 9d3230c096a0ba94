//! The templates of messages: of the rule that is in force when a message is claimed.
use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use watchbell_text::{Macros, Name, NameKind};

use crate::message::{Instead, Message, Wording};
use crate::spec::{RuleName, RuleSpec};

/// A title and a body, as minijinja sources, and what they import.
#[derive(Clone, Debug)]
pub(crate) struct AlertTemplate {
    pub(crate) title: String,
    pub(crate) body: String,
    pub(crate) macros: Macros,
}

impl AlertTemplate {
    fn new(title: &str, body: &str) -> Self {
        Self { title: title.to_owned(), body: body.to_owned(), macros: Macros::default() }
    }
}

/// The templates of the rules in force, and of ended rules that still have queued messages.
#[derive(Debug, Default)]
pub(crate) struct Templates {
    by_rule: BTreeMap<RuleName, AlertTemplate>,
}

const RULE_ENDED: &str = "\n\nThe rule is no longer in force: it was disabled or its file was removed.";

const BEFORE_STORE: &str =
    "\n\nThis happened before this host's store was made: an earlier host may have told it already.";

const ACKNOWLEDGED: &str = "\n\nAcknowledged by {{ person }}.";

const UNACKNOWLEDGED: &str =
    "\n\nIt is still open, and no longer acknowledged{% if person %} by {{ person }}{% endif %}.";

const GAP_TITLE: &str = "{{ rule }} could not evaluate a slice of time";
const GAP_BODY: &str = "{{ summary }}\n\nThe slice is recorded as a gap, and the rule continues after it. If it fails \
                        there too, that gap is recorded without another message.";

const CANNOT_RUN_TITLE: &str =
    "{{ rule }} {% if cause == \"resolved\" %}runs again{% else %}cannot run{% endif %}";
const CANNOT_RUN_BODY: &str = "{% if cause == \"resolved\" %}It had failed since {{ since }}: {{ summary }}\n\n\
     What it missed is evaluated now.{% else %}It has failed since {{ since }}: {{ summary }}\n\n\
     Until it runs again, it finds nothing. This is said once; another message says when it runs.{% endif %}\
     {% if person %}\n\nAcknowledged by {{ person }}.{% endif %}";

/// Says how many episodes it stands for.
const EDITED_TITLE: &str = "{{ rule }}: {{ count }} more episodes are open";
const EDITED_BODY: &str = "{{ summary }}. Editing the rule's escalation made these messages due at once:\n\
                           {% for summary in more %}\n- {{ summary }}\n{%- endfor %}\n";

/// Lists the worst of the keys that it stands for.
const OVERFLOW_TITLE: &str =
    "{{ rule }}: {{ count }} key{% if count != 1 %}s{% endif %} beyond its limit of open episodes";
const OVERFLOW_BODY: &str = "{{ summary }}. They share this one episode; a key gets its own when a place is free. \
                             The worst of them:\n{% for key in more %}\n- {{ key }}\n{%- endfor %}\n";

/// Names the first of the messages that a destination's limit left out.
const LIMITED_TITLE: &str = "{{ count }} message{% if count != 1 %}s{% endif %} left out";
const LIMITED_BODY: &str = "{{ summary }}. They are not sent later:\n{% for line in more %}\n- {{ line }}\n{%- endfor %}\n\n\
                            What is open is shown by `watchbell status` and `watchbell explain`.";

const HOST_TITLE: &str = "Watchbell: {{ summary }}";
const HOST_BODY: &str = "{% for line in more %}- {{ line }}\n{% endfor %}";
/// Names the keys of a group, where the rule's own body does not.
const GROUPED: &str = "\n\n{% for line in more %}\n- {{ line }}\n{%- endfor %}\n";

const BACKLOG_TITLE: &str = "{{ rule }}: {% if count > 1 %}{{ count }} {% endif %}messages left out";
const BACKLOG_BODY: &str = "{{ summary }}. What is open is shown by `watchbell status` and `watchbell explain`.\
     {% if count > 1 %} Those that were left out are not sent later.{% endif %}";

impl Templates {
    /// Uses the templates of `rules`. A rule that has ended keeps its templates while it is in `owing`.
    pub(crate) fn put_in_force<'a>(
        &mut self,
        rules: impl Iterator<Item = &'a RuleSpec>,
        owing: &BTreeSet<RuleName>,
    ) {
        self.by_rule.retain(|name, _| owing.contains(name));
        let texts = rules.map(|spec| {
            let template = AlertTemplate {
                macros: spec.alert.macros.clone(),
                ..AlertTemplate::new(&spec.alert.title, &spec.alert.body)
            };
            (spec.name.clone(), template)
        });
        self.by_rule.extend(texts);
    }

    /// The templates of `message`. For a rule whose templates are no longer known, they show the summary.
    pub(crate) fn of(&self, message: &Message) -> AlertTemplate {
        let template = self.of_wording(message);
        match &message.route.instead {
            Some(instead) => AlertTemplate { body: template.body + &note(instead), ..template },
            None => template,
        }
    }

    fn of_wording(&self, message: &Message) -> AlertTemplate {
        let known = || {
            let known = self.by_rule.get(&message.rule).cloned();
            known.unwrap_or_else(|| AlertTemplate::new("", "{{ summary }}"))
        };
        let followed_by = |words: &str| {
            let known = known();
            AlertTemplate { body: known.body + words, ..known }
        };
        match message.wording {
            Wording::Rule => known(),
            Wording::RuleEnded => followed_by(RULE_ENDED),
            Wording::BeforeStore => followed_by(BEFORE_STORE),
            Wording::Acknowledged => followed_by(ACKNOWLEDGED),
            Wording::Unacknowledged => followed_by(UNACKNOWLEDGED),
            Wording::Grouped => match known() {
                known if watchbell_text::names(&known.body).iter().any(is_more) => known,
                known => AlertTemplate { body: known.body + GROUPED, ..known },
            },
            Wording::Gap => AlertTemplate::new(GAP_TITLE, GAP_BODY),
            Wording::CannotRun => AlertTemplate::new(CANNOT_RUN_TITLE, CANNOT_RUN_BODY),
            Wording::Overflow => AlertTemplate::new(OVERFLOW_TITLE, OVERFLOW_BODY),
            Wording::Backlog => AlertTemplate::new(BACKLOG_TITLE, BACKLOG_BODY),
            Wording::Edited => AlertTemplate::new(EDITED_TITLE, EDITED_BODY),
            Wording::Limited => AlertTemplate::new(LIMITED_TITLE, LIMITED_BODY),
            Wording::Host => AlertTemplate::new(HOST_TITLE, HOST_BODY),
        }
    }
}

/// Why a fallback gets the message. What a receiver answered is a value, not a part of the template.
fn note(instead: &Instead) -> String {
    let said = format!("Sent to you because `{}` did not take it: {}", instead.of, instead.why);
    format!("\n\n{{{{ {} }}}}", Value::from(said))
}

fn is_more(name: &Name) -> bool {
    name.kind == NameKind::Variable && name.path.first().is_some_and(|first| first == "more")
}
