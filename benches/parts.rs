//! What single parts cost, each alone: `cargo bench`, or `scripts/bench` for all results in one table.
//! With `RIALTO_BENCH_MARIADB=mysql://...` (an empty database of its own) the group commit is measured there too.

use std::hint::black_box;
use std::num::NonZeroU32;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use criterion::async_executor::AsyncExecutor;
use criterion::{BatchSize, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use futures_util::future::join_all;
use rialto::actors::breaker::{self, Breaker, CallOutcome, guarded};
use rialto::actors::idempotency_cache::{self, CachedAnswer, IdempotencyCache};
use rialto::actors::outage::Outages;
use rialto::actors::rate_limiter::{self, LimiterMessage, RateLimiter, RateLimits};
use rialto::actors::shard_writer::{self, ShardWriter};
use rialto::config::{Config, Roles};
use rialto::domain::command::Command;
use rialto::domain::commands::Authorize;
use rialto::domain::key::{Fingerprint, KeyHash, KeyedRequest, PaymentOperation};
use rialto::domain::outcome::{PaymentOutcome, PaymentSnapshot, StoredResponse};
use rialto::domain::payment::CaptureMode;
use rialto::domain::policy::Policy;
use rialto::domain::unit_of_work::UnitOfWork;
use rialto::domain::{Currency, IdGenerator, Money, PaymentId, ShardId, Timestamp, TraceContext};
use rialto::flows::{AuthorizeRequest, Call, Priority};
use rialto::infra::cache::LimitedAction;
use rialto::infra::cache::limits::MemoryLimits;
use rialto::infra::cache::memory::MemoryAnswers;
use rialto::infra::database::ShardDatabase;
use rialto::infra::telemetry;
use rialto::node::{Accept, Node, Start};
use rialto::runtime::{
    Actor, Clock, Context, Environment, Failure, Handle, Intensity, Message, Nudger, Options, Reply, Running, Strategy,
    Supervisor,
};

/// An actix system that criterion can drive.
struct System(actix_rt::SystemRunner);

impl AsyncExecutor for &System {
    fn block_on<T>(&self, future: impl Future<Output = T>) -> T {
        self.0.block_on(future)
    }
}

/// Starts one actor alone. It stops with the returned value.
fn start<A: Actor>(system: &System, options: Options, make: impl Fn() -> A + Send + 'static) -> (Handle<A>, Running) {
    let environment = Environment::service();
    let mut root = Supervisor::new("bench", Strategy::OneForOne, Intensity::default(), &environment);
    let handle = root.actor(options, make);
    (handle, system.0.block_on(root.start()))
}

fn stop(system: &System, running: &Running) {
    system.0.block_on(running.stop(Duration::from_secs(5)));
}

struct Echo;
struct Said(Option<Reply<u64>>);

impl Message for Said {
    fn kind(&self) -> &'static str {
        "said"
    }
}

impl Actor for Echo {
    type Message = Said;

    async fn handle(&mut self, batch: Vec<Said>, _: &Context) -> Result<(), Failure> {
        for Said(reply) in batch {
            if let Some(reply) = reply {
                reply.send(1);
            }
        }
        Ok(())
    }
}

const TOGETHER: usize = 256;

fn actors(c: &mut Criterion, system: &System, name: &str) {
    let mut group = c.benchmark_group(name);
    let (echo, running) = start(system, Options::new("echo").capacity(4_096).max_batch(TOGETHER), || Echo);
    group.throughput(Throughput::Elements(1));
    group.bench_function("ask, one at a time", |b| b.to_async(system).iter(|| echo.ask(|reply| Said(Some(reply)))));
    group.throughput(Throughput::Elements(TOGETHER as u64));
    group.bench_function("ask, 256 together", |b| {
        b.to_async(system).iter(|| join_all((0..TOGETHER).map(|_| echo.ask(|reply| Said(Some(reply))))));
    });
    group.bench_function("tell, 255 and an ask", |b| {
        b.to_async(system).iter(|| {
            (1..TOGETHER).for_each(|_| echo.tell(Said(None)).expect("there is room for all of them"));
            echo.ask(|reply| Said(Some(reply)))
        });
    });
    group.finish();
    stop(system, &running);
}

fn guards(c: &mut Criterion, system: &System) {
    let mut group = c.benchmark_group("guards");
    group.throughput(Throughput::Elements(TOGETHER as u64));

    let (breaker, running) = start(system, breaker::options("breaker"), || {
        Breaker::new("psp", breaker::Settings::default(), breaker::Forces::default())
    });
    let clock = Clock::system();
    group.bench_function("breaker: permit and report, 256 together", |b| {
        let call = || guarded(&breaker, &clock, async { Ok::<_, ()>(()) }, CallOutcome::of);
        b.to_async(system).iter(|| join_all((0..TOGETHER).map(|_| call())));
    });
    stop(system, &running);

    let memory = Arc::new(MemoryLimits::default());
    let (limiter, running) = start(system, rate_limiter::options(), move || {
        let limits = RateLimits {
            authorize_per_minute: NonZeroU32::MAX,
            capture_per_minute: NonZeroU32::MAX,
            refund_per_minute: NonZeroU32::MAX,
        };
        RateLimiter::new(memory.clone(), memory.clone(), limits, NonZeroU32::MIN, Outages::default())
    });
    let merchant: Arc<str> = "MERCHANT-1".into();
    group.bench_function("rate limit: a decision, 256 together", |b| {
        let action = LimitedAction::Authorize;
        let take = |reply| LimiterMessage::Take { merchant: merchant.clone(), action, reply };
        b.to_async(system).iter(|| join_all((0..TOGETHER).map(|_| limiter.ask(take))));
    });
    stop(system, &running);

    let answers = Arc::new(MemoryAnswers::new(32 * 1024 * 1024));
    let (cache, running) =
        start(system, idempotency_cache::options(), move || IdempotencyCache::new(answers.clone(), Outages::default()));
    let order = order();
    let scope = order.keyed_request.key_hash;
    let payment = PaymentSnapshot::from(&order.payment(&Policy::default(), Timestamp(0)));
    let recorded = StoredResponse {
        outcome: PaymentOutcome::Pending { payment },
        request_id: "req_1".to_owned(),
        kept_until: Some(Timestamp(1)),
    };
    let answer = CachedAnswer { fingerprint: order.keyed_request.fingerprint, recorded };
    idempotency_cache::keep(&cache, scope, &answer);
    group.bench_function("idempotency: a hit, 256 together", |b| {
        b.to_async(system).iter(|| join_all((0..TOGETHER).map(|_| idempotency_cache::find(&cache, scope))));
    });
    stop(system, &running);
    group.finish();
}

/// A new authorization, under a new key.
fn order() -> Authorize {
    static LAST: AtomicI64 = AtomicI64::new(0);
    let number = LAST.fetch_add(1, Ordering::Relaxed) + 1;
    let key = format!("key-{number}");
    let currency = Currency::parse("KRW").expect("KRW is a currency");
    Authorize {
        payment_id: PaymentId::from_stored(number),
        merchant_id: "MERCHANT-1".to_owned(),
        money: Money::new(100, currency),
        capture_mode: CaptureMode::Manual,
        merchant_reference: None,
        description: None,
        metadata: Default::default(),
        keyed_request: KeyedRequest {
            key_hash: KeyHash::new("MERCHANT-1", PaymentOperation::Authorize, None, &key),
            fingerprint: Fingerprint::of([("amount", "100")]),
            key,
            operation: PaymentOperation::Authorize,
        },
        trace: TraceContext { trace_id: 1, span_id: 1, sampled: false },
    }
}

fn decide(c: &mut Criterion) {
    let mut group = c.benchmark_group("domain");
    group.throughput(Throughput::Elements(1));
    let (policy, mut ids) = (Policy::default(), IdGenerator::new(0));
    group.bench_function("decide: authorize", |b| {
        b.iter_batched(
            order,
            |order| {
                let mut unit = UnitOfWork::new(Timestamp(1), &policy, &mut ids);
                black_box(order.decide(&mut unit));
                black_box(unit.payments.get(&order.payment_id).is_some())
            },
            BatchSize::SmallInput,
        );
    });
    group.finish();
}

fn group_commit(c: &mut Criterion, system: &System, name: &str, database: &ShardDatabase) {
    let database = database.clone();
    let (writer, running) = start(system, Options::new("shard_writer").max_batch(400), move || {
        let (policy, ids) = (Arc::new(Policy::default()), IdGenerator::new(0));
        ShardWriter::new(database.clone(), policy, ids, Nudger::from_fn(|| {}))
    });
    let mut group = c.benchmark_group(name);
    group.sample_size(20);
    for together in [1_usize, 16, 64, 256, 400] {
        group.throughput(Throughput::Elements(together as u64));
        group.bench_function(BenchmarkId::new("intents committed together", together), |b| {
            b.to_async(system).iter(|| join_all((0..together).map(|_| shard_writer::write(&writer, order()))));
        });
    }
    group.finish();
    stop(system, &running);
}

fn authorize(c: &mut Criterion, system: &System, dir: &Path) {
    let start = Start {
        listen: vec![([127, 0, 0, 1], 0).into()],
        data_dir: dir.to_owned(),
        insecure: false,
        roles: Roles::all(),
        accept: Accept::default(),
    };
    let mut config = Config::default();
    config.limits.authorize_per_minute = NonZeroU32::MAX;
    let node = system.0.block_on(Node::start(&start, &config)).expect("an embedded node starts");
    let mut group = c.benchmark_group("authorize");
    group.sample_size(20);
    for together in [1_usize, 64, TOGETHER] {
        group.throughput(Throughput::Elements(together as u64));
        group.bench_function(BenchmarkId::new("in process, embedded, at once", together), |b| {
            b.to_async(system).iter(|| {
                join_all((0..together).map(|_| {
                    let Authorize {
                        merchant_id,
                        money,
                        capture_mode,
                        merchant_reference,
                        description,
                        metadata,
                        keyed_request,
                        trace,
                        ..
                    } = order();
                    let KeyedRequest { fingerprint, key, .. } = keyed_request;
                    let request = AuthorizeRequest {
                        merchant_id,
                        money,
                        capture_mode,
                        merchant_reference,
                        description,
                        metadata,
                        key,
                        fingerprint,
                    };
                    let app = node.app();
                    async move {
                        let call = Call { request_id: "req_1".to_owned(), trace };
                        let admitted = app.admit(request.bucket(), Priority::New).expect("it is not overloaded");
                        app.authorize(admitted, request, &call).await.result.expect("an embedded node authorizes")
                    }
                }))
            });
        });
    }
    group.finish();
    system.0.block_on(node.stop());
}

fn parts(c: &mut Criterion) {
    let system = &System(actix_rt::System::new());
    let dir = tempfile::tempdir().expect("a temporary directory can be made");
    decide(c);
    // Instruments are no-ops until metrics are exported: the difference of the two is the cost of metering.
    actors(c, system, "actor, not exported");
    let _registry = telemetry::metrics().expect("metrics can be set up");
    actors(c, system, "actor, metered");
    guards(c, system);
    let path = dir.path().join("shard.db");
    let sqlite = system.0.block_on(ShardDatabase::open_sqlite(ShardId(1), &path, true)).expect("SQLite opens");
    group_commit(c, system, "group commit, SQLite", &sqlite);
    if let Ok(url) = std::env::var("RIALTO_BENCH_MARIADB") {
        let opened = system.0.block_on(ShardDatabase::open_mariadb(ShardId(1), &url, true));
        group_commit(c, system, "group commit, MariaDB", &opened.expect("MariaDB opens"));
    }
    authorize(c, system, &dir.path().join("node"));
}

criterion_group!(benches, parts);
criterion_main!(benches);
