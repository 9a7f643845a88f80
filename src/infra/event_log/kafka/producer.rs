//! Appends records so that those of one partition lie in order, whatever fails on the way.
//!
//! When an append fails, some of its records may be in the log, some on their way and some not. The producer is then
//! given up with all that it holds, and a fresh one takes its place: no record can arrive from the old one behind the
//! caller's back while an earlier one is lost, since an idempotent producer's records arrive as an unbroken beginning of
//! what it was given. Appending the same records again may leave some of them twice, never in another order of their
//! first arrivals.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::try_join_all;
use parking_lot::RwLock;
use rdkafka::ClientConfig;
use rdkafka::error::KafkaError;
use rdkafka::producer::future_producer::DeliveryFuture;
use rdkafka::producer::{FutureProducer, FutureRecord, Producer as _, PurgeConfig};
use rdkafka::types::RDKafkaErrorCode;

use super::client_log::ClientLog;
use super::message::headers;
use super::settings::Settings;
use crate::infra::event_log::{EventLogError, Record};

/// How long to wait for room in a full queue.
const ROOM_AFTER: Duration = Duration::from_millis(10);

/// A record and where it goes.
pub(super) struct Placed {
    pub wire_topic: String,
    pub partition: i32,
    pub record: Record,
}

pub(super) struct Producer {
    config: ClientConfig,
    timeout: Duration,
    current: RwLock<Arc<Generation>>,
}

/// One librdkafka producer.
struct Generation {
    producer: FutureProducer<ClientLog>,
    /// Nothing enters a producer that was given up: it would arrive without what was taken out before it.
    is_closed: RwLock<bool>,
}

impl Producer {
    pub(super) fn new(settings: &Settings) -> Result<Self, KafkaError> {
        let config = settings.producer();
        let current = RwLock::new(Arc::new(Generation::new(&config)?));
        Ok(Self { config, timeout: settings.append_timeout, current })
    }

    /// Returns when all records are durable, or when it is not known of all.
    pub(super) async fn append(&self, records: Vec<Placed>) -> Result<(), EventLogError> {
        let generation = self.current.read().clone();
        let failed = match tokio::time::timeout(self.timeout, generation.append(&records)).await {
            Ok(Ok(())) => return Ok(()),
            Ok(Err(error)) => error.to_string(),
            Err(_) => format!("not acknowledged within {:?}", self.timeout),
        };
        self.replace(generation);
        Err(EventLogError::Unavailable(failed))
    }

    fn replace(&self, failed: Arc<Generation>) {
        failed.close();
        let mut current = self.current.write();
        if Arc::ptr_eq(&current, &failed) {
            match Generation::new(&self.config) {
                Ok(fresh) => *current = Arc::new(fresh),
                // The next append fails at once and tries again.
                Err(error) => tracing::error!(%error, "no new Kafka producer"),
            }
        }
        drop(current);
        // The last owner waits for librdkafka's threads.
        tokio::task::spawn_blocking(move || drop(failed));
    }
}

impl Generation {
    fn new(config: &ClientConfig) -> Result<Self, KafkaError> {
        Ok(Self { producer: config.create_with_context(ClientLog)?, is_closed: RwLock::new(false) })
    }

    async fn append(&self, records: &[Placed]) -> Result<(), KafkaError> {
        let mut acknowledgements = Vec::with_capacity(records.len());
        for placed in records {
            acknowledgements.push(self.enqueue(placed).await?);
        }
        try_join_all(acknowledgements.into_iter().map(acknowledged)).await.map(drop)
    }

    async fn enqueue(&self, placed: &Placed) -> Result<DeliveryFuture, KafkaError> {
        loop {
            match self.try_enqueue(placed) {
                Err(KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull)) => {
                    tokio::time::sleep(ROOM_AFTER).await;
                }
                outcome => return outcome,
            }
        }
    }

    fn try_enqueue(&self, placed: &Placed) -> Result<DeliveryFuture, KafkaError> {
        let is_closed = self.is_closed.read();
        if *is_closed {
            return Err(KafkaError::MessageProduction(RDKafkaErrorCode::PurgeQueue));
        }
        let message = FutureRecord::to(&placed.wire_topic)
            .partition(placed.partition)
            .key(&placed.record.key)
            .payload(&placed.record.payload)
            .headers(headers(&placed.record));
        self.producer.send_result(message).map_err(|(error, _)| error)
    }

    /// Takes out all that is not acknowledged; who waits for it is told.
    fn close(&self) {
        *self.is_closed.write() = true;
        self.producer.purge(PurgeConfig::default().queue().inflight());
    }
}

/// Waits until a record is durable.
async fn acknowledged(acknowledgement: DeliveryFuture) -> Result<(), KafkaError> {
    match acknowledgement.await {
        Ok(Ok(_)) => Ok(()),
        Ok(Err((error, _))) => Err(error),
        Err(_) => Err(KafkaError::Canceled),
    }
}
