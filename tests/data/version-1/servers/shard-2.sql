/*M!999999\- enable the sandbox mode */ 

/*!40101 SET @OLD_CHARACTER_SET_CLIENT=@@CHARACTER_SET_CLIENT */;
/*!40101 SET @OLD_CHARACTER_SET_RESULTS=@@CHARACTER_SET_RESULTS */;
/*!40101 SET @OLD_COLLATION_CONNECTION=@@COLLATION_CONNECTION */;
/*!40101 SET NAMES utf8mb4 */;
/*!40103 SET @OLD_TIME_ZONE=@@TIME_ZONE */;
/*!40103 SET TIME_ZONE='+00:00' */;
/*!40014 SET @OLD_UNIQUE_CHECKS=@@UNIQUE_CHECKS, UNIQUE_CHECKS=0 */;
/*!40014 SET @OLD_FOREIGN_KEY_CHECKS=@@FOREIGN_KEY_CHECKS, FOREIGN_KEY_CHECKS=0 */;
/*!40101 SET @OLD_SQL_MODE=@@SQL_MODE, SQL_MODE='NO_AUTO_VALUE_ON_ZERO' */;
/*!40111 SET @OLD_SQL_NOTES=@@SQL_NOTES, SQL_NOTES=0 */;
DROP TABLE IF EXISTS `account_balance`;
/*!40101 SET @saved_cs_client     = @@character_set_client */;
/*!40101 SET character_set_client = utf8mb4 */;
CREATE TABLE `account_balance` (
  `merchant_id` varchar(32) NOT NULL,
  `account` varchar(32) NOT NULL,
  `currency` char(3) NOT NULL,
  `debits` bigint(20) NOT NULL,
  `credits` bigint(20) NOT NULL,
  `version` bigint(20) NOT NULL,
  PRIMARY KEY (`merchant_id`,`account`,`currency`),
  CONSTRAINT `CONSTRAINT_1` CHECK (`debits` >= 0),
  CONSTRAINT `CONSTRAINT_2` CHECK (`credits` >= 0)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
/*!40101 SET character_set_client = @saved_cs_client */;

LOCK TABLES `account_balance` WRITE;
/*!40000 ALTER TABLE `account_balance` DISABLE KEYS */;
/*!40000 ALTER TABLE `account_balance` ENABLE KEYS */;
UNLOCK TABLES;
DROP TABLE IF EXISTS `dead_letter`;
/*!40101 SET @saved_cs_client     = @@character_set_client */;
/*!40101 SET character_set_client = utf8mb4 */;
CREATE TABLE `dead_letter` (
  `id` bigint(20) NOT NULL,
  `topic` varchar(40) NOT NULL,
  `source_topic` varchar(40) DEFAULT NULL,
  `source_partition` int(11) DEFAULT NULL,
  `source_offset` bigint(20) DEFAULT NULL,
  `event_key` varchar(64) DEFAULT NULL,
  `payload` mediumtext NOT NULL,
  `error_type` varchar(64) NOT NULL,
  `error_message` varchar(1024) NOT NULL,
  `retry_count` int(11) NOT NULL,
  `first_failed_at` bigint(20) NOT NULL,
  `last_failed_at` bigint(20) NOT NULL,
  `trace_id` varchar(32) DEFAULT NULL,
  `status` varchar(10) NOT NULL,
  `matter` varchar(10) NOT NULL DEFAULT 'foreign',
  `occurred_at` bigint(20) DEFAULT NULL,
  `traceparent` varchar(55) DEFAULT NULL,
  `redrives` int(11) NOT NULL DEFAULT 0,
  `due_at` bigint(20) DEFAULT NULL,
  `note` varchar(255) DEFAULT NULL,
  `version` bigint(20) NOT NULL DEFAULT 1,
  PRIMARY KEY (`id`),
  KEY `dead_letter_status_id` (`status`,`id`),
  KEY `dead_letter_due_at` (`due_at`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
/*!40101 SET character_set_client = @saved_cs_client */;

LOCK TABLES `dead_letter` WRITE;
/*!40000 ALTER TABLE `dead_letter` DISABLE KEYS */;
INSERT INTO `dead_letter` VALUES
(252642965061640192,'settlement.dlq','payment.capture-requested',NULL,NULL,'pay_070CHE0MM0800','{\"amount\":5003,\"currency\":\"KRW\",\"lastError\":\"refused_by_issuer\",\"paymentId\":\"pay_070CHE0MM0800\",\"requestId\":\"evt_070CHE0NR0800\",\"task\":\"capture\"}','retries_exhausted_or_declined','refused_by_issuer',0,1795924376750,1795924376786,'58bc1ae817beb7dc2fc33aa299f1d6fb','discarded','request',NULL,NULL,0,NULL,'known',2);
/*!40000 ALTER TABLE `dead_letter` ENABLE KEYS */;
UNLOCK TABLES;
DROP TABLE IF EXISTS `idempotency_key`;
/*!40101 SET @saved_cs_client     = @@character_set_client */;
/*!40101 SET character_set_client = utf8mb4 */;
CREATE TABLE `idempotency_key` (
  `scope` binary(16) NOT NULL,
  `merchant_id` varchar(32) NOT NULL,
  `operation` varchar(10) NOT NULL,
  `idempotency_key` varchar(255) NOT NULL,
  `payment_id` bigint(20) NOT NULL,
  `fingerprint` binary(32) NOT NULL,
  `outcome` mediumtext DEFAULT NULL,
  `created_at` bigint(20) NOT NULL,
  `finished_at` bigint(20) DEFAULT NULL,
  `expires_at` bigint(20) NOT NULL,
  `version` bigint(20) NOT NULL,
  PRIMARY KEY (`scope`),
  KEY `idempotency_key_expires_at` (`expires_at`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
/*!40101 SET character_set_client = @saved_cs_client */;

LOCK TABLES `idempotency_key` WRITE;
/*!40000 ALTER TABLE `idempotency_key` DISABLE KEYS */;
INSERT INTO `idempotency_key` VALUES
(0x16949EDB4158C1F60B573B7BFDD561EA,'MERCHANT-2','capture','key-16',252642965023891456,0xE3B0C44298FC1C149AFBF4C8996FB92427AE41E4649B934CA495991B7852B855,'{\"outcome\":{\"done\":{\"payment\":{\"paymentId\":\"pay_070CHE0MM0800\",\"merchantId\":\"MERCHANT-2\",\"status\":\"CAPTURE_REQUESTED\",\"currency\":\"KRW\",\"amounts\":{\"authorized\":5003,\"captured\":0,\"capturable\":0,\"refunded\":0,\"refundable\":5003},\"amount\":5003,\"requestedAt\":\"2026-11-29T03:52:56.741Z\",\"updatedAt\":\"2026-11-29T03:52:56.750Z\",\"captureBefore\":\"2027-11-30T03:52:56.744Z\",\"pspReference\":\"psp_auth_pay_070CHE0MM0800\",\"message\":\"The capture is requested.\"},\"refund_id\":null}},\"request_id\":\"req_a8204461f8d2f337\"}',1795924376750,1795924376750,4102444800000,1),
(0x3822244BE072668B233B3A880535D4F0,'MERCHANT-2','authorize','key-15',252642965023891456,0x412AA88449792140864863E6AAACF5A897204E0A7AA17CA7C7E9E5B036FC4F5B,'{\"outcome\":{\"done\":{\"payment\":{\"paymentId\":\"pay_070CHE0MM0800\",\"merchantId\":\"MERCHANT-2\",\"status\":\"AUTHORIZED\",\"currency\":\"KRW\",\"amounts\":{\"authorized\":5003,\"captured\":0,\"capturable\":5003,\"refunded\":0,\"refundable\":0},\"amount\":5003,\"requestedAt\":\"2026-11-29T03:52:56.741Z\",\"updatedAt\":\"2026-11-29T03:52:56.744Z\",\"captureBefore\":\"2027-11-30T03:52:56.744Z\",\"pspReference\":\"psp_auth_pay_070CHE0MM0800\",\"message\":\"The payment is authorized.\"},\"refund_id\":null}},\"request_id\":\"req_2e59e11c7ee6788a\"}',1795924376741,1795924376744,4102444800000,2),
(0x60FED2F599F72335A5C8361EDB0253ED,'MERCHANT-2','authorize','key-13',252642943981068288,0x36E7CB140E933D37C59F0CFD3E4E51B63013072A8D5F922FD96344F8A6DA413F,'{\"outcome\":{\"declined\":{\"payment\":{\"paymentId\":\"pay_070CHDD1G0800\",\"merchantId\":\"MERCHANT-2\",\"status\":\"DECLINED\",\"currency\":\"KRW\",\"amounts\":{\"authorized\":0,\"captured\":0,\"capturable\":0,\"refunded\":0,\"refundable\":0},\"amount\":4002,\"requestedAt\":\"2026-11-29T03:52:51.724Z\",\"updatedAt\":\"2026-11-29T03:52:51.727Z\",\"message\":\"The payment was declined: insufficient_funds.\"},\"reason\":\"insufficient_funds\"}},\"request_id\":\"req_6aef60214643d82d\"}',1795924371724,1795924371727,4102444800000,2),
(0x9F15DF00E89117414911BCA165870F5E,'MERCHANT-2','authorize','key-1',252642940319440896,0x286BB7FFB6501ED5816CB6A4312351A8F75B1532C47A879DA943424B2753B0DA,'{\"outcome\":{\"done\":{\"payment\":{\"paymentId\":\"pay_070CHD9MC0800\",\"merchantId\":\"MERCHANT-2\",\"status\":\"AUTHORIZED\",\"currency\":\"KRW\",\"amounts\":{\"authorized\":1000,\"captured\":0,\"capturable\":1000,\"refunded\":0,\"refundable\":0},\"amount\":1000,\"requestedAt\":\"2026-11-29T03:52:50.851Z\",\"updatedAt\":\"2026-11-29T03:52:50.857Z\",\"captureBefore\":\"2027-11-30T03:52:50.857Z\",\"pspReference\":\"psp_auth_pay_070CHD9MC0800\",\"description\":\"order 7, \\\"quoted\\\" and 한글\",\"metadata\":{\"order\":\"7\",\"shop\":\"서울\"},\"message\":\"The payment is authorized.\"},\"refund_id\":null}},\"request_id\":\"req_013e88ed2e948654\"}',1795924370851,1795924370857,4102444800000,2);
/*!40000 ALTER TABLE `idempotency_key` ENABLE KEYS */;
UNLOCK TABLES;
DROP TABLE IF EXISTS `ledger_entry`;
/*!40101 SET @saved_cs_client     = @@character_set_client */;
/*!40101 SET character_set_client = utf8mb4 */;
CREATE TABLE `ledger_entry` (
  `id` bigint(20) NOT NULL,
  `event_id` bigint(20) NOT NULL,
  `payment_id` bigint(20) NOT NULL,
  `refund_id` bigint(20) DEFAULT NULL,
  `merchant_id` varchar(32) NOT NULL,
  `debit_account` varchar(32) NOT NULL,
  `credit_account` varchar(32) NOT NULL,
  `amount` bigint(20) NOT NULL,
  `currency` char(3) NOT NULL,
  `created_at` bigint(20) NOT NULL,
  PRIMARY KEY (`id`),
  UNIQUE KEY `ledger_entry_event_id` (`event_id`),
  KEY `ledger_entry_payment_id` (`payment_id`),
  CONSTRAINT `CONSTRAINT_1` CHECK (`amount` > 0),
  CONSTRAINT `CONSTRAINT_2` CHECK (`debit_account` <> `credit_account`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
/*!40101 SET character_set_client = @saved_cs_client */;

LOCK TABLES `ledger_entry` WRITE;
/*!40000 ALTER TABLE `ledger_entry` DISABLE KEYS */;
/*!40000 ALTER TABLE `ledger_entry` ENABLE KEYS */;
UNLOCK TABLES;
/*!50003 SET @saved_cs_client      = @@character_set_client */ ;
/*!50003 SET @saved_cs_results     = @@character_set_results */ ;
/*!50003 SET @saved_col_connection = @@collation_connection */ ;
/*!50003 SET character_set_client  = utf8mb4 */ ;
/*!50003 SET character_set_results = utf8mb4 */ ;
/*!50003 SET collation_connection  = utf8mb4_unicode_ci */ ;
/*!50003 SET @saved_sql_mode       = @@sql_mode */ ;
/*!50003 SET sql_mode              = 'PIPES_AS_CONCAT,IGNORE_SPACE,STRICT_TRANS_TABLES,STRICT_ALL_TABLES,ERROR_FOR_DIVISION_BY_ZERO,NO_AUTO_CREATE_USER,NO_ENGINE_SUBSTITUTION' */ ;
DELIMITER ;;
/*!50003 CREATE*/ /*!50017 DEFINER=`rialto`@`%`*/ /*!50003 TRIGGER IF NOT EXISTS ledger_entry_no_update BEFORE UPDATE ON ledger_entry FOR EACH ROW SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'a ledger entry is never updated or deleted' 
*/;;
DELIMITER ;
/*!50003 SET sql_mode              = @saved_sql_mode */ ;
/*!50003 SET character_set_client  = @saved_cs_client */ ;
/*!50003 SET character_set_results = @saved_cs_results */ ;
/*!50003 SET collation_connection  = @saved_col_connection */ ;
/*!50003 SET @saved_cs_client      = @@character_set_client */ ;
/*!50003 SET @saved_cs_results     = @@character_set_results */ ;
/*!50003 SET @saved_col_connection = @@collation_connection */ ;
/*!50003 SET character_set_client  = utf8mb4 */ ;
/*!50003 SET character_set_results = utf8mb4 */ ;
/*!50003 SET collation_connection  = utf8mb4_unicode_ci */ ;
/*!50003 SET @saved_sql_mode       = @@sql_mode */ ;
/*!50003 SET sql_mode              = 'PIPES_AS_CONCAT,IGNORE_SPACE,STRICT_TRANS_TABLES,STRICT_ALL_TABLES,ERROR_FOR_DIVISION_BY_ZERO,NO_AUTO_CREATE_USER,NO_ENGINE_SUBSTITUTION' */ ;
DELIMITER ;;
/*!50003 CREATE*/ /*!50017 DEFINER=`rialto`@`%`*/ /*!50003 TRIGGER IF NOT EXISTS ledger_entry_no_delete BEFORE DELETE ON ledger_entry FOR EACH ROW SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'a ledger entry is never updated or deleted' 
*/;;
DELIMITER ;
/*!50003 SET sql_mode              = @saved_sql_mode */ ;
/*!50003 SET character_set_client  = @saved_cs_client */ ;
/*!50003 SET character_set_results = @saved_cs_results */ ;
/*!50003 SET collation_connection  = @saved_col_connection */ ;
DROP TABLE IF EXISTS `operator_action`;
/*!40101 SET @saved_cs_client     = @@character_set_client */;
/*!40101 SET character_set_client = utf8mb4 */;
CREATE TABLE `operator_action` (
  `id` bigint(20) NOT NULL,
  `at` bigint(20) NOT NULL,
  `operator` varchar(64) NOT NULL,
  `kind` varchar(40) NOT NULL,
  `target` varchar(64) NOT NULL,
  `detail` varchar(1024) NOT NULL,
  `request_id` varchar(64) NOT NULL,
  PRIMARY KEY (`id`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
/*!40101 SET character_set_client = @saved_cs_client */;

LOCK TABLES `operator_action` WRITE;
/*!40000 ALTER TABLE `operator_action` DISABLE KEYS */;
INSERT INTO `operator_action` VALUES
(252642965346852864,1795924376818,'kim','dead_letter.discard','dlq_070CHE0NR0800','known','req_34f3e5134e7979a6');
/*!40000 ALTER TABLE `operator_action` ENABLE KEYS */;
UNLOCK TABLES;
DROP TABLE IF EXISTS `outbox_event`;
/*!40101 SET @saved_cs_client     = @@character_set_client */;
/*!40101 SET character_set_client = utf8mb4 */;
CREATE TABLE `outbox_event` (
  `seq` bigint(20) NOT NULL AUTO_INCREMENT,
  `event_id` bigint(20) NOT NULL,
  `payment_id` bigint(20) NOT NULL,
  `topic` varchar(40) NOT NULL,
  `payload` mediumtext NOT NULL,
  `traceparent` varchar(55) NOT NULL,
  `occurred_at` bigint(20) NOT NULL,
  `published_at` bigint(20) DEFAULT NULL,
  PRIMARY KEY (`seq`),
  UNIQUE KEY `outbox_event_event_id` (`event_id`),
  KEY `outbox_event_published_at_seq` (`published_at`,`seq`)
) ENGINE=InnoDB AUTO_INCREMENT=7 DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
/*!40101 SET character_set_client = @saved_cs_client */;

LOCK TABLES `outbox_event` WRITE;
/*!40000 ALTER TABLE `outbox_event` DISABLE KEYS */;
INSERT INTO `outbox_event` VALUES
(1,252642940344606720,252642940319440896,'payment.authorized','{\"paymentId\":\"pay_070CHD9MC0800\",\"merchantId\":\"MERCHANT-2\",\"status\":\"AUTHORIZED\",\"amount\":1000,\"currency\":\"KRW\",\"pspReference\":\"psp_auth_pay_070CHD9MC0800\"}','00-8bfce50ebff914c3f5a30f09c0c34d59-6b5e9ef3ad2c94d7-00',1795924370857,1795924370867),
(2,252642943993651200,252642943981068288,'payment.failed','{\"paymentId\":\"pay_070CHDD1G0800\",\"merchantId\":\"MERCHANT-2\",\"status\":\"DECLINED\",\"amount\":4002,\"currency\":\"KRW\",\"reason\":\"insufficient_funds\"}','00-c344eaa171558b46e2a6d1a1197d2399-70b202d13ef3a9c9-00',1795924371727,1795924371736),
(3,252642965036474368,252642965023891456,'payment.authorized','{\"paymentId\":\"pay_070CHE0MM0800\",\"merchantId\":\"MERCHANT-2\",\"status\":\"AUTHORIZED\",\"amount\":5003,\"currency\":\"KRW\",\"pspReference\":\"psp_auth_pay_070CHE0MM0800\"}','00-cdcd9546734d6c7735ffbc7f48bfa357-605e05bb5b5a97e1-00',1795924376744,1795924376755),
(4,252642965061640192,252642965023891456,'payment.capture-requested','{\"paymentId\":\"pay_070CHE0MM0800\",\"merchantId\":\"MERCHANT-2\",\"status\":\"CAPTURE_REQUESTED\",\"amount\":5003,\"currency\":\"KRW\",\"pspReference\":\"psp_auth_pay_070CHE0MM0800\"}','00-58bc1ae817beb7dc2fc33aa299f1d6fb-5f75c4dcda2b7c4f-00',1795924376750,1795924376783),
(5,252642965212635136,252642965023891456,'payment.failed','{\"paymentId\":\"pay_070CHE0MM0800\",\"merchantId\":\"MERCHANT-2\",\"status\":\"CAPTURE_FAILED\",\"amount\":5003,\"currency\":\"KRW\",\"pspReference\":\"psp_auth_pay_070CHE0MM0800\",\"reason\":\"refused_by_issuer\"}','00-58bc1ae817beb7dc2fc33aa299f1d6fb-5f75c4dcda2b7c4f-00',1795924376786,1795924376812),
(6,252642965212635137,252642965023891456,'settlement.dlq','{\"id\":\"dlq_070CHE0NR0800\",\"topic\":\"settlement.dlq\",\"source\":{\"topic\":\"payment.capture-requested\",\"key\":\"pay_070CHE0MM0800\"},\"payload\":\"{\\\"amount\\\":5003,\\\"currency\\\":\\\"KRW\\\",\\\"lastError\\\":\\\"refused_by_issuer\\\",\\\"paymentId\\\":\\\"pay_070CHE0MM0800\\\",\\\"requestId\\\":\\\"evt_070CHE0NR0800\\\",\\\"task\\\":\\\"capture\\\"}\",\"errorType\":\"retries_exhausted_or_declined\",\"errorMessage\":\"refused_by_issuer\",\"retryCount\":0,\"firstFailedAt\":\"2026-11-29T03:52:56.750Z\",\"lastFailedAt\":\"2026-11-29T03:52:56.786Z\",\"traceId\":\"58bc1ae817beb7dc2fc33aa299f1d6fb\"}','00-58bc1ae817beb7dc2fc33aa299f1d6fb-5f75c4dcda2b7c4f-00',1795924376786,1795924376812);
/*!40000 ALTER TABLE `outbox_event` ENABLE KEYS */;
UNLOCK TABLES;
DROP TABLE IF EXISTS `payment`;
/*!40101 SET @saved_cs_client     = @@character_set_client */;
/*!40101 SET character_set_client = utf8mb4 */;
CREATE TABLE `payment` (
  `id` bigint(20) NOT NULL,
  `merchant_id` varchar(32) NOT NULL,
  `status` varchar(20) NOT NULL,
  `currency` char(3) NOT NULL,
  `amount` bigint(20) NOT NULL,
  `authorized` bigint(20) NOT NULL,
  `capture_pending` bigint(20) NOT NULL,
  `captured` bigint(20) NOT NULL,
  `refund_pending` bigint(20) NOT NULL,
  `refunded` bigint(20) NOT NULL,
  `capture_mode` varchar(9) NOT NULL,
  `description` varchar(500) DEFAULT NULL,
  `metadata` mediumtext DEFAULT NULL,
  `psp_reference` varchar(64) DEFAULT NULL,
  `reason` varchar(64) DEFAULT NULL,
  `requested_at` bigint(20) NOT NULL,
  `updated_at` bigint(20) NOT NULL,
  `capture_before` bigint(20) DEFAULT NULL,
  `due_at` bigint(20) DEFAULT NULL,
  `attempts` int(11) NOT NULL,
  `claim` binary(16) NOT NULL,
  `timeline` mediumtext NOT NULL,
  `version` bigint(20) NOT NULL,
  `captured_event` bigint(20) DEFAULT NULL,
  `refunds` int(11) NOT NULL DEFAULT 0,
  `refunds_waiting` mediumtext DEFAULT NULL,
  PRIMARY KEY (`id`),
  KEY `payment_merchant_id_id` (`merchant_id`,`id`),
  KEY `payment_due_at` (`due_at`),
  CONSTRAINT `CONSTRAINT_1` CHECK (`amount` >= 0),
  CONSTRAINT `CONSTRAINT_2` CHECK (`authorized` >= 0),
  CONSTRAINT `CONSTRAINT_3` CHECK (`capture_pending` >= 0),
  CONSTRAINT `CONSTRAINT_4` CHECK (`captured` >= 0),
  CONSTRAINT `CONSTRAINT_5` CHECK (`refund_pending` >= 0),
  CONSTRAINT `CONSTRAINT_6` CHECK (`refunded` >= 0),
  CONSTRAINT `CONSTRAINT_7` CHECK (`captured` <= `authorized`),
  CONSTRAINT `CONSTRAINT_8` CHECK (`capture_pending` + `captured` <= `authorized`),
  CONSTRAINT `CONSTRAINT_9` CHECK (`refunded` + `refund_pending` <= `captured`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
/*!40101 SET character_set_client = @saved_cs_client */;

LOCK TABLES `payment` WRITE;
/*!40000 ALTER TABLE `payment` DISABLE KEYS */;
INSERT INTO `payment` VALUES
(252642940319440896,'MERCHANT-2','AUTHORIZED','KRW',1000,1000,0,0,0,0,'manual','order 7, \"quoted\" and 한글','{\"order\":\"7\",\"shop\":\"서울\"}','psp_auth_pay_070CHD9MC0800',NULL,1795924370851,1795924370857,1827546770857,4102444800000,0,0x9F15DF00E89117414911BCA165870F5E,'{\"at\":\"2026-11-29T03:52:50.851Z\",\"what\":\"requested\",\"detail\":\"authorize 1000 KRW\",\"traceId\":\"8bfce50ebff914c3f5a30f09c0c34d59\"}\n{\"at\":\"2026-11-29T03:52:50.857Z\",\"what\":\"psp_call\",\"detail\":\"authorize approved in 1 ms\",\"traceId\":\"8bfce50ebff914c3f5a30f09c0c34d59\"}\n{\"at\":\"2026-11-29T03:52:50.857Z\",\"what\":\"decision\",\"detail\":\"AUTHORIZED\",\"traceId\":\"8bfce50ebff914c3f5a30f09c0c34d59\"}\n{\"at\":\"2026-11-29T03:52:50.857Z\",\"what\":\"event\",\"detail\":\"payment.authorized\",\"eventId\":\"evt_070CHD9N40800\",\"traceId\":\"8bfce50ebff914c3f5a30f09c0c34d59\"}',2,NULL,0,NULL),
(252642943981068288,'MERCHANT-2','DECLINED','KRW',4002,0,0,0,0,0,'manual',NULL,NULL,NULL,'insufficient_funds',1795924371724,1795924371727,NULL,NULL,0,0x60FED2F599F72335A5C8361EDB0253ED,'{\"at\":\"2026-11-29T03:52:51.724Z\",\"what\":\"requested\",\"detail\":\"authorize 4002 KRW\",\"traceId\":\"c344eaa171558b46e2a6d1a1197d2399\"}\n{\"at\":\"2026-11-29T03:52:51.727Z\",\"what\":\"psp_call\",\"detail\":\"authorize declined in 1 ms insufficient_funds\",\"traceId\":\"c344eaa171558b46e2a6d1a1197d2399\"}\n{\"at\":\"2026-11-29T03:52:51.727Z\",\"what\":\"decision\",\"detail\":\"DECLINED\",\"traceId\":\"c344eaa171558b46e2a6d1a1197d2399\"}\n{\"at\":\"2026-11-29T03:52:51.727Z\",\"what\":\"event\",\"detail\":\"payment.failed\",\"eventId\":\"evt_070CHDD1W0800\",\"traceId\":\"c344eaa171558b46e2a6d1a1197d2399\"}',2,NULL,0,NULL),
(252642965023891456,'MERCHANT-2','CAPTURE_FAILED','KRW',5003,5003,0,0,0,0,'manual',NULL,NULL,'psp_auth_pay_070CHE0MM0800','refused_by_issuer',1795924376741,1795924376786,1827546776744,4102444800000,1,0x3822244BE072668B233B3A880535D4F0,'{\"at\":\"2026-11-29T03:52:56.741Z\",\"what\":\"requested\",\"detail\":\"authorize 5003 KRW\",\"traceId\":\"cdcd9546734d6c7735ffbc7f48bfa357\"}\n{\"at\":\"2026-11-29T03:52:56.744Z\",\"what\":\"psp_call\",\"detail\":\"authorize approved in 0 ms\",\"traceId\":\"cdcd9546734d6c7735ffbc7f48bfa357\"}\n{\"at\":\"2026-11-29T03:52:56.744Z\",\"what\":\"decision\",\"detail\":\"AUTHORIZED\",\"traceId\":\"cdcd9546734d6c7735ffbc7f48bfa357\"}\n{\"at\":\"2026-11-29T03:52:56.744Z\",\"what\":\"event\",\"detail\":\"payment.authorized\",\"eventId\":\"evt_070CHE0N00800\",\"traceId\":\"cdcd9546734d6c7735ffbc7f48bfa357\"}\n{\"at\":\"2026-11-29T03:52:56.750Z\",\"what\":\"decision\",\"detail\":\"CAPTURE_REQUESTED\",\"traceId\":\"58bc1ae817beb7dc2fc33aa299f1d6fb\"}\n{\"at\":\"2026-11-29T03:52:56.750Z\",\"what\":\"event\",\"detail\":\"payment.capture-requested\",\"eventId\":\"evt_070CHE0NR0800\",\"traceId\":\"58bc1ae817beb7dc2fc33aa299f1d6fb\"}\n{\"at\":\"2026-11-29T03:52:56.786Z\",\"what\":\"psp_call\",\"detail\":\"capture declined in 0 ms refused_by_issuer\",\"traceId\":\"58bc1ae817beb7dc2fc33aa299f1d6fb\"}\n{\"at\":\"2026-11-29T03:52:56.786Z\",\"what\":\"decision\",\"detail\":\"CAPTURE_FAILED\",\"traceId\":\"58bc1ae817beb7dc2fc33aa299f1d6fb\"}\n{\"at\":\"2026-11-29T03:52:56.786Z\",\"what\":\"event\",\"detail\":\"payment.failed\",\"eventId\":\"evt_070CHE0T80800\",\"traceId\":\"58bc1ae817beb7dc2fc33aa299f1d6fb\"}',4,NULL,0,NULL);
/*!40000 ALTER TABLE `payment` ENABLE KEYS */;
UNLOCK TABLES;
DROP TABLE IF EXISTS `processed_event`;
/*!40101 SET @saved_cs_client     = @@character_set_client */;
/*!40101 SET character_set_client = utf8mb4 */;
CREATE TABLE `processed_event` (
  `consumer` varchar(20) NOT NULL,
  `event_id` bigint(20) NOT NULL,
  `processed_at` bigint(20) NOT NULL,
  PRIMARY KEY (`consumer`,`event_id`),
  KEY `processed_event_processed_at` (`processed_at`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
/*!40101 SET character_set_client = @saved_cs_client */;

LOCK TABLES `processed_event` WRITE;
/*!40000 ALTER TABLE `processed_event` DISABLE KEYS */;
INSERT INTO `processed_event` VALUES
('settlement',252642965061640192,1795924376786);
/*!40000 ALTER TABLE `processed_event` ENABLE KEYS */;
UNLOCK TABLES;
DROP TABLE IF EXISTS `refund`;
/*!40101 SET @saved_cs_client     = @@character_set_client */;
/*!40101 SET character_set_client = utf8mb4 */;
CREATE TABLE `refund` (
  `id` bigint(20) NOT NULL,
  `payment_id` bigint(20) NOT NULL,
  `merchant_id` varchar(32) NOT NULL,
  `currency` char(3) NOT NULL,
  `amount` bigint(20) NOT NULL,
  `status` varchar(20) NOT NULL,
  `reason` varchar(255) DEFAULT NULL,
  `psp_reference` varchar(64) DEFAULT NULL,
  `failure` varchar(64) DEFAULT NULL,
  `requested_at` bigint(20) NOT NULL,
  `updated_at` bigint(20) NOT NULL,
  `version` bigint(20) NOT NULL,
  `refunded_event` bigint(20) DEFAULT NULL,
  PRIMARY KEY (`id`),
  KEY `refund_payment_id` (`payment_id`),
  CONSTRAINT `CONSTRAINT_1` CHECK (`amount` > 0)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
/*!40101 SET character_set_client = @saved_cs_client */;

LOCK TABLES `refund` WRITE;
/*!40000 ALTER TABLE `refund` DISABLE KEYS */;
/*!40000 ALTER TABLE `refund` ENABLE KEYS */;
UNLOCK TABLES;
DROP TABLE IF EXISTS `refund_request`;
/*!40101 SET @saved_cs_client     = @@character_set_client */;
/*!40101 SET character_set_client = utf8mb4 */;
CREATE TABLE `refund_request` (
  `id` bigint(20) NOT NULL,
  `refund_id` bigint(20) NOT NULL,
  `payment_id` bigint(20) NOT NULL,
  `amount` bigint(20) NOT NULL,
  `currency` char(3) NOT NULL,
  `status` varchar(10) NOT NULL,
  `attempts` int(11) NOT NULL,
  `unsure` tinyint(1) NOT NULL,
  `due_at` bigint(20) DEFAULT NULL,
  `last_error` varchar(255) DEFAULT NULL,
  `traceparent` varchar(55) NOT NULL,
  `created_at` bigint(20) NOT NULL,
  `updated_at` bigint(20) NOT NULL,
  `version` bigint(20) NOT NULL,
  PRIMARY KEY (`id`),
  UNIQUE KEY `refund_request_refund_id` (`refund_id`),
  KEY `refund_request_due_at` (`due_at`),
  KEY `refund_request_payment_id` (`payment_id`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
/*!40101 SET character_set_client = @saved_cs_client */;

LOCK TABLES `refund_request` WRITE;
/*!40000 ALTER TABLE `refund_request` DISABLE KEYS */;
/*!40000 ALTER TABLE `refund_request` ENABLE KEYS */;
UNLOCK TABLES;
DROP TABLE IF EXISTS `seaql_migrations`;
/*!40101 SET @saved_cs_client     = @@character_set_client */;
/*!40101 SET character_set_client = utf8mb4 */;
CREATE TABLE `seaql_migrations` (
  `version` varchar(255) NOT NULL,
  `applied_at` bigint(20) NOT NULL,
  PRIMARY KEY (`version`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_general_ci;
/*!40101 SET character_set_client = @saved_cs_client */;

LOCK TABLES `seaql_migrations` WRITE;
/*!40000 ALTER TABLE `seaql_migrations` DISABLE KEYS */;
INSERT INTO `seaql_migrations` VALUES
('m20261123_000001_payments',1795924369),
('m20261123_000002_requests',1795924369),
('m20261123_000003_ledger',1795924369),
('m20261123_000004_events',1795924369),
('m20261123_000005_idempotency_keys',1795924369),
('m20261124_000006_dead_letters',1795924370),
('m20261128_000007_shard_identity',1795924370),
('m20261128_000008_bounded_rows',1795924370),
('m20261128_000009_refunds_waiting',1795924370),
('m20261128_000010_write_probe',1795924370);
/*!40000 ALTER TABLE `seaql_migrations` ENABLE KEYS */;
UNLOCK TABLES;
DROP TABLE IF EXISTS `settlement_request`;
/*!40101 SET @saved_cs_client     = @@character_set_client */;
/*!40101 SET character_set_client = utf8mb4 */;
CREATE TABLE `settlement_request` (
  `id` bigint(20) NOT NULL,
  `payment_id` bigint(20) NOT NULL,
  `kind` varchar(7) NOT NULL,
  `amount` bigint(20) NOT NULL,
  `currency` char(3) NOT NULL,
  `status` varchar(10) NOT NULL,
  `attempts` int(11) NOT NULL,
  `unsure` tinyint(1) NOT NULL,
  `due_at` bigint(20) DEFAULT NULL,
  `last_error` varchar(255) DEFAULT NULL,
  `traceparent` varchar(55) NOT NULL,
  `created_at` bigint(20) NOT NULL,
  `updated_at` bigint(20) NOT NULL,
  `version` bigint(20) NOT NULL,
  PRIMARY KEY (`id`),
  UNIQUE KEY `settlement_request_payment_id_kind` (`payment_id`,`kind`),
  KEY `settlement_request_due_at` (`due_at`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
/*!40101 SET character_set_client = @saved_cs_client */;

LOCK TABLES `settlement_request` WRITE;
/*!40000 ALTER TABLE `settlement_request` DISABLE KEYS */;
INSERT INTO `settlement_request` VALUES
(252642965061640192,252642965023891456,'capture',5003,'KRW','failed',0,0,NULL,'refused_by_issuer','00-58bc1ae817beb7dc2fc33aa299f1d6fb-5f75c4dcda2b7c4f-00',1795924376750,1795924376786,2);
/*!40000 ALTER TABLE `settlement_request` ENABLE KEYS */;
UNLOCK TABLES;
DROP TABLE IF EXISTS `shard_identity`;
/*!40101 SET @saved_cs_client     = @@character_set_client */;
/*!40101 SET character_set_client = utf8mb4 */;
CREATE TABLE `shard_identity` (
  `id` bigint(20) NOT NULL,
  `system_id` char(32) NOT NULL,
  `shard` int(11) NOT NULL,
  `shard_count` int(11) NOT NULL,
  `map_version` int(11) NOT NULL,
  `event_log` varchar(512) DEFAULT NULL,
  `psp` varchar(512) DEFAULT NULL,
  `created_at` bigint(20) NOT NULL,
  PRIMARY KEY (`id`),
  CONSTRAINT `CONSTRAINT_1` CHECK (`id` = 1)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
/*!40101 SET character_set_client = @saved_cs_client */;

LOCK TABLES `shard_identity` WRITE;
/*!40000 ALTER TABLE `shard_identity` DISABLE KEYS */;
INSERT INTO `shard_identity` VALUES
(1,'2a0a4a36d0a27641dd7337683599803d',2,2,1,'topics fixture_11236.* on the Kafka cluster cmlhbHRvLWthZmthLTAwMQ','file 4f03036f24dc5cf79d2a98c50b7f3047',1795924370052);
/*!40000 ALTER TABLE `shard_identity` ENABLE KEYS */;
UNLOCK TABLES;
DROP TABLE IF EXISTS `timeline_page`;
/*!40101 SET @saved_cs_client     = @@character_set_client */;
/*!40101 SET character_set_client = utf8mb4 */;
CREATE TABLE `timeline_page` (
  `payment_id` bigint(20) NOT NULL,
  `first` int(11) NOT NULL,
  `entries` mediumtext NOT NULL,
  PRIMARY KEY (`payment_id`,`first`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
/*!40101 SET character_set_client = @saved_cs_client */;

LOCK TABLES `timeline_page` WRITE;
/*!40000 ALTER TABLE `timeline_page` DISABLE KEYS */;
/*!40000 ALTER TABLE `timeline_page` ENABLE KEYS */;
UNLOCK TABLES;
DROP TABLE IF EXISTS `write_probe`;
/*!40101 SET @saved_cs_client     = @@character_set_client */;
/*!40101 SET character_set_client = utf8mb4 */;
CREATE TABLE `write_probe` (
  `id` bigint(20) NOT NULL,
  `writes` bigint(20) NOT NULL,
  PRIMARY KEY (`id`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
/*!40101 SET character_set_client = @saved_cs_client */;

LOCK TABLES `write_probe` WRITE;
/*!40000 ALTER TABLE `write_probe` DISABLE KEYS */;
/*!40000 ALTER TABLE `write_probe` ENABLE KEYS */;
UNLOCK TABLES;
/*!40103 SET TIME_ZONE=@OLD_TIME_ZONE */;

/*!40101 SET SQL_MODE=@OLD_SQL_MODE */;
/*!40014 SET FOREIGN_KEY_CHECKS=@OLD_FOREIGN_KEY_CHECKS */;
/*!40014 SET UNIQUE_CHECKS=@OLD_UNIQUE_CHECKS */;
/*!40101 SET CHARACTER_SET_CLIENT=@OLD_CHARACTER_SET_CLIENT */;
/*!40101 SET CHARACTER_SET_RESULTS=@OLD_CHARACTER_SET_RESULTS */;
/*!40101 SET COLLATION_CONNECTION=@OLD_COLLATION_CONNECTION */;
/*!40111 SET SQL_NOTES=@OLD_SQL_NOTES */;

