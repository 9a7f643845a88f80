//! Children that are removed: in every state, within their bound, and without a trace.

use super::*;
use tokio::time::Instant;

pub(super) const SECOND: Duration = Duration::from_secs(1);
/// How much a removal may exceed its deadline, with some margin for the ticks of virtual time.
const GRACE: Duration = Duration::from_millis(510);

/// A supervisor to which clerks are added.
pub(super) async fn open(strategy: Strategy, env: &Environment) -> (Children, Running) {
    let office = Supervisor::new("office", strategy, patient(), env);
    let children = office.children();
    (children, office.start().await)
}

pub(super) fn add(children: &Children, name: &'static str, history: &History) -> Handle<Clerk> {
    children.add(Options::new(name), Clerk::factory(history)).unwrap()
}

/// Removes a child and says how long that took.
async fn removal_of(children: &Children, name: &str, deadline: Duration) -> Duration {
    let begun = Instant::now();
    children.remove(name, deadline).await.unwrap();
    begun.elapsed()
}

#[tokio::test(start_paused = true)]
async fn removal_drains_until_its_deadline_while_siblings_go_on() {
    local(async {
        let (history, env) = (History::default(), simulated());
        let (children, running) = open(Strategy::OneForOne, &env).await;
        let (a, b) = (add(&children, "a", &history), add(&children, "b", &history));
        a.ask(note(0)).await.unwrap();
        b.ask(note(0)).await.unwrap();
        history.clear();
        let asks: Vec<_> = (1..=5)
            .map(|number| {
                let a = a.clone();
                tokio::task::spawn_local(async move { a.ask(work(number, 40)).await })
            })
            .collect();
        settle().await;
        let removal = children.remove("a", Duration::from_millis(100));
        assert_eq!(a.ask(note(6)).await, Err(AskError::Stopped));
        // A sibling dies and is restarted during the drain.
        assert_eq!(b.ask(poison(7)).await, Err(AskError::Interrupted));
        assert_eq!(b.ask_within(Duration::from_millis(30), note(8)).await, Ok(2));
        assert_eq!(names(&running), ["a", "b"]);
        removal.await.unwrap();
        assert_eq!(history.lines(), ["b starts", "8", "1", "2", "3", "a stops"]);
        assert_eq!(names(&running), ["b"]);
        let mut answers = Vec::new();
        for ask in asks {
            answers.push(ask.await.unwrap());
        }
        assert_eq!(answers, [Ok(1), Ok(1), Ok(1), Err(AskError::Stopped), Err(AskError::Stopped)]);
        assert_eq!((a.snapshot().state, a.snapshot().depth), (State::Stopped, 0));
        assert_eq!(a.tell(Job::Note(9, None)), Err(TellError::Stopped));
        // The name is free again, and the new one is another.
        let again = add(&children, "a", &history);
        assert_eq!((again.ask(note(10)).await, a.ask(note(11)).await), (Ok(1), Err(AskError::Stopped)));
        assert_eq!(names(&running), ["b", "a"]);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_drain_ends_early_when_nothing_waits_and_by_the_actors_own_limit() {
    local(async {
        let (history, env) = (History::default(), simulated());
        let (children, _running) = open(Strategy::OneForOne, &env).await;
        add(&children, "idle", &history).ask(note(1)).await.unwrap();
        assert!(removal_of(&children, "idle", 100 * SECOND).await < Duration::from_millis(10));
        let options = Options::new("busy").drain_deadline(SECOND);
        let busy = children.add(options, Clerk::factory(&history)).unwrap();
        busy.ask(note(0)).await.unwrap();
        (0..100).for_each(|number| busy.tell(Job::Work(number, SECOND / 10, None)).unwrap());
        let took = removal_of(&children, "busy", 100 * SECOND).await;
        assert!(took >= SECOND && took < SECOND + GRACE, "{took:?}");
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_child_that_does_not_exist_is_not_removed() {
    local(async {
        let (history, env) = (History::default(), simulated());
        let (children, _running) = open(Strategy::OneForOne, &env).await;
        children.add(Options::new("a").shard(1), Clerk::factory(&history)).unwrap();
        for name in ["a", "a/2", "b"] {
            assert_eq!(children.remove(name, SECOND).await, Err(RemoveError::NoSuchChild(name.to_owned())));
        }
        assert_eq!(children.remove("a/1", SECOND).await, Ok(()));
        assert_eq!(children.remove("a/1", SECOND).await, Err(RemoveError::NoSuchChild("a/1".to_owned())));
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn declared_children_can_be_removed_before_the_start_and_after_it() {
    local(async {
        let (history, env) = (History::default(), simulated());
        let mut root = Supervisor::new("root", Strategy::OneForOne, patient(), &env);
        let [a, _, _] = ["a", "b", "c"].map(|name| root.actor(Options::new(name), Clerk::factory(&history)));
        let children = root.children();
        a.tell(Job::Note(1, None)).unwrap();
        children.remove("a", SECOND).await.unwrap();
        assert_eq!(a.ask(note(2)).await, Err(AskError::Stopped));
        let running = root.start().await;
        children.remove("b", SECOND).await.unwrap();
        assert_eq!(history.lines(), ["b starts", "c starts", "b stops"]);
        assert_eq!(names(&running), ["c"]);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_child_in_backoff_or_queued_is_removed_at_once() {
    local(async {
        let (history, env) = (History::default(), simulated());
        let (children, running) = open(Strategy::RestForOne, &env).await;
        let failing = children.add(Options::new("a"), Clerk::stillborn_factory(&history, u32::MAX)).unwrap();
        let queued = add(&children, "b", &history);
        let waiting = tokio::task::spawn_local(async move { queued.ask(note(1)).await });
        until(|| failing.snapshot().restarts > 8 && failing.snapshot().state == State::Restarting).await;
        assert_eq!(removal_of(&children, "b", SECOND).await, Duration::ZERO);
        assert_eq!(waiting.await.unwrap(), Err(AskError::Stopped));
        assert_eq!(removal_of(&children, "a", SECOND).await, Duration::ZERO);
        // None of them comes back.
        tokio::time::sleep(10 * SECOND).await;
        assert_eq!((names(&running).len(), history.lines().len()), (0, 0));
        assert_eq!(add(&children, "c", &history).ask(note(2)).await, Ok(1));
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_child_that_starts_is_drained_once_it_is_up() {
    local(async {
        let (history, env) = (History::default(), simulated());
        let (children, _running) = open(Strategy::OneForOne, &env).await;
        let clerk = add(&children, "a", &history);
        let waiting = tokio::task::spawn_local({
            let clerk = clerk.clone();
            async move { clerk.ask(note(1)).await }
        });
        until(|| clerk.snapshot().state == State::Starting).await;
        children.remove("a", SECOND).await.unwrap();
        assert_eq!(waiting.await.unwrap(), Ok(1));
        assert_eq!(history.lines(), ["a starts", "1", "a stops"]);
    })
    .await;
}

/// Never finishes its start.
struct Sleeper;

impl Actor for Sleeper {
    type Message = Never;

    async fn started(&mut self, _ctx: &Context) -> Result<(), Failure> {
        std::future::pending().await
    }

    async fn handle(&mut self, _batch: Vec<Never>, _ctx: &Context) -> Result<(), Failure> {
        Ok(())
    }
}

#[tokio::test(start_paused = true)]
async fn hanging_start_does_not_outlast_the_deadline_of_its_removal() {
    local(async {
        let env = simulated();
        let office = Supervisor::new("office", Strategy::OneForOne, patient(), &env);
        let children = office.children();
        children.add(Options::new("sleeper"), || Sleeper).unwrap();
        // The start of the tree waits for the sleeper, and ends when the sleeper is gone.
        let starting = tokio::task::spawn_local(office.start());
        settle().await;
        let took = removal_of(&children, "sleeper", SECOND).await;
        assert!(took >= SECOND && took < SECOND + GRACE, "{took:?}");
        assert!(names(&starting.await.unwrap()).is_empty());
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn child_that_hangs_or_dies_is_removed_in_time_and_not_restarted() {
    local(async {
        let (history, env) = (History::default(), simulated());
        let (children, running) = open(Strategy::OneForOne, &env).await;
        let hang = async |name| {
            let clerk = add(&children, name, &history);
            clerk.ask(note(0)).await.unwrap();
            running.faults().inject(name, None, Fault::Hang, 1).unwrap();
            let asking = tokio::task::spawn_local({
                let clerk = clerk.clone();
                async move { (clerk.ask_within(100 * SECOND, note(1)).await, clerk.ask(note(2)).await) }
            });
            until(|| clerk.snapshot().depth == 0).await;
            (clerk, asking)
        };
        let (clerk, asking) = hang("a").await;
        let waits = tokio::task::spawn_local(async move { clerk.ask_within(100 * SECOND, note(3)).await });
        settle().await;
        let took = removal_of(&children, "a", SECOND).await;
        assert!(took >= SECOND && took < SECOND + GRACE, "{took:?}");
        assert_eq!(asking.await.unwrap(), (Err(AskError::Interrupted), Err(AskError::Stopped)));
        assert_eq!(waits.await.unwrap(), Err(AskError::Stopped));
        // The heartbeat finds the second one after its 30 s, while its removal still drains.
        let options = Options::new("b").hang_after(SECOND).drain_deadline(100 * SECOND);
        let clerk = children.add(options, Clerk::factory(&history)).unwrap();
        clerk.ask(note(0)).await.unwrap();
        let found = running.faults().inject("b", None, Fault::Hang, 1).unwrap();
        clerk.tell(Job::Note(1, None)).unwrap();
        until(|| clerk.snapshot().depth == 0).await;
        let took = removal_of(&children, "b", 2 * SECOND).await;
        assert!(found == 1 && took < 2 * SECOND + GRACE, "{took:?}");
        assert_eq!(running.dead_letters().recent().len(), 2);
        assert_eq!(history.lines(), ["a starts", "0", "b starts", "0"]);
        let TreeNode::Supervisor { restarts, .. } = running.snapshot() else { panic!("not a supervisor") };
        assert_eq!(restarts, 0);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn draining_child_that_dies_is_not_restarted_and_not_counted() {
    local(async {
        let (history, env) = (History::default(), simulated());
        let no_restarts = Intensity { restarts: 0, within: SECOND };
        let office = Supervisor::new("office", Strategy::RestForOne, no_restarts, &env);
        let children = office.children();
        let running = office.start().await;
        let (a, b) = (add(&children, "a", &history), add(&children, "b", &history));
        b.ask(note(0)).await.unwrap();
        history.clear();
        a.tell(Job::Work(1, SECOND / 10, None)).unwrap();
        let asks = async { tokio::join!(a.ask(poison(2)), a.ask(note(3))) };
        let removal = async {
            settle().await;
            children.remove("a", SECOND).await
        };
        let (answers, removed) = tokio::join!(asks, removal);
        assert_eq!(answers, (Err(AskError::Interrupted), Err(AskError::Stopped)));
        assert_eq!((removed, b.ask(note(4)).await), (Ok(()), Ok(1)));
        assert_eq!(history.lines(), ["1", "4"]);
        assert_eq!((names(&running), running.dead_letters().recent().len()), (vec!["b".to_owned()], 1));
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn removals_go_on_while_a_sibling_of_rest_for_one_restarts() {
    local(async {
        let (history, env) = (History::default(), simulated());
        let (children, running) = open(Strategy::RestForOne, &env).await;
        let [a, b, c, d] = ["a", "b", "c", "d"].map(|name| add(&children, name, &history));
        let e = children.add(Options::new("e").drain_deadline(5 * SECOND), Clerk::factory(&history)).unwrap();
        e.ask(note(0)).await.unwrap();
        history.clear();
        // While `b` is restarted its supervisor waits for the turn that `e` is in; `d` waits to be stopped after it.
        e.tell(Job::Work(1, 3 * SECOND, None)).unwrap();
        until(|| e.snapshot().depth == 0).await;
        b.ask(poison(2)).await.unwrap_err();
        assert_eq!(e.snapshot().state, State::Running);
        assert!(removal_of(&children, "d", SECOND).await < Duration::from_millis(10));
        assert!(removal_of(&children, "a", SECOND).await < Duration::from_millis(10));
        assert_eq!(history.lines(), ["d stops", "a stops"]);
        // The child whose turn is awaited: its removal has the shorter deadline.
        let took = removal_of(&children, "e", SECOND).await;
        assert!(took >= SECOND && took < SECOND + GRACE, "{took:?}");
        assert_eq!(tokio::join!(b.ask(note(3)), c.ask(note(4))), (Ok(2), Ok(2)));
        assert_eq!(names(&running), ["b", "c"]);
        for removed in [&a, &d, &e] {
            assert_eq!(removed.ask(note(5)).await, Err(AskError::Stopped));
        }
        assert_eq!(history.lines()[2..], ["c stops", "b starts", "3", "c starts", "4"]);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn child_that_died_while_its_supervisor_waits_is_removed_at_once() {
    local(async {
        let (history, env) = (History::default(), simulated());
        let (children, running) = open(Strategy::RestForOne, &env).await;
        let [a, b, c] = ["a", "b", "c"].map(|name| add(&children, name, &history));
        c.ask(note(0)).await.unwrap();
        c.tell(Job::Work(1, 3 * SECOND, None)).unwrap();
        until(|| c.snapshot().depth == 0).await;
        b.ask(poison(2)).await.unwrap_err();
        a.tell(Job::Panic(3, None)).unwrap();
        until(|| a.snapshot().depth == 0).await;
        settle().await;
        assert!(removal_of(&children, "a", SECOND).await < Duration::from_millis(10));
        assert_eq!(tokio::join!(b.ask(note(4)), c.ask(note(5))), (Ok(2), Ok(2)));
        assert_eq!((names(&running).len(), running.dead_letters().recent().len()), (2, 2));
    })
    .await;
}

/// `a` dies while `b`, which started after it, drains: the messages waiting for `b` are not handled, and only `a` comes
/// back.
async fn a_death_ends_the_drain(children: &Children, running: &Running, history: &History) {
    let [a, b] = ["a", "b"].map(|name| add(children, name, history));
    b.ask(note(0)).await.unwrap();
    history.clear();
    let asks = async { tokio::join!(b.ask(work(1, 200)), b.ask(note(2))) };
    let removal = async {
        settle().await;
        let removal = children.remove("b", 5 * SECOND);
        a.ask(poison(3)).await.unwrap_err();
        removal.await
    };
    let (answers, removed) = tokio::join!(asks, removal);
    assert_eq!((answers, removed), ((Ok(1), Err(AskError::Stopped)), Ok(())));
    assert_eq!(a.ask(note(4)).await, Ok(2));
    assert_eq!(history.lines(), ["1", "b stops", "a starts", "4"]);
    assert_eq!(names(running), ["a"]);
}

#[tokio::test(start_paused = true)]
async fn rest_for_one_death_ends_the_drain_of_later_siblings() {
    local(async {
        let (history, env) = (History::default(), simulated());
        let (children, running) = open(Strategy::RestForOne, &env).await;
        a_death_ends_the_drain(&children, &running, &history).await;
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_supervisor_that_gives_up_ends_its_removals() {
    local(async {
        let (history, env) = (History::default(), simulated());
        let mut root = Supervisor::new("root", Strategy::OneForOne, patient(), &env);
        let office = Supervisor::new("office", Strategy::OneForOne, Intensity { restarts: 0, within: SECOND }, &env);
        let children = office.children();
        root.adopt(office);
        let running = root.start().await;
        a_death_ends_the_drain(&children, &running, &history).await;
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_removal_ends_with_its_supervisor_even_if_that_panics() {
    local(async {
        let (history, env) = (History::default(), simulated());
        // The only foreign code that runs in a supervisor.
        env.dead_letters.subscribe(|_| panic!("a subscriber must not panic"));
        let (children, running) = open(Strategy::OneForOne, &env).await;
        let [a, b] = ["a", "b"].map(|name| add(&children, name, &history));
        b.ask(note(0)).await.unwrap();
        b.tell(Job::Work(1, 3 * SECOND, None)).unwrap();
        until(|| b.snapshot().depth == 0).await;
        let removal = children.remove("b", 5 * SECOND);
        a.tell(Job::Panic(2, None)).unwrap();
        running.failed().await;
        assert_eq!(tokio::time::timeout(SECOND, removal).await, Ok(Ok(())));
        assert_eq!((names(&running), b.ask(note(3)).await), (vec!["a".to_owned()], Err(AskError::Stopped)));
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn rest_for_one_does_not_wait_for_a_draining_child() {
    local(async {
        let (history, env) = (History::default(), simulated());
        let (children, _running) = open(Strategy::RestForOne, &env).await;
        let a = add(&children, "a", &history);
        a.ask(note(0)).await.unwrap();
        a.tell(Job::Work(1, SECOND, None)).unwrap();
        until(|| a.snapshot().depth == 0).await;
        let removal = children.remove("a", 5 * SECOND);
        assert_eq!(add(&children, "b", &history).ask_within(SECOND / 2, note(2)).await, Ok(1));
        removal.await.unwrap();
        assert_eq!(history.lines(), ["a starts", "0", "b starts", "2", "1", "a stops"]);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_removal_ends_with_a_stop_of_the_tree() {
    local(async {
        let (history, env) = (History::default(), simulated());
        let (children, running) = open(Strategy::OneForOne, &env).await;
        let [a, b] = ["a", "b"].map(|name| add(&children, name, &history));
        b.ask(note(0)).await.unwrap();
        let asks: Vec<_> =
            [&a, &b]
                .map(|clerk| {
                    tokio::task::spawn_local({
                        let clerk = clerk.clone();
                        async move {
                            tokio::join!(clerk.ask(work(1, 100)), clerk.ask(work(2, 100)), clerk.ask(work(3, 100)))
                        }
                    })
                })
                .into();
        settle().await;
        let removals = (children.remove("a", 8 * SECOND), children.remove("b", Duration::from_millis(150)));
        let begun = Instant::now();
        running.stop(Duration::from_millis(50)).await;
        assert!(begun.elapsed() < Duration::from_millis(250), "{:?}", begun.elapsed());
        assert_eq!(tokio::join!(removals.0, removals.1), (Ok(()), Ok(())));
        // As in every stop, `a` continues until the children after it have ended: here for one more turn.
        let stopped = Err(AskError::Stopped);
        let mut answers = Vec::new();
        for ask in asks {
            answers.push(ask.await.unwrap());
        }
        assert_eq!(answers, [(Ok(1), Ok(1), stopped), (Ok(1), stopped, stopped)]);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_removal_goes_on_unawaited_and_a_second_call_waits_for_it() {
    local(async {
        let (history, env) = (History::default(), simulated());
        let (children, running) = open(Strategy::OneForOne, &env).await;
        let clerk = add(&children, "a", &history);
        clerk.ask(note(0)).await.unwrap();
        history.clear();
        clerk.tell(Job::Work(1, SECOND, None)).unwrap();
        drop(children.remove("a", 5 * SECOND));
        assert_eq!(
            children.add(Options::new("a"), Clerk::factory(&history)).map(drop),
            Err(AddError::NameTaken("a".to_owned()))
        );
        let took = removal_of(&children, "a", Duration::ZERO).await;
        assert!(took >= SECOND && took < SECOND + GRACE, "{took:?}");
        assert_eq!(history.lines(), ["1", "a stops"]);
        assert!(names(&running).is_empty());
    })
    .await;
}

/// Removes itself when told to.
struct Quitter(Children, History);

impl Actor for Quitter {
    type Message = Job;

    async fn handle(&mut self, _batch: Vec<Job>, _ctx: &Context) -> Result<(), Failure> {
        drop(self.0.remove("quitter", SECOND));
        self.1.note("quits");
        Ok(())
    }

    async fn stopping(&mut self, _ctx: &Context) {
        self.1.note("stops");
    }
}

#[tokio::test(start_paused = true)]
async fn an_actor_can_remove_itself() {
    local(async {
        let (history, env) = (History::default(), simulated());
        let (children, running) = open(Strategy::OneForOne, &env).await;
        let held = (children.clone(), history.clone());
        let quitter = children.add(Options::new("quitter"), move || Quitter(held.0.clone(), held.1.clone())).unwrap();
        quitter.tell(Job::Note(1, None)).unwrap();
        until(|| names(&running).is_empty()).await;
        assert_eq!(history.lines(), ["quits", "stops"]);
        assert_eq!(quitter.tell(Job::Note(2, None)), Err(TellError::Stopped));
    })
    .await;
}
