//! A teller who dies, is replaced, and will not be killed a third time by the same customer.
//!
//! `cargo run -p rialto-runtime --example supervised`

use std::time::Duration;

use rialto_runtime::*;

/// What a teller can be asked.
enum Ask {
    Deposit { account: u128, amount_minor: i64, reply: Reply<i64> },
}

impl Message for Ask {
    fn kind(&self) -> &'static str {
        "deposit"
    }

    fn key(&self) -> Option<u128> {
        let Ask::Deposit { account, .. } = self;
        Some(*account)
    }
}

/// Keeps a till in memory: a fresh teller begins with an empty one.
struct Teller {
    till_minor: i64,
}

impl Actor for Teller {
    type Message = Ask;

    async fn started(&mut self, ctx: &Context) -> Result<(), Failure> {
        println!("{:>20}  opens with an empty till", ctx.name());
        Ok(())
    }

    async fn handle(&mut self, batch: Vec<Ask>, _ctx: &Context) -> Result<(), Failure> {
        for Ask::Deposit { account, amount_minor, reply } in batch {
            assert!(account != 13, "nobody expects account 13");
            self.till_minor += amount_minor;
            reply.send(self.till_minor);
        }
        Ok(())
    }

    async fn stopping(&mut self, ctx: &Context) {
        println!("{:>20}  closes with {} in the till", ctx.name(), self.till_minor);
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let environment = Environment::service();
    environment
        .dead_letters
        .subscribe(|letter| println!("{:>20}  {}, deaths: {}", "dead letter", letter.cause, letter.deaths));

    let mut bank = Supervisor::new("bank", Strategy::OneForOne, Intensity::default(), &environment);
    let mut counter = Supervisor::new("counter", Strategy::RestForOne, Intensity::default(), &environment);
    let teller = counter.actor(Options::new("teller").slot("counter"), || Teller { till_minor: 0 });
    let mut vault = Supervisor::new("vault", Strategy::OneForOne, Intensity::default(), &environment);
    for shard in 1..=2 {
        vault.actor(Options::new("vault_teller").shard(shard).capacity(64), || Teller { till_minor: 0 });
    }
    bank.adopt(vault);
    bank.adopt(counter);
    let running = bank.start().await;

    for account in [7, 13, 8, 13, 9, 13, 10] {
        let deposit = |reply| Ask::Deposit { account, amount_minor: 500, reply };
        match teller.ask(deposit).await {
            Ok(till_minor) => println!("account {account:>12}  deposited, {till_minor} in the till"),
            Err(error) => println!("account {account:>12}  {error}"),
        }
    }

    println!("\n{}\n", serde_json::to_string_pretty(&running.snapshot()).expect("a tree is plain data"));
    running.stop(Duration::from_secs(1)).await;
}
