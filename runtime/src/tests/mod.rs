//! The guarantees of `docs/guarantees.md`, each as a test with clerks. Most run in virtual time on one thread; those
//! about threads use real ones.

mod added;
mod churn;
mod facts;
mod fates;
mod messages;
mod quarantine;
mod removed;
mod simulation;
mod supervision;
mod threads;

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::task::LocalSet;

use super::*;

/// What happened, in order.
#[derive(Clone, Default)]
struct History(Arc<Mutex<Vec<String>>>);

impl History {
    fn note(&self, line: impl Into<String>) {
        self.0.lock().push(line.into());
    }

    fn lines(&self) -> Vec<String> {
        self.0.lock().clone()
    }

    fn clear(&self) {
        self.0.lock().clear();
    }

    async fn reaches(&self, line: &str) {
        until(|| self.lines().iter().any(|seen| seen == line)).await;
    }
}

/// Messages to clerks.
enum Job {
    /// Note the number and answer with the clerk's life (1 is the first).
    Note(u128, Option<Reply<u32>>),
    /// Work for so long, then the same.
    Work(u128, Duration, Option<Reply<u32>>),
    Panic(u128, Option<Reply<u32>>),
    /// Note the number, answer, then panic.
    AnswerAndPanic(u128, Reply<u32>),
    Fail(Reply<u32>),
    /// Forget the reply.
    Swallow(Reply<u32>),
    /// Block the thread.
    Block(u128, Duration, Option<Reply<u32>>),
    /// Block the thread until the other end of the channel sends or is dropped.
    Until(u128, std::sync::mpsc::Receiver<()>),
}

impl Message for Job {
    fn kind(&self) -> &'static str {
        match self {
            Job::Note(..) => "note",
            Job::Work(..) => "work",
            Job::Panic(..) | Job::AnswerAndPanic(..) => "panic",
            Job::Fail(..) => "fail",
            Job::Swallow(..) => "swallow",
            Job::Block(..) | Job::Until(..) => "block",
        }
    }

    fn key(&self) -> Option<u128> {
        match self {
            Job::Note(key, _)
            | Job::Work(key, ..)
            | Job::Panic(key, _)
            | Job::AnswerAndPanic(key, _)
            | Job::Block(key, ..)
            | Job::Until(key, _) => Some(*key),
            Job::Fail(_) | Job::Swallow(_) => None,
        }
    }

    fn trace_id(&self) -> Option<u128> {
        self.key().map(|key| key + 0xabc0)
    }
}

/// An actor that does what its messages say and keeps a history of it.
struct Clerk {
    history: History,
    life: u32,
    /// Lives whose `started` fails.
    stillborn: u32,
    /// Wakes that end with `Again`, after each nudge.
    wakes_again: u32,
}

impl Clerk {
    /// A factory of clerks that counts their lives.
    fn factory(history: &History) -> impl Fn() -> Clerk + Send + 'static {
        Self::stillborn_factory(history, 0)
    }

    fn stillborn_factory(history: &History, stillborn: u32) -> impl Fn() -> Clerk + Send + 'static {
        let history = history.clone();
        let lives = AtomicU32::new(0);
        move || Clerk {
            history: history.clone(),
            life: lives.fetch_add(1, Ordering::Relaxed) + 1,
            stillborn,
            wakes_again: 0,
        }
    }

    fn answer(&self, reply: Option<Reply<u32>>) {
        if let Some(reply) = reply {
            reply.send(self.life);
        }
    }

    async fn work(&self, job: Job) -> Result<(), Failure> {
        match job {
            Job::Note(number, reply) => {
                self.history.note(number.to_string());
                self.answer(reply);
            }
            Job::Work(number, duration, reply) => {
                tokio::time::sleep(duration).await;
                self.history.note(number.to_string());
                self.answer(reply);
            }
            Job::Panic(number, _reply) => panic!("spilt ink on {number}"),
            Job::AnswerAndPanic(number, reply) => {
                self.answer(Some(reply));
                panic!("spilt ink after {number}");
            }
            Job::Fail(_reply) => return Err("out of ink".into()),
            Job::Swallow(reply) => drop(reply),
            Job::Block(number, duration, reply) => {
                std::thread::sleep(duration);
                self.history.note(number.to_string());
                self.answer(reply);
            }
            Job::Until(number, lets_go) => {
                // An error means that the test has ended.
                let _ = lets_go.recv();
                self.history.note(number.to_string());
            }
        }
        Ok(())
    }
}

impl Actor for Clerk {
    type Message = Job;

    async fn started(&mut self, ctx: &Context) -> Result<(), Failure> {
        // Several turns, so that the observed order of starts is no coincidence.
        tokio::time::sleep(Duration::from_millis(3)).await;
        if self.life <= self.stillborn {
            return Err("still asleep".into());
        }
        self.history.note(format!("{} starts", ctx.name()));
        Ok(())
    }

    async fn handle(&mut self, batch: Vec<Job>, _ctx: &Context) -> Result<(), Failure> {
        if batch.len() > 1 {
            self.history.note(format!("batch of {}", batch.len()));
        }
        for job in batch {
            self.work(job).await?;
        }
        Ok(())
    }

    async fn wake(&mut self, ctx: &Context) -> Result<Wake, Failure> {
        self.history.note(format!("{} wakes", ctx.name()));
        if self.wakes_again == 0 {
            return Ok(Wake::Idle);
        }
        self.wakes_again -= 1;
        Ok(Wake::Again)
    }

    async fn stopping(&mut self, ctx: &Context) {
        self.history.note(format!("{} stops", ctx.name()));
    }
}

/// Runs a test on one thread, where local tasks can be spawned.
async fn local<T>(story: impl Future<Output = T>) -> T {
    LocalSet::new().run_until(story).await
}

/// Waits for a condition, in virtual or in real time.
async fn until(mut condition: impl FnMut() -> bool) {
    let patience = tokio::time::timeout(Duration::from_secs(60), async {
        while !condition() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    });
    patience.await.expect("the condition holds within a minute");
}

/// Lets everything that can run now run.
async fn settle() {
    for _ in 0..50 {
        tokio::task::yield_now().await;
    }
}

fn simulated() -> Environment {
    let environment = Environment::simulated(1, 1_700_000_000_000);
    environment.faults.enable();
    environment
}

/// An intensity that never escalates.
fn patient() -> Intensity {
    Intensity { restarts: 1_000, within: Duration::from_secs(1) }
}

/// One clerk under one supervisor.
async fn hire(options: Options, environment: &Environment) -> (Handle<Clerk>, History, Running) {
    let history = History::default();
    let mut office = Supervisor::new("office", Strategy::OneForOne, patient(), environment);
    let clerk = office.actor(options, Clerk::factory(&history));
    let running = office.start().await;
    history.clear();
    (clerk, history, running)
}

/// The names of a tree's actors, in order of start.
fn names(running: &Running) -> Vec<String> {
    fn collect(node: &TreeNode, names: &mut Vec<String>) {
        match node {
            TreeNode::Actor { name, .. } => names.push(name.clone()),
            TreeNode::Supervisor { children, .. } => children.iter().for_each(|child| collect(child, names)),
        }
    }
    let mut names = Vec::new();
    collect(&running.snapshot(), &mut names);
    names
}

/// The state of a supervisor below the root.
fn state_of(running: &Running, supervisor: &str) -> State {
    let TreeNode::Supervisor { children, .. } = running.snapshot() else { panic!("the root is no supervisor") };
    let state = children.iter().find_map(|child| match child {
        TreeNode::Supervisor { name, state, .. } if name == supervisor => Some(*state),
        _ => None,
    });
    state.expect("the supervisor is a child of the root")
}

fn note(number: u128) -> impl FnOnce(Reply<u32>) -> Job {
    move |reply| Job::Note(number, Some(reply))
}

fn work(number: u128, ms: u64) -> impl FnOnce(Reply<u32>) -> Job {
    move |reply| Job::Work(number, Duration::from_millis(ms), Some(reply))
}

fn poison(number: u128) -> impl FnOnce(Reply<u32>) -> Job {
    move |reply| Job::Panic(number, Some(reply))
}
