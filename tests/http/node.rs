//! A node of a test's own, and how a test speaks to it. Every answer is held to the document.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use actix_web::dev::Service as _;
use actix_web::http::Method;
use actix_web::http::header::{CONTENT_LENGTH, HeaderName, HeaderValue};
use actix_web::test::{TestRequest, init_service};
use futures_util::future::LocalBoxFuture;
use serde_json::{Value, json};

pub use super::common::{Answer, Payment, eventually, new_key, order};
use super::common::{actors_of, assert_booked_both_ways, assert_one_payment, assert_tells_the_whole_life};

use super::document::Document;
use super::event_log::NudgingLog;
use super::psp::WitnessedPsp;
use crate::config::{Config, Roles};
use crate::http::{BodyLimits, ServedNames, Service};
use crate::infra::cache::limits::MemoryLimits;
use crate::infra::cache::memory::MemoryAnswers;
use crate::infra::psp::simulator::Simulator;
use crate::infra::testing::NoFaults;
use crate::node::simulated::build;
use crate::runtime::{Environment, Running};
use crate::simulation::check::discrepancies;
use crate::simulation::store::Store;

/// 2026-11-24T00:00:00Z.
const START_MS: i64 = 1_795_478_400_000;

/// See the module.
pub struct TestNode {
    pub psp: Arc<WitnessedPsp>,
    pub store: Store,
    config: Config,
    environment: Environment,
    process: RefCell<Process>,
}

type Respond = dyn Fn(TestRequest, Length) -> LocalBoxFuture<'static, Answer>;

/// What ends with a process.
struct Process {
    respond: Rc<Respond>,
    running: Arc<Running>,
}

impl TestNode {
    pub async fn start() -> Self {
        Self::start_with(&[]).await
    }

    /// With settings, by their names in the environment without the prefix: `("SHARD__MAX_BATCH", "1")`.
    pub async fn start_with(settings: &[(&str, &str)]) -> Self {
        tokio::time::pause();
        let variables = settings.iter().map(|(name, value)| (format!("RIALTO__{name}"), value.to_string()));
        let mut config = Config::of(&variables.collect::<BTreeMap<_, _>>()).unwrap();
        // Those who measure read more than there is in memory.
        config.telemetry.metrics = false;
        let environment = Environment::simulated(7, START_MS);
        let (clock, chance) = (environment.clock.clone(), environment.chance.clone());
        let psp = WitnessedPsp::new(Simulator::in_memory(config.psp.simulator.clone(), clock, chance).unwrap());
        let store = Store::new(&config);
        let process = RefCell::new(Process::start(&config, &environment, &store, &psp).await);
        Self { psp, store, config, environment, process }
    }

    /// Another process, whose memory is empty, on the same data.
    pub async fn restart(&self) {
        let running = self.process.borrow().running.clone();
        running.stop(Duration::from_secs(1)).await;
        let next = Process::start(&self.config, &self.environment, &self.store, &self.psp).await;
        *self.process.borrow_mut() = next;
    }

    pub fn request(&self, method: Method, path: &str) -> Request<'_> {
        let request = TestRequest::default().method(method.clone()).uri(path);
        Request { node: self, request, length: Length::Real, method, path: path.to_owned() }
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.request(Method::GET, path).send().await
    }

    pub async fn post(&self, path: &str, body: &Value) -> Answer {
        self.request(Method::POST, path).json(body).send().await
    }

    pub async fn put(&self, path: &str, body: &Value) -> Answer {
        self.request(Method::PUT, path).json(body).send().await
    }

    /// A body as it is, with a content type.
    pub async fn post_raw(&self, path: &str, content_type: &str, body: impl Into<Vec<u8>>) -> Answer {
        self.request(Method::POST, path).header("content-type", content_type).body(body).send().await
    }

    /// What the node says of its calls: every node says the same, so it is asked once.
    pub async fn document(&self) -> &'static Document {
        static DOCUMENT: OnceLock<Document> = OnceLock::new();
        if let Some(document) = DOCUMENT.get() {
            return document;
        }
        let answer = self.request(Method::GET, "/openapi.json").send_unchecked().await.expect(200);
        DOCUMENT.get_or_init(|| Document::of(&answer))
    }

    /// Waits until tables, event log and the PSP's books fit together and nothing is under way.
    pub async fn audit(&self) {
        let what = async || discrepancies(&self.store, &self.psp.decided().await);
        for _ in 0..600 {
            if what().await.is_empty() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        assert_eq!(what().await, Vec::<String>::new());
    }
}

verbs!(TestNode);
stories!(TestNode);

impl Process {
    async fn start(config: &Config, environment: &Environment, store: &Store, psp: &Arc<WitnessedPsp>) -> Self {
        let answers = Arc::new(MemoryAnswers::new(config.idempotency.cache_max_bytes));
        let limits = Arc::new(MemoryLimits::default());
        let mut adapters = store.adapters(config, &Arc::new(NoFaults), psp.clone(), answers, limits);
        adapters.log = adapters.log.map(NudgingLog::over);
        // A process has clock and chance of the test, and dead letters and faults of its own.
        let Environment { clock, chance, placement, .. } = environment.clone();
        let environment = Environment::new(clock, chance, placement);
        if config.faults.enabled {
            environment.faults.enable();
        }
        let (app, running) = build(&environment, config, Roles::all(), adapters).await.expect("the tree starts");
        let (bytes, within) = (config.http.body_max_bytes, Duration::from_millis(config.http.body_timeout_ms));
        let service = Service::new(
            app,
            prometheus::Registry::new(),
            BodyLimits { bytes, within },
            ServedNames::of(&config.http.names),
        );
        let application = Rc::new(init_service(service.application()).await);
        let respond = move |request: TestRequest, length| -> LocalBoxFuture<'static, Answer> {
            let application = application.clone();
            let mut request = request.to_request();
            match length {
                Length::Real => {}
                Length::Untold => drop(request.headers_mut().remove(CONTENT_LENGTH)),
                Length::Claimed(length) => drop(request.headers_mut().insert(CONTENT_LENGTH, length.into())),
            }
            Box::pin(async move {
                match application.call(request).await {
                    Ok(response) => answer(response.into_parts().1).await,
                    // What the server's dispatcher makes of an error.
                    Err(error) => answer(error.error_response()).await,
                }
            })
        };
        Self { respond: Rc::new(respond), running }
    }
}

async fn answer(response: actix_web::HttpResponse<impl actix_web::body::MessageBody>) -> Answer {
    let status = response.status().as_u16();
    let header = |(name, value): (&HeaderName, &HeaderValue)| (name.to_string(), value.to_str().unwrap().to_owned());
    let headers = response.headers().iter().map(header).collect();
    let Ok(bytes) = actix_web::body::to_bytes(response.into_body()).await else { panic!("the body has no end") };
    Answer { status, headers, text: String::from_utf8_lossy(&bytes).into_owned() }
}

/// What a request says of its body's length.
#[derive(Clone, Copy)]
enum Length {
    Real,
    Untold,
    Claimed(u64),
}

/// A request, made piece by piece.
pub struct Request<'a> {
    node: &'a TestNode,
    request: TestRequest,
    length: Length,
    method: Method,
    path: String,
}

impl Request<'_> {
    /// One header more: what was there of this name stays.
    pub fn header(mut self, name: &str, value: impl AsRef<str>) -> Self {
        let value = HeaderValue::from_bytes(value.as_ref().as_bytes()).unwrap();
        self.request = self.request.append_header((name, value));
        self
    }

    pub fn json(self, body: &Value) -> Self {
        self.header("content-type", "application/json").body(body.to_string())
    }

    pub fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.request = self.request.set_payload(body.into());
        self
    }

    /// As in chunks, of which nobody says how many there are.
    pub fn without_length(self) -> Self {
        Self { length: Length::Untold, ..self }
    }

    /// Announces a body of another length than it has.
    pub fn claiming(self, length: u64) -> Self {
        Self { length: Length::Claimed(length), ..self }
    }

    pub async fn send(self) -> Answer {
        let (node, method, path) = (self.node, self.method.clone(), self.path.clone());
        let answer = self.send_unchecked().await;
        node.document().await.check(&method, &path, &answer);
        answer
    }

    async fn send_unchecked(self) -> Answer {
        let respond = self.node.process.borrow().respond.clone();
        respond(self.request, self.length).await
    }
}
