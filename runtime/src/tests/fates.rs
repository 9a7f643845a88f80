//! Panics, failures, hangs and faults: what is lost and what is not.

use super::*;
use futures_util::future::join_all;

#[tokio::test(start_paused = true)]
async fn panic_loses_only_the_batch_in_hand() {
    local(async {
        let (clerk, history, running) = hire(Options::new("clerk"), &simulated()).await;
        let send = |number| move |reply| if number == 2 { poison(2)(reply) } else { note(number)(reply) };
        let asks = (1..=4).map(|number| clerk.ask(send(number)));
        assert_eq!(join_all(asks).await, [Ok(1), Err(AskError::Interrupted), Ok(2), Ok(2)]);
        assert_eq!(history.lines(), ["1", "clerk starts", "3", "4"]);
        let snapshot = clerk.snapshot();
        assert_eq!((snapshot.restarts, snapshot.lost, snapshot.handled, snapshot.depth), (1, 1, 3, 0));
        let letters = running.dead_letters().recent();
        assert_eq!(letters.len(), 1);
        let letter = &letters[0];
        assert_eq!((letter.actor, letter.kind, letter.key, letter.trace_id), ("clerk", "panic", Some(2), Some(0xabc2)));
        assert_eq!((letter.in_hand, letter.deaths, letter.quarantined), (1, 1, false));
        assert!(letter.cause.starts_with("panic: spilt ink on 2 at runtime/src/tests/mod.rs:"), "{}", letter.cause);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn answers_sent_before_a_panic_are_not_lost() {
    local(async {
        let (clerk, _, running) = hire(Options::new("clerk").max_batch(8), &simulated()).await;
        clerk.tell(Job::Work(0, Duration::from_millis(5), None)).unwrap();
        settle().await;
        let answered = clerk.ask(note(1));
        let guilty = clerk.ask(|reply| Job::AnswerAndPanic(2, reply));
        let behind = clerk.ask(note(3));
        let outcome = tokio::join!(answered, guilty, behind);
        assert_eq!(outcome, (Ok(1), Ok(1), Err(AskError::Interrupted)));
        let keys: Vec<_> = running.dead_letters().recent().iter().map(|letter| (letter.key, letter.in_hand)).collect();
        assert_eq!(keys, [(Some(3), 3)]);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn failure_restarts_the_actor_and_suspects_no_message() {
    local(async {
        let (clerk, _, running) = hire(Options::new("clerk"), &simulated()).await;
        assert_eq!(clerk.ask(Job::Fail).await, Err(AskError::Interrupted));
        assert_eq!(clerk.ask(note(1)).await, Ok(2));
        let letters = running.dead_letters().recent();
        assert_eq!((letters[0].cause.as_str(), letters[0].deaths), ("failure: out of ink", 0));
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_start_that_fails_is_tried_again() {
    local(async {
        let history = History::default();
        let mut office = Supervisor::new("office", Strategy::OneForOne, patient(), &simulated());
        let clerk = office.actor(Options::new("clerk"), Clerk::stillborn_factory(&history, 3));
        let _running = office.start().await;
        assert_eq!(clerk.ask(note(1)).await, Ok(4));
        assert_eq!(clerk.snapshot().restarts, 3);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn actor_is_back_within_a_second_after_any_number_of_deaths() {
    local(async {
        let (clerk, _, _running) = hire(Options::new("clerk"), &simulated()).await;
        for number in 1..=20 {
            let died = tokio::time::Instant::now();
            assert_eq!(clerk.ask(poison(number)).await, Err(AskError::Interrupted));
            clerk.ask(note(100)).await.unwrap();
            assert!(died.elapsed() < Duration::from_millis(1_050), "{:?}", died.elapsed());
        }
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn an_actor_that_hangs_is_replaced() {
    local(async {
        let options = Options::new("clerk").hang_after(Duration::from_secs(10)).ask_deadline(Duration::from_secs(60));
        let (clerk, history, running) = hire(options, &simulated()).await;
        running.faults().inject("clerk", None, Fault::Hang, 1).unwrap();
        let begun = tokio::time::Instant::now();
        let (hung, next) = tokio::join!(clerk.ask(note(1)), clerk.ask(note(2)));
        assert_eq!((hung, next), (Err(AskError::Interrupted), Ok(2)));
        assert!(begun.elapsed() >= Duration::from_secs(9) && begun.elapsed() < Duration::from_secs(13));
        assert_eq!(history.lines(), ["clerk starts", "2"]);
        let letter = &running.dead_letters().recent()[0];
        assert_eq!((letter.cause.as_str(), letter.deaths), ("hung: work but no progress for 10s", 0));
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn an_idle_actor_and_a_busy_one_do_not_hang() {
    local(async {
        let options = Options::new("clerk").hang_after(Duration::from_secs(1)).ask_deadline(Duration::from_secs(600));
        let (clerk, _, _running) = hire(options, &simulated()).await;
        tokio::time::sleep(Duration::from_secs(60)).await;
        let answers = join_all((1..=100).map(|number| clerk.ask(work(number, 700)))).await;
        assert!(answers.iter().all(|life| *life == Ok(1)));
        assert_eq!(clerk.snapshot().restarts, 0);
    })
    .await;
}

struct Sleeper(u32);

impl Actor for Sleeper {
    type Message = Job;

    async fn started(&mut self, _ctx: &Context) -> Result<(), Failure> {
        if self.0 == 1 { std::future::pending().await } else { Ok(()) }
    }

    async fn handle(&mut self, _batch: Vec<Job>, ctx: &Context) -> Result<(), Failure> {
        for _ in 0..10 {
            tokio::time::sleep(Duration::from_secs(1)).await;
            ctx.progress();
        }
        Ok(())
    }
}

#[tokio::test(start_paused = true)]
async fn hanging_start_is_retried_and_progress_keeps_a_slow_start_alive() {
    local(async {
        let lives = AtomicU32::new(0);
        let mut office = Supervisor::new("office", Strategy::OneForOne, patient(), &simulated());
        let options = Options::new("sleeper").hang_after(Duration::from_secs(2));
        let sleeper = office.actor(options, move || Sleeper(lives.fetch_add(1, Ordering::Relaxed) + 1));
        let _running = office.start().await;
        assert_eq!(sleeper.snapshot().restarts, 1);
        sleeper.tell(Job::Note(1, None)).unwrap();
        until(|| sleeper.snapshot().handled == 1).await;
        assert_eq!(sleeper.snapshot().restarts, 1);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn each_kind_of_fault_has_its_effect() {
    local(async {
        let (clerk, history, running) = hire(Options::new("clerk").shard(3), &simulated()).await;
        let faults = running.faults();
        assert_eq!(faults.inject("clerk", Some(4), Fault::Panic, 1), Err(FaultError::NoSuchActor));

        faults.inject("clerk", Some(3), Fault::Panic, 2).unwrap();
        assert_eq!(clerk.ask(note(1)).await, Err(AskError::Interrupted));
        assert_eq!(clerk.ask(note(2)).await, Err(AskError::Interrupted));
        assert_eq!(clerk.ask(note(3)).await, Ok(3));
        assert!(running.dead_letters().recent()[0].cause.starts_with("panic: fault injected at "));

        faults.inject("clerk", None, Fault::Drop, 1).unwrap();
        assert_eq!(clerk.ask(note(4)).await, Err(AskError::Interrupted));
        assert_eq!(clerk.ask(note(5)).await, Ok(3));

        faults.inject("clerk", None, Fault::Delay(Duration::from_millis(700)), 1).unwrap();
        let begun = tokio::time::Instant::now();
        assert_eq!(clerk.ask(note(6)).await, Ok(3));
        assert!(begun.elapsed() >= Duration::from_millis(700));

        history.clear();
        faults.inject("clerk", None, Fault::Drop, 1).unwrap();
        clerk.nudge();
        settle().await;
        clerk.nudge();
        settle().await;
        assert_eq!(history.lines(), ["clerk wakes"]);
        faults.inject("clerk", None, Fault::Hang, 1).unwrap();
        faults.clear();
        assert_eq!(clerk.ask(note(7)).await, Ok(3));
    })
    .await;
}
