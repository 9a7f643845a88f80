//! How children end: either all that started after one, in reverse and each awaited, or one alone that is removed while
//! its siblings continue.

use std::ops::Bound;

use tokio::time::{Instant, sleep_until};

use super::State;
use super::child_state::{ChildState, Finding, Phase};
use super::events::{ChildId, Control, Event, Exit, News, Stop};
use super::node::Child;
use super::supervise::{ABORT_GRACE, Run, receive};

impl Run {
    /// Stops the children from the last to `first`: for good if the stop drains, else so that they start again in
    /// order.
    pub(super) async fn stop_from(&mut self, first: Bound<ChildId>, stop: Stop) {
        let ids: Vec<ChildId> = self.children.range((first, Bound::Unbounded)).map(|(id, _)| *id).collect();
        for id in ids.into_iter().rev() {
            self.stop(id, stop).await;
            let Some(state) = self.children.get_mut(&id) else { continue };
            if state.leaves_by.is_some() {
                self.dismiss(id);
                continue;
            }
            state.phase = Phase::Queued;
            state.orders = None;
            // Events of this life that come later are recognized as late.
            state.life = 0;
            match stop.drain_until {
                Some(_) => state.child.close(),
                None => state.child.set_state(State::Waiting),
            }
        }
    }

    async fn stop(&mut self, id: ChildId, stop: Stop) {
        let now = self.now();
        let Some(state) = self.children.get_mut(&id).filter(|state| state.is_alive()) else { return };
        state.phase = Phase::Stopping;
        let Child::Actor(actor) = state.child.clone() else {
            state.order(Control::Stop(stop));
            // A supervisor bounds its own end.
            self.exit_of(id, None).await;
            return;
        };
        let latest = now + actor.options().drain_deadline;
        let earliest = state.leaves_by.map_or(latest, |leaves_by| leaves_by.min(latest));
        let drain_until = stop.drain_until.map(|until| until.min(earliest));
        if drain_until.is_some() {
            actor.shut();
        }
        state.order(Control::Stop(Stop { drain_until }));
        let patience = drain_until.unwrap_or(earliest) + ABORT_GRACE;
        let mut exit = self.exit_of(id, Some(patience)).await;
        if exit.is_none() {
            let abort_by = self.now() + ABORT_GRACE;
            if let Some(state) = self.children.get_mut(&id) {
                state.abort(abort_by);
            }
            exit = self.exit_of(id, Some(abort_by)).await;
        }
        if exit.is_none() {
            self.give_up_slot(id);
        }
        if let Some(state) = self.children.get(&id) {
            let cause =
                exit.map_or_else(|| "did not stop, its thread is blocked".to_owned(), |exit| state.cause(&exit));
            state.bury(&cause, false);
        }
    }

    /// Waits until a child's present life has ended; `None` if that takes too long. Removals of other children continue
    /// meanwhile.
    async fn exit_of(&mut self, id: ChildId, until: Option<Instant>) -> Option<Exit> {
        let life = self.children.get(&id)?.life;
        if let Some(exit) = self.exit_in_backlog(life) {
            return Some(exit);
        }
        let bell = self.bell.clone();
        loop {
            let until = until.map(|until| self.children.get(&id).map_or(until, |state| state.stops_by(until)));
            let due = self.leaving_due().into_iter().chain(until).min();
            let is_due = async {
                match due {
                    Some(due) => sleep_until(due).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                biased;
                event = receive(&mut self.events) => {
                    if event.is_exit_of(life) {
                        return event.exit();
                    }
                    self.keep_for_later(event);
                }
                () = is_due => {
                    if until.is_some_and(|until| self.now() >= until) {
                        return None;
                    }
                    self.look_at_leaving();
                }
                () = bell.notified() => self.follow_list(),
            }
        }
    }

    /// The end of a life that came while another end was awaited.
    fn exit_in_backlog(&mut self, life: u64) -> Option<Exit> {
        let at = self.backlog.iter().position(|event| event.is_exit_of(life))?;
        self.backlog.remove(at).and_then(Event::exit)
    }

    /// A removed child's end is handled at once, although another child's end is awaited.
    fn keep_for_later(&mut self, event: Event) {
        let state = self.children.get(&event.child).filter(|state| state.life == event.life);
        let is_leaving = state.is_some_and(|state| state.leaves_by.is_some());
        match event.news {
            News::Exited(exit) if is_leaving => self.on_removed(event.child, &exit),
            News::Started | News::Exited(_) => self.backlog.push_back(event),
        }
    }

    /// Tells a child to drain and end, without waiting for it.
    pub(super) fn begin_removal(&mut self, id: ChildId, drain_until: Instant) {
        let now = self.now();
        let Some(state) = self.children.get_mut(&id).filter(|state| state.leaves_by.is_none()) else { return };
        let latest = state.child.actor().map(|actor| now + actor.options().drain_deadline);
        let drain_until = latest.map_or(drain_until, |latest| latest.min(drain_until));
        state.leaves_by = Some(drain_until);
        let (phase, life) = (state.phase, state.life);
        match phase {
            Phase::Queued | Phase::Backoff(_) => self.dismiss(id),
            Phase::Starting | Phase::Up => {
                state.order(Control::Stop(Stop { drain_until: Some(drain_until) }));
                state.phase = Phase::Draining(latest.map(|_| drain_until + ABORT_GRACE));
                // The child may have died while another one's end was awaited.
                if let Some(exit) = self.exit_in_backlog(life) {
                    self.on_removed(id, &exit);
                }
            }
            // The child is ending already, and is removed when it has ended.
            Phase::Dying(_) | Phase::Stopping | Phase::Draining(_) => {}
        }
    }

    /// A child that was to be removed has ended.
    pub(super) fn on_removed(&mut self, id: ChildId, exit: &Exit) {
        if let Some(state) = self.children.get(&id) {
            let cause = if matches!(state.phase, Phase::Dying(_)) { state.hung() } else { state.cause(exit) };
            state.bury(&cause, false);
        }
        self.dismiss(id);
    }

    /// A child that was to be removed has not ended, or its thread is gone.
    pub(super) fn on_lost_while_leaving(&mut self, id: ChildId, finding: &Finding) {
        let cause = match finding {
            Finding::Blocked => {
                self.give_up_slot(id);
                "did not stop, its thread is blocked"
            }
            Finding::ThreadLost | Finding::Nothing => "its thread was blocked by a neighbour",
        };
        let now = self.now();
        if let Some(state) = self.children.get_mut(&id) {
            state.abort(now);
            state.bury(cause, false);
        }
        self.dismiss(id);
    }

    /// When a deadline of the removals is next due.
    fn leaving_due(&self) -> Option<Instant> {
        self.children.values().filter_map(ChildState::due_to_leave).min()
    }

    fn look_at_leaving(&mut self) {
        let now = self.now();
        let is_due = |(id, state): (&ChildId, &mut ChildState)| {
            let is_due = state.due_to_leave().is_some_and(|due| due <= now);
            is_due.then(|| (*id, state.look(now, false, now + ABORT_GRACE)))
        };
        let findings: Vec<_> = self.children.iter_mut().filter_map(is_due).collect();
        for (id, finding) in findings {
            if !matches!(finding, Finding::Nothing) {
                self.on_lost_while_leaving(id, &finding);
            }
        }
    }

    fn dismiss(&mut self, id: ChildId) {
        self.children.remove(&id);
        self.node.dismiss(id);
    }
}

impl ChildState {
    /// When an ending child is told to abort: a removal that begins meanwhile may have an earlier deadline.
    fn stops_by(&self, until: Instant) -> Instant {
        match self.leaves_by {
            Some(leaves_by) if self.phase == Phase::Stopping => until.min(leaves_by + ABORT_GRACE),
            _ => until,
        }
    }

    /// When a deadline of a child that is removed alone is due.
    fn due_to_leave(&self) -> Option<Instant> {
        self.leaves_by.and_then(|_| self.due())
    }
}

impl Event {
    fn is_exit_of(&self, life: u64) -> bool {
        self.life == life && matches!(self.news, News::Exited(_))
    }

    fn exit(self) -> Option<Exit> {
        match self.news {
            News::Exited(exit) => Some(exit),
            News::Started => None,
        }
    }
}
