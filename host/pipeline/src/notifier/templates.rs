//! The templates of messages: of the rule that is in force when a message is claimed.
use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use watchbell_text::{Name, NameKind};

use crate::message::{Instead, Message, Wording};
use crate::spec::{RuleName, RuleSpec};

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
            let template = AlertTemplate { title: spec.alert.title.clone(), body: spec.alert.body.clone() };
            (spec.name.clone(), template)
        });
        self.by_rule.extend(texts);
    }

    /// The templates of `message`. For a rule whose templates are no longer known, they show the summary.
    pub(crate) fn of(&self, message: &Message) -> (String, String) {
        let (title, body) = self.of_wording(message);
        match &message.route.instead {
            Some(instead) => (title, body + &note(instead)),
            None => (title, body),
        }
    }

    fn of_wording(&self, message: &Message) -> (String, String) {
        let known = self.by_rule.get(&message.rule);
        let (title, body) = known.map_or(("", "{{ summary }}"), |known| (&known.title, &known.body));
        match message.wording {
            Wording::Rule => (title.to_owned(), body.to_owned()),
            Wording::RuleEnded => (title.to_owned(), format!("{body}{RULE_ENDED}")),
            Wording::BeforeStore => (title.to_owned(), format!("{body}{BEFORE_STORE}")),
            Wording::Acknowledged => (title.to_owned(), format!("{body}{ACKNOWLEDGED}")),
            Wording::Unacknowledged => (title.to_owned(), format!("{body}{UNACKNOWLEDGED}")),
            Wording::Grouped if watchbell_text::names(body).iter().any(is_more) => {
                (title.to_owned(), body.to_owned())
            }
            Wording::Grouped => (title.to_owned(), format!("{body}{GROUPED}")),
            Wording::Gap => (GAP_TITLE.to_owned(), GAP_BODY.to_owned()),
            Wording::CannotRun => (CANNOT_RUN_TITLE.to_owned(), CANNOT_RUN_BODY.to_owned()),
            Wording::Overflow => (OVERFLOW_TITLE.to_owned(), OVERFLOW_BODY.to_owned()),
            Wording::Backlog => (BACKLOG_TITLE.to_owned(), BACKLOG_BODY.to_owned()),
            Wording::Edited => (EDITED_TITLE.to_owned(), EDITED_BODY.to_owned()),
            Wording::Limited => (LIMITED_TITLE.to_owned(), LIMITED_BODY.to_owned()),
            Wording::Host => (HOST_TITLE.to_owned(), HOST_BODY.to_owned()),
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
