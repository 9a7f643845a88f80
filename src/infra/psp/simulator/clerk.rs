//! Keeps the simulated PSP's books: waiting operations are decided one after the other and written together.

use rusqlite::{OptionalExtension, Transaction, params};

use super::books::{
    AUTHORIZATION_COLUMNS, Authorization, AuthorizationRow, BookedOutcome, OPERATION_COLUMNS, OperationEntry,
    OperationRow,
};
use crate::domain::currency::UnsupportedCurrency;
use crate::domain::money;
use crate::domain::psp::PspKey;
use crate::infra::data_guard::{DataGuard, Lost};
use crate::infra::group_commit::GroupCommitter;
use crate::infra::psp::{Action, PspAnswer, PspOperation};
use crate::infra::sqlite::PrivateWriter;

pub(super) enum Command {
    Perform(Instruction),
    /// Lookups pass through the same queue as operations, so that they see all that came before.
    Lookup(PspKey),
}

/// An operation that has reached the PSP.
pub(super) struct Instruction {
    pub(super) operation: PspOperation,
    /// Decline it for this reason, whatever the books say.
    pub(super) decline: Option<&'static str>,
    /// Approve one minor unit less than asked.
    pub(super) short: bool,
    pub(super) at_ms: i64,
}

/// The books' file, and its guard.
pub(super) struct Clerk(pub(super) PrivateWriter, pub(super) DataGuard);

/// The books cannot be read or written.
#[derive(Debug, thiserror::Error)]
enum Fault {
    #[error(transparent)]
    Sqlite(#[from] rusqlite::Error),
    #[error(transparent)]
    Currency(#[from] UnsupportedCurrency),
    #[error(transparent)]
    Lost(#[from] Lost),
}

impl GroupCommitter for Clerk {
    type Command = Command;
    /// None if nothing is known under the key of a lookup.
    type Answer = Option<PspAnswer>;
    type Error = String;

    fn commit(&mut self, batch: Vec<Command>) -> Result<Vec<Option<PspAnswer>>, String> {
        self.write(batch).map_err(|error| error.to_string())
    }
}

impl Clerk {
    fn write(&mut self, batch: Vec<Command>) -> Result<Vec<Option<PspAnswer>>, Fault> {
        self.1.check()?;
        let answers = self.0.transaction(|transaction| {
            let keeper = BookKeeper(transaction);
            let answers = batch.into_iter().map(|command| match command {
                Command::Perform(instruction) => keeper.perform(instruction).map(Some),
                Command::Lookup(key) => Ok(keeper.operation(&key.0)?.as_ref().map(OperationEntry::answer)),
            });
            answers.collect::<Result<_, Fault>>()
        })?;
        self.1.check()?;
        Ok(answers)
    }
}

/// The books, open for one batch.
struct BookKeeper<'a>(&'a Transaction<'a>);

impl BookKeeper<'_> {
    fn perform(&self, instruction: Instruction) -> Result<PspAnswer, Fault> {
        let PspOperation { key, money, action, .. } = &instruction.operation;
        let key = key.0.as_str();
        if let Some(known) = self.operation(key)? {
            let same = known.kind == action.name()
                && known.asked == *money
                && known.authorization.as_deref() == action.authorization();
            if !same {
                return Ok(PspAnswer::Declined { reason: "idempotency_key_reused".to_owned() });
            }
            self.0
                .prepare_cached("UPDATE operation SET times_asked = times_asked + 1 WHERE key = ?")?
                .execute([key])?;
            return Ok(known.answer());
        }
        let reference = format!("psp_{key}");
        let named = action.authorization().map(|reference| self.authorization(reference)).transpose()?.flatten();
        let outcome = match decide(&instruction, &reference, named) {
            Ok((authorization, approved)) => {
                self.keep(&authorization)?;
                BookedOutcome::Approved(approved)
            }
            Err(reason) => BookedOutcome::Declined(reason.to_owned()),
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
        self.enter(&entry)?;
        Ok(entry.answer())
    }

    fn operation(&self, key: &str) -> Result<Option<OperationEntry>, Fault> {
        let mut query = self.0.prepare_cached(&format!("SELECT {OPERATION_COLUMNS} FROM operation WHERE key = ?"))?;
        let row = query.query_row([key], |row| OperationRow::try_from(row)).optional()?;
        Ok(row.map(OperationEntry::try_from).transpose()?)
    }

    fn authorization(&self, reference: &str) -> Result<Option<Authorization>, Fault> {
        let query = format!("SELECT {AUTHORIZATION_COLUMNS} FROM authorization WHERE reference = ?");
        let row =
            self.0.prepare_cached(&query)?.query_row([reference], |row| AuthorizationRow::try_from(row)).optional()?;
        Ok(row.map(Authorization::try_from).transpose()?)
    }

    /// Writes an authorization, new or changed.
    fn keep(&self, authorization: &Authorization) -> Result<(), Fault> {
        let Authorization { reference, payment, merchant, currency, amount, captured, refunded, voided } =
            authorization;
        let mut upsert = self.0.prepare_cached(&format!(
            "INSERT INTO authorization ({AUTHORIZATION_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?) \
                 ON CONFLICT (reference) \
             DO UPDATE SET captured = excluded.captured, refunded = excluded.refunded, voided = excluded.voided"
        ))?;
        upsert.execute(params![reference, payment, merchant, currency.code(), amount, captured, refunded, voided])?;
        Ok(())
    }

    fn enter(&self, entry: &OperationEntry) -> Result<(), Fault> {
        let OperationEntry { key, kind, authorization, reference, asked, outcome, times_asked, at_ms } = entry;
        let (approved, reason) = match outcome {
            BookedOutcome::Approved(minor) => (Some(minor), None),
            BookedOutcome::Declined(reason) => (None, Some(reason)),
        };
        let (currency, asked) = (asked.currency.code(), asked.minor);
        let mut insert = self.0.prepare_cached(&format!(
            "INSERT INTO operation ({OPERATION_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
        ))?;
        insert.execute(params![
            key,
            kind,
            authorization,
            reference,
            currency,
            asked,
            approved,
            reason,
            times_asked,
            at_ms
        ])?;
        Ok(())
    }
}

/// The PSP's rules: the authorization after the operation and the amount approved, or the reason to decline.
fn decide(
    instruction: &Instruction,
    reference: &str,
    named: Option<Authorization>,
) -> Result<(Authorization, i64), &'static str> {
    let PspOperation { payment_id, merchant_id, money, action, .. } = &instruction.operation;
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
    let mut authorization = named.filter(|found| found.merchant == *merchant_id).ok_or("authorization_not_found")?;
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
