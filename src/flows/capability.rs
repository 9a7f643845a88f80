//! What the node is for, and how well each of it can be done now.

use serde::Serialize;
use utoipa::ToSchema;

/// How well something can be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    Up,
    /// For some merchants, later, or by a stand-in.
    Degraded,
    Down,
}

/// One thing that the node is for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Capability {
    pub status: Level,
    /// Why it is not up.
    pub reasons: Vec<String>,
}

/// Everything that the node is for; what belongs to other roles than its own is left out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Capabilities {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub authorize: Option<Capability>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub settle: Option<Capability>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refund: Option<Capability>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub publish: Option<Capability>,
    /// What operators do is kept and can be read. Payments go on without.
    pub operate: Capability,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Readiness {
    /// The worst of the capabilities.
    pub status: Level,
    pub capabilities: Capabilities,
}

impl Readiness {
    /// Whether nothing can be expected of the node: it cannot authorize, or if that is not its role, do any of its
    /// work.
    pub fn is_down(&self) -> bool {
        let Capabilities { authorize, settle, refund, publish, operate: _ } = &self.capabilities;
        match authorize {
            Some(authorize) => authorize.status == Level::Down,
            None => {
                let mut others = [settle, refund, publish].into_iter().flatten().peekable();
                others.peek().is_some() && others.all(|capability| capability.status == Level::Down)
            }
        }
    }
}

impl Capability {
    pub(super) fn up() -> Self {
        Self { status: Level::Up, reasons: Vec::new() }
    }

    pub(super) fn worsen(&mut self, status: Level, reason: impl Into<String>) {
        self.status = self.status.max(status);
        self.reasons.push(reason.into());
    }
}
