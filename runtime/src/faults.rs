//! Faults on purpose, for tests and game days.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// What to do to an actor's next turns (a turn is one batch, or one wake). In JSON: `"panic"`, `"hang"`, `"drop"`,
/// `{"delay": 250}` (milliseconds).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fault {
    /// Panic with the batch in hand.
    Panic,
    /// Never finish the turn; only the heartbeat can detect it.
    Hang,
    /// Begin the turn this much later.
    Delay(#[serde(serialize_with = "to_ms", deserialize_with = "from_ms")] Duration),
    /// Lose the batch (its askers see `Interrupted`), or skip the wake.
    Drop,
}

/// A fault that waits for an actor's next turns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ArmedFault {
    /// The actor's name.
    pub actor: &'static str,
    /// The actor's shard, if it has one.
    pub shard: Option<u32>,
    /// What happens to the next turns.
    pub fault: Fault,
    /// To how many of them.
    pub times: u32,
}

/// Why a fault was not armed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FaultError {
    /// Faults have not been enabled in this process.
    #[error("faults are disabled")]
    Disabled,
    /// No actor has this name and shard.
    #[error("no such actor")]
    NoSuchActor,
}

/// The faults of a tree. Disabled until [`Faults::enable`]; with none armed the cost is one relaxed load a turn.
#[derive(Clone, Default)]
pub struct Faults(Arc<Inner>);

#[derive(Default)]
struct Inner {
    is_enabled: AtomicBool,
    points: Mutex<Vec<Target>>,
}

struct Target {
    actor: &'static str,
    shard: Option<u32>,
    point: Arc<FaultPoint>,
}

impl Target {
    fn is(&self, actor: &str, shard: Option<u32>) -> bool {
        self.actor == actor && (shard.is_none() || self.shard == shard)
    }
}

impl Faults {
    /// Allows faults from now on. To be called once, where the configuration says so.
    pub fn enable(&self) {
        self.0.is_enabled.store(true, Ordering::Relaxed);
    }

    /// Whether faults are allowed.
    pub fn is_enabled(&self) -> bool {
        self.0.is_enabled.load(Ordering::Relaxed)
    }

    /// Arms `fault` for the next `times` turns of the actors of this name (all shards if `shard` is `None`), in place
    /// of what was armed before. Returns how many actors matched.
    ///
    /// # Errors
    ///
    /// [`FaultError::Disabled`] before [`Faults::enable`]. [`FaultError::NoSuchActor`] if no actor matches.
    pub fn inject(&self, actor: &str, shard: Option<u32>, fault: Fault, times: u32) -> Result<usize, FaultError> {
        if !self.is_enabled() {
            return Err(FaultError::Disabled);
        }
        let points = self.0.points.lock();
        let matching = points.iter().filter(|target| target.is(actor, shard));
        let matched = matching.map(|target| target.point.arm(fault, times)).count();
        if matched == 0 {
            return Err(FaultError::NoSuchActor);
        }
        tracing::warn!(actor.name = actor, shard.id = shard, ?fault, times, "fault armed");
        Ok(matched)
    }

    /// Whether there are actors of this name (and shard).
    pub fn knows(&self, actor: &str, shard: Option<u32>) -> bool {
        self.0.points.lock().iter().any(|target| target.is(actor, shard))
    }

    /// The actors that there are, each with its shard.
    pub fn targets(&self) -> Vec<(&'static str, Option<u32>)> {
        self.0.points.lock().iter().map(|target| (target.actor, target.shard)).collect()
    }

    /// What is armed, actor by actor.
    pub fn armed(&self) -> Vec<ArmedFault> {
        let points = self.0.points.lock();
        let armed = points.iter().filter_map(|target| {
            let (fault, times) = (*target.point.armed.lock())?;
            Some(ArmedFault { actor: target.actor, shard: target.shard, fault, times })
        });
        armed.collect()
    }

    /// Disarms everything. A turn that hangs already continues to hang.
    pub fn clear(&self) {
        self.0.points.lock().iter().for_each(|target| target.point.disarm());
    }

    pub(super) fn register(&self, actor: &'static str, shard: Option<u32>) -> Arc<FaultPoint> {
        let point = Arc::new(FaultPoint::default());
        self.0.points.lock().push(Target { actor, shard, point: point.clone() });
        point
    }

    pub(super) fn unregister(&self, point: &Arc<FaultPoint>) {
        self.0.points.lock().retain(|target| !Arc::ptr_eq(&target.point, point));
    }
}

/// Where one actor asks whether a fault is meant for its turn.
#[derive(Default)]
pub(super) struct FaultPoint {
    is_armed: AtomicBool,
    armed: Mutex<Option<(Fault, u32)>>,
}

impl FaultPoint {
    fn arm(&self, fault: Fault, times: u32) {
        let mut armed = self.armed.lock();
        *armed = (times > 0).then_some((fault, times));
        self.is_armed.store(armed.is_some(), Ordering::Relaxed);
    }

    fn disarm(&self) {
        *self.armed.lock() = None;
        self.is_armed.store(false, Ordering::Relaxed);
    }

    pub(super) fn next(&self) -> Option<Fault> {
        if !self.is_armed.load(Ordering::Relaxed) {
            return None;
        }
        let mut armed = self.armed.lock();
        let (fault, times) = (*armed)?;
        *armed = (times > 1).then(|| (fault, times - 1));
        self.is_armed.store(armed.is_some(), Ordering::Relaxed);
        Some(fault)
    }
}

fn to_ms<S: Serializer>(delay: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u64(u64::try_from(delay.as_millis()).unwrap_or(u64::MAX))
}

fn from_ms<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    u64::deserialize(deserializer).map(Duration::from_millis)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_are_off_until_enabled_and_counted_once_armed() {
        let faults = Faults::default();
        let point = faults.register("writer", Some(1));
        let other = faults.register("writer", Some(2));
        assert_eq!(faults.inject("writer", None, Fault::Panic, 1), Err(FaultError::Disabled));
        faults.enable();
        assert_eq!(faults.inject("nobody", None, Fault::Panic, 1), Err(FaultError::NoSuchActor));
        assert_eq!(faults.inject("writer", Some(1), Fault::Drop, 2), Ok(1));
        assert_eq!(
            [point.next(), point.next(), point.next(), other.next()],
            [Some(Fault::Drop), Some(Fault::Drop), None, None]
        );
        assert_eq!(faults.inject("writer", None, Fault::Hang, 1), Ok(2));
        let armed = |shard| ArmedFault { actor: "writer", shard: Some(shard), fault: Fault::Hang, times: 1 };
        assert_eq!(faults.armed(), [armed(1), armed(2)]);
        faults.clear();
        assert_eq!(faults.armed(), []);
        assert_eq!((point.next(), other.next()), (None, None));
    }

    #[test]
    fn fault_round_trips_through_json() {
        for (json, fault) in [
            (r#""panic""#, Fault::Panic),
            (r#""hang""#, Fault::Hang),
            (r#""drop""#, Fault::Drop),
            (r#"{"delay":250}"#, Fault::Delay(Duration::from_millis(250))),
        ] {
            assert_eq!(serde_json::from_str::<Fault>(json).unwrap(), fault);
            assert_eq!(serde_json::to_string(&fault).unwrap(), json);
        }
    }
}
