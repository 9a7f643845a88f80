//! What operators' commands answer when something is wrong with what was typed or with what is there.

use std::time::Duration;

use rusqlite::Connection;
use serde_json::{Value, json};

use crate::night::ask_at;
use crate::node::{TestNode, eventually};

/// The exit code of `rialto NAME ARGS`, and what it said on standard error.
async fn refused(url: &str, name: &str, args: &[&str]) -> (Option<i32>, String) {
    let output = ask_at(url, name, args).await;
    (output.status.code(), String::from_utf8(output.stderr).unwrap())
}

#[tokio::test]
async fn an_operator_is_who_they_say_or_the_command_refuses() {
    let node = TestNode::start_embedded().await;
    let force = ["force", "psp_lookup", "closed", "--reason", "a test", "--operator"];
    let long = "k".repeat(300);
    for operator in ["", "  ", &long, "kim\u{1b}[2J", "a\nb", "4111 1111 1111 1111"] {
        let (code, said) = refused(&node.url, "breaker", &[&force[..], &[operator]].concat()).await;
        assert_eq!(code, Some(2), "{operator:?}: {said}");
        assert!(said.contains("--operator"), "{operator:?}: {said}");
    }
    assert_eq!(node.get("/admin/actions").await.expect(200).json()["data"], json!([]));
    let output = ask_at(&node.url, "breaker", &[&force[..], &["zoë"]].concat()).await;
    assert!(output.status.success(), "{output:?}");
    let trail = node.get("/admin/actions").await.expect(200).json();
    assert_eq!(trail["data"][0]["operator"], "zoë", "{trail:#}");
}

#[tokio::test]
async fn reasons_are_one_line_and_what_is_stored_does_not_steer_the_terminal() {
    let node = TestNode::start_embedded().await;
    let long = "r".repeat(201);
    for (reason, wanted) in
        [("a\u{1b}[2Jb", "printable"), ("a\nb", "one line"), (&long, "at most 200 characters"), (" ", "required")]
    {
        let (code, said) = refused(&node.url, "breaker", &["force", "psp", "open", "--reason", reason]).await;
        assert!(code == Some(1) && said.contains(wanted), "{reason:?}: {said}");
    }
    // One of before reasons were looked at.
    let db = Connection::open(node.data_dir().join("control.db")).unwrap();
    db.busy_timeout(Duration::from_secs(10)).unwrap();
    let reason = "\u{1b}[2J\u{9b}31m\nall is well";
    let row = "INSERT INTO forced_breaker VALUES ('psp', 'open', 'lee', '10.0.0.2', ?1, 1795478400000)";
    db.execute(row, [reason]).unwrap();
    let listed = eventually("the node has it", async || {
        let output = ask_at(&node.url, "breaker", &["list"]).await;
        Some(String::from_utf8(output.stdout).unwrap()).filter(|listed| listed.contains("lee"))
    })
    .await;
    assert!(listed.contains("\\u001b[2J\\u009b31m\\nall is well"), "{listed}");
    let output = ask_at(&node.url, "breaker", &["list", "--json"]).await;
    let (text, json) = (String::from_utf8(output.stdout.clone()), serde_json::from_slice::<Value>(&output.stdout));
    assert!(!text.unwrap().contains(['\u{1b}', '\u{9b}']));
    assert_eq!(json.unwrap()["data"][0]["forced"]["reason"], reason);
}

#[tokio::test]
async fn commands_say_what_there_is_and_what_is_wrong() {
    let node = TestNode::start_embedded_with(&[("FAULTS__ENABLED", "true")]).await;
    for (name, args, wanted) in [
        ("breaker", &["force", "nope", "open", "--reason", "x"][..], &["It is one of event_log, psp, psp_lookup."][..]),
        ("faults", &["set", "nope", "panic"], &["There is no such actor", "/actor", "shard_writer"]),
        ("faults", &["set", "shard_writer", "panic", "--shard", "9"], &["/shard", "The shard is one of 1, 2."]),
        ("faults", &["set", "resolver", "delay=99999999"], &["/fault/delay", "minimum 1", "maximum 3600000"]),
        ("dlq", &["show", "dlq_1"], &["no dead letter's id"]),
        ("dlq", &["show", "dlq_0000000000001"], &["no dead letter of this id"]),
        ("dlq", &["list", "--limit", "1000"], &["limit", "maximum 100"]),
    ] {
        let (code, said) = refused(&node.url, name, args).await;
        assert_eq!(code, Some(1), "{args:?}: {said}");
        for part in wanted {
            assert!(said.contains(part), "{args:?}: {part}: {said}");
        }
    }
    let set = ask_at(&node.url, "faults", &["set", "resolver", "hang", "--times", "2"]).await;
    assert!(set.status.success(), "without a shard: {set:?}");
    for args in
        [&["redrive", "dlq_0000000000001", "--yes"][..], &["discard", "dlq_0000000000001", "--reason", "x", "--yes"]]
    {
        let output = ask_at(&node.url, "dlq", args).await;
        let said = String::from_utf8(output.stdout).unwrap();
        assert!(output.status.code() == Some(1) && said.contains("not_found"), "{args:?}: {said}");
    }
}

#[tokio::test]
async fn a_node_that_is_not_there_is_told_with_its_cause() {
    let (code, said) = refused("http://127.0.0.1:1", "breaker", &["list"]).await;
    assert!(code == Some(1) && said.contains("Connection refused"), "{said}");
    for url in ["ftp://x", "127.0.0.1:8080", "nowhere"] {
        let (code, said) = refused(url, "dlq", &["list"]).await;
        assert!(code == Some(2) && said.contains("begins with http://"), "{said}");
    }
}
