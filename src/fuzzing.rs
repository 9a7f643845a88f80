//! What must hold for any input of the parsers. `scripts/fuzz-parsers` searches for inputs that break it, guided by
//! coverage; the suite replays those that are kept in `fuzz/corpus`.

use serde_json::Value;

use crate::config::Config;
use crate::domain::event::{EventData, Topic};
use crate::domain::ledger;
use crate::domain::{
    Bucket, Currency, EntryId, EventId, LetterId, PaymentId, RefundId, ShardMap, Timestamp, TraceContext,
};
use crate::http::fuzzing::authorized;

const AMOUNT_MAX: i64 = 999_999_999_999;

/// An amount and a currency as they stand in a body, parted by a space: exactly the integers from 1 to the most are
/// taken.
pub fn money(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let Some((amount, currency)) = text.split_once(' ') else { return };
    if currency.contains(['"', '\\']) || currency.chars().any(char::is_control) || amount.contains([',', '}', ':']) {
        return;
    }
    let body = format!(r#"{{"merchantId":"M","idempotencyKey":"k","amount":{amount},"currency":"{currency}"}}"#);
    let read = authorized(body.as_bytes(), AMOUNT_MAX).map(|request| (request.money.minor, request.money.currency));
    let digits = amount.trim_matches([' ', '\t', '\n', '\r']);
    let is_canonical = digits.bytes().all(|byte| byte.is_ascii_digit()) && !digits.starts_with('0');
    let expected = digits.parse::<i64>().ok().filter(|amount| is_canonical && (1..=AMOUNT_MAX).contains(amount));
    assert_eq!(read, expected.zip(Currency::parse(currency).ok()), "{text:?}");
}

/// A whole body: what is taken is JSON, and says what was read from it.
pub fn body(data: &[u8]) {
    let Some(request) = authorized(data, AMOUNT_MAX) else { return };
    let said = serde_json::from_slice::<Value>(data).unwrap_or_default();
    assert_eq!(said["amount"], request.money.minor);
    assert_eq!(said["currency"], request.money.currency.code());
    assert_eq!(said["merchantId"], request.merchant_id);
    assert_eq!(said["idempotencyKey"], request.key);
    assert_eq!(said["description"].as_str(), request.description.as_deref());
    assert_eq!(said["metadata"].as_object().map_or(0, |members| members.len()), request.metadata.len());
}

/// A text is an id in at most one way, and an id has one text.
pub fn ids(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let kinds = [
        text.parse::<PaymentId>().map(|id| (id.get(), id.to_string())),
        text.parse::<RefundId>().map(|id| (id.get(), id.to_string())),
        text.parse::<EventId>().map(|id| (id.get(), id.to_string())),
        text.parse::<LetterId>().map(|id| (id.get(), id.to_string())),
    ];
    assert!(kinds.iter().flatten().count() <= 1, "{text:?}");
    for (number, written) in kinds.into_iter().flatten() {
        assert!(number >= 0 && written == text, "{text:?}");
    }
    if let Ok(trace) = text.parse::<TraceContext>() {
        assert_eq!(trace.to_string().parse(), Ok(trace), "{text:?}");
    }
    if let Some(number) = data.first_chunk().map(|bytes| i64::from_le_bytes(*bytes) & i64::MAX) {
        let id = PaymentId::from_stored(number);
        assert_eq!(id.to_string().parse(), Ok(id));
    }
}

/// An event's payload: what is read is written and read again as the same, and books only what is above zero.
pub fn event(data: &[u8]) {
    let Some(event) = std::str::from_utf8(data).ok().and_then(|text| EventData::read(text).ok()) else { return };
    let written = serde_json::to_string(&event).unwrap_or_default();
    assert_eq!(EventData::read(&written).ok().as_ref(), Some(&event));
    let (id, at) = (EventId::from_stored(event.payment_id.get()), Timestamp(0));
    for topic in Topic::ALL {
        let entry = ledger::entry(EntryId::from_stored(id.get()), id, topic, &event, at);
        let is_bookable = event.amount > 0 && ledger::accounts(topic).is_some();
        assert_eq!(entry.is_ok_and(|entry| entry.debit != entry.credit), is_bookable);
    }
}

/// A merchant and a number of shards: the bucket is the trailing number modulo 1024 as one counts it digit by digit,
/// and every bucket has a shard.
pub fn shard_map(data: &[u8]) {
    let Some((count, merchant)) = data.split_first_chunk::<2>() else { return };
    let Ok(merchant) = std::str::from_utf8(merchant) else { return };
    let Some(count) = std::num::NonZeroU32::new(u32::from(u16::from_le_bytes(*count)) % 1_025) else { return };
    let map = ShardMap::dealt(count);
    let bucket = Bucket::of_merchant(merchant);
    assert!((1..=count.get()).contains(&map.shard_of(bucket).0));
    let tail: String = merchant.chars().rev().take_while(char::is_ascii_digit).collect();
    let tail: String = tail.chars().rev().collect();
    if !tail.is_empty()
        && let Ok(number) = tail.parse::<u128>()
    {
        assert_eq!(u128::from(bucket.get()), number % 1_024, "{merchant:?}");
    }
}

/// A configuration file: one that is taken stays within what is allowed when it is written and read again.
pub fn config(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let Ok(config) = Config::from_toml(text) else { return };
    assert!(config.shard.max_batch > 0 && config.shard.count.get() > 0);
    assert!(config.shard.databases.is_empty() || config.shard.databases.len() as u32 == config.shard.count.get());
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    /// Replays a target's corpus, which holds inputs that are taken and inputs that are not.
    fn replay(name: &str, target: fn(&[u8])) {
        let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(name);
        let files = std::fs::read_dir(dir).unwrap().map(|entry| std::fs::read(entry.unwrap().path()).unwrap());
        assert!(files.map(|input| target(&input)).count() > 0);
    }

    #[test]
    fn the_corpus_holds() {
        replay("money", super::money);
        replay("body", super::body);
        replay("ids", super::ids);
        replay("event", super::event);
        replay("shard_map", super::shard_map);
        replay("config", super::config);
    }
}
