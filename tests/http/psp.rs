//! The PSP's simulator, with a note of what it was asked.

use std::sync::Arc;

use async_trait::async_trait;
use parking_lot::Mutex;

use crate::domain::psp::PspKey;
use crate::infra::psp::simulator::Simulator;
use crate::infra::psp::{Psp, PspAnswer, PspError, PspOperation};
use crate::simulation::outside::Decided;

/// See the module. It outlives processes.
pub struct WitnessedPsp {
    simulator: Simulator,
    asked: Mutex<Vec<PspOperation>>,
}

impl WitnessedPsp {
    pub fn new(simulator: Simulator) -> Arc<Self> {
        Arc::new(Self { simulator, asked: Mutex::default() })
    }

    /// How many operations of a kind it has decided, and how often it was asked for them in all.
    pub async fn count(&self, kind: &str) -> (usize, usize) {
        let decided = self.decided().await;
        let of_kind = |operation: &PspOperation| operation.action.name() == kind;
        let asked = self.asked.lock().iter().filter(|operation| of_kind(operation)).count();
        (decided.values().filter(|(operation, _)| of_kind(operation)).count(), asked)
    }

    /// What its books hold.
    pub async fn decided(&self) -> Decided {
        let asked = self.asked.lock().clone();
        let mut decided = Decided::new();
        for operation in asked {
            if let Some(answer) = self.simulator.lookup(&operation.key).await.unwrap() {
                decided.insert(operation.key.0.clone(), (operation, answer));
            }
        }
        decided
    }
}

#[async_trait]
impl Psp for WitnessedPsp {
    async fn perform(&self, operation: &PspOperation) -> Result<PspAnswer, PspError> {
        self.asked.lock().push(operation.clone());
        self.simulator.perform(operation).await
    }

    async fn lookup(&self, key: &PspKey) -> Result<Option<PspAnswer>, PspError> {
        self.simulator.lookup(key).await
    }
}
