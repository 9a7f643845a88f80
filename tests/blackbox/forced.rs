//! Orders to breakers that are given while a node cannot reach the control store: none undoes a newer one, and none
//! lets one node out of what all are ordered.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rusqlite::Connection;
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;

use crate::night::ask_at;
use crate::node::{TestNode, eventually};

/// The PSP's breaker, as a node shows it.
async fn psp(http: &reqwest::Client, url: &str) -> Value {
    let answer = http.get(format!("{url}/admin/breakers")).send().await.unwrap();
    answer.json::<Value>().await.unwrap()["data"][0].clone()
}

/// `rialto breaker ARGS`: its exit code, and what it said.
async fn breaker(url: &str, args: &[&str]) -> (Option<i32>, String) {
    let output = ask_at(url, "breaker", args).await;
    let said = [output.stdout, output.stderr].concat();
    (output.status.code(), String::from_utf8(said).unwrap())
}

/// The control store of a node on one machine, which can be made to take no orders.
struct Store(Connection);

impl Store {
    fn of(node: &TestNode) -> Self {
        let db = Connection::open(node.data_dir().join("control.db")).unwrap();
        db.busy_timeout(Duration::from_secs(10)).unwrap();
        Self(db)
    }

    fn takes_no_orders(&self) {
        let refuse = "CREATE TRIGGER refuse BEFORE INSERT ON forced_breaker BEGIN SELECT RAISE(ABORT, 'away'); END";
        self.0.execute_batch(refuse).unwrap();
    }

    fn takes_orders(&self) {
        self.0.execute_batch("DROP TRIGGER refuse").unwrap();
    }

    /// Takes orders again, once another node has brought this one.
    fn has_had(&mut self, state: &str, reason: &str) {
        let tx = self.0.transaction().unwrap();
        tx.execute_batch("DROP TRIGGER refuse").unwrap();
        let row = "INSERT OR REPLACE INTO forced_breaker (name, state, operator, source, reason, forced_at) \
                   VALUES ('psp', ?1, 'lee', '10.0.0.2', ?2, CAST(unixepoch('subsec') * 1000 AS INTEGER))";
        tx.execute(row, (state, reason)).unwrap();
        tx.commit().unwrap();
    }
}

#[tokio::test]
async fn an_older_order_that_comes_later_undoes_neither_an_order_nor_a_clear() {
    let mut node = TestNode::start_embedded().await;
    for (state, reason, wanted) in [("open", "NEW", "forced_open"), ("none", "", "closed")] {
        let mut store = Store::of(&node);
        store.takes_no_orders();
        let (code, said) = breaker(&node.url, &["force", "psp", "closed", "--reason", "OLD"]).await;
        assert!(code == Some(0) && said.contains("on this node only"), "{said}");
        store.has_had(state, reason);
        eventually(wanted, async || (psp(&node.http, &node.url).await["state"] == wanted).then_some(())).await;
        let line = eventually("the trail says so", async || {
            let trail = node.get("/admin/actions").await.expect(200).json();
            Some(trail["data"][0].clone()).filter(|line| line["action"] == "breaker.superseded")
        })
        .await;
        assert_eq!((&line["operator"], &line["target"]), (&json!("kim"), &json!("psp")), "{line:#}");
        let detail = line["detail"].as_str().unwrap();
        assert!(detail.contains("OLD") && detail.contains("by lee") && detail.contains(reason), "{detail}");
    }
    node.kill().await;
    node.restart().await;
    assert_eq!(psp(&node.http, &node.url).await["state"], "closed");
}

#[tokio::test]
async fn what_all_nodes_hold_is_not_cleared_on_one_of_them_in_two_steps() {
    let node = TestNode::start_embedded().await;
    let store = Store::of(&node);
    assert_eq!(breaker(&node.url, &["force", "psp", "open", "--reason", "all"]).await.0, Some(0));
    store.takes_no_orders();
    for _ in 0..2 {
        let (code, said) = breaker(&node.url, &["clear", "psp"]).await;
        assert!(code == Some(1) && said.contains("503"), "{said}");
        let (code, said) = breaker(&node.url, &["force", "psp", "closed", "--reason", "tmp"]).await;
        assert!(code == Some(0) && said.contains("forced_closed"), "{said}");
        let (code, said) = breaker(&node.url, &["clear", "psp"]).await;
        assert!(code == Some(0) && said.contains("forced_open") && said.contains("holds again"), "{said}");
        let shown = psp(&node.http, &node.url).await;
        assert_eq!((&shown["forced"]["reason"], &shown["forced"]["scope"]), (&json!("all"), &json!("cluster")));
    }
    store.takes_orders();
    let (code, said) = breaker(&node.url, &["clear", "psp", "--reason", "mended"]).await;
    assert!(code == Some(0) && said.contains("closed") && !said.contains("holds again"), "{said}");
    let trail = node.get("/admin/actions").await.expect(200).json();
    assert_eq!(trail["data"][0]["action"], "breaker.clear", "{trail:#}");
}

/// A way to a server that can be cut.
struct Way {
    address: String,
    is_cut: Arc<AtomicBool>,
    cut: Arc<Notify>,
}

impl Way {
    async fn to(server: String) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let (is_cut, cut) = (Arc::new(AtomicBool::new(false)), Arc::new(Notify::new()));
        let way = Self { address, is_cut: is_cut.clone(), cut: cut.clone() };
        tokio::spawn(async move {
            while let Ok((mut client, _)) = listener.accept().await {
                if is_cut.load(Ordering::SeqCst) {
                    continue;
                }
                let (server, cut) = (server.clone(), cut.clone());
                tokio::spawn(async move {
                    let mut server = TcpStream::connect(server).await.unwrap();
                    tokio::select! {
                        _ = tokio::io::copy_bidirectional(&mut client, &mut server) => {}
                        () = cut.notified() => {}
                    }
                });
            }
        });
        way
    }

    fn cut(&self, is_cut: bool) {
        self.is_cut.store(is_cut, Ordering::SeqCst);
        self.cut.notify_waiters();
    }
}

/// The trial's own story, on two nodes and a server of which one is cut off.
#[tokio::test]
async fn a_node_that_was_cut_off_undoes_nothing_that_others_have_ordered_meanwhile() {
    let Some(node) = TestNode::start_role("all", &[]).await else { return };
    let direct = node.setting("CONTROL__DATABASE").unwrap().to_owned();
    let (before, rest) = direct.split_once('@').unwrap();
    let (server, name) = rest.split_once('/').unwrap();
    let way = Way::to(server.to_owned()).await;
    let through = format!("{before}@{}/{name}", way.address);
    let cut_off = node.join_with("all", 2, &[("CONTROL__DATABASE", &through)]).await;
    let state = async |url: &str| psp(&node.http, url).await["state"].as_str().unwrap().to_owned();
    let both_are = async |wanted: &str| {
        for url in [&node.url, &cut_off.url] {
            eventually(wanted, async || (state(url).await == wanted).then_some(())).await;
        }
    };
    let superseded = async || {
        let trail = node.get("/admin/actions").await.expect(200).json();
        trail["data"].as_array().unwrap().iter().filter(|line| line["action"] == "breaker.superseded").count()
    };
    for (order, wanted, told) in
        [(&["force", "psp", "open", "--reason", "NEW"][..], "forced_open", 1), (&["clear", "psp"], "closed", 2)]
    {
        way.cut(true);
        let (code, said) = breaker(&cut_off.url, &["force", "psp", "closed", "--reason", "OLD"]).await;
        assert!(code == Some(0) && said.contains("on this node only"), "{said}");
        let (code, said) = breaker(&node.url, order).await;
        assert_eq!(code, Some(0), "{said}");
        assert_eq!(state(&cut_off.url).await, "forced_closed");
        way.cut(false);
        both_are(wanted).await;
        eventually("the trail says so", async || (superseded().await == told).then_some(())).await;
        assert_eq!((state(&node.url).await, state(&cut_off.url).await), (wanted.to_owned(), wanted.to_owned()));
    }
    // What it is ordered later than all others is brought.
    way.cut(true);
    assert_eq!(breaker(&cut_off.url, &["force", "psp", "closed", "--reason", "NEWEST"]).await.0, Some(0));
    way.cut(false);
    both_are("forced_closed").await;
}
