//! The fates of one process's calls, drawn from the seed: delays, failures before and after the effect, full disks, and
//! death.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::Notify;

use crate::infra::testing::{FaultDecision, FaultPlan, dead};
use crate::runtime::Chance;

/// Whether the cluster is still unkind, and who is to be told when a process dies.
#[derive(Debug, Clone, Default)]
pub struct FaultRates {
    pub is_fair: Arc<AtomicBool>,
    pub death: Arc<Notify>,
}

/// How long a disk is full, or a database out of reach: longer than a COMMIT that failed is asked after.
const TROUBLE_MAX: Duration = Duration::from_secs(15);

/// One process's.
#[derive(Debug)]
pub struct SeededFaults {
    chance: Chance,
    weather: FaultRates,
    is_dead: AtomicBool,
}

impl SeededFaults {
    pub fn new(chance: Chance, weather: FaultRates) -> Arc<Self> {
        Arc::new(Self { chance, weather, is_dead: AtomicBool::new(false) })
    }

    /// Whether the process lives, in bad weather.
    pub fn may_strike(&self) -> bool {
        !self.is_dead.load(Ordering::Relaxed) && !self.weather.is_fair.load(Ordering::Relaxed)
    }

    pub fn die(&self) {
        if !self.is_dead.swap(true, Ordering::Relaxed) {
            self.weather.death.notify_one();
        }
    }
}

#[async_trait::async_trait]
impl FaultPlan for SeededFaults {
    async fn of(&self, call: &'static str) -> FaultDecision {
        if self.is_dead.load(Ordering::Relaxed) {
            return dead().await;
        }
        if self.weather.is_fair.load(Ordering::Relaxed) {
            return FaultDecision::Well;
        }
        let (slow, luck) = (self.chance.below(100), self.chance.below(10_000));
        match slow {
            0..30 => tokio::time::sleep(Duration::from_millis(1 + self.chance.below(20))).await,
            30..32 => tokio::time::sleep(Duration::from_millis(self.chance.below(6_000))).await,
            _ => {}
        }
        if self.is_dead.load(Ordering::Relaxed) {
            return dead().await;
        }
        // Looks that find nothing are most of the calls: they fail less often, or nothing else would be tried.
        let rare = if matches!(call, "read" | "fetch" | "begin") { 10 } else { 1 };
        match luck * rare {
            0..60 => {
                self.die();
                dead().await
            }
            60..120 => {
                self.die();
                FaultDecision::DieAfter
            }
            120..300 => FaultDecision::FailBefore,
            300..320 if call == "batch" => FaultDecision::Full(self.chance.jitter(TROUBLE_MAX)),
            320..340 if call == "batch" => FaultDecision::CutOff(self.chance.jitter(TROUBLE_MAX)),
            300..400 => FaultDecision::FailBefore,
            400..700 => FaultDecision::FailAfter,
            _ => FaultDecision::Well,
        }
    }
}
