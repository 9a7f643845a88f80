//! A record as a Kafka message: CloudEvents 1.0 in binary mode, the attributes in headers and the data as the value
//! (<https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/bindings/kafka-protocol-binding.md>).

use rdkafka::Message;
use rdkafka::message::{Header, Headers, OwnedHeaders};

use crate::domain::Timestamp;
use crate::infra::event_log::{Delivery, Record};

const SPEC_VERSION: &str = "1.0";
const ID: &str = "ce_id";
const TYPE: &str = "ce_type";
const SOURCE: &str = "ce_source";
const TIME: &str = "ce_time";
const SUBJECT: &str = "ce_subject";
const TRACEPARENT: &str = "traceparent";

/// A record and where it goes.
pub(super) struct Placed {
    pub wire_topic: String,
    pub partition: i32,
    pub record: Record,
}

/// The attributes of a record.
pub(super) fn headers(record: &Record) -> OwnedHeaders {
    let time = Timestamp(record.time_ms).to_string();
    let attributes = [
        ("ce_specversion", SPEC_VERSION),
        (ID, &record.id),
        (TYPE, &record.kind),
        (SOURCE, &record.source),
        (TIME, &time),
        (SUBJECT, &record.subject),
        ("content-type", "application/json"),
    ];
    let traceparent = record.traceparent.as_deref().map(|value| (TRACEPARENT, value));
    let all = attributes.into_iter().chain(traceparent);
    let room = OwnedHeaders::new_with_capacity(attributes.len() + 1);
    all.fold(room, |headers, (key, value)| headers.insert(Header { key, value: Some(value) }))
}

/// The record of a message. Attributes that a foreign message lacks are empty, so that consumers refuse it; it must not
/// stop the messages behind it.
pub(super) fn delivery(topic: &'static str, message: &impl Message) -> Delivery {
    let attribute = |name: &str| {
        let headers = message.headers()?;
        let value = headers.iter().find(|header| header.key == name)?.value?;
        Some(String::from_utf8_lossy(value).into_owned())
    };
    let required = |name| attribute(name).unwrap_or_default();
    let text = |bytes: Option<&[u8]>| bytes.map(String::from_utf8_lossy).unwrap_or_default().into_owned();
    Delivery {
        partition: message.partition().unsigned_abs(),
        offset: message.offset(),
        record: Record {
            topic,
            key: text(message.key()),
            id: required(ID),
            kind: required(TYPE).into(),
            source: required(SOURCE).into(),
            time_ms: Timestamp::parse(&required(TIME)).unwrap_or_default().0,
            subject: required(SUBJECT),
            traceparent: attribute(TRACEPARENT),
            payload: text(message.payload()),
        },
    }
}
