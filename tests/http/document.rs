//! The node's own description of its calls, and what answers have to be by it.

use std::collections::BTreeMap as Map;
use std::collections::BTreeSet;

use actix_web::http::Method;
use serde_json::{Value, json};

use super::common::Answer;

/// The document.
pub struct Document(Value);

/// What the document says of one method of a path.
#[derive(Clone, Copy)]
pub struct Operation<'a> {
    pub path: &'a str,
    pub method: &'a str,
    described: &'a Value,
}

impl Document {
    pub fn of(answer: &Answer) -> Self {
        Self(answer.json())
    }

    pub fn operations(&self) -> impl Iterator<Item = Operation<'_>> {
        self.0["paths"].as_object().unwrap().iter().flat_map(|(path, item)| {
            let methods = item.as_object().unwrap().iter();
            methods.map(|(method, described)| Operation { path, method, described })
        })
    }

    /// The operation that a request is for; none if its path or its method is not described.
    pub fn operation(&self, method: &Method, path: &str) -> Option<Operation<'_>> {
        let path = path.split('?').next().unwrap();
        let is_payments =
            ["/api/payments", "/api/refunds", "/api/merchants"].iter().any(|start| path.starts_with(start));
        let path = if is_payments { &path["/api".len()..] } else { path };
        // HEAD is GET without a body.
        let method = if method == Method::HEAD { "GET" } else { method.as_str() };
        let mut fitting: Vec<_> = self.operations().filter(|operation| fits(operation.path, path)).collect();
        // The path without parameters is meant where there is one.
        fitting.sort_by_key(|operation| operation.path.matches('{').count());
        let path = fitting.first()?.path;
        fitting.into_iter().find(|operation| operation.path == path && operation.method.to_uppercase() == method)
    }

    /// Whether an answer is one that the document names: its status, kind, members, headers and code.
    #[track_caller]
    pub fn check(&self, method: &Method, path: &str, answer: &Answer) {
        let shown = || format!("{method} {path}: {} {}", answer.status, answer.text);
        assert!(answer.header("x-request-id").is_some(), "{}", shown());
        if matches!(answer.status, 403 | 421) && ["host_not_served", "origin_not_allowed"].contains(&&*answer.code()) {
            // Any request may get them, whatever it is for.
            return;
        }
        let Some(operation) = self.operation(method, path) else {
            let is_page = path.starts_with("/docs/") && answer.status == 200;
            assert!(is_page || matches!((answer.status, answer.code().as_str()), (404, "not_found") | (405, _)));
            return;
        };
        let described = &operation.described["responses"][answer.status.to_string()];
        assert!(described.is_object(), "the document has no such answer: {}", shown());
        let headers = described["headers"].as_object().unwrap();
        for name in ["ratelimit", "ratelimit-policy", "idempotent-replayed", "retry-after"] {
            let is_described = headers.keys().any(|header| header.eq_ignore_ascii_case(name));
            assert!(is_described || answer.header(name).is_none(), "the document has no {name}: {}", shown());
        }
        let Some(content) = described["content"].as_object() else { return };
        let kind = answer.header("content-type").unwrap_or_default().split(';').next().unwrap();
        let schema = content.get(kind).map(|content| &content["schema"]);
        let schema = schema.unwrap_or_else(|| panic!("the document has no {kind}: {}", shown()));
        if kind.ends_with("json") {
            let fault = misfit(&self.0, schema, &answer.json());
            assert_eq!(fault, None, "{}", shown());
        }
        if answer.status >= 400 && kind == "application/problem+json" {
            let codes = operation.codes(answer.status);
            assert!(codes.contains(answer.code().as_str()), "the document has no such code: {}", shown());
        }
    }
}

impl<'a> Operation<'a> {
    pub fn id(&self) -> &'a str {
        self.described["operationId"].as_str().unwrap()
    }

    /// Its parameters of a place, such as `query`: names and schemas.
    pub fn parameters(&self, place: &str) -> Map<&'a str, &'a Value> {
        let parameters = self.described["parameters"].as_array().into_iter().flatten();
        let of_place = parameters.filter(|parameter| parameter["in"] == place);
        of_place.map(|parameter| (parameter["name"].as_str().unwrap(), &parameter["schema"])).collect()
    }

    /// Whether it takes a body.
    pub fn has_body(&self) -> bool {
        self.described["requestBody"].is_object()
    }

    /// The codes that its problems of a status can have.
    fn codes(&self, status: u16) -> BTreeSet<&'a str> {
        let problem = &self.described["responses"][status.to_string()]["content"]["application/problem+json"];
        let own = problem["schema"]["allOf"].as_array().into_iter().flatten();
        let codes = own.filter_map(|part| part["properties"]["code"]["enum"].as_array()).flatten();
        codes.filter_map(Value::as_str).collect()
    }
}

/// Whether a path is one of a template.
fn fits(template: &str, path: &str) -> bool {
    let (mut wanted, mut given) = (template.split('/'), path.split('/'));
    loop {
        match (wanted.next(), given.next()) {
            (None, None) => return true,
            (Some(wanted), Some(given)) if wanted == given || wanted.starts_with('{') && !given.is_empty() => {}
            _ => return false,
        }
    }
}

/// Why a value is not what a schema says; the schema's members are all that there may be.
pub fn misfit(document: &Value, schema: &Value, value: &Value) -> Option<String> {
    let mut members = Map::new();
    gather(document, schema, &mut members);
    if let Some(choices) = schema["oneOf"].as_array() {
        let fits = choices.iter().any(|choice| misfit(document, choice, value).is_none());
        return (!fits).then(|| format!("{value} is none of {choices:?}"));
    }
    let schema = match schema["$ref"].as_str() {
        Some(target) => return misfit(document, document.pointer(&target[1..]).unwrap(), value),
        None => schema,
    };
    if let Some(allowed) = schema["enum"].as_array()
        && !allowed.contains(value)
    {
        return Some(format!("{value} is none of {allowed:?}"));
    }
    let kind = match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    };
    let kinds = &schema["type"];
    if !(kinds.is_null() || kinds == kind || kinds.as_array().is_some_and(|kinds| kinds.contains(&json!(kind)))) {
        return Some(format!("{value} is no {kinds}"));
    }
    if let Some(items) = value.as_array() {
        return items.iter().find_map(|item| misfit(document, &schema["items"], item));
    }
    let object = value.as_object()?;
    if members.is_empty() {
        return object.values().find_map(|member| misfit(document, &schema["additionalProperties"], member));
    }
    if let Some((name, _)) = object.iter().find(|(name, _)| !members.contains_key(*name)) {
        return Some(format!("{name} is not documented"));
    }
    members.iter().find_map(|(name, (schemas, is_required))| match object.get(name) {
        Some(member) => {
            schemas.iter().find_map(|schema| Some(format!("{name}: {}", misfit(document, schema, member)?)))
        }
        None => is_required.then(|| format!("{name} is missing")),
    })
}

type Members = Map<String, (Vec<Value>, bool)>;

/// The members of a schema and of all that it is made of: what each has to be, and whether it has to be there.
fn gather(document: &Value, schema: &Value, members: &mut Members) {
    if let Some(target) = schema["$ref"].as_str() {
        return gather(document, document.pointer(&target[1..]).unwrap(), members);
    }
    for part in schema["allOf"].as_array().into_iter().flatten() {
        gather(document, part, members);
    }
    for (name, member) in schema["properties"].as_object().into_iter().flatten() {
        members.entry(name.clone()).or_default().0.push(member.clone());
    }
    for name in schema["required"].as_array().into_iter().flatten() {
        members.entry(name.as_str().unwrap().to_owned()).or_default().1 = true;
    }
}
