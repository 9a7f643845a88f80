//! What `rialto torture` does to a topic on purpose. Nothing that serves calls this.

use rdkafka::admin::{AdminClient, AdminOptions, AlterConfig, ResourceSpecifier};
use rdkafka::client::DefaultClientContext;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};

use super::Settings;

/// Has the broker refuse records of `topic` above so many bytes; `None` restores the broker's own limit.
///
/// # Errors
/// When the broker refuses the change.
pub async fn bound_records(settings: &Settings, topic: &str, bytes_max: Option<u32>) -> Result<(), KafkaError> {
    let admin: AdminClient<DefaultClientContext> = settings.client().create()?;
    let (wire, bytes_max) = (settings.wire_name(topic), bytes_max.map(|bytes| bytes.to_string()));
    // Settings that are left out return to the broker's defaults, so the topic's retention is given as at its creation.
    let mut config = AlterConfig::new(ResourceSpecifier::Topic(&wire)).set("retention.ms", "-1");
    if let Some(bytes_max) = &bytes_max {
        config = config.set("max.message.bytes", bytes_max);
    }
    let options = AdminOptions::new().request_timeout(Some(settings.request_timeout));
    for altered in admin.alter_configs([&config], &options).await? {
        altered.map_err(|(_, code): (_, RDKafkaErrorCode)| KafkaError::AdminOp(code))?;
    }
    Ok(())
}
