use serde_json::{Map, Value as Json};
use watchbell_sdk::http::{Body, Request};

use crate::facts::Facts;
use crate::tree::{Failure, Scene, Tree};
use crate::vendor::Vendor;
use crate::words::Words;

/// The request that delivers a message.
pub(crate) fn build(vendor: &Vendor, params: &Json, facts: &Facts) -> Result<Request, Failure> {
    let template = &vendor.request;
    let words = if vendor.is_mrkdwn() { Words::of_mrkdwn() } else { Words::new() };
    let scene = Scene { words: &words, params, facts };
    let render = |tree: &Json, part: &'static str| match Tree::from_vendor(tree).render(scene) {
        Ok(None | Some(Json::Null)) => Ok(None),
        Err((at, message)) if at.is_empty() => Err((format!("/{part}"), message)),
        rendered => rendered,
    };
    let body = match (render(&template.form, "form")?, render(&template.body, "body")?) {
        (Some(form), _) => Body::Form(pairs(vec![form], "form")?),
        (None, None) => Body::Empty,
        (None, Some(Json::String(text))) => Body::Text(text),
        (None, Some(json)) => Body::Json(json.to_string()),
    };
    let headers = match render(&template.headers, "headers")? {
        None => vec![],
        Some(Json::Array(several)) => several,
        Some(one) => vec![one],
    };
    let mut request = Request::new(scalar(render(&template.method, "method")?, "method")?, body);
    request.path = path(vendor, params, facts)?;
    request.query = pairs(render(&template.query, "query")?.into_iter().collect(), "query")?;
    request.headers = pairs(headers, "headers")?;
    for (_, value) in &mut request.headers {
        // A header is one line; the host would refuse more.
        *value = value.replace(char::is_control, " ");
    }
    Ok(request)
}

/// The size of a body, before the host encodes it.
pub(crate) fn body_bytes(request: &Request) -> usize {
    match &request.body {
        Body::Empty => 0,
        Body::Json(text) | Body::Text(text) => text.len(),
        Body::Form(pairs) | Body::Multipart(pairs) => {
            pairs.iter().map(|(name, value)| name.len() + value.len() + 2).sum()
        }
    }
}

fn path(vendor: &Vendor, params: &Json, facts: &Facts) -> Result<String, Failure> {
    let source = match &vendor.request.path {
        Json::Object(members) => match members.get(Tree::TEMPLATE).and_then(Json::as_str) {
            Some(pointer) => params.pointer(pointer).unwrap_or(&Json::Null),
            None => &Json::Null,
        },
        path => path,
    };
    let source = source.as_str().unwrap_or_default();
    Words::path(source, facts).map_err(|message| ("/path".to_owned(), message))
}

/// The members of objects as pairs, of which a later one takes the place of an earlier one of its name.
fn pairs(objects: Vec<Json>, part: &str) -> Result<Vec<(String, String)>, Failure> {
    let mut pairs: Vec<(String, String)> = Vec::new();
    for object in objects {
        let Json::Object(members) = object else {
            return Err((format!("/{part}"), "not an object".to_owned()));
        };
        for (name, value) in scalars(members, part)? {
            match pairs.iter_mut().find(|(known, _)| known.eq_ignore_ascii_case(&name)) {
                Some(pair) => *pair = (name, value),
                None => pairs.push((name, value)),
            }
        }
    }
    Ok(pairs)
}

fn scalars(members: Map<String, Json>, part: &str) -> Result<Vec<(String, String)>, Failure> {
    let mut scalars = Vec::with_capacity(members.len());
    for (name, value) in members {
        if !value.is_null() {
            let value = scalar(Some(value), &format!("{part}/{name}"))?;
            scalars.push((name, value));
        }
    }
    Ok(scalars)
}

fn scalar(value: Option<Json>, part: &str) -> Result<String, Failure> {
    match value {
        Some(Json::String(text)) => Ok(text),
        Some(value @ (Json::Number(_) | Json::Bool(_))) => Ok(value.to_string()),
        _ => Err((format!("/{part}"), "not a string, number or boolean".to_owned())),
    }
}
