//! A whole tree in virtual time: the same seed, the same history.

use super::*;
use tokio::runtime::Builder;

/// A day at the office with random deaths: every line of its history carries the virtual time.
fn day(seed: u64) -> Vec<String> {
    let runtime = Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    LocalSet::new().block_on(&runtime, async {
        let environment = Environment::simulated(seed, 0);
        environment.faults.enable();
        let history = History::default();
        environment.dead_letters.subscribe({
            let history = history.clone();
            move |letter| history.note(format!("{} {}/{:?} {}", letter.at_ms, letter.actor, letter.key, letter.cause))
        });
        let mut root = Supervisor::new("root", Strategy::RestForOne, patient(), &environment);
        let options = |name| Options::new(name).max_batch(4).capacity(16).hang_after(Duration::from_secs(1));
        let clerks: Vec<_> = ["a", "b", "c"].map(|name| root.actor(options(name), Clerk::factory(&history))).into();
        let running = root.start().await;
        let (chance, clock) = (environment.chance.clone(), environment.clock.clone());
        let customers: Vec<_> = (0..40_u128)
            .map(|number| {
                let (chance, clock, history) = (chance.clone(), clock.clone(), history.clone());
                let (clerks, faults) = (clerks.clone(), environment.faults.clone());
                tokio::task::spawn_local(async move {
                    for _ in 0..5 {
                        tokio::time::sleep(chance.jitter(Duration::from_millis(2_000))).await;
                        let clerk = &clerks[usize::try_from(chance.below(3)).unwrap()];
                        if chance.permille(50) {
                            let fault = if chance.permille(500) { Fault::Panic } else { Fault::Hang };
                            faults.inject("b", None, fault, 1).unwrap();
                        }
                        let outcome = clerk.ask(work(number, chance.below(30))).await;
                        history.note(format!("{} customer {number}: {outcome:?}", clock.now_ms()));
                    }
                })
            })
            .collect();
        for customer in customers {
            customer.await.unwrap();
        }
        running.stop(Duration::from_secs(5)).await;
        history.note(format!("{:?}", running.snapshot()));
        history.lines()
    })
}

#[test]
fn equal_seeds_repeat_the_history_and_another_does_not() {
    let first = day(7);
    assert!(first.iter().any(|line| line.contains("hung")) && first.iter().any(|line| line.contains("panic")));
    assert_eq!(first, day(7));
    assert_ne!(first, day(8));
}

/// A day at an office whose clerks are added and removed, and die at random.
fn moving_day(seed: u64) -> Vec<String> {
    let runtime = Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    LocalSet::new().block_on(&runtime, async {
        let environment = Environment::simulated(seed, 0);
        environment.faults.enable();
        let history = History::default();
        let mut root = Supervisor::new("root", Strategy::OneForOne, patient(), &environment);
        let office = Supervisor::new("office", Strategy::RestForOne, Intensity::default(), &environment);
        let children = office.children();
        root.adopt(office);
        let running = root.start().await;
        let (chance, clock) = (environment.chance.clone(), environment.clock.clone());
        let managers: Vec<_> = (0..8_u32)
            .map(|shard| {
                let (chance, clock, history) = (chance.clone(), clock.clone(), history.clone());
                let (children, faults) = (children.clone(), environment.faults.clone());
                tokio::task::spawn_local(async move {
                    for _ in 0..10 {
                        tokio::time::sleep(chance.jitter(Duration::from_millis(500))).await;
                        let options = Options::new("clerk").shard(shard).hang_after(Duration::from_secs(1));
                        let clerk = children.add(options, Clerk::factory(&history)).unwrap();
                        if chance.permille(500) {
                            let fault = if chance.permille(500) { Fault::Panic } else { Fault::Hang };
                            faults.inject("clerk", Some(shard), fault, 1).unwrap();
                        }
                        let first = clerk.ask(work(1, chance.below(30)));
                        let second = clerk.ask(work(2, chance.below(30)));
                        let removal = async {
                            tokio::time::sleep(chance.jitter(Duration::from_millis(100))).await;
                            children.remove(&format!("clerk/{shard}"), Duration::from_millis(chance.below(500))).await
                        };
                        let outcome = tokio::join!(first, second, removal);
                        history.note(format!("{} clerk {shard}: {outcome:?}", clock.now_ms()));
                    }
                })
            })
            .collect();
        for manager in managers {
            manager.await.unwrap();
        }
        history.note(format!("{:?}", running.snapshot()));
        running.stop(Duration::from_secs(5)).await;
        history.lines()
    })
}

#[test]
fn added_and_removed_children_repeat_their_history_for_equal_seeds() {
    let first = moving_day(7);
    assert!(first.iter().any(|line| line.contains("Interrupted")) && first.iter().any(|line| line.contains("Ok(2)")));
    assert!(
        first.iter().filter(|line| line.contains("clerk ")).all(|line| line.contains("Ok(())") || line.ends_with('s'))
    );
    assert_eq!(first, moving_day(7));
    assert_ne!(first, moving_day(8));
}
