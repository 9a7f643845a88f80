//! The connection from the nodes to one server: bytes pass, or the answers are lost, or connections break at a COMMIT.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};

use super::process::ClusterError;

/// What happens to bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    Pass,
    /// Requests arrive, answers do not, and TCP stays up. A connection that has lost an answer stays silent for good:
    /// bytes after a gap are never delivered.
    Swallow,
    /// A COMMIT arrives, and its connection breaks before the answer.
    CutAtCommit,
}

const CHUNK_BYTES: usize = 64 << 10;
/// How long a COMMIT has to arrive before its connection breaks.
const ARRIVES_WITHIN: Duration = Duration::from_millis(50);

/// See the module. It ends with the runtime.
#[derive(Debug, Clone)]
pub struct Proxy {
    pub address: String,
    way: Arc<Mutex<Way>>,
}

impl Proxy {
    /// Listens for connections to `server`, `HOST:PORT`.
    pub async fn start(server: String) -> Result<Self, ClusterError> {
        let io = |error| ClusterError::Io { what: format!("the way to {server}"), error };
        let listener = TcpListener::bind("127.0.0.1:0").await.map_err(io)?;
        let address = listener.local_addr().map_err(io)?.to_string();
        let way = Arc::new(Mutex::new(Way::Pass));
        tokio::spawn(listen(listener, server, way.clone()));
        Ok(Self { address, way })
    }

    pub fn become_way(&self, way: Way) {
        *self.way.lock() = way;
    }
}

async fn listen(listener: TcpListener, server: String, way: Arc<Mutex<Way>>) {
    while let Ok((client, _)) = listener.accept().await {
        let (server, way) = (server.clone(), way.clone());
        tokio::spawn(async move {
            // If the server is down, the proxy refuses connections too.
            let Ok(server) = TcpStream::connect(server).await else { return };
            let _ = client.set_nodelay(true).and(server.set_nodelay(true));
            let (from_client, to_client) = client.into_split();
            let (from_server, to_server) = server.into_split();
            // When one side ends, the other is closed too.
            let is_silent = AtomicBool::new(false);
            tokio::select! {
                () = requests(from_client, to_server, &way, &is_silent) => {}
                () = answers(from_server, to_client, &way, &is_silent) => {}
            }
        });
    }
}

async fn requests(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, way: &Mutex<Way>, is_silent: &AtomicBool) {
    let mut chunk = vec![0; CHUNK_BYTES];
    while let Ok(length @ 1..) = from.read(&mut chunk).await {
        let bytes = &chunk[..length];
        // On a silent connection not even the server's end is passed on.
        if to.write_all(bytes).await.is_err() && !is_silent.load(Ordering::Relaxed) {
            return;
        }
        let is_commit = bytes.windows(6).any(|window| window == b"COMMIT");
        if is_commit && *way.lock() == Way::CutAtCommit {
            tokio::time::sleep(ARRIVES_WITHIN).await;
            return;
        }
    }
}

async fn answers(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, way: &Mutex<Way>, is_silent: &AtomicBool) {
    let mut chunk = vec![0; CHUNK_BYTES];
    while let Ok(length @ 1..) = from.read(&mut chunk).await {
        if *way.lock() == Way::Swallow {
            is_silent.store(true, Ordering::Relaxed);
        }
        if !is_silent.load(Ordering::Relaxed) && to.write_all(&chunk[..length]).await.is_err() {
            return;
        }
    }
    if is_silent.load(Ordering::Relaxed) {
        std::future::pending::<()>().await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn echo() -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        tokio::spawn(async move {
            while let Ok((mut client, _)) = listener.accept().await {
                tokio::spawn(async move {
                    let (mut from, mut to) = client.split();
                    tokio::io::copy(&mut from, &mut to).await
                });
            }
        });
        address
    }

    /// The answer to `asked`, if one comes in time; nothing if the connection broke.
    async fn ask(client: &mut TcpStream, asked: &[u8]) -> Option<Vec<u8>> {
        client.write_all(asked).await.unwrap();
        let mut answer = vec![0; asked.len()];
        let read = tokio::time::timeout(Duration::from_millis(500), client.read(&mut answer)).await.ok()?;
        read.map_or(Some(Vec::new()), |length| Some(answer[..length].to_vec()))
    }

    #[tokio::test]
    async fn lost_answer_silences_its_connection_and_new_connections_pass() {
        let proxy = Proxy::start(echo().await).await.unwrap();
        let mut client = TcpStream::connect(&proxy.address).await.unwrap();
        assert_eq!(ask(&mut client, b"one").await.as_deref(), Some(&b"one"[..]));
        proxy.become_way(Way::Swallow);
        assert_eq!(ask(&mut client, b"two").await, None);
        proxy.become_way(Way::Pass);
        assert_eq!(ask(&mut client, b"three").await, None);
        let mut other = TcpStream::connect(&proxy.address).await.unwrap();
        assert_eq!(ask(&mut other, b"four").await.as_deref(), Some(&b"four"[..]));
    }

    #[tokio::test]
    async fn connections_break_only_at_a_commit() {
        let proxy = Proxy::start(echo().await).await.unwrap();
        proxy.become_way(Way::CutAtCommit);
        let mut client = TcpStream::connect(&proxy.address).await.unwrap();
        assert_eq!(ask(&mut client, b"BEGIN").await.as_deref(), Some(&b"BEGIN"[..]));
        client.write_all(b"COMMIT").await.unwrap();
        let mut rest = Vec::new();
        let _ = client.read_to_end(&mut rest).await;
        assert!(ask(&mut client, b"BEGIN").await.is_none_or(|answer| answer.is_empty()));
    }
}
