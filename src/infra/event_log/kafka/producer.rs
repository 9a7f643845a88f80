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
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::KafkaError;
use rdkafka::producer::future_producer::DeliveryFuture;
use rdkafka::producer::{FutureProducer, FutureRecord, Producer as _, PurgeConfig};
use rdkafka::types::RDKafkaErrorCode;
use rdkafka::{ClientConfig, ClientContext};
use tokio::sync::Notify;

use super::client_log;
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
    producer: FutureProducer<Watch>,
    /// Tells those who wait when no broker can be reached.
    outages: Arc<Notify>,
    /// Nothing enters a producer that was given up: it would arrive without what was taken out before it.
    is_closed: RwLock<bool>,
}

/// The context of a producer: it says what librdkafka says, and wakes those who wait in vain. A wait without a broker
/// must be short, or so few appends fail in a breaker's window that it never opens.
struct Watch {
    outages: Arc<Notify>,
}

impl ClientContext for Watch {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        client_log::log(level, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        client_log::report(&error, reason);
        if error.rdkafka_error_code() == Some(RDKafkaErrorCode::AllBrokersDown) {
            // It comes again with every attempt to connect, so that nobody needs to be told of an earlier one.
            self.outages.notify_waiters();
        }
    }
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
        let failed = tokio::select! {
            biased;
            appended = generation.append(&records) => match appended {
                Ok(()) => return Ok(()),
                Err(error) => error.to_string(),
            },
            () = generation.outages.notified() => "no broker can be reached".to_owned(),
            () = tokio::time::sleep(self.timeout) => format!("not acknowledged within {:?}", self.timeout),
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
        let outages = Arc::<Notify>::default();
        let producer = config.create_with_context(Watch { outages: outages.clone() })?;
        Ok(Self { producer, outages, is_closed: RwLock::new(false) })
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
