//! A credential as a member of the body, for receivers that want it there.
use serde_json::{Map, Value as Json};
use watchbell_secret::Secret;

use crate::contract::since_v0_2::bindings::http::{Body, Failure};
use crate::contract::since_v0_2::bindings::types::Field;

/// Why a pointer is not valid.
pub(crate) const POINTER: &str = "must be a JSON pointer to a member, such as `/routing_key`";

/// The names that lead to the member. `None`: not a valid pointer.
pub(crate) fn names(pointer: &str) -> Option<Vec<String>> {
    let names: Vec<String> = pointer
        .strip_prefix('/')?
        .split('/')
        .map(|name| name.replace("~1", "/").replace("~0", "~"))
        .collect();
    names.iter().all(|name| !name.is_empty()).then_some(names)
}

/// `body` with `value` as the member at `pointer`; objects that lead to it are made. The alerter must not have set it.
pub(crate) fn with(body: Body, pointer: &str, value: &Secret) -> Result<Body, Failure> {
    let names = names(pointer).ok_or_else(|| Failure::Denied(format!("`body.pointer` {POINTER}")))?;
    match body {
        Body::Json(text) => {
            let mut json: Json = serde_json::from_str(&text)
                .map_err(|error| Failure::Invalid(format!("the body is not JSON: {error}")))?;
            insert(&mut json, &names, value, pointer)?;
            Ok(Body::Json(json.to_string()))
        }
        Body::Form(fields) => Ok(Body::Form(with_field(fields, &names, value, pointer)?)),
        Body::Multipart(fields) => Ok(Body::Multipart(with_field(fields, &names, value, pointer)?)),
        Body::Empty | Body::Text(_) => Err(Failure::Invalid(format!(
            "the destination's credential belongs to `{pointer}` of a JSON document or a form, and the body is neither"
        ))),
    }
}

fn insert(json: &mut Json, names: &[String], value: &Secret, pointer: &str) -> Result<(), Failure> {
    let mut at = json;
    let (last, leading) = names.split_last().ok_or_else(|| reserved(pointer))?;
    for name in leading {
        let object = object(at, pointer)?;
        at = object.entry(name.clone()).or_insert_with(|| Json::Object(Map::new()));
    }
    let object = object(at, pointer)?;
    // A receiver may read names in any case, and may take either of two that it reads as the same.
    if object.keys().any(|name| name.eq_ignore_ascii_case(last)) {
        return Err(reserved(pointer));
    }
    object.insert(last.clone(), Json::String(value.expose().to_owned()));
    Ok(())
}

fn object<'a>(json: &'a mut Json, pointer: &str) -> Result<&'a mut Map<String, Json>, Failure> {
    json.as_object_mut().ok_or_else(|| {
        Failure::Invalid(format!("the body has no object for `{pointer}`, where the credential belongs"))
    })
}

fn with_field(
    mut fields: Vec<Field>,
    names: &[String],
    value: &Secret,
    pointer: &str,
) -> Result<Vec<Field>, Failure> {
    let [name] = names else {
        return Err(Failure::Invalid(format!("a form has no `{pointer}`, where the credential belongs")));
    };
    if fields.iter().any(|field| field.name.trim().eq_ignore_ascii_case(name)) {
        return Err(reserved(pointer));
    }
    fields.push(Field { name: name.clone(), value: value.expose().to_owned() });
    Ok(fields)
}

fn reserved(pointer: &str) -> Failure {
    Failure::Invalid(format!(
        "`{}` of the body is reserved for the host: it carries the credential",
        pointer.escape_debug()
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn json(body: &str, pointer: &str) -> Result<String, Failure> {
        match with(Body::Json(body.into()), pointer, &Secret::new("s3cret"))? {
            Body::Json(text) => Ok(text),
            other => panic!("{other:?}"),
        }
    }

    fn invalid<T: std::fmt::Debug>(outcome: Result<T, Failure>) -> String {
        match outcome.unwrap_err() {
            Failure::Invalid(message) => message,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_credential_becomes_a_member() {
        assert_eq!(json(r#"{"a":1.50,"b":[]}"#, "/key").unwrap(), r#"{"a":1.5,"b":[],"key":"s3cret"}"#);
        assert_eq!(json("{}", "/auth/to~1ken").unwrap(), r#"{"auth":{"to/ken":"s3cret"}}"#);
    }

    #[test]
    fn an_alerter_cannot_set_it() {
        let expected = "`/key` of the body is reserved for the host: it carries the credential";
        for body in [r#"{"key":"mine"}"#, r#"{"KEY":null}"#, r#"{"key":1,"key":2}"#] {
            assert_eq!(invalid(json(body, "/key")), expected);
        }
        let field = Field { name: "Key".into(), value: "mine".into() };
        assert_eq!(invalid(with(Body::Form(vec![field]), "/key", &Secret::new("s3cret"))), expected);
    }

    #[test]
    fn a_form_has_it_as_a_field() {
        let Body::Form(fields) = with(Body::Form(vec![]), "/token", &Secret::new("s3cret")).unwrap() else {
            panic!("another body")
        };
        assert_eq!((&*fields[0].name, &*fields[0].value), ("token", "s3cret"));
    }

    #[test]
    fn there_must_be_a_place_for_it() {
        assert!(invalid(json("[]", "/key")).contains("has no object for `/key`"));
        assert!(invalid(json(r#"{"a":"b"}"#, "/a/key")).contains("has no object for `/a/key`"));
        for body in [Body::Empty, Body::Text("x".into())] {
            let told = invalid(with(body, "/key", &Secret::new("s3cret")));
            assert!(told.ends_with("and the body is neither"), "{told}");
        }
        assert!(names("key").is_none() && names("/").is_none() && names("").is_none());
    }
}
