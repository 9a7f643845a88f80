//! Children that are added: to a tree that runs, that has not started, that restarts, that has stopped.

use super::*;

const SECOND: Duration = Duration::from_secs(1);

/// A supervisor of these clerks.
fn office(name: &str, strategy: Strategy, clerks: &[&'static str], history: &History, env: &Environment) -> Supervisor {
    let intensity = Intensity { restarts: 2, within: Duration::from_secs(30) };
    let mut office = Supervisor::new(name, strategy, intensity, env);
    for name in clerks {
        office.actor(Options::new(name), Clerk::factory(history));
    }
    office
}

/// A root with one supervisor below it that has a declared clerk `a`.
async fn two_levels(history: &History, env: &Environment) -> (Children, Running) {
    let mut root = office("root", Strategy::OneForOne, &[], history, env);
    let back = office("back", Strategy::OneForOne, &["a"], history, env);
    let children = back.children();
    root.adopt(back);
    let running = root.start().await;
    history.clear();
    (children, running)
}

#[tokio::test(start_paused = true)]
async fn added_actors_are_shown_in_order_and_stop_in_reverse() {
    local(async {
        let (history, env) = (History::default(), simulated());
        let root = office("root", Strategy::OneForOne, &["a", "b"], &history, &env);
        let children = root.children();
        let running = root.start().await;
        let c = children.add(Options::new("c"), Clerk::factory(&history)).unwrap();
        let d = children.add(Options::new("clerk").shard(4), Clerk::factory(&history)).unwrap();
        // Sent before the clerks are up, so it waits.
        assert_eq!(tokio::join!(c.ask(note(1)), d.ask(note(2))), (Ok(1), Ok(1)));
        assert_eq!(names(&running), ["a", "b", "c", "clerk/4"]);
        assert!(running.snapshot().actors().iter().all(|actor| actor.state == State::Running));
        history.clear();
        running.stop(SECOND).await;
        assert_eq!(history.lines(), ["clerk stops", "c stops", "b stops", "a stops"]);
        assert_eq!(c.ask(note(3)).await, Err(AskError::Stopped));
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn actor_added_before_the_start_starts_in_order() {
    local(async {
        let (history, env) = (History::default(), simulated());
        let mut root = office("root", Strategy::OneForOne, &["a"], &history, &env);
        let b = root.children().add(Options::new("b"), Clerk::factory(&history)).unwrap();
        root.actor(Options::new("c"), Clerk::factory(&history));
        let waiting = tokio::task::spawn_local(async move { b.ask(note(1)).await });
        let running = root.start().await;
        assert_eq!(waiting.await.unwrap(), Ok(1));
        assert_eq!(names(&running), ["a", "b", "c"]);
        let starts: Vec<_> = history.lines().into_iter().filter(|line| line.ends_with("starts")).collect();
        assert_eq!(starts, ["a starts", "b starts", "c starts"]);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn added_actor_is_restarted_behind_its_handle_and_mailbox() {
    local(async {
        let (history, env) = (History::default(), simulated());
        let (children, running) = two_levels(&history, &env).await;
        let clerk = children.add(Options::new("b"), Clerk::factory(&history)).unwrap();
        let asks = tokio::join!(clerk.ask(poison(1)), clerk.ask(note(2)));
        assert_eq!(asks, (Err(AskError::Interrupted), Ok(2)));
        assert_eq!(clerk.snapshot().restarts, 1);
        let letters = running.dead_letters().recent();
        assert_eq!((letters.len(), letters[0].actor, letters[0].key, letters[0].deaths), (1, "b", Some(1), 1));
        // Its deaths convict a message, as any actor's do.
        assert_eq!(clerk.ask(poison(1)).await, Err(AskError::Interrupted));
        assert_eq!(clerk.ask(poison(1)).await, Err(AskError::Quarantined));
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn added_actor_counts_against_intensity_and_restarts_with_supervisor() {
    local(async {
        let (history, env) = (History::default(), simulated());
        let (children, running) = two_levels(&history, &env).await;
        let b = children.add(Options::new("b"), Clerk::factory(&history)).unwrap();
        children.add(Options::new("removed"), Clerk::factory(&history)).unwrap();
        let c = children.add(Options::new("c"), Clerk::factory(&history)).unwrap();
        c.ask(note(0)).await.unwrap();
        children.remove("removed", SECOND).await.unwrap();
        history.clear();
        for number in 1..=3 {
            b.ask(poison(number)).await.unwrap_err();
        }
        assert_eq!(tokio::join!(b.ask(note(4)), c.ask(note(5))), (Ok(4), Ok(2)));
        let lines = history.lines();
        let expected = ["b starts", "b starts", "c stops", "a stops", "a starts", "b starts", "4", "c starts", "5"];
        assert_eq!(lines, expected);
        assert_eq!(names(&running), ["a", "b", "c"]);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn added_actor_that_hangs_is_found_by_its_own_limit_and_by_faults() {
    local(async {
        let (history, env) = (History::default(), simulated());
        let (children, running) = two_levels(&history, &env).await;
        // The declared clerk has 30 s; the added one is looked at more often from now on.
        let options = Options::new("b").hang_after(Duration::from_millis(400));
        let clerk = children.add(options, Clerk::factory(&history)).unwrap();
        clerk.ask(note(1)).await.unwrap();
        running.faults().inject("b", None, Fault::Hang, 1).unwrap();
        let begun = tokio::time::Instant::now();
        assert_eq!(clerk.ask(note(2)).await, Err(AskError::Interrupted));
        assert!(begun.elapsed() <= Duration::from_millis(600), "{:?}", begun.elapsed());
        assert_eq!(clerk.ask(note(3)).await, Ok(2));
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_taken_name_is_refused() {
    local(async {
        let (history, env) = (History::default(), simulated());
        let mut root = office("root", Strategy::OneForOne, &["a"], &history, &env);
        root.adopt(office("back", Strategy::OneForOne, &["b"], &history, &env));
        let children = root.children();
        let running = root.start().await;
        let add = |options| children.add(options, Clerk::factory(&history)).map(drop);
        let taken = |name: &str| Err(AddError::NameTaken(name.to_owned()));
        assert_eq!(add(Options::new("a").shard(1)), Ok(()));
        assert_eq!(add(Options::new("a").shard(2)), Ok(()));
        for (options, name) in [
            (Options::new("a"), "a"),
            (Options::new("a").shard(1), "a/1"),
            // The name is shown by an existing child.
            (Options::new("a/1"), "a/1"),
            // An actor of another supervisor has the name; the two would share a series.
            (Options::new("b"), "b"),
            (Options::new("back"), "back"),
        ] {
            assert_eq!(add(options), taken(name));
        }
        assert_eq!(children.adopt(office("back", Strategy::OneForOne, &[], &history, &env)), taken("back"));
        assert_eq!(names(&running), ["a", "b", "a/1", "a/2"]);
        // A refusal leaves nothing behind.
        assert!(!env.faults.knows("back", None) && env.meters.len() == 4);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn stopped_supervisor_refuses_to_add_and_remove() {
    local(async {
        let (history, env) = (History::default(), simulated());
        let (children, running) = two_levels(&history, &env).await;
        running.stop(SECOND).await;
        let known = env.meters.len();
        let add = || children.add(Options::new("b"), Clerk::factory(&history)).map(drop);
        let adopt = || {
            let mut late = Supervisor::new("late", Strategy::OneForOne, patient(), &env);
            let clerk = late.actor(Options::new("late"), Clerk::factory(&history));
            (children.adopt(late), clerk)
        };
        assert_eq!(add(), Err(AddError::Stopped));
        let (adopted, clerk) = adopt();
        assert_eq!((adopted, clerk.ask(note(1)).await), (Err(AddError::Stopped), Err(AskError::Stopped)));
        assert_eq!(children.remove("a", SECOND).await, Err(RemoveError::Stopped));
        // Nobody holds the tree any more.
        drop(running);
        assert_eq!((add(), adopt().0), (Err(AddError::Stopped), Err(AddError::Stopped)));
        assert_eq!(children.remove("a", SECOND).await, Err(RemoveError::Stopped));
        assert_eq!(env.meters.len(), known);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn children_change_while_their_supervisor_is_restarted() {
    local(async {
        let (history, env) = (History::default(), simulated());
        let (children, running) = two_levels(&history, &env).await;
        let gone = children.add(Options::new("gone"), Clerk::factory(&history)).unwrap();
        let b = children.add(Options::new("b"), Clerk::factory(&history)).unwrap();
        for number in 1..=3 {
            b.ask(poison(number)).await.unwrap_err();
        }
        until(|| state_of(&running, "back") == State::Restarting).await;
        let waits = gone.ask(note(4));
        let c = children.add(Options::new("c"), Clerk::factory(&history)).unwrap();
        let removed = async {
            // Polled second: the message waits by then.
            children.remove("gone", SECOND).await
        };
        let (waited, removed) = tokio::join!(waits, removed);
        assert_eq!((waited, removed), (Err(AskError::Stopped), Ok(())));
        assert_eq!(state_of(&running, "back"), State::Restarting);
        assert_eq!(c.ask(note(5)).await, Ok(1));
        assert_eq!(names(&running), ["a", "b", "c"]);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn one_for_one_added_actor_does_not_wait_for_a_failing_start() {
    local(async {
        let (history, env) = (History::default(), simulated());
        let root = Supervisor::new("root", Strategy::OneForOne, patient(), &env);
        let children = root.children();
        let _running = root.start().await;
        let failing = children.add(Options::new("a"), Clerk::stillborn_factory(&history, u32::MAX)).unwrap();
        until(|| failing.snapshot().restarts > 1).await;
        let clerk = children.add(Options::new("b"), Clerk::factory(&history)).unwrap();
        assert_eq!(clerk.ask_within(Duration::from_millis(5), note(1)).await, Ok(1));
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn rest_for_one_added_actor_starts_last_and_restarts_with_others() {
    local(async {
        let (history, env) = (History::default(), simulated());
        let mut root = Supervisor::new("root", Strategy::RestForOne, patient(), &env);
        let a = root.actor(Options::new("a"), Clerk::factory(&history));
        let children = root.children();
        let _running = root.start().await;
        history.clear();
        a.ask(poison(1)).await.unwrap_err();
        let b = children.add(Options::new("b"), Clerk::factory(&history)).unwrap();
        assert_eq!(b.ask(note(2)).await, Ok(1));
        a.ask(poison(3)).await.unwrap_err();
        assert_eq!(b.ask(note(4)).await, Ok(2));
        assert_eq!(history.lines(), ["a starts", "b starts", "2", "b stops", "a starts", "b starts", "4"]);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_supervisor_is_added_with_its_actors_and_removed_with_them() {
    local(async {
        let (history, env) = (History::default(), simulated());
        let (children, running) = two_levels(&history, &env).await;
        let mut team = Supervisor::new("team", Strategy::OneForOne, patient(), &env);
        let b = team.actor(Options::new("b"), Clerk::factory(&history));
        team.actor(Options::new("c"), Clerk::factory(&history));
        let of_team = team.children();
        children.adopt(team).unwrap();
        assert_eq!(b.ask(note(1)).await, Ok(1));
        of_team.add(Options::new("d"), Clerk::factory(&history)).unwrap().ask(note(2)).await.unwrap();
        assert_eq!(names(&running), ["a", "b", "c", "d"]);
        history.clear();
        b.tell(Job::Work(3, Duration::from_millis(50), None)).unwrap();
        b.tell(Job::Note(4, None)).unwrap();
        children.remove("team", SECOND).await.unwrap();
        assert_eq!(history.lines(), ["d stops", "c stops", "3", "4", "b stops"]);
        assert_eq!(b.ask(note(5)).await, Err(AskError::Stopped));
        assert_eq!(of_team.add(Options::new("e"), Clerk::factory(&history)).map(drop), Err(AddError::Stopped));
        assert_eq!((names(&running), env.meters.len()), (vec!["a".to_owned()], 1));
        assert!(!env.faults.knows("b", None));
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn dropping_or_holding_children_changes_nothing() {
    local(async {
        let (history, env) = (History::default(), simulated());
        let (children, running) = two_levels(&history, &env).await;
        let clerk = children.clone().add(Options::new("b"), Clerk::factory(&history)).unwrap();
        drop(children.clone());
        assert_eq!(clerk.ask(note(1)).await, Ok(1));
        // An actor that can add siblings does not keep its tree in memory.
        let token = Arc::new(());
        let held = (children.clone(), token.clone(), history.clone());
        children
            .add(Options::new("c"), move || {
                let _held = &held;
                Clerk { history: held.2.clone(), life: 1, stillborn: 0, wakes_again: 0 }
            })
            .unwrap();
        history.reaches("c starts").await;
        drop(running);
        history.reaches("a stops").await;
        until(|| Arc::strong_count(&token) == 1).await;
        assert_eq!(clerk.ask(note(2)).await, Err(AskError::Stopped));
    })
    .await;
}
