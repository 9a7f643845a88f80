//! Appends records so that those of one partition stay in order, whatever fails.
//!
//! When an append fails, some of its records may be in the log, some on their way and some not. The producer is then
//! given up with all that it holds, and a fresh one takes its place: no record of the old one can arrive later while an
//! earlier one is lost, because the records of an idempotent producer arrive as an unbroken beginning of what it was
//! given. Appending the same records again may leave some of them twice, but never changes the order of their first
//! arrivals.
//!
//! A broker that refuses a record (it is too large, its topic is deleted or closed to us) refuses the whole request
//! with it, and the producer cannot be used any more, since it guarantees no gap. The remaining records then go one by
//! one through a producer of another kind, which finds out which records are refused. For a while, records of the
//! refused ones' topics go through it from the start.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::future::join_all;
use futures_util::stream::FuturesUnordered;
use parking_lot::{Mutex, RwLock};
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::KafkaError;
use rdkafka::producer::future_producer::DeliveryFuture;
use rdkafka::producer::{FutureProducer, FutureRecord, Producer as _, PurgeConfig};
use rdkafka::types::RDKafkaErrorCode;
use rdkafka::{ClientConfig, ClientContext};
use tokio::sync::Notify;

use super::client_log;
use super::message::{Placed, headers};
use super::refusal::{Suspects, Waves, is_about_topic, is_refusal};
use super::settings::Settings;
use crate::infra::event_log::{Appended, EventLogError};
use crate::infra::telemetry::repeats::is_first;

/// How long to wait for room in a full queue.
const ROOM_AFTER: Duration = Duration::from_millis(10);

pub(super) struct Producer {
    config: ClientConfig,
    /// Of the producer that takes records one by one.
    careful_config: ClientConfig,
    timeout: Duration,
    current: RwLock<Arc<Generation>>,
    /// Made when it is needed.
    careful: Mutex<Option<Arc<Generation>>>,
    suspects: Suspects,
}

/// One librdkafka producer.
struct Generation {
    producer: FutureProducer<Watch>,
    /// Wakes waiting appends when no broker can be reached.
    outages: Arc<Notify>,
    /// Nothing enters a producer that was given up: it would arrive without the records that were taken out before it.
    is_closed: RwLock<bool>,
}

/// The context of a producer: it passes on librdkafka's messages, and wakes appends that wait in vain. A wait without a
/// broker must be short, or too few appends fail within a breaker's window for it to open.
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
            // It comes again with every attempt to connect, so an earlier one need not be reported.
            self.outages.notify_waiters();
        }
    }
}

impl Producer {
    pub(super) fn new(settings: &Settings) -> Result<Self, KafkaError> {
        let (config, careful_config) = (settings.producer(), settings.careful_producer());
        let current = RwLock::new(Arc::new(Generation::new(&config)?));
        let (timeout, careful) = (settings.append_timeout, Mutex::default());
        Ok(Self { config, careful_config, timeout, current, careful, suspects: Suspects::default() })
    }

    /// Returns when all records are durable or refused, or when the outcome of some is unknown.
    pub(super) async fn append(&self, records: Vec<Placed>) -> Result<Appended, EventLogError> {
        let mut one_by_one = self.suspects.places(&records);
        let together: Vec<usize> = (0..records.len()).filter(|place| !one_by_one.contains(place)).collect();
        if !together.is_empty() {
            one_by_one.extend(self.append_together(&records, &together).await?);
        }
        if one_by_one.is_empty() {
            return Ok(Appended::default());
        }
        self.append_one_by_one(&records, one_by_one).await
    }

    /// Appends the records at these places. Returns the places of those that are to be appended one by one, since some
    /// of them are refused.
    async fn append_together(&self, records: &[Placed], places: &[usize]) -> Result<Vec<usize>, EventLogError> {
        let generation = self.current.read().clone();
        let given: Vec<&Placed> = places.iter().map(|place| &records[*place]).collect();
        let ended = tokio::select! {
            biased;
            ended = generation.append(&given) => Ok(ended),
            failed = self.given_up(&generation) => Err(failed),
        };
        let failed = match ended {
            Ok(ended) if ended.iter().all(Result::is_ok) => return Ok(Vec::new()),
            Ok(ended) => {
                self.replace(generation);
                let refused = |(placed, end): (&&Placed, &Result<(), KafkaError>)| {
                    end.as_ref().is_err_and(is_refusal).then(|| placed.wire_topic.clone())
                };
                let topics: BTreeSet<String> = given.iter().zip(&ended).filter_map(refused).collect();
                let left = places.iter().zip(&ended).filter(|(_, end)| end.is_err()).map(|(place, _)| *place);
                if !topics.is_empty() {
                    topics.into_iter().for_each(|topic| self.suspects.add(topic));
                    return Ok(left.collect());
                }
                ended.into_iter().find_map(Result::err).map_or_else(String::new, |error| error.to_string())
            }
            Err(failed) => {
                self.replace(generation);
                failed
            }
        };
        Err(EventLogError::Unavailable(failed))
    }

    /// Appends the records at these places, each in a request of its own. Of one partition, or one key, only one is in
    /// flight at a time.
    async fn append_one_by_one(&self, records: &[Placed], places: BTreeSet<usize>) -> Result<Appended, EventLogError> {
        let mut waves = Waves::new(records, places);
        while let Some(wave) = waves.next() {
            let given: Vec<&Placed> = wave.iter().map(|place| &records[*place]).collect();
            let generation = self.careful()?;
            let ended = tokio::select! {
                biased;
                ended = generation.append_each(&given) => Ok(ended),
                failed = self.given_up(&generation) => Err(failed),
            };
            let ended = ended.map_err(|failed| self.give_up_careful(&generation, failed))?;
            for (place, end) in wave.into_iter().zip(ended) {
                match end {
                    Ok(()) => {}
                    Err(error) if is_refusal(&error) => {
                        self.suspects.add(records[place].wire_topic.clone());
                        if is_about_topic(&error) {
                            // librdkafka remembers that a topic did not exist: a fresh producer asks again.
                            self.give_up_careful(&generation, String::new());
                        }
                        waves.refuse(place, &error);
                    }
                    Err(error) => return Err(self.give_up_careful(&generation, error.to_string())),
                }
            }
        }
        Ok(waves.appended())
    }

    /// Resolves with the reason when waiting for the producer's records is useless.
    async fn given_up(&self, generation: &Generation) -> String {
        tokio::select! {
            biased;
            () = generation.outages.notified() => "no broker can be reached".to_owned(),
            () = tokio::time::sleep(self.timeout) => format!("not acknowledged within {:?}", self.timeout),
        }
    }

    fn careful(&self) -> Result<Arc<Generation>, EventLogError> {
        let mut careful = self.careful.lock();
        if let Some(careful) = &*careful {
            return Ok(careful.clone());
        }
        let made = Generation::new(&self.careful_config).map_err(|error| EventLogError::Unavailable(error.to_string()));
        Ok(careful.insert(Arc::new(made?)).clone())
    }

    fn give_up_careful(&self, generation: &Arc<Generation>, why: String) -> EventLogError {
        let given_up = self.careful.lock().take_if(|current| Arc::ptr_eq(current, generation));
        if let Some(given_up) = given_up {
            given_up.close();
            tokio::task::spawn_blocking(move || drop(given_up));
        }
        EventLogError::Unavailable(why)
    }

    fn replace(&self, failed: Arc<Generation>) {
        failed.close();
        let mut current = self.current.write();
        if Arc::ptr_eq(&current, &failed) {
            match Generation::new(&self.config) {
                Ok(fresh) => *current = Arc::new(fresh),
                // The next append fails at once and tries again.
                Err(error) => {
                    if is_first("no new Kafka producer", &error) {
                        tracing::error!(%error, "no new Kafka producer");
                    }
                }
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

    /// Collects the result of each record. At the first failure all unacknowledged records are taken out, so that none
    /// passes the failed one.
    async fn append(&self, records: &[&Placed]) -> Vec<Result<(), KafkaError>> {
        let untold = || Err(KafkaError::MessageProduction(RDKafkaErrorCode::PurgeQueue));
        let mut ends: Vec<_> = records.iter().map(|_| untold()).collect();
        let mut acknowledgements = FuturesUnordered::new();
        for (place, placed) in records.iter().enumerate() {
            match self.enqueue(placed).await {
                Ok(acknowledgement) => {
                    acknowledgements.push(async move { (place, acknowledged(acknowledgement).await) })
                }
                Err(error) => {
                    ends[place] = Err(error);
                    self.close();
                    break;
                }
            }
        }
        while let Some((place, end)) = acknowledgements.next().await {
            if end.is_err() && !self.is_closed() {
                self.close();
            }
            ends[place] = end;
        }
        ends
    }

    /// Collects the results of records that are independent of each other.
    async fn append_each(&self, records: &[&Placed]) -> Vec<Result<(), KafkaError>> {
        let each = records.iter().map(async |placed| acknowledged(self.enqueue(placed).await?).await);
        join_all(each).await
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

    fn is_closed(&self) -> bool {
        *self.is_closed.read()
    }

    /// Takes out all unacknowledged records; their waiters are told.
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
