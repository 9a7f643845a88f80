//! Messages that kill their actor.

use super::*;
use futures_util::future::join_all;

#[tokio::test(start_paused = true)]
async fn message_that_killed_twice_is_refused_and_others_are_not() {
    local(async {
        let (clerk, _, running) = hire(Options::new("clerk"), &simulated()).await;
        let told = History::default();
        let letters = running.dead_letters();
        letters.subscribe({
            let told = told.clone();
            move |letter| told.note(format!("{:?} died {} times, {}", letter.key, letter.deaths, letter.quarantined))
        });
        assert_eq!(clerk.ask(poison(7)).await, Err(AskError::Interrupted));
        assert_eq!(clerk.ask(poison(7)).await, Err(AskError::Interrupted));
        until(|| letters.recent().len() == 2).await;
        assert_eq!(clerk.ask(poison(7)).await, Err(AskError::Quarantined));
        assert_eq!(clerk.tell(Job::Panic(7, None)), Err(TellError::Quarantined));
        assert_eq!(clerk.ask(note(8)).await, Ok(3));
        assert_eq!(clerk.ask(note(7)).await, Ok(3), "of another kind it is another message");
        tokio::time::sleep(Duration::from_secs(60)).await;
        assert_eq!(clerk.ask(poison(7)).await, Err(AskError::Interrupted), "its term is over");
        assert_eq!(clerk.ask(poison(7)).await, Err(AskError::Quarantined));
        assert_eq!(told.lines(), [1, 2, 3].map(|deaths| format!("Some(7) died {deaths} times, {}", deaths > 1)));
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn convicted_message_that_waits_already_is_not_started() {
    local(async {
        let (clerk, _, _running) = hire(Options::new("clerk"), &simulated()).await;
        let answers = join_all((0..4).map(|_| clerk.ask(poison(7)))).await;
        use AskError::{Interrupted, Quarantined};
        assert_eq!(answers, [Err(Interrupted), Err(Interrupted), Err(Quarantined), Err(Quarantined)]);
        assert_eq!((clerk.snapshot().restarts, clerk.snapshot().depth), (2, 0));
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn batch_neighbours_of_a_killer_are_tried_alone_and_acquitted() {
    local(async {
        let (clerk, history, running) = hire(Options::new("clerk").max_batch(10), &simulated()).await;
        clerk.tell(Job::Work(0, Duration::from_millis(5), None)).unwrap();
        settle().await;
        let send = |number: u128| if number == 3 { Job::Panic(3, None) } else { Job::Note(number, None) };
        (1..=5).for_each(|number| clerk.tell(send(number)).unwrap());
        until(|| clerk.snapshot().restarts == 1).await;
        let suspects: Vec<_> = running.dead_letters().recent().iter().map(|l| (l.in_hand, l.deaths)).collect();
        assert_eq!(suspects, [(5, 1); 5]);

        history.clear();
        (1..=6).for_each(|number| clerk.tell(send(number)).unwrap());
        history.reaches("6").await;
        assert_eq!(history.lines(), ["clerk starts", "1", "2", "clerk starts", "4", "5", "6"]);
        assert_eq!(clerk.tell(send(3)), Err(TellError::Quarantined));

        history.clear();
        clerk.tell(Job::Work(0, Duration::from_millis(5), None)).unwrap();
        settle().await;
        [1, 2, 4, 5].into_iter().for_each(|number| clerk.tell(send(number)).unwrap());
        history.reaches("5").await;
        assert_eq!(history.lines(), ["0", "batch of 4", "1", "2", "4", "5"]);
    })
    .await;
}
