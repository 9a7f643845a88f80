//! A server that answers the API's contract from memory, for the tests of `rialto load`: one thread a connection, and
//! settings for the faults of a real server.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, RwLock};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// How the server behaves; by default it answers everything at once and correctly.
#[derive(Debug, Default)]
pub struct Behaviour {
    /// How long an authorization takes.
    pub authorize: Duration,
    /// How long after a capture or refund was accepted it is settled.
    pub settle: Duration,
    /// Every so many authorizations, one is answered 503.
    pub refuse_every: Option<u64>,
    /// The request with this number (from 0) makes all requests wait so long.
    pub stall: Option<(u64, Duration)>,
    /// Forget idempotency keys: every request is executed.
    pub forget_keys: bool,
}

/// What was asked, and the state of what was made.
#[derive(Debug, Default)]
pub struct Seen {
    /// Requests of any kind.
    pub requests: AtomicU64,
    /// Authorizations.
    pub authorizations: AtomicU64,
    /// Merchants of all authorizations.
    pub merchants: Mutex<Vec<String>>,
    /// By idempotency key; `None` while under way.
    pub keys: Mutex<HashMap<String, Option<u64>>>,
    /// By payment: until when it is `.0`, and then `.1`.
    settling: Mutex<HashMap<String, (Instant, &'static str, &'static str)>>,
    stall: RwLock<()>,
}

/// Starts a server that lives as long as the test's process.
pub fn start(behaviour: Behaviour) -> (SocketAddr, Arc<Seen>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let seen = Arc::new(Seen::default());
    let (behaviour, shared) = (Arc::new(behaviour), Arc::clone(&seen));
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let (behaviour, seen) = (Arc::clone(&behaviour), Arc::clone(&shared));
            std::thread::spawn(move || serve(stream, &behaviour, &seen));
        }
    });
    (address, seen)
}

fn serve(stream: TcpStream, behaviour: &Behaviour, seen: &Seen) -> Option<()> {
    stream.set_nodelay(true).ok()?;
    let mut reader = BufReader::new(stream.try_clone().ok()?);
    let mut writer = stream;
    loop {
        let (method, path, body) = read_request(&mut reader)?;
        let number = seen.requests.fetch_add(1, Ordering::Relaxed);
        if let Some((_, pause)) = behaviour.stall.filter(|(at, _)| *at == number) {
            let _all_wait = seen.stall.write().unwrap();
            sleep(pause);
        }
        drop(seen.stall.read().unwrap());
        let (status, replayed, body) = answer(behaviour, seen, &method, &path, &body);
        let replayed = if replayed { "Idempotent-Replayed: true\r\n" } else { "" };
        let length = body.len();
        let head = format!("HTTP/1.1 {status} Whatever\r\n{replayed}Content-Length: {length}\r\n\r\n");
        writer.write_all((head + &body).as_bytes()).ok()?;
    }
}

fn read_request(reader: &mut BufReader<TcpStream>) -> Option<(String, String, serde_json::Value)> {
    let mut line = String::new();
    reader.read_line(&mut line).ok().filter(|read| *read > 0)?;
    let mut words = line.split(' ').map(str::to_owned);
    let (method, path) = (words.next()?, words.next()?);
    let mut length = 0;
    loop {
        let mut header = String::new();
        reader.read_line(&mut header).ok().filter(|read| *read > 0)?;
        let header = header.trim_end().to_ascii_lowercase();
        if header.is_empty() {
            break;
        }
        if let Some(value) = header.strip_prefix("content-length: ") {
            length = value.parse().ok()?;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    Some((method, path, serde_json::from_slice(&body).unwrap_or_default()))
}

fn answer(
    behaviour: &Behaviour,
    seen: &Seen,
    method: &str,
    path: &str,
    body: &serde_json::Value,
) -> (u16, bool, String) {
    let payment = |id: &str, status: &str| format!(r#"{{"paymentId":"{id}","status":"{status}","amount":1}}"#);
    let problem = |status, code: &str| (status, false, format!(r#"{{"status":{status},"code":"{code}"}}"#));
    let settle = |id: &str, before, after| {
        let at = Instant::now() + behaviour.settle;
        seen.settling.lock().unwrap().insert(id.to_owned(), (at, before, after));
        (200, false, payment(id, before))
    };
    match (method, path.trim_start_matches("/payments/").split('/').collect::<Vec<_>>().as_slice()) {
        ("POST", ["authorize"]) => {
            let number = seen.authorizations.fetch_add(1, Ordering::Relaxed);
            let key = body["idempotencyKey"].as_str().unwrap().to_owned();
            assert!(body["amount"].is_i64() && body["currency"] == "KRW", "{body}");
            seen.merchants.lock().unwrap().push(body["merchantId"].as_str().unwrap().to_owned());
            if behaviour.refuse_every.is_some_and(|every| number % every == every - 1) {
                return problem(503, "overloaded");
            }
            if !behaviour.forget_keys {
                match seen.keys.lock().unwrap().entry(key.clone()) {
                    Entry::Occupied(known) => match known.get() {
                        Some(known) => return (200, true, payment(&format!("pay_{known}"), "AUTHORIZED")),
                        None => return problem(409, "idempotency_in_progress"),
                    },
                    Entry::Vacant(fresh) => fresh.insert(None),
                };
            }
            sleep(behaviour.authorize);
            seen.keys.lock().unwrap().insert(key, Some(number));
            (200, false, payment(&format!("pay_{number}"), "AUTHORIZED"))
        }
        ("POST", ["capture", id]) => settle(id, "CAPTURE_REQUESTED", "CAPTURED"),
        ("POST", ["refund", id]) => settle(id, "REFUND_REQUESTED", "REFUNDED"),
        ("GET", [id]) => {
            let (id, is_expanded) =
                id.split_once('?').map_or((*id, false), |(id, query)| (id, query == "expand=ledger"));
            match seen.settling.lock().unwrap().get(id) {
                Some((at, before, after)) => {
                    let status = if Instant::now() < *at { before } else { after };
                    let ledger = if is_expanded { r#","ledger":[{},{}]}"# } else { "}" };
                    (200, false, payment(id, status).trim_end_matches('}').to_owned() + ledger)
                }
                None => problem(404, "payment_not_found"),
            }
        }
        _ => problem(404, "not_found"),
    }
}
