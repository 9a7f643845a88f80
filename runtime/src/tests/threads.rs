//! Slots, and threads that are blocked. Real threads, real time.

use super::*;
use std::thread::ThreadId;

/// Answers with the thread that it runs on.
struct InSlot;

struct Where(Reply<ThreadId>);

impl Message for Where {
    fn kind(&self) -> &'static str {
        "where"
    }
}

impl Actor for InSlot {
    type Message = Where;

    async fn handle(&mut self, batch: Vec<Where>, _ctx: &Context) -> Result<(), Failure> {
        batch.into_iter().for_each(|Where(reply)| reply.send(std::thread::current().id()));
        Ok(())
    }
}

#[tokio::test]
async fn actors_of_one_slot_share_a_thread() {
    let environment = Environment::service();
    let mut office = Supervisor::new("office", Strategy::OneForOne, patient(), &environment);
    let a = office.actor(Options::new("a").slot("front"), || InSlot);
    let b = office.actor(Options::new("b").slot("front"), || InSlot);
    let c = office.actor(Options::new("c").slot("back"), || InSlot);
    let running = office.start().await;
    let (a, b, c) = tokio::join!(a.ask(Where), b.ask(Where), c.ask(Where));
    let (a, b, c) = (a.unwrap(), b.unwrap(), c.unwrap());
    assert_eq!(a, b);
    assert_ne!(a, c);
    assert!(c != std::thread::current().id());
    running.stop(Duration::from_secs(1)).await;
}

#[tokio::test]
async fn slots_are_spread_over_few_threads() {
    let environment = Environment::service_on(std::num::NonZeroUsize::new(2).unwrap());
    let mut office = Supervisor::new("office", Strategy::OneForOne, patient(), &environment);
    let actors: Vec<_> = ["a", "b", "c", "d"].map(|slot| office.actor(Options::new(slot).slot(slot), || InSlot)).into();
    let running = office.start().await;
    let mut threads = Vec::new();
    for actor in &actors {
        threads.push(actor.ask(Where).await.unwrap());
    }
    assert_ne!(threads[0], threads[1]);
    assert_eq!((threads[0], threads[1]), (threads[2], threads[3]));
    running.stop(Duration::from_secs(1)).await;
}

#[tokio::test]
async fn panic_does_not_affect_other_actors_of_its_thread() {
    let (history, environment) = (History::default(), Environment::service());
    let mut office = Supervisor::new("office", Strategy::OneForOne, patient(), &environment);
    let a = office.actor(Options::new("a"), Clerk::factory(&history));
    let b = office.actor(Options::new("b"), Clerk::factory(&history));
    let running = office.start().await;
    assert_eq!(a.ask(poison(1)).await, Err(AskError::Interrupted));
    assert_eq!((a.ask(note(2)).await, b.ask(note(3)).await), (Ok(2), Ok(1)));
    running.stop(Duration::from_secs(1)).await;
}

#[tokio::test]
async fn actor_that_blocks_its_thread_is_replaced_and_neighbours_recover() {
    let (history, environment) = (History::default(), Environment::service());
    let mut office = Supervisor::new("office", Strategy::OneForOne, Intensity::default(), &environment);
    let options =
        |name| Options::new(name).hang_after(Duration::from_millis(300)).ask_deadline(Duration::from_secs(20));
    let blocker = office.actor(options("blocker"), Clerk::factory(&history));
    let neighbour = office.actor(options("neighbour"), Clerk::factory(&history));
    let idle = office.actor(options("idle"), Clerk::factory(&history));
    let elsewhere = office.actor(options("elsewhere").slot("elsewhere"), Clerk::factory(&history));
    let running = office.start().await;
    history.clear();
    let begun = std::time::Instant::now();
    let block = blocker.ask(|reply| Job::Block(1, Duration::from_secs(5), Some(reply)));
    let others = async {
        until(|| blocker.snapshot().depth == 0).await;
        tokio::join!(blocker.ask(note(2)), neighbour.ask(note(3)), elsewhere.ask(note(4)))
    };
    let (blocked, (after, beside, elsewhere)) = tokio::join!(block, others);
    assert_eq!((blocked, after), (Err(AskError::Interrupted), Ok(2)));
    assert_eq!((beside, elsewhere), (Ok(2), Ok(1)));
    assert_eq!(idle.ask(note(5)).await, Ok(2));
    assert!(begun.elapsed() < Duration::from_secs(4), "{:?}", begun.elapsed());
    let letters = running.dead_letters().recent();
    assert_eq!((letters.len(), letters[0].key, letters[0].deaths), (1, Some(1), 1));
    assert!(letters[0].cause.ends_with("its thread is blocked"), "{}", letters[0].cause);
    // The old life continues, finishes its turn, and finds that it may take no more messages.
    history.reaches("1").await;
    assert_eq!(blocker.ask(note(6)).await, Ok(2));
    running.stop(Duration::from_secs(1)).await;
}

#[tokio::test]
async fn a_stop_does_not_wait_for_a_blocked_thread() {
    let environment = Environment::service();
    let (clerk, _, running) = hire(Options::new("clerk"), &environment).await;
    clerk.tell(Job::Block(1, Duration::from_secs(4), None)).unwrap();
    until(|| clerk.snapshot().depth == 0).await;
    let begun = std::time::Instant::now();
    running.stop(Duration::from_millis(200)).await;
    assert!(begun.elapsed() < Duration::from_secs(3), "{:?}", begun.elapsed());
}

#[test]
fn tree_runs_under_an_actix_system_and_is_usable_from_any_thread() {
    actix_rt::System::new().block_on(async {
        let (clerk, _, running) = hire(Options::new("clerk"), &Environment::service()).await;
        let from_elsewhere = std::thread::spawn({
            let clerk = clerk.clone();
            move || clerk.tell(Job::Note(1, None))
        });
        from_elsewhere.join().unwrap().unwrap();
        assert_eq!(clerk.ask(note(2)).await, Ok(1));
        running.stop(Duration::from_secs(1)).await;
    });
}
