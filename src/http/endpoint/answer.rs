//! What an operation answers when it is not refused.

use actix_web::{HttpRequest, HttpResponse};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa::openapi::{ArrayBuilder, ObjectBuilder, Ref, RefOr, Schema, Type};

/// The answer of an operation.
pub trait Answer {
    fn respond(self, request: &HttpRequest) -> HttpResponse;

    /// What its body is, for the document; none if it has none.
    fn content() -> Option<Content>;
}

/// The body of an answer, for the document.
pub struct Content {
    pub media_type: &'static str,
    pub schema: RefOr<Schema>,
    /// The schemas that it refers to, with their names.
    pub schemas: Vec<(String, RefOr<Schema>)>,
}

impl Content {
    /// JSON of this type, which the document names.
    pub fn json<T: ToSchema>() -> Self {
        let mut schemas = vec![(T::name().into_owned(), T::schema())];
        T::schemas(&mut schemas);
        Self { media_type: "application/json", schema: Ref::from_schema_name(T::name()).into(), schemas }
    }

    /// JSON of a shape that the document does not name.
    pub fn json_of(schema: impl Into<RefOr<Schema>>) -> Self {
        Self { media_type: "application/json", schema: schema.into(), schemas: Vec::new() }
    }

    pub fn text(media_type: &'static str) -> Self {
        Self { media_type, schema: <String as utoipa::PartialSchema>::schema(), schemas: Vec::new() }
    }
}

/// 200 with a value as JSON.
pub struct Json<T>(pub T);

impl<T: Serialize + ToSchema> Answer for Json<T> {
    fn respond(self, _request: &HttpRequest) -> HttpResponse {
        HttpResponse::Ok().json(self.0)
    }

    fn content() -> Option<Content> {
        Some(Content::json::<T>())
    }
}

/// 200 with a list, whole.
#[derive(Serialize)]
pub struct Listed<T> {
    pub data: Vec<T>,
}

impl<T: Serialize + ToSchema> Answer for Listed<T> {
    fn respond(self, _request: &HttpRequest) -> HttpResponse {
        HttpResponse::Ok().json(self)
    }

    fn content() -> Option<Content> {
        let item = Content::json::<T>();
        let data = ArrayBuilder::new().items(item.schema);
        let list = ObjectBuilder::new().schema_type(Type::Object).property("data", data).required("data");
        Some(Content { schema: list.into(), ..item })
    }
}

/// 204.
pub struct NoContent;

impl Answer for NoContent {
    fn respond(self, _request: &HttpRequest) -> HttpResponse {
        HttpResponse::NoContent().finish()
    }

    fn content() -> Option<Content> {
        None
    }
}
