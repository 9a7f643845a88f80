//! The fates of one process's calls, drawn from the seed: delays, failures before and after the effect, full disks, and
//! death.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::Notify;

use crate::infra::testing::{Fate, Fated, dead};
use crate::runtime::Chance;

/// Whether the world is still unkind, and who is to be told when a process dies.
#[derive(Debug, Clone, Default)]
pub struct Weather {
    pub is_fair: Arc<AtomicBool>,
    pub death: Arc<Notify>,
}

/// How long a disk is full, or a database out of reach: longer than a COMMIT that failed is asked after.
const TROUBLE_MAX: Duration = Duration::from_secs(15);

/// One process's.
#[derive(Debug)]
pub struct Fates {
    chance: Chance,
    weather: Weather,
    is_dead: AtomicBool,
}

impl Fates {
    pub fn new(chance: Chance, weather: Weather) -> Arc<Self> {
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
impl Fate for Fates {
    async fn of(&self, call: &'static str) -> Fated {
        if self.is_dead.load(Ordering::Relaxed) {
            return dead().await;
        }
        if self.weather.is_fair.load(Ordering::Relaxed) {
            return Fated::Well;
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
                Fated::DieAfter
            }
            120..300 => Fated::FailBefore,
            300..320 if call == "batch" => Fated::Full(self.chance.jitter(TROUBLE_MAX)),
            320..340 if call == "batch" => Fated::CutOff(self.chance.jitter(TROUBLE_MAX)),
            300..400 => Fated::FailBefore,
            400..700 => Fated::FailAfter,
            _ => Fated::Well,
        }
    }
}
