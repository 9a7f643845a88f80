//! Order of starts and stops, strategies, escalation, draining.

use super::*;

type Office = (Vec<Handle<Clerk>>, Supervisor);

fn office(name: &str, strategy: Strategy, clerks: &[&'static str], history: &History, env: &Environment) -> Office {
    let intensity = Intensity { restarts: 2, within: Duration::from_secs(30) };
    let mut office = Supervisor::new(name, strategy, intensity, env);
    let handles = clerks.iter().map(|name| office.actor(Options::new(name), Clerk::factory(history))).collect();
    (handles, office)
}

#[tokio::test(start_paused = true)]
async fn children_start_in_order_and_stop_in_reverse() {
    local(async {
        let (history, env) = (History::default(), simulated());
        let (clerks, mut root) = office("root", Strategy::OneForOne, &["a", "b"], &history, &env);
        let (_, back) = office("back", Strategy::OneForOne, &["c", "d"], &history, &env);
        root.adopt(back);
        let running = root.start().await;
        assert_eq!(history.lines(), ["a starts", "b starts", "c starts", "d starts"]);
        history.clear();
        running.stop(Duration::from_secs(5)).await;
        assert_eq!(history.lines(), ["d stops", "c stops", "b stops", "a stops"]);
        assert_eq!(clerks[0].ask(note(1)).await, Err(AskError::Stopped));
        assert!(running.snapshot().actors().iter().all(|actor| actor.state == State::Stopped));
        running.stop(Duration::from_secs(5)).await;
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_stop_drains_until_its_deadline_and_answers_the_rest() {
    local(async {
        let (clerk, history, running) = hire(Options::new("clerk"), &simulated()).await;
        let asks: Vec<_> = (1..=5)
            .map(|number| {
                let clerk = clerk.clone();
                tokio::task::spawn_local(async move { clerk.ask(work(number, 40)).await })
            })
            .collect();
        settle().await;
        running.stop(Duration::from_millis(100)).await;
        let mut answers = Vec::new();
        for ask in asks {
            answers.push(ask.await.unwrap());
        }
        assert_eq!(answers, [Ok(1), Ok(1), Ok(1), Err(AskError::Stopped), Err(AskError::Stopped)]);
        assert_eq!(history.lines(), ["1", "2", "3", "clerk stops"]);
        assert_eq!(clerk.snapshot().depth, 0);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn an_actor_that_dies_while_it_drains_is_not_restarted() {
    local(async {
        let (clerk, history, running) = hire(Options::new("clerk"), &simulated()).await;
        clerk.tell(Job::Work(1, Duration::from_millis(10), None)).unwrap();
        let asks = async { tokio::join!(clerk.ask(poison(2)), clerk.ask(note(3))) };
        let stop = async {
            settle().await;
            running.stop(Duration::from_secs(5)).await;
        };
        let (answers, ()) = tokio::join!(asks, stop);
        assert_eq!(answers, (Err(AskError::Interrupted), Err(AskError::Stopped)));
        assert_eq!(history.lines(), ["1"]);
        assert_eq!((running.dead_letters().recent().len(), clerk.snapshot().restarts), (1, 0));
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_stop_does_not_wait_for_an_actor_that_hangs() {
    local(async {
        let (clerk, _, running) = hire(Options::new("clerk"), &simulated()).await;
        running.faults().inject("clerk", None, Fault::Hang, 1).unwrap();
        let asking = tokio::task::spawn_local({
            let clerk = clerk.clone();
            async move { (clerk.ask(note(1)).await, clerk.ask(note(2)).await) }
        });
        settle().await;
        let begun = tokio::time::Instant::now();
        running.stop(Duration::from_secs(2)).await;
        assert!(begun.elapsed() < Duration::from_secs(3));
        assert_eq!(asking.await.unwrap(), (Err(AskError::Interrupted), Err(AskError::Stopped)));
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn one_for_one_restarts_only_the_child_that_died() {
    local(async {
        let (history, env) = (History::default(), simulated());
        let (clerks, root) = office("root", Strategy::OneForOne, &["a", "b", "c"], &history, &env);
        let _running = root.start().await;
        history.clear();
        clerks[1].ask(poison(1)).await.unwrap_err();
        assert_eq!(clerks[1].ask(note(2)).await, Ok(2));
        assert_eq!(clerks[2].ask(note(3)).await, Ok(1));
        assert_eq!(history.lines(), ["b starts", "2", "3"]);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn rest_for_one_stops_later_children_in_reverse_and_restarts_in_order() {
    local(async {
        let (history, env) = (History::default(), simulated());
        let (clerks, root) = office("root", Strategy::RestForOne, &["a", "b", "c", "d"], &history, &env);
        let running = root.start().await;
        history.clear();
        clerks[1].ask(poison(1)).await.unwrap_err();
        clerks[3].tell(Job::Note(4, None)).unwrap();
        history.reaches("4").await;
        assert_eq!(history.lines(), ["d stops", "c stops", "b starts", "c starts", "d starts", "4"]);
        assert_eq!(clerks[0].ask(note(5)).await, Ok(1));
        let restarts: Vec<u64> = running.snapshot().actors().iter().map(|actor| actor.restarts).collect();
        assert_eq!(restarts, [0, 1, 0, 0]);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn waiting_messages_survive_the_stop_of_a_sibling() {
    local(async {
        let (history, env) = (History::default(), simulated());
        let (clerks, root) = office("root", Strategy::RestForOne, &["a", "b"], &history, &env);
        let _running = root.start().await;
        let last = async {
            settle().await;
            clerks[0].ask(poison(9)).await
        };
        let asks = tokio::join!(clerks[1].ask(work(1, 50)), clerks[1].ask(note(2)), clerks[1].ask(note(3)), last);
        assert_eq!(asks, (Ok(1), Ok(2), Ok(2), Err(AskError::Interrupted)));
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_supervisor_that_gives_up_is_restarted_as_a_whole() {
    local(async {
        let (history, env) = (History::default(), simulated());
        let (clerks, mut root) = office("root", Strategy::OneForOne, &["a"], &history, &env);
        let (inner, back) = office("back", Strategy::OneForOne, &["b", "c"], &history, &env);
        root.adopt(back);
        let running = root.start().await;
        history.clear();
        for number in 1..=3 {
            inner[1].ask(poison(number)).await.unwrap_err();
        }
        inner[1].ask(note(4)).await.unwrap();
        let lines = history.lines();
        assert_eq!(lines, ["c starts", "c starts", "b stops", "b starts", "c starts", "4"]);
        assert_eq!(clerks[0].ask(note(5)).await, Ok(1));
        let TreeNode::Supervisor { restarts, state, .. } = running.snapshot() else { panic!("not a supervisor") };
        assert_eq!((restarts, state), (1, State::Running));
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn escalation_climbs_two_levels_and_fails_the_root() {
    local(async {
        let (history, env) = (History::default(), simulated());
        let (clerks, mut root) = office("root", Strategy::OneForOne, &["a"], &history, &env);
        let (_, mut middle) = office("middle", Strategy::OneForOne, &[], &history, &env);
        let (inner, back) = office("back", Strategy::OneForOne, &["b"], &history, &env);
        middle.adopt(back);
        root.adopt(middle);
        let running = root.start().await;
        let killer = tokio::task::spawn_local(async move {
            for number in 0.. {
                if inner[0].ask(poison(number)).await == Err(AskError::Stopped) {
                    return number;
                }
            }
            0
        });
        let escalation = running.failed().await;
        assert_eq!((escalation.supervisor.as_str(), escalation.child.as_str()), ("root", "middle"));
        assert!(escalation.cause.starts_with("failure: supervisor middle gave up on back: failure: supervisor back"));
        assert!(escalation.cause.contains("gave up on b: panic: spilt ink"), "{escalation}");
        // Each level admits two restarts and fails at the third.
        assert_eq!(killer.await.unwrap(), 27);
        assert_eq!(clerks[0].ask(note(1)).await, Err(AskError::Stopped));
        assert_eq!(history.lines().last().map(String::as_str), Some("a stops"));
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn deaths_far_apart_do_not_escalate() {
    local(async {
        let (history, env) = (History::default(), simulated());
        let (clerks, root) = office("root", Strategy::OneForOne, &["a"], &history, &env);
        let _running = root.start().await;
        for number in 1..=10 {
            clerks[0].ask(poison(number)).await.unwrap_err();
            tokio::time::sleep(Duration::from_secs(20)).await;
        }
        assert_eq!(clerks[0].ask(note(1)).await, Ok(11));
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn tree_stops_when_its_last_clone_is_dropped() {
    local(async {
        let (clerk, history, running) = hire(Options::new("clerk"), &simulated()).await;
        drop(running);
        history.reaches("clerk stops").await;
        until(|| clerk.snapshot().state == State::Stopped).await;
        assert_eq!(clerk.ask(note(1)).await, Err(AskError::Stopped));
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn snapshot_shows_the_tree_as_data() {
    local(async {
        let (history, env) = (History::default(), simulated());
        let (_, mut root) = office("root", Strategy::RestForOne, &["a"], &history, &env);
        root.actor(Options::new("writer").shard(2).capacity(7), Clerk::factory(&history));
        let running = root.start().await;
        let json = serde_json::to_value(running.snapshot()).unwrap();
        assert_eq!((&json["kind"], &json["strategy"]), (&"supervisor".into(), &"rest_for_one".into()));
        let writer = &json["children"][1];
        assert_eq!((&writer["name"], &writer["kind"]), (&"writer/2".into(), &"actor".into()));
        assert_eq!(
            (&writer["state"], &writer["capacity"], &writer["shard"]),
            (&"running".into(), &7.into(), &2.into())
        );
    })
    .await;
}
