//! The topics of this system on the cluster: their names there, and their creation and checks.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::future::select_ok;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::Client;
use rdkafka::error::KafkaError;
use rdkafka::types::RDKafkaErrorCode;

use super::client_log::ClientLog;
use super::settings::Settings;
use crate::domain::identity::FoundCompanion;
use crate::infra::event_log::EventLogError;
use crate::infra::waits::{Wait, look_for, wait_for};

/// How long to wait before asking again for what is not there yet.
const RETRY_AFTER: Duration = Duration::from_millis(200);

/// Why the log could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error("Kafka client: {0}")]
    Client(#[from] KafkaError),
    #[error("Kafka at {brokers} is not ready after {waited:?}: {reason}")]
    NotReady { brokers: String, waited: Duration, reason: String },
    #[error("topic {topic} cannot be created: {reason}")]
    Create { topic: String, reason: String },
    /// Keys would move to other partitions and lose their order.
    #[error("topic {topic} has {found} partitions and cannot be given {wanted}")]
    PartitionsChanged { topic: String, found: usize, wanted: u32 },
}

impl Settings {
    fn wait(&self) -> Wait {
        wait_for(format_args!("Kafka at {}", self.brokers))
    }

    /// Why no broker can be reached; none if one can. A client says no more than that there was no answer, and that
    /// late.
    async fn look_for_brokers(&self, wait: &Wait) -> Option<String> {
        let connect = |broker: &str| {
            let broker = broker.trim().to_owned();
            Box::pin(async move { look_for(&broker).await.map_err(|why| format!("{broker}: {why}")) })
        };
        // The first that can be reached ends it, so that nobody waits for one that cannot.
        let why = select_ok(self.brokers.split(',').map(connect)).await.err()?;
        wait.because(&why);
        Some(why)
    }

    /// Gives up on brokers that have been waited for long enough.
    fn not_ready(&self, started: Instant, wait: &Wait, reason: String) -> Result<(), OpenError> {
        wait.because(&reason);
        let (brokers, waited) = (self.brokers.clone(), started.elapsed());
        if waited < self.open_timeout { Ok(()) } else { Err(OpenError::NotReady { brokers, waited, reason }) }
    }
}

/// The topics that this process knows, by Rialto's names.
#[derive(Debug, Clone)]
pub(super) struct Topics(Arc<BTreeMap<&'static str, u32>>);

impl Topics {
    pub(super) fn new(topics: &[(&'static str, u32)]) -> Self {
        Self(Arc::new(topics.iter().copied().collect()))
    }

    /// Rialto's own copy of a topic's name, and its number of partitions.
    pub(super) fn find(&self, name: &str) -> Result<(&'static str, u32), EventLogError> {
        let found = self.0.get_key_value(name).map(|(name, partitions)| (*name, *partitions));
        found.ok_or_else(|| EventLogError::UnknownTopic(name.to_owned()))
    }

    /// A topic's name, if it has the partition.
    pub(super) fn find_partition(&self, topic: &str, partition: u32) -> Result<&'static str, EventLogError> {
        let (topic, partitions) = self.find(topic)?;
        let unknown = || EventLogError::UnknownPartition { topic: topic.to_owned(), partition };
        (partition < partitions).then_some(topic).ok_or_else(unknown)
    }

    /// Which cluster this is, whether any of these topics is there, and whether anything was ever appended to them.
    /// Creates nothing; waits for brokers that are down.
    pub(super) async fn look(&self, settings: &Settings) -> Result<FoundCompanion, OpenError> {
        let admin: Arc<AdminClient<ClientLog>> = Arc::new(settings.client().create_with_context(ClientLog)?);
        let (started, wait) = (Instant::now(), settings.wait());
        loop {
            let (topics, admin, asked) = (self.clone(), admin.clone(), settings.clone());
            let look = move || topics.look_once(admin.inner(), &asked);
            let (found, why) = tokio::join!(tokio::task::spawn_blocking(look), settings.look_for_brokers(&wait));
            let reason = match found.unwrap_or(Err(KafkaError::Canceled)) {
                Ok(Some(found)) => return Ok(found),
                Ok(None) => "the cluster does not say its id".to_owned(),
                Err(error) => why.unwrap_or_else(|| error.to_string()),
            };
            settings.not_ready(started, &wait, reason)?;
            tokio::time::sleep(RETRY_AFTER).await;
        }
    }

    fn look_once(&self, client: &Client<ClientLog>, settings: &Settings) -> Result<Option<FoundCompanion>, KafkaError> {
        let timeout = settings.request_timeout;
        let metadata = client.fetch_metadata(None, timeout)?;
        let Some(cluster) = client.fetch_cluster_id(timeout) else { return Ok(None) };
        let ours = self.0.keys().filter_map(|name| {
            let wire = settings.wire_name(name);
            metadata.topics().iter().find(|topic| topic.name() == wire)
        });
        let partitions =
            ours.flat_map(|topic| topic.partitions().iter().map(|partition| (topic.name(), partition.id())));
        let (mut is_used, mut holds_data) = (false, false);
        for (topic, partition) in partitions {
            is_used = true;
            let (_, end) = client.fetch_watermarks(topic, partition, timeout)?;
            if end > 0 {
                holds_data = true;
                break;
            }
        }
        let name = Some(format!("topics {}* on the Kafka cluster {cluster}", settings.topic_prefix));
        Ok(Some(FoundCompanion { name, system: None, is_used, holds_data, is_file: false }))
    }

    /// Creates the topics that are missing and waits until all can be used.
    pub(super) async fn ensure(&self, settings: &Settings) -> Result<(), OpenError> {
        let admin: Arc<AdminClient<ClientLog>> = Arc::new(settings.client().create_with_context(ClientLog)?);
        let (started, wait) = (Instant::now(), settings.wait());
        loop {
            let (missing, why) = tokio::join!(self.missing(&admin, settings), settings.look_for_brokers(&wait));
            let reason = match missing? {
                Ok(missing) if missing.is_empty() => return Ok(()),
                Ok(missing) => self.create(&admin, &missing, settings).await?,
                Err(error) => why.unwrap_or_else(|| error.to_string()),
            };
            settings.not_ready(started, &wait, reason)?;
            tokio::time::sleep(RETRY_AFTER).await;
        }
    }

    /// The topics that cannot be used yet. The inner error is that of a broker that did not answer.
    async fn missing(
        &self,
        admin: &Arc<AdminClient<ClientLog>>,
        settings: &Settings,
    ) -> Result<Result<Vec<&'static str>, KafkaError>, OpenError> {
        let (admin, timeout) = (admin.clone(), settings.request_timeout);
        let look = move || admin.inner().fetch_metadata(None, timeout);
        let metadata = match tokio::task::spawn_blocking(look).await {
            Ok(Ok(metadata)) => metadata,
            Ok(Err(error)) => return Ok(Err(error)),
            Err(_) => return Ok(Err(KafkaError::Canceled)),
        };
        let mut missing = Vec::new();
        for (&name, &wanted) in self.0.iter() {
            let wire = settings.wire_name(name);
            let topic = metadata.topics().iter().find(|topic| topic.name() == wire);
            let partitions = topic.map(|topic| topic.partitions()).unwrap_or_default();
            if partitions.is_empty() || partitions.iter().any(|partition| partition.leader() < 0) {
                missing.push(name);
            } else if usize::try_from(wanted) != Ok(partitions.len()) {
                return Err(OpenError::PartitionsChanged { topic: wire, found: partitions.len(), wanted });
            }
        }
        Ok(Ok(missing))
    }

    /// Creates topics, unless another process has created them meanwhile. Returns what they still wait for.
    async fn create(
        &self,
        admin: &AdminClient<ClientLog>,
        missing: &[&'static str],
        settings: &Settings,
    ) -> Result<String, OpenError> {
        let names: Vec<String> = missing.iter().map(|name| settings.wire_name(name)).collect();
        let wanted = missing.iter().zip(&names).map(|(topic, wire)| {
            let partitions = i32::try_from(self.0[topic]).unwrap_or(i32::MAX);
            // The audit reads a log from its first event, so retention is unlimited; operators may limit it on the
            // broker.
            NewTopic::new(wire, partitions, TopicReplication::Fixed(settings.replication_factor))
                .set("retention.ms", "-1")
        });
        let wanted: Vec<NewTopic<'_>> = wanted.collect();
        let options = AdminOptions::new().operation_timeout(Some(settings.request_timeout));
        match admin.create_topics(&wanted, &options).await {
            Err(error) => Ok(error.to_string()),
            Ok(results) => {
                let mut waits_for = format!("topics without a leader: {}", names.join(", "));
                for result in results {
                    match result {
                        Ok(topic) => tracing::info!(topic, "topic created"),
                        Err((_, RDKafkaErrorCode::TopicAlreadyExists)) => {}
                        Err((topic, code)) if passes(code) => waits_for = format!("topic {topic}: {code}"),
                        Err((topic, code)) => return Err(OpenError::Create { topic, reason: code.to_string() }),
                    }
                }
                Ok(waits_for)
            }
        }
    }
}

/// Whether a cluster that is starting, or has brokers on their way back, may say otherwise in a moment. It has too few
/// brokers for the replication factor as long as the others have not registered.
fn passes(code: RDKafkaErrorCode) -> bool {
    use RDKafkaErrorCode::*;
    matches!(
        code,
        RequestTimedOut
            | InvalidReplicationFactor
            | NotController
            | BrokerNotAvailable
            | NetworkException
            | CoordinatorLoadInProgress
            | ThrottlingQuotaExceeded
            | KafkaStorageError
    )
}
