//! `/admin/actors`: the supervision tree, and what killed actors lately.

use actix_web::http::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;

use crate::http::endpoint::{Endpoint, Json, Listed, Method, Request};
use crate::http::problem::{Code, Problem};
use crate::runtime::{ActorSnapshot, DeadLetter, State, Strategy, TreeNode};

/// A supervisor or an actor at one moment, with all below it.
#[derive(Debug, Serialize, ToSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum ActorTree {
    Supervisor(SupervisorView),
    Actor(ActorSnapshotView),
}

#[derive(Debug, Serialize, ToSchema)]
pub struct SupervisorView {
    name: String,
    strategy: StrategyView,
    state: LifeState,
    /// Restarts of its children so far.
    restarts: u64,
    /// In order of start.
    #[schema(no_recursion)]
    children: Vec<ActorTree>,
}

/// What is measured of an actor. Counters count since the tree was built and survive restarts.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ActorSnapshotView {
    /// `actor`, or `actor/shard`.
    name: String,
    #[schema(value_type = String, example = "shard_writer")]
    actor: &'static str,
    shard: Option<u32>,
    state: LifeState,
    /// Messages that wait.
    depth: u64,
    /// Messages that may wait.
    capacity: u64,
    /// Messages whose batch ended well.
    handled: u64,
    /// Messages that were not taken: overloaded, quarantined or stopped.
    refused: u64,
    /// Messages not started because their deadline had passed or their asker had left.
    expired: u64,
    /// Messages that were in hand, unanswered, at a death.
    lost: u64,
    /// How often a fresh actor took over.
    restarts: u64,
    /// The mean time a message waited, in microseconds.
    wait_mean_us: u64,
    /// The mean time a batch took, in microseconds.
    handling_mean_us: u64,
    /// When the present incarnation started, in UTC epoch milliseconds.
    started_at_ms: Option<i64>,
    /// How long ago that was, in milliseconds.
    since_restart_ms: Option<i64>,
}

/// Who is restarted with a child that died: it alone, or also those that started after it.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum StrategyView {
    OneForOne,
    RestForOne,
}

/// Where a supervisor or an actor is in its life.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum LifeState {
    Waiting,
    Starting,
    Running,
    Restarting,
    Stopped,
}

impl From<TreeNode> for ActorTree {
    fn from(node: TreeNode) -> Self {
        match node {
            TreeNode::Supervisor { name, strategy, state, restarts, children } => {
                let children = children.into_iter().map(Self::from).collect();
                let (strategy, state) = (strategy.into(), state.into());
                Self::Supervisor(SupervisorView { name, strategy, state, restarts, children })
            }
            TreeNode::Actor { name, actor } => Self::Actor(ActorSnapshotView::of(name, actor)),
        }
    }
}

impl ActorSnapshotView {
    fn of(name: String, actor: ActorSnapshot) -> Self {
        Self {
            name,
            actor: actor.actor,
            shard: actor.shard,
            state: actor.state.into(),
            depth: actor.depth,
            capacity: actor.capacity,
            handled: actor.handled,
            refused: actor.refused,
            expired: actor.expired,
            lost: actor.lost,
            restarts: actor.restarts,
            wait_mean_us: actor.wait_mean_us,
            handling_mean_us: actor.handling_mean_us,
            started_at_ms: actor.started_at_ms,
            since_restart_ms: actor.since_restart_ms,
        }
    }
}

impl From<Strategy> for StrategyView {
    fn from(strategy: Strategy) -> Self {
        match strategy {
            Strategy::OneForOne => Self::OneForOne,
            Strategy::RestForOne => Self::RestForOne,
        }
    }
}

impl From<State> for LifeState {
    fn from(state: State) -> Self {
        match state {
            State::Waiting => Self::Waiting,
            State::Starting => Self::Starting,
            State::Running => Self::Running,
            State::Restarting => Self::Restarting,
            State::Stopped => Self::Stopped,
        }
    }
}

pub struct ShowActors;

impl Endpoint for ShowActors {
    const OPERATION: &'static str = "actors";
    const METHOD: Method = Method::Get;
    const PATH: &'static str = "/admin/actors";
    const ABOUT: &'static str = "The supervision tree as it is now.";
    const ANSWERS: &'static [(StatusCode, &'static str)] = &[(StatusCode::OK, "The tree")];
    const CODES: &'static [&'static [Code]] = &[];

    type Path = ();
    type Query = ();
    type Body = ();
    type Answer = Json<ActorTree>;

    async fn handle(request: Request<'_, Self>) -> Result<Self::Answer, Problem> {
        Ok(Json(request.app.operations().tree().into()))
    }
}

/// The message that was in hand, unanswered, when its actor died.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ActorDeadLetter {
    #[schema(value_type = String, example = "shard_writer")]
    actor: &'static str,
    shard: Option<u32>,
    /// What kind of message.
    #[schema(value_type = String, example = "conclude")]
    kind: &'static str,
    /// What it was about, 32 hexadecimal digits.
    key: Option<String>,
    /// 32 hexadecimal digits (W3C Trace Context).
    trace_id: Option<String>,
    /// What the actor died of: the panic's text and place, its failure, or that it hung.
    cause: String,
    /// How many messages were in hand: only of one that was alone is it known that it was the cause.
    in_hand: usize,
    /// How often this key has been in hand at a death.
    deaths: u32,
    /// In UTC epoch milliseconds.
    at_ms: i64,
    /// Whether the key is refused from now on.
    quarantined: bool,
}

impl From<DeadLetter> for ActorDeadLetter {
    fn from(letter: DeadLetter) -> Self {
        let hex = |number: Option<u128>| number.map(|number| format!("{number:032x}"));
        Self {
            actor: letter.actor,
            shard: letter.shard,
            kind: letter.kind,
            key: hex(letter.key),
            trace_id: hex(letter.trace_id),
            cause: letter.cause,
            in_hand: letter.in_hand,
            deaths: letter.deaths,
            at_ms: letter.at_ms,
            quarantined: letter.quarantined,
        }
    }
}

pub struct ListActorDeadLetters;

impl Endpoint for ListActorDeadLetters {
    const OPERATION: &'static str = "actorDeadLetters";
    const METHOD: Method = Method::Get;
    const PATH: &'static str = "/admin/actors/dead-letters";
    const ABOUT: &'static str = "What killed actors lately.";
    const ANSWERS: &'static [(StatusCode, &'static str)] = &[(StatusCode::OK, "Dead letters, newest last")];
    const CODES: &'static [&'static [Code]] = &[];

    type Path = ();
    type Query = ();
    type Body = ();
    type Answer = Listed<ActorDeadLetter>;

    async fn handle(request: Request<'_, Self>) -> Result<Self::Answer, Problem> {
        let letters = request.app.operations().actor_dead_letters();
        Ok(Listed { data: letters.into_iter().map(ActorDeadLetter::from).collect() })
    }
}
