//! List values that the rule's field can never have: the rule ignores them, but they are probably a mistake.
use serde_json::Value;
use watchbell_elastic::{FieldInfo, unheld};
use watchbell_sdk::Listed;
use watchbell_values::{expression, is_date_math};

/// How many of them a remark names.
const NAMED_MAX: usize = 3;

/// Remarks on the lists that a rule with these parameters and key fields compares with the values of a field.
pub(crate) fn remarks(params: &Value, key: &[String], info: &FieldInfo) -> Vec<String> {
    if info.types.is_empty() {
        return Vec::new();
    }
    let mut remarks = Vec::new();
    let is_of_field = params["field"] == *info.name;
    if let Some(values) = params["values"].as_array().filter(|_| is_of_field) {
        let plain = texts(values).into_iter().filter(|text| expression(text).is_none()).collect();
        remarks.extend(List { info, values: plain, lost: "it matches no document" }.remarks());
    }
    if let Some(keys) = params["expected"].as_array().filter(|_| *key == [info.name.clone()]) {
        let spans = keys.iter().filter(|key| is_many(key, &info.types)).cloned().collect::<Vec<_>>();
        if !spans.is_empty() {
            let (name, spans) = (&info.name, named(&texts(&spans)));
            remarks.push(format!("{spans} stands for many values of `{name}`: it matches no key"));
        }
        remarks.extend(List { info, values: texts(keys), lost: "it matches no key" }.remarks());
    }
    remarks
}

/// Whether the field's type can hold the list entry, but only as more than one value.
fn is_many(entry: &Value, types: &[String]) -> bool {
    let Ok(listed) = serde_json::from_value::<Listed>(entry.clone()) else { return false };
    let holds = |kind: &String| unheld(kind, [listed.as_str()]).is_empty();
    types.iter().any(holds) && types.iter().all(|kind| listed.label(kind).is_none())
}

fn texts(values: &[Value]) -> Vec<String> {
    values.iter().map(|value| value.as_str().map_or_else(|| value.to_string(), str::to_owned)).collect()
}

struct List<'a> {
    info: &'a FieldInfo,
    values: Vec<String>,
    /// The consequence of a value that no document has.
    lost: &'a str,
}

impl List<'_> {
    fn remarks(&self) -> Vec<String> {
        [self.of_type(), self.of_date_math(), self.of_normalizer()].into_iter().flatten().collect()
    }

    /// Values that the field's type cannot hold. If indices disagree, one that can hold the value is enough.
    fn of_type(&self) -> Option<String> {
        let all =
            self.values.iter().map(String::as_str).filter(|text| !self.is_dated() || !is_date_math(text));
        let lost = self.info.types.iter().fold(all.collect(), |lost: Vec<&str>, kind| unheld(kind, lost));
        let (field, kind) = (&self.info.name, self.info.types.join(" and "));
        (!lost.is_empty()).then(|| {
            format!("`{field}` is of type {kind}, which cannot hold {}: {}", named(&lost), self.lost)
        })
    }

    fn of_date_math(&self) -> Option<String> {
        let math: Vec<&String> =
            self.values.iter().filter(|text| self.is_dated() && is_date_math(text)).collect();
        (!math.is_empty()).then(|| {
            format!(
                "{} is date math, which lists do not support: {}; write dates, or compare in `filter`",
                named(&math),
                self.lost
            )
        })
    }

    /// The index holds normalized values, and the list is compared with those.
    fn of_normalizer(&self) -> Option<String> {
        let name = self.info.normalizer.as_ref()?;
        let changed: Vec<&String> = match name.as_str() {
            "lowercase" => self.values.iter().filter(|text| text.to_lowercase() != **text).collect(),
            _ => self.values.iter().collect(),
        };
        (!changed.is_empty()).then(|| {
            let field = &self.info.name;
            format!(
                "`{field}` has the normalizer `{name}`: write {} as the index holds it; otherwise {}",
                named(&changed),
                self.lost
            )
        })
    }

    fn is_dated(&self) -> bool {
        self.info.types.iter().any(|kind| kind.starts_with("date"))
    }
}

/// `a`, `b`, `c`, 2 others
fn named<T: AsRef<str>>(texts: &[T]) -> String {
    let mut named: Vec<String> =
        texts.iter().take(NAMED_MAX).map(|text| format!("`{}`", text.as_ref())).collect();
    match texts.len().saturating_sub(NAMED_MAX) {
        0 => {}
        1 => named.push("another".into()),
        more => named.push(format!("{more} others")),
    }
    named.join(", ")
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use watchbell_elastic::Role;

    use super::*;

    fn info(kinds: &[&str], normalizer: Option<&str>) -> FieldInfo {
        FieldInfo {
            name: "v".into(),
            role: Role::Asked,
            types: kinds.iter().map(|&kind| kind.to_owned()).collect(),
            differs: None,
            ignore_above: None,
            normalizer: normalizer.map(str::to_owned),
            text: false,
            keyword: None,
        }
    }

    fn said(params: &Value, kinds: &[&str], normalizer: Option<&str>) -> Vec<String> {
        remarks(params, &["v".into()], &info(kinds, normalizer))
    }

    #[test]
    fn what_the_field_cannot_hold_is_named() {
        let params = json!({ "field": "v", "values": [73, "unknown", "/x.*/", 1.5, "-", "", "y"] });
        assert_eq!(
            said(&params, &["long"], None),
            [
                "`v` is of type long, which cannot hold `unknown`, `1.5`, `-`, 2 others: it matches no document"
            ]
        );
        assert!(said(&params, &["keyword"], None).is_empty());
        assert!(said(&params, &["long", "keyword"], None).is_empty());
        assert!(said(&json!({ "field": "w", "values": ["x"] }), &["long"], None).is_empty());
        assert!(said(&json!({ "field": "v", "values": [1] }), &["long"], None).is_empty());
        assert!(said(&json!({ "field": "v", "values": ["x"] }), &[], None).is_empty());
    }

    #[test]
    fn date_math_is_refused_in_words() {
        let params = json!({ "field": "v", "values": ["now-1d", "2024-01-01", "2024||/M"] });
        assert_eq!(
            said(&params, &["date"], None),
            [
                "`now-1d`, `2024||/M` is date math, which lists do not support: it matches no document; write dates, \
              or compare in `filter`"
            ]
        );
        assert!(said(&params, &["keyword"], None).is_empty());
    }

    #[test]
    fn a_normalizer_changes_what_the_index_holds() {
        let params = json!({ "field": "v", "values": ["Admin", "root"] });
        assert_eq!(
            said(&params, &["keyword"], Some("lowercase")),
            [
                "`v` has the normalizer `lowercase`: write `Admin` as the index holds it; otherwise it matches no document"
            ]
        );
        assert!(
            said(&json!({ "field": "v", "values": ["root"] }), &["keyword"], Some("lowercase")).is_empty()
        );
        let own = &said(&params, &["keyword"], Some("folded"))[0];
        assert!(own.contains("write `Admin`, `root` as the index holds it"), "{own}");
    }

    #[test]
    fn expected_keys_are_single_values_of_the_key_field() {
        let params = json!({ "expected": ["10.0.0.0/8", "10.0.0.1", "web"] });
        assert_eq!(
            said(&params, &["ip"], None),
            [
                "`10.0.0.0/8` stands for many values of `v`: it matches no key",
                "`v` is of type ip, which cannot hold `web`: it matches no key",
            ]
        );
        assert!(remarks(&params, &["w".into()], &info(&["ip"], None)).is_empty());
    }
}
