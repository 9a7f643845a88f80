//! What becomes of orders that were given while the control store was away.

use parking_lot::Mutex;
use tokio::task::LocalSet;

use super::*;
use crate::actors::breaker::{self, Forced, Scope};
use crate::actors::testing::{self, START_MS};
use crate::domain::dead_letter::Operator;
use crate::domain::testing::TRACE;
use crate::domain::{ShardId, ShardMap};
use crate::infra::control::memory::{KeptForces, MemoryControl};
use crate::infra::database::{ShardDatabase, StoredAction};
use crate::infra::testing::{FaultDecision, FaultPlan};
use crate::runtime::{Environment, Intensity, Strategy, Supervisor};

/// Fails as often as there are decisions left.
#[derive(Debug, Default)]
struct Then(Mutex<Vec<FaultDecision>>);

#[async_trait::async_trait]
impl FaultPlan for Then {
    async fn of(&self, _: &'static str) -> FaultDecision {
        self.0.lock().pop().unwrap_or(FaultDecision::Well)
    }
}

/// A node, as its keeper sees it, beside what other nodes have written.
struct Node {
    keeper: ControlKeeper,
    forces: Forces,
    kept: KeptForces,
    fate: Arc<Then>,
    database: ShardDatabase,
}

fn order(state: Option<Forced>, reason: &str, after_ms: i64) -> ForceOrder {
    let (operator, source) = ("kim".to_owned(), "127.0.0.1".to_owned());
    ForceOrder { state, operator, source, reason: reason.to_owned(), at: Timestamp(START_MS + after_ms) }
}

impl Node {
    /// An order that this node is given while the store is away.
    fn is_ordered(&self, order: ForceOrder) {
        let operator = Operator { name: order.operator.clone(), request_id: "req_1".to_owned() };
        self.forces.order_for_now("psp", PendingOrder { order, operator, trace: TRACE, taken_back: None });
    }

    /// An order that another node has brought the store.
    fn other_orders(&self, order: &ForceOrder) {
        self.kept.lock().insert("psp".to_owned(), order.stored("psp"));
    }

    async fn looks(&self) {
        self.keeper.learn(Timestamp(START_MS + 60_000)).await;
    }

    fn held(&self) -> Option<(Forced, Scope, String)> {
        self.forces.of("psp").map(|forced| (forced.state, forced.scope, forced.reason))
    }

    async fn trail(&self) -> Vec<StoredAction> {
        self.database.newest_actions(10).await.unwrap()
    }
}

async fn node<F: Future>(tell: impl FnOnce(Node) -> F) -> F::Output {
    let story = async {
        let dir = tempfile::tempdir().unwrap();
        let environment = Environment::simulated(7, START_MS);
        let database = ShardDatabase::open_sqlite(ShardId(1), &dir.path().join("shard.db"), true).await.unwrap();
        let mut root = Supervisor::new("story", Strategy::OneForOne, Intensity::default(), &environment);
        let shard = testing::shard(&mut root, database.clone(), Arc::default());
        let shards = Shards::new(ShardMap::dealt(1.try_into().unwrap()), vec![shard]);
        let (forces, fate, kept) = (Forces::default(), Arc::new(Then::default()), KeptForces::default());
        let own = forces.clone();
        let psp = root.actor(breaker::options("breaker_psp"), move || {
            Breaker::new("psp", breaker::Settings::default(), own.clone())
        });
        let running = root.start().await;
        let store = MemoryControl { actions: Arc::default(), forces: kept.clone(), fate: fate.clone() };
        let breakers = ForcedBreakers { breakers: vec![("psp", psp)], forces: forces.clone() };
        let keeper = ControlKeeper::new(Arc::new(store), Outages::default(), breakers, shards);
        let end = tell(Node { keeper, forces, kept, fate, database }).await;
        running.stop(Duration::from_secs(1)).await;
        end
    };
    LocalSet::new().run_until(story).await
}

#[tokio::test]
async fn an_older_order_of_this_node_undoes_neither_a_newer_one_nor_a_clear_and_is_in_the_trail() {
    node(async |node: Node| {
        let newer = [order(Some(Forced::Open), "NEW", 1_200), order(None, "mended", 2_400)];
        for (number, newer) in newer.iter().enumerate() {
            node.is_ordered(order(Some(Forced::Closed), "OLD", 0));
            node.fate.0.lock().extend([FaultDecision::FailBefore; 2]);
            node.looks().await;
            assert_eq!(node.held(), Some((Forced::Closed, Scope::Node, "OLD".to_owned())));
            node.other_orders(newer);
            node.looks().await;
            assert_eq!(node.held(), newer.state.map(|state| (state, Scope::Cluster, "NEW".to_owned())));
            assert_eq!(node.kept.lock()["psp"], newer.stored("psp"));
            while node.trail().await.len() <= number {
                tokio::task::yield_now().await;
            }
            let line = node.trail().await.remove(0);
            assert_eq!((line.kind.as_str(), line.operator.as_str()), ("breaker.superseded", "kim"));
            assert!(line.detail.contains("OLD") && line.detail.contains(&newer.reason), "{}", line.detail);
            node.looks().await;
            assert_eq!(node.trail().await.len(), number + 1, "told once");
        }
    })
    .await;
}

#[tokio::test]
async fn a_newer_order_of_this_node_is_brought_also_if_an_answer_is_lost() {
    node(async |node: Node| {
        node.other_orders(&order(Some(Forced::Open), "OLD", 0));
        node.is_ordered(order(Some(Forced::Closed), "NEW", 1));
        // What is done is brought again, and is no newer one then.
        node.fate.0.lock().push(FaultDecision::FailAfter);
        for _ in 0..2 {
            node.looks().await;
        }
        assert_eq!(node.held(), Some((Forced::Closed, Scope::Cluster, "NEW".to_owned())));
        assert_eq!((node.forces.pending(), node.trail().await), (Vec::new(), Vec::new()));
    })
    .await;
}

#[tokio::test]
async fn an_order_that_was_taken_back_is_cleared_if_the_store_has_it_and_else_changes_nothing() {
    node(async |node: Node| {
        let (cluster, own) = (order(Some(Forced::Open), "CLUSTER", 0), order(Some(Forced::Closed), "tmp", 1));
        for the_store_has_it in [false, true] {
            node.forces.kept("psp", cluster.clone());
            node.other_orders(if the_store_has_it { &own } else { &cluster });
            node.is_ordered(own.clone());
            assert!(node.forces.take_back("psp", order(None, "", 2)));
            assert_eq!(node.held(), Some((Forced::Open, Scope::Cluster, "CLUSTER".to_owned())));
            node.looks().await;
            let kept = node.kept.lock()["psp"].state.clone();
            assert_eq!(kept, if the_store_has_it { "none" } else { "open" });
            assert_eq!(node.held().is_none(), the_store_has_it);
            assert_eq!((node.forces.pending(), node.trail().await), (Vec::new(), Vec::new()));
        }
    })
    .await;
}
