//! The document, put together.

use utoipa::openapi::path::{Operation, OperationBuilder, Parameter, ParameterBuilder, ParameterIn, ParameterStyle};
use utoipa::openapi::request_body::RequestBodyBuilder;
use utoipa::openapi::schema::SchemaType;
use utoipa::openapi::security::SecurityRequirement;
use utoipa::openapi::tag::TagBuilder;
use utoipa::openapi::{
    ArrayBuilder, Components, ComponentsBuilder, Content, HttpMethod, InfoBuilder, KnownFormat, ObjectBuilder, OpenApi,
    OpenApiBuilder, PathItem, PathsBuilder, Ref, RefOr, Required, ResponseBuilder, Schema, SchemaFormat, ServerBuilder,
    Type,
};
use utoipa::{PartialSchema, ToSchema};

use super::headers::{add_to_answer, of_requests, text};
use super::problems::problems;
use crate::domain::payment::PaymentStatus;
use crate::domain::refund::RefundStatus;
use crate::http::endpoint::{Described, Entry, Method, PathParameter, Place, QueryParameter, Shape};
use crate::http::payments::PaymentView;
use crate::http::problem::{Code, ProblemBody};

const ABOUT: &str = "Authorize, capture, void and refund payments. Every path under `/payments`, `/refunds` and \
                     `/merchants` is served under `/api` too. Amounts are integers in the currency's minor unit \
                     (ISO 4217). Errors are problems (RFC 9457); their `code` is the contract, and their `type` \
                     leads to what it means. A path answers methods that it does not have with 405 \
                     `method_not_allowed` and `Allow`; a path \
                     that is not here is 404 `not_found`. Any request may get 421 `host_not_served` and 403 \
                     `origin_not_allowed`. One that is no HTTP/1.1 that can be read gets 400 `malformed_request`, 408 \
                     `request_timeout`, 431 `headers_too_large` or 505 `http_version_not_supported`, and the \
                     connection is closed.";

/// The document of these endpoints.
pub fn document(entries: impl Iterator<Item = &'static Entry>) -> OpenApi {
    let (mut paths, mut components) = (PathsBuilder::new(), shared_components());
    for entry in entries {
        let mut described = entry.describe();
        if let Some(body) = &described.body {
            components.schemas.insert(body.name.to_owned(), body.schema());
        }
        if let Some(content) = &mut described.content {
            components.schemas.extend(content.schemas.drain(..));
        }
        for place in entry.places() {
            let item = PathItem::new(http_method(entry.method), operation(entry, place, &described));
            paths = paths.path(place.path, item);
        }
    }
    OpenApiBuilder::new()
        .info(InfoBuilder::new().title("Rialto").version(env!("CARGO_PKG_VERSION")).description(Some(ABOUT)))
        .servers(Some([
            server("/", "Everything"),
            server("/api", "The paths under /payments, /refunds and /merchants"),
        ]))
        .tags(Some([
            TagBuilder::new().name("payments").description(Some("A merchant's payments, refunds and ledger")).build(),
            TagBuilder::new().name("operations").description(Some("Health, metrics and what operators do")).build(),
        ]))
        // Whoever reaches the node may call: the document says so, where leaving it out would say nothing.
        .security(Some([SecurityRequirement::default()]))
        .paths(paths)
        .components(Some(components))
        .build()
}

fn server(url: &str, about: &str) -> utoipa::openapi::Server {
    ServerBuilder::new().url(url).description(Some(about)).build()
}

/// What responses refer to, whatever endpoints there are.
fn shared_components() -> Components {
    let mut schemas = Vec::new();
    ProblemBody::schemas(&mut schemas);
    PaymentView::schemas(&mut schemas);
    ComponentsBuilder::new()
        .schema("Code", Code::schema())
        .schema("Problem", ProblemBody::schema())
        .schema("Payment", PaymentView::schema())
        .schema("PaymentStatus", PaymentStatus::schema())
        .schema("RefundStatus", RefundStatus::schema())
        .schemas_from_iter(schemas)
        .build()
}

fn http_method(method: Method) -> HttpMethod {
    match method {
        Method::Get => HttpMethod::Get,
        Method::Post => HttpMethod::Post,
        Method::Put => HttpMethod::Put,
        Method::Delete => HttpMethod::Delete,
    }
}

fn operation(entry: &Entry, place: Place, described: &Described) -> Operation {
    let mut operation = OperationBuilder::new()
        .operation_id(Some(place.operation))
        .tag(if entry.is_for_merchants() { "payments" } else { "operations" })
        .summary(Some(summary(described.about)))
        .description(Some(described.about))
        .parameters::<Vec<Parameter>, Parameter>(Some(parameters(entry, described)));
    if let Some(body) = &described.body {
        let content = Content::new(Some(RefOr::<Schema>::Ref(Ref::from_schema_name(body.name))));
        let body = RequestBodyBuilder::new().content("application/json", content).required(Some(Required::True));
        operation = operation.request_body(Some(body.build()));
    }
    let mut responses = Vec::new();
    for (status, about) in described.answers {
        let mut response = ResponseBuilder::new().description(*about);
        if let Some(content) = &described.content {
            response = response.content(content.media_type, Content::new(Some(content.schema.clone())));
        }
        responses.push((status.as_str().to_owned(), response.build()));
    }
    responses.extend(problems(&described.codes));
    for (status, mut response) in responses {
        add_to_answer(entry, &status, &mut response);
        operation = operation.response(status, response);
    }
    operation.build()
}

/// What is said up to the first stop.
fn summary(about: &str) -> &str {
    let end = [". ", ": ", "; "].iter().filter_map(|stop| about.find(stop)).min().unwrap_or(about.len());
    about[..end].trim_end_matches('.')
}

fn parameters(entry: &Entry, described: &Described) -> Vec<Parameter> {
    let path = described.path.iter().map(of_path);
    path.chain(described.query.iter().map(of_query)).chain(of_requests(entry, described)).collect()
}

fn of_path(parameter: &PathParameter) -> Parameter {
    ParameterBuilder::new()
        .name(parameter.name)
        .parameter_in(ParameterIn::Path)
        .required(Required::True)
        .description(Some(parameter.about))
        .schema(Some(text().pattern(Some(parameter.pattern))))
        .build()
}

fn of_query(parameter: &QueryParameter) -> Parameter {
    ParameterBuilder::new()
        .name(parameter.name)
        .parameter_in(ParameterIn::Query)
        .required(if parameter.is_required { Required::True } else { Required::False })
        .description(Some(parameter.about))
        .schema(Some(shape(parameter.shape)))
        .style(parameter.shape.is_list().then_some(ParameterStyle::Form))
        // With commas between the values, not one parameter for each.
        .explode(parameter.shape.is_list().then_some(false))
        .build()
}

fn shape(shape: Shape) -> RefOr<Schema> {
    let format = |format| Some(SchemaFormat::KnownFormat(format));
    match shape {
        Shape::Limit => {
            let limit = ObjectBuilder::new().schema_type(SchemaType::new(Type::Integer));
            limit.format(format(KnownFormat::Int32)).minimum(Some(1)).maximum(Some(100)).into()
        }
        Shape::Time => text().format(format(KnownFormat::DateTime)).into(),
        Shape::PaymentStatuses => statuses("PaymentStatus"),
        Shape::RefundStatuses => statuses("RefundStatus"),
        Shape::Names(names) => text().enum_values(Some(names.iter().copied())).into(),
        Shape::Pattern(pattern) => text().pattern(Some(pattern)).into(),
        Shape::Text => text().into(),
    }
}

fn statuses(name: &str) -> RefOr<Schema> {
    ArrayBuilder::new().items(Ref::from_schema_name(name)).min_items(Some(1)).into()
}
