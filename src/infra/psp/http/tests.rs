use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpListener;

use super::*;
use crate::domain::{Currency, Money, PaymentId};
use crate::infra::psp::Action;

/// What the server does with one request.
#[derive(Debug, Clone, Copy)]
enum Act {
    Say(u16, &'static str),
    /// Closes the connection without an answer.
    Close,
    /// Never answers.
    Silence,
}
use Act::{Close, Say, Silence};

const APPROVED: &str = r#"{"decision":"approved","reference":"r","amount":100,"currency":"KRW"}"#;
const DECLINED: &str = r#"{"decision":"declined","reason":"card_declined"}"#;
const NOT_DONE: &str = r#"{"done":false}"#;
const NOT_FOUND: &str = r#"{"found":false}"#;
const TIMEOUT: Duration = Duration::from_millis(400);

/// A server that plays these acts, one for each request, and counts the requests.
struct Stage {
    address: SocketAddr,
    requests: Arc<AtomicUsize>,
}

impl Stage {
    async fn set(acts: &'static [Act]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (address, requests) = (listener.local_addr().unwrap(), Arc::<AtomicUsize>::default());
        let count = requests.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(play(stream, acts, count.clone()));
            }
        });
        Self { address, requests }
    }

    fn psp(&self) -> HttpPsp {
        psp(&format!("http://{}/", self.address), None)
    }
}

fn psp(url: &str, authority: Option<Vec<u8>>) -> HttpPsp {
    let settings = Settings { base_url: url.to_owned(), timeout: TIMEOUT, idle_connections: 8, authority };
    HttpPsp::new(&settings).unwrap()
}

async fn play(mut stream: impl AsyncRead + AsyncWrite + Unpin, acts: &[Act], requests: Arc<AtomicUsize>) {
    while read_request(&mut stream).await.is_some() {
        let place = requests.fetch_add(1, Ordering::Relaxed);
        match acts[place.min(acts.len() - 1)] {
            Say(status, body) => {
                let length = body.len();
                let answer = format!("HTTP/1.1 {status} X\r\ncontent-length: {length}\r\nlocation: /\r\n\r\n{body}");
                stream.write_all(answer.as_bytes()).await.unwrap();
            }
            Close => return,
            Silence => std::future::pending().await,
        }
    }
}

/// Reads a request to the end of its body; none when the client has gone.
async fn read_request(stream: &mut (impl AsyncRead + Unpin)) -> Option<()> {
    let mut read = Vec::new();
    loop {
        let mut byte = [0];
        stream.read_exact(&mut byte).await.ok()?;
        read.push(byte[0]);
        if read.ends_with(b"\r\n\r\n") {
            break;
        }
    }
    let head = String::from_utf8(read).unwrap().to_lowercase();
    let length =
        head.lines().find_map(|line| line.strip_prefix("content-length: ")).map_or(0, |text| text.parse().unwrap());
    stream.read_exact(&mut vec![0; length]).await.ok().map(drop)
}

fn operation() -> PspOperation {
    PspOperation {
        key: PspKey("auth_1".into()),
        payment_id: PaymentId::from_stored(1),
        merchant_id: "MERCHANT-1".into(),
        money: money(),
        action: Action::Authorize,
    }
}

fn money() -> Money {
    Money::new(100, Currency::parse("KRW").unwrap())
}

fn approved() -> PspAnswer {
    PspAnswer::Approved { reference: "r".into(), money: money() }
}

/// An outcome without its text.
#[derive(Debug, PartialEq)]
enum Outcome {
    Answer(PspAnswer),
    NotSent,
    Unknown,
}

async fn performed(psp: &HttpPsp) -> Outcome {
    match psp.perform(&operation()).await {
        Ok(answer) => Outcome::Answer(answer),
        Err(PspError::NotSent(_)) => Outcome::NotSent,
        Err(PspError::Unknown(_)) => Outcome::Unknown,
    }
}

#[tokio::test]
async fn answers_are_classified_and_doubtful_ones_are_unknown() {
    let declined = PspAnswer::Declined { reason: "card_declined".into() };
    let long: &'static str = Box::leak(format!("{APPROVED}{}", " ".repeat(ANSWER_BYTES_MAX)).into_boxed_str());
    let long_answer: &'static [Act] = Box::leak(Box::new([Say(200, long)]));
    let cases: [(&'static [Act], Outcome, usize); 17] = [
        (&[Say(200, APPROVED)], Outcome::Answer(approved()), 1),
        (&[Say(200, DECLINED)], Outcome::Answer(declined), 1),
        (&[Say(503, NOT_DONE)], Outcome::NotSent, 1),
        (&[Say(503, r#"{"done":true}"#)], Outcome::Unknown, 1),
        (&[Say(503, "busy")], Outcome::Unknown, 1),
        (&[Say(504, "")], Outcome::Unknown, 1),
        (&[Say(500, NOT_DONE)], Outcome::Unknown, 1),
        (&[Say(400, "")], Outcome::Unknown, 1),
        (&[Say(404, NOT_FOUND)], Outcome::Unknown, 1),
        (&[Say(302, "")], Outcome::Unknown, 1),
        (&[Say(200, "?")], Outcome::Unknown, 1),
        (&[Say(200, r#"{"decision":"approved","reference":"r","amount":1.5,"currency":"KRW"}"#)], Outcome::Unknown, 1),
        (long_answer, Outcome::Unknown, 1),
        // A connection that breaks: the request is sent once more, under the same key.
        (&[Close, Say(200, APPROVED)], Outcome::Answer(approved()), 2),
        (&[Close, Say(503, NOT_DONE)], Outcome::Unknown, 2),
        (&[Close, Close, Say(200, APPROVED)], Outcome::Unknown, 2),
        (&[Silence], Outcome::Unknown, 1),
    ];
    for (acts, outcome, requests) in cases {
        let stage = Stage::set(acts).await;
        assert_eq!(performed(&stage.psp()).await, outcome, "{acts:?}");
        assert_eq!(stage.requests.load(Ordering::Relaxed), requests, "{acts:?}");
    }
}

#[tokio::test]
async fn unreachable_psp_means_not_sent() {
    let address = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    assert_eq!(performed(&psp(&format!("http://{address}"), None)).await, Outcome::NotSent);
}

#[tokio::test]
async fn idle_connection_that_the_psp_closed_is_replaced() {
    let stage = Stage::set(&[Say(200, APPROVED), Close, Say(200, APPROVED)]).await;
    let psp = stage.psp();
    assert_eq!(performed(&psp).await, Outcome::Answer(approved()));
    assert_eq!(performed(&psp).await, Outcome::Answer(approved()));
    assert_eq!(stage.requests.load(Ordering::Relaxed), 3);
}

#[tokio::test]
async fn not_found_counts_only_when_the_psp_itself_says_so() {
    let cases: [(&'static [Act], Option<Option<PspAnswer>>); 5] = [
        (&[Say(200, APPROVED)], Some(Some(approved()))),
        (&[Say(404, NOT_FOUND)], Some(None)),
        (&[Say(404, "no such page")], None),
        (&[Say(503, NOT_DONE)], None),
        (&[Close, Say(404, NOT_FOUND)], Some(None)),
    ];
    for (acts, found) in cases {
        let stage = Stage::set(acts).await;
        assert_eq!(stage.psp().lookup(&operation().key).await.ok(), found, "{acts:?}");
    }
}

#[tokio::test]
async fn tls_connection_requires_a_trusted_certificate() {
    let certified = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let key = tokio_rustls::rustls::pki_types::PrivateKeyDer::try_from(certified.signing_key.serialize_der()).unwrap();
    let config = tokio_rustls::rustls::ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(vec![certified.cert.der().clone()], key)
        .unwrap();
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://localhost:{}", listener.local_addr().unwrap().port());
    let requests = Arc::<AtomicUsize>::default();
    let count = requests.clone();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            if let Ok(stream) = acceptor.accept(stream).await {
                tokio::spawn(play(stream, &[Say(200, APPROVED)], count.clone()));
            }
        }
    });
    assert_eq!(performed(&psp(&url, None)).await, Outcome::NotSent);
    assert_eq!(requests.load(Ordering::Relaxed), 0, "nothing is sent to whom nobody vouches for");
    let authority = certified.cert.pem().into_bytes();
    assert_eq!(performed(&psp(&url, Some(authority))).await, Outcome::Answer(approved()));
}
