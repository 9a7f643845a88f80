//! Many children that are added and removed: nothing is left of them, whatever thread does it and whatever blocks.

use super::removed::{SECOND, add, open};
use super::*;
use opentelemetry::metrics::MeterProvider;

#[tokio::test(start_paused = true)]
async fn thousand_actors_are_added_and_removed_without_a_trace() {
    local(async {
        let (history, env) = (History::default(), simulated());
        let registry = prometheus::Registry::new();
        let reader = opentelemetry_prometheus::exporter().with_registry(registry.clone()).build().unwrap();
        let provider = opentelemetry_sdk::metrics::SdkMeterProvider::builder().with_reader(reader).build();
        env.meters.export_to(&provider.meter("rialto"));
        let (children, running) = open(Strategy::OneForOne, &env).await;
        let token = Arc::new(());
        let come_and_go = async |shard: u32| {
            let (token, history) = (token.clone(), history.clone());
            let clerk = children.add(Options::new("clerk").shard(shard), move || {
                let _held = &token;
                Clerk { history: history.clone(), life: 1, stillborn: 0, wakes_again: 0 }
            });
            let clerk = clerk.unwrap();
            clerk.ask(note(1)).await.unwrap();
            let shown = prometheus::TextEncoder::new().encode_to_string(&registry.gather()).unwrap();
            assert!(!shard.is_multiple_of(100) || shown.contains(&format!(r#"shard="{shard}""#)), "{shown}");
            children.remove(&format!("clerk/{shard}"), SECOND).await.unwrap();
        };
        come_and_go(0).await;
        let series = || {
            let text = prometheus::TextEncoder::new().encode_to_string(&registry.gather()).unwrap();
            text.lines().filter(|line| line.starts_with("rialto_actor")).count()
        };
        let before = series();
        assert!(before > 0);
        for shard in 1..=1_000 {
            come_and_go(shard).await;
        }
        assert_eq!(series(), before);
        assert_eq!((names(&running).len(), env.meters.len(), Arc::strong_count(&token)), (0, 0, 1));
        assert!(!env.faults.knows("clerk", None));
    })
    .await;
}

#[tokio::test]
async fn blocked_thread_does_not_delay_a_removal_and_its_neighbour_recovers() {
    let (history, env) = (History::default(), Environment::service());
    let (children, running) = open(Strategy::OneForOne, &env).await;
    let (blocker, neighbour) = (add(&children, "blocker", &history), add(&children, "neighbour", &history));
    let leaving = add(&children, "leaving", &history);
    neighbour.ask(note(0)).await.unwrap();
    leaving.ask(note(0)).await.unwrap();
    let (unblock, blocked) = std::sync::mpsc::channel::<()>();
    let block = Job::Until(1, blocked);
    blocker.tell(block).unwrap();
    until(|| blocker.snapshot().depth == 0).await;
    // Both are on the blocked thread; the actor that blocks it is given up first.
    let begun = std::time::Instant::now();
    let removals = (children.remove("blocker", Duration::from_millis(100)), children.remove("leaving", 20 * SECOND));
    assert_eq!(tokio::join!(removals.0, removals.1), (Ok(()), Ok(())));
    assert!(begun.elapsed() < 5 * SECOND, "{:?}", begun.elapsed());
    assert_eq!(neighbour.ask(note(2)).await, Ok(2));
    assert_eq!(names(&running), ["neighbour"]);
    let letters = running.dead_letters().recent();
    assert_eq!((letters.len(), letters[0].cause.as_str()), (1, "did not stop, its thread is blocked"));
    // The blocked life continues and finds that it may take no more messages.
    unblock.send(()).unwrap();
    history.reaches("1").await;
    assert_eq!(blocker.ask(note(3)).await, Err(AskError::Stopped));
    running.stop(SECOND).await;
}

#[tokio::test]
async fn several_threads_add_and_remove_at_once() {
    let (history, env) = (History::default(), Environment::service());
    let (children, running) = open(Strategy::OneForOne, &env).await;
    let wins = Arc::new(AtomicU32::new(0));
    let threads: Vec<_> = (0..4_u32)
        .map(|thread| {
            let (children, history, wins) = (children.clone(), history.clone(), wins.clone());
            std::thread::spawn(move || {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
                runtime.block_on(async {
                    for round in 0..50 {
                        let shard = thread * 1_000 + round;
                        let options = Options::new("own").shard(shard);
                        let own = children.add(options, Clerk::factory(&history)).unwrap();
                        // All threads try to add this name; the one that succeeds removes it again.
                        if let Ok(shared) = children.add(Options::new("shared"), Clerk::factory(&history)) {
                            wins.fetch_add(1, Ordering::Relaxed);
                            shared.ask(note(1)).await.unwrap();
                            children.remove("shared", SECOND).await.unwrap();
                        }
                        assert_eq!(own.ask(note(2)).await, Ok(1));
                        let name = format!("own/{shard}");
                        let (one, other) = tokio::join!(children.remove(&name, SECOND), children.remove(&name, SECOND));
                        assert_eq!(one, Ok(()));
                        // It waits for the first removal, or comes when that has ended.
                        assert!(other.is_ok() || other == Err(RemoveError::NoSuchChild(name)));
                        assert_eq!(own.ask(note(3)).await, Err(AskError::Stopped));
                    }
                });
            })
        })
        .collect();
    until(|| threads.iter().all(std::thread::JoinHandle::is_finished)).await;
    threads.into_iter().for_each(|thread| thread.join().unwrap());
    assert!(wins.load(Ordering::Relaxed) > 0);
    assert_eq!((names(&running).len(), env.meters.len()), (0, 0));
    running.stop(SECOND).await;
}
