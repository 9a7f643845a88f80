//! `/admin/dead-letters` and `/admin/actions`: what could not be applied, what is done about it, and who did it.

use actix_web::web::{Data, Path, Payload};
use actix_web::{HttpRequest, HttpResponse};
use serde::{Deserialize, Serialize};

use super::admin::Listed;
use super::body::{Typed, typed};
use super::payments::{read_body, shown};
use super::problem::{Code, Problem};
use super::query;
use super::request::{call, operator};
use crate::domain::LetterId;
use crate::flows::{ActionView, App, DeadLetterView, Disposals, LetterFilter, Selection};

const IDS_MAX: usize = 1_000;
const REASON_MAX: usize = 255;

/// Some of a list, the highest ids first; those after the last one begin with it as `startingAfter`.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct DeadLetters {
    data: Vec<DeadLetterView>,
    has_more: bool,
}

#[utoipa::path(
    get,
    path = "/admin/dead-letters",
    tag = "operations",
    operation_id = "deadLetters",
    description = "What could not be applied, newest events first.",
    params(
        ("limit" = Option<u32>, Query, description = "1 to 100; 20 if not given", minimum = 1, maximum = 100),
        ("topic" = Option<String>, Query, description = "Of this dead-letter topic",
            pattern = "^(payment|settlement|refund)[.]dlq$"),
        ("status" = Option<String>, Query, description = "open, redriven or discarded",
            pattern = "^(open|redriven|discarded)$"),
        ("errorType" = Option<String>, Query, description = "With this cause"),
        ("sourceTopic" = Option<String>, Query, description = "From this topic"),
        ("startingAfter" = Option<String>, Query, description = "Below this id",
            pattern = "^dlq_[0-7][0-9A-HJKMNP-TV-Z]{12}$"),
    ),
    responses((status = 200, description = "Dead letters", body = DeadLetters)),
)]
pub async fn list(request: HttpRequest, app: Data<App>) -> HttpResponse {
    let found = async {
        let (filter, limit) = query::dead_letters(request.query_string())?;
        app.operations().dead_letters(&filter, limit).await.map_err(|error| Problem::from(&error))
    };
    shown(&request, found.await.map(|page| DeadLetters { data: page.letters, has_more: page.has_more }))
}

#[utoipa::path(
    get,
    path = "/admin/dead-letters/{letterId}",
    tag = "operations",
    operation_id = "deadLetter",
    description = "One dead letter.",
    params(("letterId" = String, Path, description = "Its id")),
    responses((status = 200, description = "The dead letter", body = DeadLetterView)),
)]
pub async fn show(request: HttpRequest, app: Data<App>, id: Path<String>) -> HttpResponse {
    let found = async {
        let id: LetterId = id.parse().map_err(|_| Code::NotFound)?;
        let found = app.operations().dead_letter(id).await.map_err(|error| Problem::from(&error))?;
        found.ok_or_else(|| Problem::from(Code::NotFound))
    };
    shown(&request, found.await)
}

/// Open dead letters by what they are; what is not said is any.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct FilterOrder {
    /// `payment.dlq`, `settlement.dlq` or `refund.dlq`.
    topic: Option<String>,
    error_type: Option<String>,
    source_topic: Option<String>,
}

/// Which dead letters: by their ids, those that a filter fits, or all that are open.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct RedriveRequest {
    #[schema(value_type = Option<Vec<String>>, max_items = 1000)]
    ids: Option<Vec<LetterId>>,
    filter: Option<FilterOrder>,
    #[serde(default)]
    all: bool,
    /// Say what would be done and do nothing. Not given: true.
    #[serde(default = "yes")]
    dry_run: bool,
}

impl Typed for RedriveRequest {
    const MEMBERS: &'static [(&'static str, bool)] =
        &[("ids", false), ("filter", false), ("all", false), ("dryRun", false)];
}

/// Which dead letters, as for a redrive, and why.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct DiscardRequest {
    #[schema(value_type = Option<Vec<String>>, max_items = 1000)]
    ids: Option<Vec<LetterId>>,
    filter: Option<FilterOrder>,
    #[serde(default)]
    all: bool,
    /// Say what would be done and do nothing. Not given: true.
    #[serde(default = "yes")]
    dry_run: bool,
    #[schema(min_length = 1, max_length = 255)]
    reason: String,
}

impl Typed for DiscardRequest {
    const MEMBERS: &'static [(&'static str, bool)] =
        &[("ids", false), ("filter", false), ("all", false), ("dryRun", false), ("reason", true)];
}

fn yes() -> bool {
    true
}

/// Exactly one of the three.
fn selection(ids: Option<Vec<LetterId>>, filter: Option<FilterOrder>, all: bool) -> Result<Selection, Problem> {
    match (ids, filter, all) {
        (Some(ids), None, false) if (1..=IDS_MAX).contains(&ids.len()) => Ok(Selection::These(ids)),
        (None, Some(filter), false) => Ok(Selection::Matching(LetterFilter {
            topic: filter.topic.as_deref().map(query::dead_letter_topic).transpose()?,
            error_type: filter.error_type,
            source_topic: filter.source_topic,
            ..LetterFilter::default()
        })),
        (None, None, true) => Ok(Selection::Matching(LetterFilter::default())),
        _ => Err(Code::SelectionInvalid.into()),
    }
}

#[utoipa::path(
    post,
    path = "/admin/dead-letters/redrive",
    tag = "operations",
    operation_id = "redriveDeadLetters",
    description = "Tries again what dead letters are about; unless `dryRun` is false, only says what that would be. \
        Redriving twice has one effect.",
    request_body = RedriveRequest,
    responses((status = 200, description = "What became of each", body = Disposals)),
)]
pub async fn redrive(request: HttpRequest, payload: Payload, app: Data<App>) -> HttpResponse {
    let redriven = async {
        let bytes = read_body(&request, payload).await?;
        let order: RedriveRequest = typed(&bytes)?;
        let selection = selection(order.ids, order.filter, order.all)?;
        let redriven = app.operations().redrive(selection, order.dry_run, &operator(&request), &call(&request)).await;
        redriven.map_err(|error| Problem::from(&error))
    };
    shown(&request, redriven.await)
}

#[utoipa::path(
    post,
    path = "/admin/dead-letters/discard",
    tag = "operations",
    operation_id = "discardDeadLetters",
    description = "Puts dead letters away, with a reason; unless `dryRun` is false, only says which.",
    request_body = DiscardRequest,
    responses((status = 200, description = "What became of each", body = Disposals)),
)]
pub async fn discard(request: HttpRequest, payload: Payload, app: Data<App>) -> HttpResponse {
    let discarded = async {
        let bytes = read_body(&request, payload).await?;
        let order: DiscardRequest = typed(&bytes)?;
        let selection = selection(order.ids, order.filter, order.all)?;
        let reason = order.reason.trim();
        if !(1..=REASON_MAX).contains(&reason.chars().count()) {
            return Err(Code::ReasonInvalid.into());
        }
        let (operator, call) = (operator(&request), call(&request));
        let discarded = app.operations().discard(selection, reason, order.dry_run, &operator, &call).await;
        discarded.map_err(|error| Problem::from(&error))
    };
    shown(&request, discarded.await)
}

#[utoipa::path(
    get,
    path = "/admin/actions",
    tag = "operations",
    operation_id = "operatorActions",
    description = "What operators did, newest first.",
    params(("limit" = Option<u32>, Query, description = "1 to 100; 20 if not given", minimum = 1, maximum = 100)),
    responses((status = 200, description = "Actions", body = Listed<ActionView>)),
)]
pub async fn actions(request: HttpRequest, app: Data<App>) -> HttpResponse {
    let found = async {
        let limit = query::limit(request.query_string())?;
        app.operations().actions(limit as usize).await.map_err(|error| Problem::from(&error))
    };
    shown(&request, found.await.map(|data| Listed { data }))
}
