//! One page of a list of a merchant.

use actix_web::{HttpRequest, HttpResponse};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa::openapi::{ArrayBuilder, ObjectBuilder, Type};

use super::payment_view::{PaymentView, views};
use crate::domain::outcome::PaymentSnapshot;
use crate::flows::Page;
use crate::http::endpoint::{Answer, Content};

/// How the API shows what a list is of.
pub trait Shown: Sized {
    type View<'a>: From<&'a Self> + Serialize + ToSchema
    where
        Self: 'a;
}

impl Shown for PaymentSnapshot {
    type View<'a> = PaymentView<'a>;
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct PageView<'a, V, I> {
    data: Vec<V>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    unreadable: &'a [I],
    has_more: bool,
}

impl<T: Shown + 'static, I: Serialize> Answer for Page<T, I> {
    fn respond(self, _: &HttpRequest) -> HttpResponse {
        let Self { data, unreadable, has_more } = &self;
        let data: Vec<T::View<'_>> = views(data);
        HttpResponse::Ok().json(PageView { data, unreadable, has_more: *has_more })
    }

    fn content() -> Option<Content> {
        let item = Content::json::<T::View<'static>>();
        let text = || ObjectBuilder::new().schema_type(Type::String);
        let about = "Those that belong on this page and cannot be read. Left out when there are none.";
        let page = ObjectBuilder::new()
            .schema_type(Type::Object)
            .description(Some("One page, newest first."))
            .property("data", ArrayBuilder::new().items(item.schema))
            .required("data")
            .property("unreadable", ArrayBuilder::new().items(text()).description(Some(about)))
            .property(
                "hasMore",
                ObjectBuilder::new()
                    .schema_type(Type::Boolean)
                    .description(Some("Whether there are more in the page's direction.")),
            )
            .required("hasMore");
        Some(Content { schema: page.into(), ..item })
    }
}
