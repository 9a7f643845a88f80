//! Idempotency keys that are taken, with their answers.

use entities::idempotency_key::{ActiveModel, Column, Entity, Model};
use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, IntoActiveModel, QueryFilter, QueryOrder, QuerySelect};

use crate::domain::idempotency::IdempotencyRecord;
use crate::domain::key::{Fingerprint, KeyHash, PaymentOperation};
use crate::domain::outcome::StoredResponse;
use crate::domain::unit_of_work::{ReadSet, UnitOfWork};
use crate::domain::{PaymentId, Timestamp};
use crate::infra::database::connection::Transaction;
use crate::infra::database::error::DatabaseError;
use crate::infra::database::readable::by_key;
use crate::infra::database::row::{Damaged, Reading};
use crate::infra::database::table::Table;
use crate::infra::database::write::{BatchWriter, Update};
use crate::infra::database::{ShardDatabase, or_in_memory};
use crate::infra::sqlite::even_chunks;
use crate::infra::stored;

/// A key gets its answer.
const ANSWER: Update<Column> =
    Update { name: "answer", columns: &[Column::Outcome, Column::FinishedAt, Column::Version] };

/// A key whose time has passed is taken for another request.
const TAKE_ANEW: Update<Column> = Update {
    name: "take anew",
    columns: &[
        Column::PaymentId,
        Column::Fingerprint,
        Column::Outcome,
        Column::CreatedAt,
        Column::FinishedAt,
        Column::ExpiresAt,
        Column::Version,
    ],
};

impl Table for Entity {
    type Row = IdempotencyRecord;
    const NAME: &'static str = "idempotency_key";
    const KEY: Column = Column::Scope;

    fn read(row: Model) -> Result<IdempotencyRecord, Damaged> {
        let reading = Reading { table: Self::NAME, id: row.payment_id };
        let recorded: Option<StoredResponse> = match &row.outcome {
            None => None,
            Some(text) => Some(reading.column("outcome", stored::response::read(text).ok())?),
        };
        Ok(IdempotencyRecord {
            key_hash: KeyHash(reading.column("scope", row.scope.try_into().ok())?),
            operation: reading.column("operation", PaymentOperation::parse(&row.operation))?,
            payment_id: PaymentId::from_stored(row.payment_id),
            fingerprint: Fingerprint(reading.column("fingerprint", row.fingerprint.try_into().ok())?),
            recorded,
            created_at: Timestamp(row.created_at),
            finished_at: row.finished_at.map(Timestamp),
            expires_at: Timestamp(row.expires_at),
            version: row.version,
            merchant_id: row.merchant_id,
            key: row.idempotency_key,
        })
    }

    async fn load(tx: &Transaction, read_set: &ReadSet, unit: &mut UnitOfWork<'_>) -> Result<(), DatabaseError> {
        let keys: Vec<Vec<u8>> = read_set.idempotency_records.iter().map(|key_hash| key_hash.0.to_vec()).collect();
        for record in by_key::<Entity, _>(tx, &keys).await? {
            unit.idempotency_records.load(record.key_hash, record);
        }
        Ok(())
    }

    /// Frees the keys of what was abandoned.
    async fn remove(tx: &Transaction, unit: &UnitOfWork<'_>) -> Result<u64, DatabaseError> {
        let removed = unit.idempotency_records.removed_rows();
        let key_hashes: Vec<Vec<u8>> = removed.map(|(key_hash, _)| key_hash.0.to_vec()).collect();
        if key_hashes.is_empty() {
            return Ok(0);
        }
        let unanswered =
            Entity::delete_many().filter(Column::Scope.is_in(key_hashes)).filter(Column::Outcome.is_null());
        Ok(unanswered.exec(tx).await?.rows_affected)
    }

    async fn write(batch: &mut BatchWriter<'_>, unit: &UnitOfWork<'_>) -> Result<(), DatabaseError> {
        let written = unit.idempotency_records.written_rows().map(|(_, record)| record);
        let (taken_anew, others): (Vec<_>, Vec<_>) =
            written.partition(|record| record.version > 0 && record.created_at == unit.now);
        let rows =
            |records: Vec<_>| records.into_iter().map(|record: &IdempotencyRecord| (record.version, row(record)));
        batch.save(rows(others), &ANSWER).await?;
        batch.save(rows(taken_anew), &TAKE_ANEW).await
    }
}

fn row(record: &IdempotencyRecord) -> ActiveModel {
    Model {
        scope: record.key_hash.0.to_vec(),
        merchant_id: record.merchant_id.clone(),
        operation: record.operation.name().to_owned(),
        idempotency_key: record.key.clone(),
        payment_id: record.payment_id.get(),
        fingerprint: record.fingerprint.0.to_vec(),
        outcome: record.recorded.as_ref().map(stored::response::write),
        created_at: record.created_at.0,
        finished_at: record.finished_at.map(|time| time.0),
        expires_at: record.expires_at.0,
        version: record.version + 1,
    }
    .into_active_model()
}

/// Deletes up to `limit` keys with an answer that have expired by `now`. Returns how many those were.
pub async fn prune(db: &impl ConnectionTrait, now: Timestamp, limit: u64) -> Result<u64, DatabaseError> {
    let expired = Entity::find()
        .select_only()
        .column(Column::Scope)
        .filter(Column::ExpiresAt.lte(now.0))
        .filter(Column::Outcome.is_not_null())
        .order_by_asc(Column::ExpiresAt)
        .limit(limit);
    let keys: Vec<Vec<u8>> = expired.into_tuple().all(db).await?;
    let mut deleted = 0;
    for chunk in even_chunks(&keys) {
        let delete = Entity::delete_many().filter(Column::Scope.is_in(chunk.to_vec()));
        deleted += delete.exec(db).await?.rows_affected;
    }
    Ok(deleted)
}

impl ShardDatabase {
    /// The idempotency records among `key_hashes` that exist and can be read.
    pub async fn idempotency_records(&self, key_hashes: &[KeyHash]) -> Result<Vec<IdempotencyRecord>, DatabaseError> {
        or_in_memory!(self.idempotency_records(key_hashes));
        let key_hashes = key_hashes.iter().map(|key_hash| key_hash.0.to_vec());
        let query = Entity::find().filter(Column::Scope.is_in(key_hashes));
        let found = query.all(&self.readers).await?;
        Ok(found.into_iter().map(Entity::read).collect::<Result<_, _>>()?)
    }
}
