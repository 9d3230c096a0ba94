//! The templates of messages: of the rule that is in force when a message is claimed.
use std::collections::{BTreeMap, BTreeSet};

use watchbell_text::{Name, NameKind};

use crate::message::{Message, Wording};
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

/// Says how many episodes it stands for.
const EDITED_TITLE: &str = "{{ rule }}: {{ count }} more episodes are open";
const EDITED_BODY: &str = "{{ summary }}. Editing the rule's escalation made these messages due at once:\n\
                           {% for summary in more %}\n- {{ summary }}\n{%- endfor %}\n";

/// Lists the worst of the keys that it stands for.
const OVERFLOW_TITLE: &str =
    "{{ rule }}: {{ count }} key{% if count != 1 %}s{% endif %} beyond its limit of open episodes";
const OVERFLOW_BODY: &str = "{{ summary }}. They share this one episode; a key gets its own when a place is free. \
                             The worst of them:\n{% for key in more %}\n- {{ key }}\n{%- endfor %}\n";

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
            Wording::Overflow => (OVERFLOW_TITLE.to_owned(), OVERFLOW_BODY.to_owned()),
            Wording::Backlog => (BACKLOG_TITLE.to_owned(), BACKLOG_BODY.to_owned()),
            Wording::Edited => (EDITED_TITLE.to_owned(), EDITED_BODY.to_owned()),
        }
    }
}

fn is_more(name: &Name) -> bool {
    name.kind == NameKind::Variable && name.path.first().is_some_and(|first| first == "more")
}
