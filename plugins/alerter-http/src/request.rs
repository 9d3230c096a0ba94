use serde_json::{Map, Value as Json};
use watchbell_sdk::http::{Body, Field, Request};

use crate::context::Context;
use crate::json_template::{Failure, JsonTemplate, Scope};
use crate::product::{ProductSpec, RequestTemplate};
use crate::template::Templates;

/// Builds one of the requests that deliver a message.
pub(crate) fn build(
    spec: &ProductSpec,
    template: &RequestTemplate,
    params: &Json,
    context: &Context,
) -> Result<Request, Failure> {
    let templates = spec.templates_of_values();
    let scope = Scope { templates: &templates, params, parts: &spec.parts, context, is_text: false };
    let render = |tree: &Json, part: &'static str| match JsonTemplate::from_product(tree).render(scope) {
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
    request.path = path(template, params, context)?;
    request.query = pairs(render(&template.query, "query")?.into_iter().collect(), "query")?;
    request.headers = pairs(headers, "headers")?;
    for header in &mut request.headers {
        // A header is one line; the host would refuse more.
        header.value = header.value.replace(char::is_control, " ");
    }
    Ok(request)
}

/// The size of a body, before the host encodes it.
pub(crate) fn body_bytes(request: &Request) -> usize {
    match &request.body {
        Body::Empty => 0,
        Body::Json(text) | Body::Text(text) => text.len(),
        Body::Form(pairs) | Body::Multipart(pairs) => {
            pairs.iter().map(|pair| pair.name.len() + pair.value.len() + 2).sum()
        }
    }
}

fn path(template: &RequestTemplate, params: &Json, context: &Context) -> Result<String, Failure> {
    let source = match &template.path {
        Json::Object(members) => match members.get(JsonTemplate::TEMPLATE).and_then(Json::as_str) {
            Some(pointer) => params.pointer(pointer).unwrap_or(&Json::Null),
            None => &Json::Null,
        },
        path => path,
    };
    let source = source.as_str().unwrap_or_default();
    Templates::path(source, context).map_err(|message| ("/path".to_owned(), message))
}

/// The members of objects as pairs; a later one replaces an earlier one of the same name.
fn pairs(objects: Vec<Json>, part: &str) -> Result<Vec<Field>, Failure> {
    let mut pairs: Vec<Field> = Vec::new();
    for object in objects {
        let Json::Object(members) = object else {
            return Err((format!("/{part}"), "not an object".to_owned()));
        };
        for (name, value) in scalars(members, part)? {
            let pair = Field { name, value };
            match pairs.iter_mut().find(|known| known.name.eq_ignore_ascii_case(&pair.name)) {
                Some(known) => *known = pair,
                None => pairs.push(pair),
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
