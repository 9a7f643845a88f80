//! As [`crate::identity`], on real servers: databases by their URLs, Kafka, and the PSP of several nodes.

use sea_orm::{ConnectionTrait, Database, DatabaseConnection};

use crate::identity::OLD_STATE;
use crate::node::{Payment, TestNode, greeted};
use crate::servers::{SpareDatabase, SpareTopics};

fn urls(node: &TestNode) -> Vec<String> {
    serde_json::from_str(node.setting("SHARD__DATABASES").unwrap()).unwrap()
}

fn listed(urls: &[&str]) -> String {
    serde_json::to_string(urls).unwrap()
}

/// A node on servers that has stopped, with a payment on each shard. None unless the suite is run there.
async fn stopped() -> Option<(TestNode, [Payment; 2])> {
    let mut node = TestNode::start_role("all", &[]).await?;
    let payments = [node.authorize_for("MERCHANT-1", 1_000).await, node.authorize_for("MERCHANT-2", 1_000).await];
    assert!(node.terminate().await.success());
    Some((node, payments))
}

async fn tables(db: &DatabaseConnection) -> usize {
    let query = "SELECT 1 FROM information_schema.tables WHERE table_schema = DATABASE()";
    db.query_all(sea_orm::Statement::from_string(sea_orm::DbBackend::MySql, query)).await.unwrap().len()
}

#[tokio::test]
async fn urls_that_were_swapped_are_refused_with_and_without_identity() {
    let Some((mut node, payments)) = stopped().await else { return };
    let own = urls(&node);
    let swapped = listed(&[&own[1], &own[0]]);
    let settings = [("SHARD__DATABASES", swapped.as_str())];
    let said = node.refused(&["--new-shard"], &settings).await;
    assert!(said.contains("given for shard 1 is that of shard 2 of 2") && !said.contains("rialto:rialto"), "{said}");

    for url in &own {
        let db = Database::connect(url).await.unwrap();
        for statement in OLD_STATE {
            db.execute_unprepared(statement).await.unwrap();
        }
        db.close().await.unwrap();
    }
    // The version before had no control store either.
    let control = Database::connect(node.setting("CONTROL__DATABASE").unwrap()).await.unwrap();
    control.execute_unprepared("DELETE FROM control_identity").await.unwrap();
    control.close().await.unwrap();
    let said = node.refused(&[], &settings).await;
    assert!(said.contains(&format!("given for shard 1 holds {}, which belongs to shard 2", payments[1].id)), "{said}");
    node.restart().await;
    for payment in &payments {
        assert_eq!(node.look_up(payment).await["status"], "AUTHORIZED");
    }
    assert!(node.terminate().await.success());
    assert!(node.refused(&[], &settings).await.contains("given for shard 1 is that of shard 2 of 2"));
}

#[tokio::test]
async fn an_empty_database_is_left_empty_unless_told() {
    let Some((mut node, payments)) = stopped().await else { return };
    let own = urls(&node);
    let spare = SpareDatabase::create().await;
    let db = Database::connect(&spare.url).await.unwrap();

    let three = listed(&[&own[0], &own[1], &spare.url]);
    for args in [&[][..], &["--new-shard"]] {
        let said = node.refused(args, &[("SHARD__DATABASES", &three), ("SHARD__COUNT", "3")]).await;
        assert!(said.contains("shard 1 of 2") && said.contains("shard.count is 3"), "{said}");
    }
    let replaced = listed(&[&own[0], &spare.url]);
    let settings = [("SHARD__DATABASES", replaced.as_str())];
    let said = node.refused(&[], &settings).await;
    assert!(said.contains("given for shard 2 is empty") && said.contains("--new-shard"), "{said}");
    assert_eq!(tables(&db).await, 0, "no schema was made");
    node.restart_with(&["--new-shard"], &settings).await;
    assert_eq!(node.look_up(&payments[0]).await["status"], "AUTHORIZED");
    assert!(node.terminate().await.success());
    node.restart_with(&[], &settings).await;
    assert!(node.terminate().await.success());
    db.close().await.unwrap();
}

#[tokio::test]
async fn another_event_log_is_refused_unless_told() {
    let Some((mut node, _)) = stopped().await else { return };
    let spare = SpareTopics::new();
    let settings = [("KAFKA__TOPIC_PREFIX", spare.prefix.as_str())];
    let said = node.refused(&[], &settings).await;
    let both = said.contains(&format!("the event log is topics {}* on the Kafka cluster", spare.prefix));
    assert!(both && said.contains("--new-event-log"), "{said}");
    assert_eq!(spare.count(), 0, "no topic was made");
    node.restart_with(&["--new-event-log"], &settings).await;
    assert!(spare.count() > 0);
    assert!(node.terminate().await.success());
    assert!(node.refused(&[], &[]).await.contains("--new-event-log"), "the one of before is another one now");
}

#[tokio::test]
async fn an_event_log_whose_topics_were_deleted_is_refused() {
    let Some((node, _)) = stopped().await else { return };
    node.delete_topics().await;
    let said = node.refused(&[], &[]).await;
    assert!(said.contains("is empty, and the shards hold data") && said.contains("--new-event-log"), "{said}");
}

#[tokio::test]
async fn a_second_node_with_a_simulator_of_its_own_is_refused() {
    let Some(node) = TestNode::start_with_embedded_psp().await else {
        println!("skipped: RIALTO_TEST_ON_SERVERS is not set");
        return;
    };
    // Also before there is any payment.
    for _ in 0..2 {
        let own = tempfile::tempdir().unwrap();
        let said = node.refused_in(own.path(), &[], &[("NODE__ID", "2")]).await;
        assert!(said.contains("psp.url") && said.contains("--new-psp"), "{said}");
        let said = node.refused_in(own.path(), &[], &[("NODE__ID", "2"), ("PSP__URL", "http://127.0.0.1:9")]).await;
        assert!(said.contains("psp.url"), "{said}");
        node.captured(1_000).await;
    }
    node.audit().await;
}

#[tokio::test]
async fn nodes_that_start_together_on_fresh_databases_are_one_system() {
    let Some((node, _)) = stopped().await else { return };
    let (one, two, control) =
        (SpareDatabase::create().await, SpareDatabase::create().await, SpareDatabase::create().await);
    let topics = SpareTopics::new();
    let databases = listed(&[&one.url, &two.url]);
    let start = |id: &'static str| {
        let settings = [
            ("SHARD__DATABASES", databases.as_str()),
            ("CONTROL__DATABASE", control.url.as_str()),
            ("KAFKA__TOPIC_PREFIX", topics.prefix.as_str()),
            ("NODE__ID", id),
        ];
        greeted(node.serve_command(node.data_dir(), &[], &settings), "rialto: serving on ")
    };
    let started = futures_util::future::join_all(["1", "2", "3"].map(start)).await;
    for (mut process, _) in started {
        process.kill().await.unwrap();
    }
}
