//! Keeps the simulated PSP's books: operations that wait are decided one after the other and written together.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use sea_orm::sqlx::{self, SqliteConnection};

use super::books::{
    AUTHORIZATION_COLUMNS, Authorization, OPERATION_COLUMNS, OperationEntry, Outcome, read_authorization,
    read_operation,
};
use crate::domain::money;
use crate::domain::psp::PspKey;
use crate::infra::group_commit::Committer;
use crate::infra::psp::{Action, Operation, PspAnswer};
use crate::infra::sqlite::{Script, json_list};

pub(super) enum Command {
    Perform(Instruction),
    /// Goes the way of the operations, so that it sees all that came before it.
    Lookup(PspKey),
}

/// An operation that has reached the PSP.
pub(super) struct Instruction {
    pub(super) operation: Operation,
    /// Decline it for this reason, whatever the books say.
    pub(super) decline: Option<&'static str>,
    /// Approve one minor unit less than asked.
    pub(super) short: bool,
    pub(super) at_ms: i64,
}

pub(super) struct Clerk(pub(super) SqliteConnection);

impl Committer for Clerk {
    type Command = Command;
    /// None if nothing is known under the key of a lookup.
    type Answer = Option<PspAnswer>;
    type Error = String;

    async fn commit(&mut self, batch: Vec<Command>) -> Result<Vec<Option<PspAnswer>>, String> {
        self.write(batch).await.map_err(|error| error.to_string())
    }
}

impl Clerk {
    async fn write(&mut self, batch: Vec<Command>) -> Result<Vec<Option<PspAnswer>>, sqlx::Error> {
        // Nobody else writes these books: what is read before the transaction still holds within it.
        let mut desk = Desk::load(&mut self.0, &batch).await?;
        let answers = batch
            .into_iter()
            .map(|command| match command {
                Command::Perform(instruction) => Some(desk.perform(instruction)),
                Command::Lookup(key) => desk.operations.get(key.0.as_str()).map(OperationEntry::answer),
            })
            .collect();
        desk.store(&mut self.0).await?;
        Ok(answers)
    }
}

/// The pages of the books that a batch is about, and what the batch changed.
#[derive(Default)]
struct Desk {
    operations: HashMap<String, OperationEntry>,
    authorizations: HashMap<String, Authorization>,
    /// Keys of operations that are new.
    new: BTreeSet<String>,
    /// Keys of operations that came again.
    repeated: BTreeMap<String, i64>,
    /// References of authorizations that are new or changed.
    changed: BTreeSet<String>,
}

impl Desk {
    async fn load(db: &mut SqliteConnection, batch: &[Command]) -> Result<Self, sqlx::Error> {
        let mut desk = Self::default();
        let (mut keys, mut references) = (BTreeSet::new(), BTreeSet::new());
        for command in batch {
            match command {
                Command::Perform(Instruction { operation, .. }) => {
                    keys.insert(operation.key.0.as_str());
                    references.extend(operation.action.authorization());
                }
                Command::Lookup(key) => {
                    keys.insert(key.0.as_str());
                }
            }
        }
        let known = format!(
            "SELECT {OPERATION_COLUMNS} FROM (SELECT value AS asked_key FROM json_each(?)) CROSS JOIN operation ON key = asked_key"
        );
        for row in sqlx::query(&known).bind(json_list(keys)).fetch_all(&mut *db).await? {
            let entry = read_operation(&row)?;
            desk.operations.insert(entry.key.clone(), entry);
        }
        if !references.is_empty() {
            let known = format!(
                "SELECT {AUTHORIZATION_COLUMNS} FROM (SELECT value AS named FROM json_each(?)) CROSS JOIN authorization \
                 ON reference = named"
            );
            for row in sqlx::query(&known).bind(json_list(references)).fetch_all(&mut *db).await? {
                let authorization = read_authorization(&row)?;
                desk.authorizations.insert(authorization.reference.clone(), authorization);
            }
        }
        Ok(desk)
    }

    fn perform(&mut self, instruction: Instruction) -> PspAnswer {
        let Operation { key, money, action, .. } = &instruction.operation;
        let key = key.0.as_str();
        if let Some(known) = self.operations.get(key) {
            let same = known.kind == action.name()
                && known.asked == *money
                && known.authorization.as_deref() == action.authorization();
            if !same {
                return PspAnswer::Declined { reason: "idempotency_key_reused".to_owned() };
            }
            if !self.new.contains(key) {
                *self.repeated.entry(key.to_owned()).or_default() += 1;
            }
            let answer = known.answer();
            self.operations.entry(key.to_owned()).and_modify(|entry| entry.times_asked += 1);
            return answer;
        }
        let reference = format!("psp_{key}");
        let named = action.authorization().and_then(|reference| self.authorizations.get(reference));
        let outcome = match decide(&instruction, &reference, named) {
            Ok((authorization, approved)) => {
                self.changed.insert(authorization.reference.clone());
                self.authorizations.insert(authorization.reference.clone(), authorization);
                Outcome::Approved(approved)
            }
            Err(reason) => Outcome::Declined(reason.to_owned()),
        };
        let entry = OperationEntry {
            key: key.to_owned(),
            kind: action.name().to_owned(),
            authorization: action.authorization().map(str::to_owned),
            reference,
            asked: *money,
            outcome,
            times_asked: 1,
            at_ms: instruction.at_ms,
        };
        let answer = entry.answer();
        self.new.insert(key.to_owned());
        self.operations.insert(key.to_owned(), entry);
        answer
    }

    async fn store(&self, db: &mut SqliteConnection) -> Result<(), sqlx::Error> {
        let changed: Vec<_> = self.changed.iter().filter_map(|reference| self.authorizations.get(reference)).collect();
        let new: Vec<_> = self.new.iter().filter_map(|key| self.operations.get(key)).collect();
        if new.is_empty() && self.repeated.is_empty() {
            return Ok(());
        }
        let mut script = Script::begin();
        let rows = changed.into_iter().map(|row| {
            let Authorization { reference, payment, merchant, currency, amount, captured, refunded, voided } = row;
            (reference, payment, merchant, currency.code(), amount, captured, refunded, voided)
        });
        script.insert(
            &format!("authorization ({AUTHORIZATION_COLUMNS})"),
            rows,
            "ON CONFLICT (reference) DO UPDATE SET captured = excluded.captured, refunded = excluded.refunded, \
             voided = excluded.voided",
        );
        let rows = new.into_iter().map(|row| {
            let OperationEntry { key, kind, authorization, reference, asked, times_asked, at_ms, .. } = row;
            let (approved, reason) = match &row.outcome {
                Outcome::Approved(minor) => (Some(minor), None),
                Outcome::Declined(reason) => (None, Some(reason)),
            };
            let (currency, asked) = (asked.currency.code(), asked.minor);
            (key, kind, authorization, reference, currency, asked, approved, reason, times_asked, at_ms)
        });
        script.insert(&format!("operation ({OPERATION_COLUMNS})"), rows, "");
        if !self.repeated.is_empty() {
            script.add(|query| {
                query
                    .push("UPDATE operation SET times_asked = times_asked + (repeated.value ->> 1) FROM json_each(")
                    .push_bind(json_list(&self.repeated))
                    .push(") AS repeated WHERE operation.key = repeated.value ->> 0");
            });
        }
        script.commit(db).await
    }
}

/// The PSP's rules: the authorization as it is afterwards and the amount approved, or why not.
fn decide(
    instruction: &Instruction,
    reference: &str,
    named: Option<&Authorization>,
) -> Result<(Authorization, i64), &'static str> {
    let Operation { payment_id, merchant_id, money, action, .. } = &instruction.operation;
    if let Some(reason) = instruction.decline {
        return Err(reason);
    }
    let approved = money::sub(money.minor, i64::from(instruction.short)).map_err(|_| "amount_invalid")?;
    if approved <= 0 {
        return Err("amount_invalid");
    }
    if *action == Action::Authorize {
        let authorization = Authorization {
            reference: reference.to_owned(),
            payment: payment_id.to_string(),
            merchant: merchant_id.clone(),
            currency: money.currency,
            amount: approved,
            captured: 0,
            refunded: 0,
            voided: false,
        };
        return Ok((authorization, approved));
    }
    let mut authorization =
        named.filter(|found| found.merchant == *merchant_id).ok_or("authorization_not_found")?.clone();
    if authorization.currency != money.currency {
        return Err("currency_mismatch");
    }
    if authorization.voided {
        return Err("already_voided");
    }
    match action {
        Action::Capture { .. } if authorization.captured > 0 => return Err("already_captured"),
        Action::Capture { .. } if approved > authorization.amount => return Err("amount_exceeds_authorized"),
        Action::Capture { .. } => authorization.captured = approved,
        Action::Void { .. } if authorization.captured > 0 => return Err("already_captured"),
        Action::Void { .. } => authorization.voided = true,
        Action::Refund { .. } | Action::Authorize => {
            authorization.refunded = money::add(authorization.refunded, approved)
                .ok()
                .filter(|refunded| *refunded <= authorization.captured)
                .ok_or("amount_exceeds_captured")?;
        }
    }
    Ok((authorization, approved))
}
