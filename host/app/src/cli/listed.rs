//! Values that a rule lists and its field cannot hold: to the rule they stand for nothing, to people for a mistake.
use serde_json::Value;
use watchbell_elastic::unheld;

/// How many of them are named.
const NAMED_MAX: usize = 3;

/// Of a rule with a `field` and a list of `values`: what to say of the list, where `field` is of these types.
pub(crate) fn remark(params: &Value, field: &str, types: &[String]) -> Option<String> {
    if types.is_empty() {
        return None;
    }
    let is_expression = |text: &str| text.len() > 2 && text.starts_with('/') && text.ends_with('/');
    let values = params.get("values").filter(|_| params["field"] == *field)?.as_array()?;
    let texts: Vec<String> = values
        .iter()
        .map(|value| value.as_str().map_or_else(|| value.to_string(), str::to_owned))
        .filter(|text| !is_expression(text))
        .collect();
    // Where indices disagree, one that can hold it is enough.
    let held_by_none = types
        .iter()
        .fold(texts.iter().map(String::as_str).collect(), |lost: Vec<&str>, kind| unheld(kind, lost));
    let mut named: Vec<String> =
        held_by_none.iter().take(NAMED_MAX).map(|text| format!("`{text}`")).collect();
    match held_by_none.len() {
        0 => return None,
        count if count > NAMED_MAX => named.push(format!("{} others", count - NAMED_MAX)),
        _ => {}
    }
    let (kind, named) = (types.join(" and "), named.join(", "));
    Some(format!("`{field}` is of type {kind}, which cannot hold {named}: no document is found by it"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_the_field_cannot_hold_is_named() {
        let types = |kinds: &[&str]| -> Vec<String> { kinds.iter().map(|&kind| kind.to_owned()).collect() };
        let params = json!({ "field": "v", "values": [73, "unknown", "/x.*/", 1.5, "-", "", "y"] });
        assert_eq!(
            remark(&params, "v", &types(&["long"])).unwrap(),
            "`v` is of type long, which cannot hold `unknown`, `1.5`, `-`, 2 others: no document is found by it"
        );
        assert_eq!(remark(&params, "v", &types(&["keyword"])), None);
        assert_eq!(remark(&params, "v", &types(&["long", "keyword"])), None);
        assert_eq!(remark(&params, "w", &types(&["long"])), None);
        assert_eq!(remark(&json!({ "field": "v", "values": [1] }), "v", &types(&["long"])), None);
    }
}
