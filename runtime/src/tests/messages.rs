//! Order, bounds, deadlines, batches, wakes.

use super::*;
use futures_util::future::{FutureExt, join_all};

#[tokio::test(start_paused = true)]
async fn messages_are_handled_in_order_of_arrival() {
    local(async {
        let (clerk, history, _running) = hire(Options::new("clerk"), &simulated()).await;
        let answers = join_all((1..=5).map(|number| clerk.ask(note(number)))).await;
        assert!(answers.iter().all(|life| *life == Ok(1)));
        assert_eq!(history.lines(), ["1", "2", "3", "4", "5"]);
        let snapshot = clerk.snapshot();
        assert_eq!((snapshot.handled, snapshot.depth, snapshot.state), (5, 0, State::Running));
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_handle_can_be_used_before_the_start() {
    local(async {
        let history = History::default();
        let mut office = Supervisor::new("office", Strategy::OneForOne, patient(), &simulated());
        let clerk = office.actor(Options::new("clerk").capacity(2), Clerk::factory(&history));
        clerk.tell(Job::Note(1, None)).unwrap();
        clerk.tell(Job::Note(2, None)).unwrap();
        assert!(matches!(clerk.tell(Job::Note(3, None)), Err(TellError::Overloaded { .. })));
        let refused = clerk.ask(note(4)).await;
        assert!(
            matches!(refused, Err(AskError::Overloaded { retry_after }) if retry_after >= Duration::from_millis(10))
        );
        assert_eq!((clerk.snapshot().depth, clerk.snapshot().refused), (2, 2));
        let _running = office.start().await;
        history.reaches("2").await;
        assert_eq!(history.lines(), ["clerk starts", "1", "2"]);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn waiting_messages_are_handled_in_batches() {
    local(async {
        let (clerk, history, _running) = hire(Options::new("clerk").max_batch(3), &simulated()).await;
        clerk.tell(Job::Work(0, Duration::from_millis(5), None)).unwrap();
        settle().await;
        (1..=4).for_each(|number| clerk.tell(Job::Note(number, None)).unwrap());
        history.reaches("4").await;
        assert_eq!(history.lines(), ["0", "batch of 3", "1", "2", "3", "4"]);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_message_whose_deadline_has_passed_is_not_started() {
    local(async {
        let (clerk, history, _running) = hire(Options::new("clerk"), &simulated()).await;
        let (first, second) =
            tokio::join!(clerk.ask(work(1, 100)), clerk.ask_within(Duration::from_millis(50), note(2)));
        assert_eq!((first, second), (Ok(1), Err(AskError::DeadlineExceeded)));
        assert_eq!(clerk.ask(note(3)).await, Ok(1));
        assert_eq!(history.lines(), ["1", "3"]);
        assert_eq!((clerk.snapshot().expired, clerk.snapshot().depth), (1, 0));
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_message_in_hand_runs_on_after_its_deadline() {
    local(async {
        let (clerk, history, _running) = hire(Options::new("clerk"), &simulated()).await;
        let late = clerk.ask_within(Duration::from_millis(50), work(1, 100)).await;
        assert_eq!(late, Err(AskError::DeadlineExceeded));
        history.reaches("1").await;
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn an_abandoned_ask_is_not_started() {
    local(async {
        let (clerk, history, _running) = hire(Options::new("clerk"), &simulated()).await;
        clerk.tell(Job::Work(1, Duration::from_millis(100), None)).unwrap();
        settle().await;
        assert!(Box::pin(clerk.ask(note(2))).now_or_never().is_none());
        assert_eq!(clerk.snapshot().depth, 1);
        assert_eq!(clerk.ask(note(3)).await, Ok(1));
        assert_eq!(history.lines(), ["1", "3"]);
        assert_eq!((clerk.snapshot().expired, clerk.snapshot().depth), (1, 0));
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_reply_that_is_forgotten_is_an_interruption() {
    local(async {
        let (clerk, _, _running) = hire(Options::new("clerk"), &simulated()).await;
        assert_eq!(clerk.ask(Job::Swallow).await, Err(AskError::Interrupted));
        assert_eq!(clerk.snapshot().restarts, 0);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn depth_returns_to_zero_after_cancel_panic_and_timeout() {
    local(async {
        let (clerk, _, _running) = hire(Options::new("clerk").capacity(4), &simulated()).await;
        let is_canceled = |number| Box::pin(clerk.ask(note(number))).now_or_never().is_none();
        assert!((1..=3).all(is_canceled));
        assert_eq!(clerk.ask(poison(9)).await, Err(AskError::Interrupted));
        let timeouts = (1..=4).map(|number| clerk.ask_within(Duration::from_millis(20), work(number, 15)));
        assert!(join_all(timeouts).await.contains(&Err(AskError::DeadlineExceeded)));
        until(|| clerk.snapshot().depth == 0).await;
        assert_eq!(join_all((5..=8).map(|number| clerk.ask(note(number)))).await, [Ok(2); 4]);
        assert_eq!(clerk.snapshot().depth, 0);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn nudges_coalesce_and_one_during_a_wake_is_another() {
    local(async {
        let (clerk, history, _running) = hire(Options::new("clerk"), &simulated()).await;
        let nudger = clerk.nudger();
        (0..10).for_each(|_| nudger.nudge());
        settle().await;
        assert_eq!(history.lines(), ["clerk wakes"]);
        clerk.nudge();
        settle().await;
        assert_eq!(history.lines(), ["clerk wakes", "clerk wakes"]);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn mailbox_has_its_turn_between_two_wakes() {
    local(async {
        let history = History::default();
        let mut office = Supervisor::new("office", Strategy::OneForOne, patient(), &simulated());
        let factory = Clerk::factory(&history);
        let clerk = office.actor(Options::new("clerk"), move || Clerk { wakes_again: 2, ..factory() });
        clerk.nudge();
        (1..=2).for_each(|number| clerk.tell(Job::Note(number, None)).unwrap());
        let _running = office.start().await;
        settle().await;
        assert_eq!(history.lines(), ["clerk starts", "1", "clerk wakes", "2", "clerk wakes", "clerk wakes"]);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_tick_wakes_again_and_again() {
    local(async {
        let (_clerk, history, running) = hire(Options::new("clerk").tick(Duration::from_secs(1)), &simulated()).await;
        tokio::time::sleep(Duration::from_millis(3_500)).await;
        assert_eq!(history.lines(), ["clerk wakes"; 3]);
        running.stop(Duration::from_secs(1)).await;
        assert_eq!(history.lines().last().map(String::as_str), Some("clerk stops"));
    })
    .await;
}

#[test]
fn handles_can_be_sent_between_threads_though_actors_cannot() {
    fn goes_anywhere<T: Send + Sync>() {}
    fn is_send<T: Send>(value: T) -> T {
        value
    }
    goes_anywhere::<(Handle<Clerk>, Nudger, Running, Environment)>();
    goes_anywhere::<Handle<Homebound>>();
    let _asks = |clerk: Handle<Clerk>| is_send(async move { clerk.ask(note(1)).await });
}

/// Cannot leave its thread, and need not.
struct Homebound(#[expect(dead_code, reason = "is not Send")] std::rc::Rc<()>);

impl Actor for Homebound {
    type Message = Never;

    async fn handle(&mut self, _batch: Vec<Never>, _ctx: &Context) -> Result<(), Failure> {
        Ok(())
    }
}

struct Waker(History);

impl Actor for Waker {
    type Message = Never;

    async fn handle(&mut self, _batch: Vec<Never>, _ctx: &Context) -> Result<(), Failure> {
        Ok(())
    }

    async fn wake(&mut self, ctx: &Context) -> Result<Wake, Failure> {
        self.0.note(format!("at {}", ctx.clock().now_ms()));
        Ok(Wake::Idle)
    }
}

#[tokio::test(start_paused = true)]
async fn an_actor_without_messages_only_wakes() {
    local(async {
        let history = History::default();
        let seen = history.clone();
        let mut office = Supervisor::new("office", Strategy::OneForOne, patient(), &Environment::simulated(1, 1_000));
        office.actor(Options::new("waker").tick(Duration::from_millis(10)), move || Waker(seen.clone()));
        let _running = office.start().await;
        history.reaches("at 1020").await;
        assert_eq!(history.lines(), ["at 1010", "at 1020"]);
    })
    .await;
}
