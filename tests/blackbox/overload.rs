//! Clients who repeat at once do not keep a node overloaded that has room for all of them.

use std::cell::Cell;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use serde_json::json;

use crate::node::{TestNode, eventually, order};

/// What clients were answered so far.
#[derive(Default)]
struct Answers {
    taken: Cell<u64>,
    refused: Cell<u64>,
    is_over: Cell<bool>,
}

impl Answers {
    /// What they are answered meanwhile: taken on and refused.
    async fn during(&self, time: Duration) -> (u64, u64) {
        let before = (self.taken.get(), self.refused.get());
        tokio::time::sleep(time).await;
        (self.taken.get() - before.0, self.refused.get() - before.1)
    }
}

/// Asks for one payment after the other, and at once again whatever the answer is.
async fn client(number: usize, node: &TestNode, answers: &Answers) {
    let merchant = format!("MERCHANT-{number}");
    while !answers.is_over.get() {
        let answer = node.post("/payments/authorize", &order(&merchant, 100)).await;
        let count = if answer.status == 503 { &answers.refused } else { &answers.taken };
        // An answer may come too late while the shards are slow: 202, or 503 of another code.
        assert!(matches!(answer.status, 200 | 202 | 503), "{answer:?}");
        count.set(count.get() + 1);
    }
}

/// The story, with so many clients meanwhile.
async fn among(clients: usize, node: &TestNode, story: impl AsyncFnOnce(&Answers)) {
    let answers = Answers::default();
    let all = join_all((0..clients).map(|number| client(number, node, &answers)));
    let story = async {
        story(&answers).await;
        answers.is_over.set(true);
    };
    tokio::join!(all, story);
}

#[tokio::test]
async fn refusals_do_not_keep_a_node_overloaded() {
    // So few are let in while the gate is closed that it would stay closed for these clients, if refusals did that.
    let settings = [
        ("FAULTS__ENABLED", "true"),
        ("SHARD__SHED_ABOVE", "24"),
        ("SHARD__SHED_TARGET_MS", "1"),
        ("SHARD__SHED_AFTER_MS", "400"),
    ];
    let node = TestNode::start_with(&settings).await;
    among(64, &node, async |answers| {
        for shard in [1, 2] {
            let slow = json!({"actor": "shard_writer", "shard": shard, "fault": {"delay": 1_000}, "times": 6});
            node.inject(slow).await;
        }
        eventually("the slow shards refuse", async || (answers.refused.get() > 100).then_some(())).await;
        eventually("all are taken on again", async || {
            let (taken, refused) = answers.during(Duration::from_secs(1)).await;
            (taken > 64 && refused == 0).then_some(())
        })
        .await;
    })
    .await;
    node.audit().await;
}

/// Processes that take the processors.
struct Hogs(Vec<Child>);

impl Hogs {
    fn start() -> Self {
        let hog = |_| {
            let mut command = Command::new("nice");
            command.args(["-n", "-20", "sh", "-c", "while :; do :; done"]).stderr(Stdio::null());
            command.spawn().unwrap()
        };
        Self((0..16).map(hog).collect())
    }
}

impl Drop for Hogs {
    fn drop(&mut self) {
        for hog in &mut self.0 {
            let _ = hog.kill();
            let _ = hog.wait();
        }
    }
}

/// Alone on the machine: `cargo test --release --test blackbox -- --ignored processors_are_taken`.
#[tokio::test]
#[ignore = "takes three minutes and all processors"]
async fn full_goodput_is_back_within_2_s_after_the_processors_are_taken_for_3_s() {
    for clients in [64, 256] {
        let node = TestNode::start().await;
        among(clients, &node, async |answers| {
            answers.during(Duration::from_secs(2)).await;
            for round in 1..=20 {
                let (usual, _) = answers.during(Duration::from_secs(1)).await;
                let hogs = Hogs::start();
                answers.during(Duration::from_secs(3)).await;
                drop(hogs);
                let given_back = Instant::now();
                answers.during(Duration::from_secs(2)).await;
                let (taken, refused) = answers.during(Duration::from_secs(1)).await;
                println!(
                    "{clients} clients, round {round}: {usual}/s before, {taken}/s and {refused} refused after {:?}",
                    given_back.elapsed()
                );
                assert_eq!(refused, 0, "{clients} clients, round {round}");
                assert!(taken * 3 > usual * 2, "{clients} clients, round {round}: {taken}/s of {usual}/s");
            }
        })
        .await;
    }
}
