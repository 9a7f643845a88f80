//! `/admin/dead-letters`: what could not be applied, and what is done about it.

use actix_web::http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use utoipa::ToSchema;
use utoipa::openapi::schema::SchemaType;
use utoipa::openapi::{ArrayBuilder, ObjectBuilder, RefOr, Schema, Type};

use super::reason::Reason;
use crate::domain::LetterId;
use crate::domain::dead_letter::LetterStatus;
use crate::domain::event::DeadLetterTopic;
use crate::flows::{DeadLetterView, Disposals, LetterFilter, Selection};
use crate::http::body::{Given, Member, Nested, Optional, OptionalObject, Wrong, body, deserialized};
use crate::http::endpoint::{
    ASK, Endpoint, Json, LIMIT_DEFAULT, Method, Pairs, Query, QueryParameter, READ, Request, Shape, WRITE, parse_limit,
};
use crate::http::problem::{Code, Problem};

const IDS_MAX: usize = 1_000;
const REASON_MAX: usize = 255;
const LETTER_ID: &str = "^dlq_[0-7][0-9A-HJKMNP-TV-Z]{12}$";

/// Some of a list, the highest ids first; those after the last one begin with it as `startingAfter`.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct DeadLetters {
    data: Vec<DeadLetterView>,
    has_more: bool,
}

/// Which dead letters a listing shows, and how many.
pub struct Listing {
    filter: LetterFilter,
    limit: u32,
}

impl Query for Listing {
    const PARAMETERS: &'static [QueryParameter] = &[
        QueryParameter::limit("1 to 100; 20 if not given"),
        QueryParameter::optional(
            "topic",
            "Of this dead-letter topic",
            Shape::Names(&["payment.dlq", "settlement.dlq", "refund.dlq"]),
            Code::TopicInvalid,
        ),
        QueryParameter::optional(
            "status",
            "open, redriven or discarded",
            Shape::Names(&["open", "redriven", "discarded"]),
            Code::StatusInvalid,
        ),
        QueryParameter::text("errorType", "With this cause"),
        QueryParameter::text("sourceTopic", "From this topic"),
        QueryParameter::optional("startingAfter", "Below this id", Shape::Pattern(LETTER_ID), Code::CursorInvalid),
    ];

    fn read(pairs: &Pairs) -> Result<Self, Problem> {
        Ok(Self {
            filter: LetterFilter {
                topic: pairs.parsed("topic", topic)?,
                status: pairs.parsed("status", |name| LetterStatus::parse(name).ok_or(Code::StatusInvalid))?,
                error_type: pairs.value("errorType").map(str::to_owned),
                source_topic: pairs.value("sourceTopic").map(str::to_owned),
                below: pairs.parsed("startingAfter", |id| id.parse().map_err(|_| Code::CursorInvalid))?,
            },
            limit: pairs.parsed("limit", parse_limit)?.unwrap_or(LIMIT_DEFAULT),
        })
    }
}

fn topic(name: &str) -> Result<DeadLetterTopic, Problem> {
    DeadLetterTopic::ALL.into_iter().find(|topic| topic.name() == name).ok_or_else(|| Code::TopicInvalid.into())
}

pub struct ListDeadLetters;

impl Endpoint for ListDeadLetters {
    const OPERATION: &'static str = "deadLetters";
    const METHOD: Method = Method::Get;
    const PATH: &'static str = "/admin/dead-letters";
    const ABOUT: &'static str = "What could not be applied, newest events first.";
    const ANSWERS: &'static [(StatusCode, &'static str)] = &[(StatusCode::OK, "Dead letters")];
    const CODES: &'static [&'static [Code]] = &[READ];

    type Path = ();
    type Query = Listing;
    type Body = ();
    type Answer = Json<DeadLetters>;

    async fn handle(request: Request<'_, Self>) -> Result<Self::Answer, Problem> {
        let Listing { filter, limit } = request.query;
        let found = request.app.operations().dead_letters(&filter, limit as usize).await;
        let page = found.map_err(|error| Problem::from(&error))?;
        Ok(Json(DeadLetters { data: page.letters, has_more: page.has_more }))
    }
}

pub struct ShowDeadLetter;

impl Endpoint for ShowDeadLetter {
    const OPERATION: &'static str = "deadLetter";
    const METHOD: Method = Method::Get;
    const PATH: &'static str = "/admin/dead-letters/{letterId}";
    const ABOUT: &'static str = "One dead letter.";
    const ANSWERS: &'static [(StatusCode, &'static str)] = &[(StatusCode::OK, "The dead letter")];
    const CODES: &'static [&'static [Code]] = &[READ];

    type Path = LetterId;
    type Query = ();
    type Body = ();
    type Answer = Json<DeadLetterView>;

    async fn handle(request: Request<'_, Self>) -> Result<Self::Answer, Problem> {
        let found = request.app.operations().dead_letter(request.path).await;
        let found = found.map_err(|error| Problem::from(&error))?;
        found.map(Json).ok_or_else(|| Problem::from(Code::NotFound).detail("There is no dead letter of this id."))
    }
}

/// Open dead letters by what they are; what is not said is any.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct FilterOrder {
    /// `payment.dlq`, `settlement.dlq` or `refund.dlq`.
    topic: Option<String>,
    error_type: Option<String>,
    source_topic: Option<String>,
}

impl Nested for FilterOrder {
    const MEMBERS: &'static [&'static str] = &["topic", "errorType", "sourceTopic"];
}

/// Up to 1 000 ids. They may be left out.
#[derive(Debug)]
pub struct LetterIds(Option<Vec<LetterId>>);

impl Member for LetterIds {
    const IS_REQUIRED: bool = false;
    const CODES: &'static [Code] = &[];

    fn read(text: Option<&RawValue>, _given: &Given<'_>) -> Result<Self, Wrong> {
        text.map(deserialized::<Option<Vec<LetterId>>>).transpose().map(|ids| Self(ids.flatten()))
    }

    fn schema() -> RefOr<Schema> {
        let id = ObjectBuilder::new().schema_type(Type::String).pattern(Some(LETTER_ID));
        let ids = ArrayBuilder::new().schema_type(SchemaType::from_iter([Type::Array, Type::Null]));
        ids.items(id).max_items(Some(IDS_MAX)).into()
    }
}

body! {
    /// Which dead letters: by their ids, those that a filter fits, or all that are open.
    pub struct RedriveRequest {
        ids "ids": LetterIds,
        filter "filter": OptionalObject<FilterOrder>,
        all "all": Optional<bool>,
        /// Say what would be done and do nothing. Not given: true.
        dry_run "dryRun": Optional<bool>,
    }
}

body! {
    /// Which dead letters, as for a redrive, and why.
    pub struct DiscardRequest {
        ids "ids": LetterIds,
        filter "filter": OptionalObject<FilterOrder>,
        all "all": Optional<bool>,
        /// Say what would be done and do nothing. Not given: true.
        dry_run "dryRun": Optional<bool>,
        reason "reason": Reason<REASON_MAX>,
    }
}

/// Exactly one of the three.
fn selection(
    LetterIds(ids): LetterIds,
    OptionalObject(filter): OptionalObject<FilterOrder>,
    Optional(all): Optional<bool>,
) -> Result<Selection, Problem> {
    match (ids, filter, all.unwrap_or(false)) {
        (Some(ids), None, false) if (1..=IDS_MAX).contains(&ids.len()) => Ok(Selection::These(ids)),
        (None, Some(filter), false) => Ok(Selection::Matching(LetterFilter {
            topic: filter.topic.as_deref().map(topic).transpose()?,
            error_type: filter.error_type,
            source_topic: filter.source_topic,
            ..LetterFilter::default()
        })),
        (None, None, true) => Ok(Selection::Matching(LetterFilter::default())),
        _ => Err(Code::SelectionInvalid.into()),
    }
}

pub struct RedriveDeadLetters;

impl Endpoint for RedriveDeadLetters {
    const OPERATION: &'static str = "redriveDeadLetters";
    const METHOD: Method = Method::Post;
    const PATH: &'static str = "/admin/dead-letters/redrive";
    const ABOUT: &'static str = "Tries again what dead letters are about; unless `dryRun` is false, only says what \
                                 that would be. Redriving twice has one effect.";
    const ANSWERS: &'static [(StatusCode, &'static str)] = &[(StatusCode::OK, "What became of each")];
    const CODES: &'static [&'static [Code]] = &[ASK, WRITE, &[Code::SelectionInvalid, Code::TopicInvalid]];

    type Path = ();
    type Query = ();
    type Body = RedriveRequest;
    type Answer = Json<Disposals>;

    async fn handle(request: Request<'_, Self>) -> Result<Self::Answer, Problem> {
        let (operator, call) = (request.operator.clone(), request.call());
        let RedriveRequest { ids, filter, all, dry_run } = request.body;
        let (selection, dry_run) = (selection(ids, filter, all)?, dry_run.0.unwrap_or(true));
        let redriven = request.app.operations().redrive(selection, dry_run, &operator, &call).await;
        redriven.map(Json).map_err(|error| Problem::from(&error))
    }
}

pub struct DiscardDeadLetters;

impl Endpoint for DiscardDeadLetters {
    const OPERATION: &'static str = "discardDeadLetters";
    const METHOD: Method = Method::Post;
    const PATH: &'static str = "/admin/dead-letters/discard";
    const ABOUT: &'static str = "Puts dead letters away, with a reason; unless `dryRun` is false, only says which.";
    const ANSWERS: &'static [(StatusCode, &'static str)] = &[(StatusCode::OK, "What became of each")];
    const CODES: &'static [&'static [Code]] = &[ASK, WRITE, &[Code::SelectionInvalid, Code::TopicInvalid]];

    type Path = ();
    type Query = ();
    type Body = DiscardRequest;
    type Answer = Json<Disposals>;

    async fn handle(request: Request<'_, Self>) -> Result<Self::Answer, Problem> {
        let (operator, call) = (request.operator.clone(), request.call());
        let DiscardRequest { ids, filter, all, dry_run, reason: Reason(reason) } = request.body;
        let (selection, dry_run) = (selection(ids, filter, all)?, dry_run.0.unwrap_or(true));
        let discarded = request.app.operations().discard(selection, &reason, dry_run, &operator, &call).await;
        discarded.map(Json).map_err(|error| Problem::from(&error))
    }
}
