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
INSERT INTO `account_balance` VALUES
('MERCHANT-1','customer_funds','KRW',4200,7200,5),
('MERCHANT-1','merchant_receivable','KRW',7200,4200,5);
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
(0x0E4893FCEF185E319490FD89228FCB3C,'MERCHANT-1','authorize','key-14',252642944014618624,0xB853831DF1F4FC9E06C805358C92D587299EDF64F2978771EC352C1C1AAE0EA6,'{\"outcome\":{\"pending\":{\"payment\":{\"paymentId\":\"pay_070CHDD2G0400\",\"merchantId\":\"MERCHANT-1\",\"status\":\"UNKNOWN\",\"currency\":\"KRW\",\"amounts\":{\"authorized\":0,\"captured\":0,\"capturable\":0,\"refunded\":0,\"refundable\":0},\"amount\":4003,\"requestedAt\":\"2026-11-29T03:52:51.732Z\",\"updatedAt\":\"2026-11-29T03:52:56.737Z\",\"message\":\"The outcome at the payment provider is not known yet; it is being resolved.\"}}},\"request_id\":\"req_93a6596c6bffdbc3\"}',1795924371732,1795924376737,4102444800000,2),
(0x3285A69AEFAC79314481FC63222AD41D,'MERCHANT-1','refund','key-9',252642943393861632,0xE3B0C44298FC1C149AFBF4C8996FB92427AE41E4649B934CA495991B7852B855,'{\"outcome\":{\"done\":{\"payment\":{\"paymentId\":\"pay_070CHDCG00400\",\"merchantId\":\"MERCHANT-1\",\"status\":\"REFUND_REQUESTED\",\"currency\":\"KRW\",\"amounts\":{\"authorized\":4000,\"captured\":4000,\"capturable\":0,\"refunded\":0,\"refundable\":0},\"amount\":4000,\"requestedAt\":\"2026-11-29T03:52:51.584Z\",\"updatedAt\":\"2026-11-29T03:52:51.643Z\",\"captureBefore\":\"2027-11-30T03:52:51.586Z\",\"pspReference\":\"psp_auth_pay_070CHDCG00400\",\"message\":\"The refund is requested.\"},\"refund_id\":\"ref_070CHDCQC0400\"}},\"request_id\":\"req_a45dde8789cea733\"}',1795924371643,1795924371643,4102444800000,1),
(0x598BA2AD6254B4D569F413B67130FC90,'MERCHANT-1','capture','key-5',252642940441071616,0x161A0D45012971AB564F20A7969AC5ED45670E0F54CF9C92F98DD64B7057BBD2,'{\"outcome\":{\"done\":{\"payment\":{\"paymentId\":\"pay_070CHD9R00400\",\"merchantId\":\"MERCHANT-1\",\"status\":\"CAPTURE_REQUESTED\",\"currency\":\"KRW\",\"amounts\":{\"authorized\":3000,\"captured\":0,\"capturable\":0,\"refunded\":0,\"refundable\":1200},\"amount\":3000,\"requestedAt\":\"2026-11-29T03:52:50.880Z\",\"updatedAt\":\"2026-11-29T03:52:50.884Z\",\"captureBefore\":\"2027-11-30T03:52:50.881Z\",\"pspReference\":\"psp_auth_pay_070CHD9R00400\",\"message\":\"The capture is requested.\"},\"refund_id\":null}},\"request_id\":\"req_e9e058fc63e8ba0c\"}',1795924370884,1795924370884,4102444800000,1),
(0x70F17E03210CEE6F2D81C128D768A7FE,'MERCHANT-1','capture','key-3',252642940365574144,0xE3B0C44298FC1C149AFBF4C8996FB92427AE41E4649B934CA495991B7852B855,'{\"outcome\":{\"done\":{\"payment\":{\"paymentId\":\"pay_070CHD9NR0400\",\"merchantId\":\"MERCHANT-1\",\"status\":\"CAPTURE_REQUESTED\",\"currency\":\"KRW\",\"amounts\":{\"authorized\":2000,\"captured\":0,\"capturable\":0,\"refunded\":0,\"refundable\":2000},\"amount\":2000,\"requestedAt\":\"2026-11-29T03:52:50.862Z\",\"updatedAt\":\"2026-11-29T03:52:50.875Z\",\"captureBefore\":\"2027-11-30T03:52:50.869Z\",\"pspReference\":\"psp_auth_pay_070CHD9NR0400\",\"message\":\"The capture is requested.\"},\"refund_id\":null}},\"request_id\":\"req_2ad25c636c678cba\"}',1795924370875,1795924370875,4102444800000,1),
(0x78B098E99E0393C2BE8A29E0ECF0EF83,'MERCHANT-1','authorize','key-10',252642943880400896,0xEE10119CBDB32E28497F07F0A5BD5148E414D6328A798E20F683E11C9A8D2125,'{\"outcome\":{\"done\":{\"payment\":{\"paymentId\":\"pay_070CHDCYG0400\",\"merchantId\":\"MERCHANT-1\",\"status\":\"AUTHORIZED\",\"currency\":\"KRW\",\"amounts\":{\"authorized\":1500,\"captured\":0,\"capturable\":1500,\"refunded\":0,\"refundable\":0},\"amount\":1500,\"requestedAt\":\"2026-11-29T03:52:51.700Z\",\"updatedAt\":\"2026-11-29T03:52:51.704Z\",\"captureBefore\":\"2027-11-30T03:52:51.704Z\",\"pspReference\":\"psp_auth_pay_070CHDCYG0400\",\"message\":\"The payment is authorized.\"},\"refund_id\":null}},\"request_id\":\"req_d8c7775650d878d7\"}',1795924371700,1795924371704,4102444800000,2),
(0x90CA6044C98908F29D481E1A39102110,'MERCHANT-1','authorize','key-2',252642940365574144,0xB7C002B1E3ED168318BACA3B76AEA3CFF252357BF2EE356175C347A50CA858F3,'{\"outcome\":{\"done\":{\"payment\":{\"paymentId\":\"pay_070CHD9NR0400\",\"merchantId\":\"MERCHANT-1\",\"status\":\"AUTHORIZED\",\"currency\":\"KRW\",\"amounts\":{\"authorized\":2000,\"captured\":0,\"capturable\":2000,\"refunded\":0,\"refundable\":0},\"amount\":2000,\"requestedAt\":\"2026-11-29T03:52:50.862Z\",\"updatedAt\":\"2026-11-29T03:52:50.869Z\",\"captureBefore\":\"2027-11-30T03:52:50.869Z\",\"pspReference\":\"psp_auth_pay_070CHD9NR0400\",\"message\":\"The payment is authorized.\"},\"refund_id\":null}},\"request_id\":\"req_e2c47c8c6347020b\"}',1795924370862,1795924370869,4102444800000,2),
(0x9DEC2BB11C9F699FA791EDDAD47B176C,'MERCHANT-1','refund','key-7',252642940441071616,0x4B166B092DB342A22730D8D5F58970F7C98056EA6F8CC46D1B257F77726F48A2,'{\"outcome\":{\"refused\":{\"refusal\":{\"refund_exceeds_captured\":{\"refundable\":1000}}}},\"request_id\":\"req_e1a023579abfb233\"}',1795924371581,1795924371581,4102444800000,1),
(0xA57E418F53CD1705ED76690FDF8E4B90,'MERCHANT-1','capture','key-12',252642943880400896,0xE3B0C44298FC1C149AFBF4C8996FB92427AE41E4649B934CA495991B7852B855,'{\"outcome\":{\"refused\":{\"refusal\":{\"state_conflict\":{\"status\":\"VOIDED\"}}}},\"request_id\":\"req_37ef37f9a43b3f2e\"}',1795924371719,1795924371719,4102444800000,1),
(0xB08C94CDF73CA0F276F5ACBB63C49E04,'MERCHANT-1','authorize','key-8',252642943393861632,0xA174A9BF80B9E62CFD39443E70BAE801AE28AEB4CC226B432124044B36161CFB,'{\"outcome\":{\"done\":{\"payment\":{\"paymentId\":\"pay_070CHDCG00400\",\"merchantId\":\"MERCHANT-1\",\"status\":\"CAPTURE_REQUESTED\",\"currency\":\"KRW\",\"amounts\":{\"authorized\":4000,\"captured\":0,\"capturable\":0,\"refunded\":0,\"refundable\":4000},\"amount\":4000,\"requestedAt\":\"2026-11-29T03:52:51.584Z\",\"updatedAt\":\"2026-11-29T03:52:51.586Z\",\"captureBefore\":\"2027-11-30T03:52:51.586Z\",\"pspReference\":\"psp_auth_pay_070CHDCG00400\",\"message\":\"The capture is requested.\"},\"refund_id\":null}},\"request_id\":\"req_fd3ce9c9b72632af\"}',1795924371584,1795924371586,4102444800000,2),
(0xEC2F1EE4E627C3DC743B4A4C5332DF6D,'MERCHANT-1','refund','key-6',252642940441071616,0xA70FAE891CE08B7195BCDB5D471D9410C72EFFAC872DB0D272A179744FC48ED2,'{\"outcome\":{\"done\":{\"payment\":{\"paymentId\":\"pay_070CHD9R00400\",\"merchantId\":\"MERCHANT-1\",\"status\":\"REFUND_REQUESTED\",\"currency\":\"KRW\",\"amounts\":{\"authorized\":3000,\"captured\":1200,\"capturable\":0,\"refunded\":0,\"refundable\":1000},\"amount\":3000,\"requestedAt\":\"2026-11-29T03:52:50.880Z\",\"updatedAt\":\"2026-11-29T03:52:51.519Z\",\"captureBefore\":\"2027-11-30T03:52:50.881Z\",\"pspReference\":\"psp_auth_pay_070CHD9R00400\",\"message\":\"The refund is requested.\"},\"refund_id\":\"ref_070CHDC7W0400\"}},\"request_id\":\"req_1083da728ce74035\"}',1795924371519,1795924371519,4102444800000,1),
(0xF5C645BBEB482F0D12B2D7D3A1903C4A,'MERCHANT-1','void','key-11',252642943880400896,0xE3B0C44298FC1C149AFBF4C8996FB92427AE41E4649B934CA495991B7852B855,'{\"outcome\":{\"done\":{\"payment\":{\"paymentId\":\"pay_070CHDCYG0400\",\"merchantId\":\"MERCHANT-1\",\"status\":\"VOIDED\",\"currency\":\"KRW\",\"amounts\":{\"authorized\":1500,\"captured\":0,\"capturable\":0,\"refunded\":0,\"refundable\":0},\"amount\":1500,\"requestedAt\":\"2026-11-29T03:52:51.700Z\",\"updatedAt\":\"2026-11-29T03:52:51.708Z\",\"captureBefore\":\"2027-11-30T03:52:51.704Z\",\"pspReference\":\"psp_auth_pay_070CHDCYG0400\",\"message\":\"The payment is voided.\"},\"refund_id\":null}},\"request_id\":\"req_7da7e4e9b5cc75b6\"}',1795924371708,1795924371708,4102444800000,1),
(0xF5C805DA3214677955BF5A66BF88D305,'MERCHANT-1','authorize','key-4',252642940441071616,0x938F3045D2262613A39359CA06B0D3C1AA4B64315B993AD8999CC5586C670EFC,'{\"outcome\":{\"done\":{\"payment\":{\"paymentId\":\"pay_070CHD9R00400\",\"merchantId\":\"MERCHANT-1\",\"status\":\"AUTHORIZED\",\"currency\":\"KRW\",\"amounts\":{\"authorized\":3000,\"captured\":0,\"capturable\":3000,\"refunded\":0,\"refundable\":0},\"amount\":3000,\"requestedAt\":\"2026-11-29T03:52:50.880Z\",\"updatedAt\":\"2026-11-29T03:52:50.881Z\",\"captureBefore\":\"2027-11-30T03:52:50.881Z\",\"pspReference\":\"psp_auth_pay_070CHD9R00400\",\"message\":\"The payment is authorized.\"},\"refund_id\":null}},\"request_id\":\"req_779613074886fc24\"}',1795924370880,1795924370881,4102444800000,2);
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
INSERT INTO `ledger_entry` VALUES
(252642942928293888,252642942890545152,252642940365574144,NULL,'MERCHANT-1','merchant_receivable','customer_funds',2000,'KRW',1795924371473),
(252642943041540096,252642942903128064,252642940441071616,NULL,'MERCHANT-1','merchant_receivable','customer_funds',1200,'KRW',1795924371500),
(252642943289004032,252642943175757824,252642940441071616,252642943121231872,'MERCHANT-1','customer_funds','merchant_receivable',200,'KRW',1795924371559),
(252642943549050880,252642943444193280,252642943393861632,NULL,'MERCHANT-1','merchant_receivable','customer_funds',4000,'KRW',1795924371621),
(252642943800709120,252642943683268608,252642943393861632,252642943641325568,'MERCHANT-1','customer_funds','merchant_receivable',4000,'KRW',1795924371681);
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
) ENGINE=InnoDB AUTO_INCREMENT=17 DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
/*!40101 SET character_set_client = @saved_cs_client */;

LOCK TABLES `outbox_event` WRITE;
/*!40000 ALTER TABLE `outbox_event` DISABLE KEYS */;
INSERT INTO `outbox_event` VALUES
(1,252642940394934272,252642940365574144,'payment.authorized','{\"paymentId\":\"pay_070CHD9NR0400\",\"merchantId\":\"MERCHANT-1\",\"status\":\"AUTHORIZED\",\"amount\":2000,\"currency\":\"KRW\",\"pspReference\":\"psp_auth_pay_070CHD9NR0400\"}','00-9a5d2a6227cc3c059be4a441e9605013-66f5b06269d957ed-00',1795924370869,1795924370879),
(2,252642940420100096,252642940365574144,'payment.capture-requested','{\"paymentId\":\"pay_070CHD9NR0400\",\"merchantId\":\"MERCHANT-1\",\"status\":\"CAPTURE_REQUESTED\",\"amount\":2000,\"currency\":\"KRW\",\"pspReference\":\"psp_auth_pay_070CHD9NR0400\"}','00-6cda305d040aa00c88a29600f98a3931-624769aff201a945-00',1795924370875,1795924370908),
(3,252642940445265920,252642940441071616,'payment.authorized','{\"paymentId\":\"pay_070CHD9R00400\",\"merchantId\":\"MERCHANT-1\",\"status\":\"AUTHORIZED\",\"amount\":3000,\"currency\":\"KRW\",\"pspReference\":\"psp_auth_pay_070CHD9R00400\"}','00-bd97db365940179870b69177270d82a1-b757bd4263b59d83-00',1795924370881,1795924370908),
(4,252642940457848832,252642940441071616,'payment.capture-requested','{\"paymentId\":\"pay_070CHD9R00400\",\"merchantId\":\"MERCHANT-1\",\"status\":\"CAPTURE_REQUESTED\",\"amount\":1200,\"currency\":\"KRW\",\"pspReference\":\"psp_auth_pay_070CHD9R00400\"}','00-b88f46f3dca2d525ff7d9ebbe32489c9-375c686bba8465c7-00',1795924370884,1795924370908),
(5,252642942890545152,252642940365574144,'payment.captured','{\"paymentId\":\"pay_070CHD9NR0400\",\"merchantId\":\"MERCHANT-1\",\"status\":\"CAPTURED\",\"amount\":2000,\"currency\":\"KRW\",\"pspReference\":\"psp_auth_pay_070CHD9NR0400\"}','00-6cda305d040aa00c88a29600f98a3931-624769aff201a945-00',1795924371464,1795924371472),
(6,252642942903128064,252642940441071616,'payment.captured','{\"paymentId\":\"pay_070CHD9R00400\",\"merchantId\":\"MERCHANT-1\",\"status\":\"CAPTURED\",\"amount\":1200,\"currency\":\"KRW\",\"pspReference\":\"psp_auth_pay_070CHD9R00400\"}','00-b88f46f3dca2d525ff7d9ebbe32489c9-375c686bba8465c7-00',1795924371467,1795924371499),
(7,252642943121231873,252642940441071616,'payment.refund-requested','{\"paymentId\":\"pay_070CHD9R00400\",\"merchantId\":\"MERCHANT-1\",\"status\":\"REFUND_REQUESTED\",\"amount\":200,\"currency\":\"KRW\",\"pspReference\":\"psp_auth_pay_070CHD9R00400\",\"refundId\":\"ref_070CHDC7W0400\"}','00-842c248b1b10b8074878b438630f8a97-1fadec906b9db901-00',1795924371519,1795924371530),
(8,252642943175757824,252642940441071616,'payment.refunded','{\"paymentId\":\"pay_070CHD9R00400\",\"merchantId\":\"MERCHANT-1\",\"status\":\"PARTIALLY_REFUNDED\",\"amount\":200,\"currency\":\"KRW\",\"pspReference\":\"psp_auth_pay_070CHD9R00400\",\"refundId\":\"ref_070CHDC7W0400\"}','00-842c248b1b10b8074878b438630f8a97-1fadec906b9db901-00',1795924371532,1795924371558),
(9,252642943402250240,252642943393861632,'payment.authorized','{\"paymentId\":\"pay_070CHDCG00400\",\"merchantId\":\"MERCHANT-1\",\"status\":\"AUTHORIZED\",\"amount\":4000,\"currency\":\"KRW\",\"pspReference\":\"psp_auth_pay_070CHDCG00400\"}','00-298f339a9bd27b8cb131d0abed89c961-8499acf915cc934f-00',1795924371586,1795924371594),
(10,252642943402250241,252642943393861632,'payment.capture-requested','{\"paymentId\":\"pay_070CHDCG00400\",\"merchantId\":\"MERCHANT-1\",\"status\":\"CAPTURE_REQUESTED\",\"amount\":4000,\"currency\":\"KRW\",\"pspReference\":\"psp_auth_pay_070CHDCG00400\"}','00-298f339a9bd27b8cb131d0abed89c961-8499acf915cc934f-00',1795924371586,1795924371594),
(11,252642943444193280,252642943393861632,'payment.captured','{\"paymentId\":\"pay_070CHDCG00400\",\"merchantId\":\"MERCHANT-1\",\"status\":\"CAPTURED\",\"amount\":4000,\"currency\":\"KRW\",\"pspReference\":\"psp_auth_pay_070CHDCG00400\"}','00-298f339a9bd27b8cb131d0abed89c961-8499acf915cc934f-00',1795924371596,1795924371620),
(12,252642943641325569,252642943393861632,'payment.refund-requested','{\"paymentId\":\"pay_070CHDCG00400\",\"merchantId\":\"MERCHANT-1\",\"status\":\"REFUND_REQUESTED\",\"amount\":4000,\"currency\":\"KRW\",\"pspReference\":\"psp_auth_pay_070CHDCG00400\",\"refundId\":\"ref_070CHDCQC0400\"}','00-504e24ccab427774476ddbb5229ccbbd-bdd2cf6872abb3fb-00',1795924371643,1795924371650),
(13,252642943683268608,252642943393861632,'payment.refunded','{\"paymentId\":\"pay_070CHDCG00400\",\"merchantId\":\"MERCHANT-1\",\"status\":\"REFUNDED\",\"amount\":4000,\"currency\":\"KRW\",\"pspReference\":\"psp_auth_pay_070CHDCG00400\",\"refundId\":\"ref_070CHDCQC0400\"}','00-504e24ccab427774476ddbb5229ccbbd-bdd2cf6872abb3fb-00',1795924371653,1795924371678),
(14,252642943897178112,252642943880400896,'payment.authorized','{\"paymentId\":\"pay_070CHDCYG0400\",\"merchantId\":\"MERCHANT-1\",\"status\":\"AUTHORIZED\",\"amount\":1500,\"currency\":\"KRW\",\"pspReference\":\"psp_auth_pay_070CHDCYG0400\"}','00-cc9096e6c818e4669216e189342126d3-d21cd1d03d0a761f-00',1795924371704,1795924371713),
(15,252642943913955328,252642943880400896,'payment.voided','{\"paymentId\":\"pay_070CHDCYG0400\",\"merchantId\":\"MERCHANT-1\",\"status\":\"VOIDED\",\"amount\":1500,\"currency\":\"KRW\",\"pspReference\":\"psp_auth_pay_070CHDCYG0400\"}','00-b07480df40fa7ab28473cca5714fc21b-96f80d8a28ad43a9-00',1795924371708,1795924371740),
(16,252642986272231424,252642944014618624,'payment.authorized','{\"paymentId\":\"pay_070CHDD2G0400\",\"merchantId\":\"MERCHANT-1\",\"status\":\"AUTHORIZED\",\"amount\":4003,\"currency\":\"KRW\",\"pspReference\":\"psp_auth_pay_070CHDD2G0400\"}','00-6bcf8a47f700e8a03a00e43cece568c9-7bbef9ac9a1668c3-00',1795924381807,1795924381813);
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
(252642940365574144,'MERCHANT-1','CAPTURED','KRW',2000,2000,0,2000,0,0,'manual',NULL,NULL,'psp_auth_pay_070CHD9NR0400',NULL,1795924370862,1795924371464,1827546770869,NULL,0,0x90CA6044C98908F29D481E1A39102110,'{\"at\":\"2026-11-29T03:52:50.862Z\",\"what\":\"requested\",\"detail\":\"authorize 2000 KRW\",\"traceId\":\"9a5d2a6227cc3c059be4a441e9605013\"}\n{\"at\":\"2026-11-29T03:52:50.869Z\",\"what\":\"psp_call\",\"detail\":\"authorize approved in 1 ms\",\"traceId\":\"9a5d2a6227cc3c059be4a441e9605013\"}\n{\"at\":\"2026-11-29T03:52:50.869Z\",\"what\":\"decision\",\"detail\":\"AUTHORIZED\",\"traceId\":\"9a5d2a6227cc3c059be4a441e9605013\"}\n{\"at\":\"2026-11-29T03:52:50.869Z\",\"what\":\"event\",\"detail\":\"payment.authorized\",\"eventId\":\"evt_070CHD9PM0400\",\"traceId\":\"9a5d2a6227cc3c059be4a441e9605013\"}\n{\"at\":\"2026-11-29T03:52:50.875Z\",\"what\":\"decision\",\"detail\":\"CAPTURE_REQUESTED\",\"traceId\":\"6cda305d040aa00c88a29600f98a3931\"}\n{\"at\":\"2026-11-29T03:52:50.875Z\",\"what\":\"event\",\"detail\":\"payment.capture-requested\",\"eventId\":\"evt_070CHD9QC0400\",\"traceId\":\"6cda305d040aa00c88a29600f98a3931\"}\n{\"at\":\"2026-11-29T03:52:51.464Z\",\"what\":\"psp_call\",\"detail\":\"capture approved in 1 ms\",\"traceId\":\"6cda305d040aa00c88a29600f98a3931\"}\n{\"at\":\"2026-11-29T03:52:51.464Z\",\"what\":\"decision\",\"detail\":\"CAPTURED\",\"traceId\":\"6cda305d040aa00c88a29600f98a3931\"}\n{\"at\":\"2026-11-29T03:52:51.464Z\",\"what\":\"event\",\"detail\":\"payment.captured\",\"eventId\":\"evt_070CHDC100400\",\"traceId\":\"6cda305d040aa00c88a29600f98a3931\"}',4,252642942890545152,0,NULL),
(252642940441071616,'MERCHANT-1','PARTIALLY_REFUNDED','KRW',3000,3000,0,1200,0,200,'manual',NULL,NULL,'psp_auth_pay_070CHD9R00400',NULL,1795924370880,1795924371532,1827546770881,NULL,0,0xF5C805DA3214677955BF5A66BF88D305,'{\"at\":\"2026-11-29T03:52:50.880Z\",\"what\":\"requested\",\"detail\":\"authorize 3000 KRW\",\"traceId\":\"bd97db365940179870b69177270d82a1\"}\n{\"at\":\"2026-11-29T03:52:50.881Z\",\"what\":\"psp_call\",\"detail\":\"authorize approved in 0 ms\",\"traceId\":\"bd97db365940179870b69177270d82a1\"}\n{\"at\":\"2026-11-29T03:52:50.881Z\",\"what\":\"decision\",\"detail\":\"AUTHORIZED\",\"traceId\":\"bd97db365940179870b69177270d82a1\"}\n{\"at\":\"2026-11-29T03:52:50.881Z\",\"what\":\"event\",\"detail\":\"payment.authorized\",\"eventId\":\"evt_070CHD9R40400\",\"traceId\":\"bd97db365940179870b69177270d82a1\"}\n{\"at\":\"2026-11-29T03:52:50.884Z\",\"what\":\"decision\",\"detail\":\"CAPTURE_REQUESTED\",\"traceId\":\"b88f46f3dca2d525ff7d9ebbe32489c9\"}\n{\"at\":\"2026-11-29T03:52:50.884Z\",\"what\":\"event\",\"detail\":\"payment.capture-requested\",\"eventId\":\"evt_070CHD9RG0400\",\"traceId\":\"b88f46f3dca2d525ff7d9ebbe32489c9\"}\n{\"at\":\"2026-11-29T03:52:51.467Z\",\"what\":\"psp_call\",\"detail\":\"capture approved in 1 ms\",\"traceId\":\"b88f46f3dca2d525ff7d9ebbe32489c9\"}\n{\"at\":\"2026-11-29T03:52:51.467Z\",\"what\":\"decision\",\"detail\":\"CAPTURED\",\"traceId\":\"b88f46f3dca2d525ff7d9ebbe32489c9\"}\n{\"at\":\"2026-11-29T03:52:51.467Z\",\"what\":\"event\",\"detail\":\"payment.captured\",\"eventId\":\"evt_070CHDC1C0400\",\"traceId\":\"b88f46f3dca2d525ff7d9ebbe32489c9\"}\n{\"at\":\"2026-11-29T03:52:51.519Z\",\"what\":\"decision\",\"detail\":\"REFUND_REQUESTED\",\"traceId\":\"842c248b1b10b8074878b438630f8a97\"}\n{\"at\":\"2026-11-29T03:52:51.519Z\",\"what\":\"event\",\"detail\":\"payment.refund-requested\",\"eventId\":\"evt_070CHDC7W0401\",\"traceId\":\"842c248b1b10b8074878b438630f8a97\"}\n{\"at\":\"2026-11-29T03:52:51.532Z\",\"what\":\"psp_call\",\"detail\":\"refund approved in 0 ms\",\"traceId\":\"842c248b1b10b8074878b438630f8a97\"}\n{\"at\":\"2026-11-29T03:52:51.532Z\",\"what\":\"decision\",\"detail\":\"PARTIALLY_REFUNDED\",\"traceId\":\"842c248b1b10b8074878b438630f8a97\"}\n{\"at\":\"2026-11-29T03:52:51.532Z\",\"what\":\"event\",\"detail\":\"payment.refunded\",\"eventId\":\"evt_070CHDC9G0400\",\"traceId\":\"842c248b1b10b8074878b438630f8a97\"}',6,252642942903128064,1,NULL),
(252642943393861632,'MERCHANT-1','REFUNDED','KRW',4000,4000,0,4000,0,4000,'automatic',NULL,NULL,'psp_auth_pay_070CHDCG00400',NULL,1795924371584,1795924371653,1827546771586,NULL,0,0xB08C94CDF73CA0F276F5ACBB63C49E04,'{\"at\":\"2026-11-29T03:52:51.584Z\",\"what\":\"requested\",\"detail\":\"authorize 4000 KRW\",\"traceId\":\"298f339a9bd27b8cb131d0abed89c961\"}\n{\"at\":\"2026-11-29T03:52:51.586Z\",\"what\":\"psp_call\",\"detail\":\"authorize approved in 0 ms\",\"traceId\":\"298f339a9bd27b8cb131d0abed89c961\"}\n{\"at\":\"2026-11-29T03:52:51.586Z\",\"what\":\"decision\",\"detail\":\"AUTHORIZED\",\"traceId\":\"298f339a9bd27b8cb131d0abed89c961\"}\n{\"at\":\"2026-11-29T03:52:51.586Z\",\"what\":\"event\",\"detail\":\"payment.authorized\",\"eventId\":\"evt_070CHDCG80400\",\"traceId\":\"298f339a9bd27b8cb131d0abed89c961\"}\n{\"at\":\"2026-11-29T03:52:51.586Z\",\"what\":\"decision\",\"detail\":\"CAPTURE_REQUESTED\",\"traceId\":\"298f339a9bd27b8cb131d0abed89c961\"}\n{\"at\":\"2026-11-29T03:52:51.586Z\",\"what\":\"event\",\"detail\":\"payment.capture-requested\",\"eventId\":\"evt_070CHDCG80401\",\"traceId\":\"298f339a9bd27b8cb131d0abed89c961\"}\n{\"at\":\"2026-11-29T03:52:51.596Z\",\"what\":\"psp_call\",\"detail\":\"capture approved in 0 ms\",\"traceId\":\"298f339a9bd27b8cb131d0abed89c961\"}\n{\"at\":\"2026-11-29T03:52:51.596Z\",\"what\":\"decision\",\"detail\":\"CAPTURED\",\"traceId\":\"298f339a9bd27b8cb131d0abed89c961\"}\n{\"at\":\"2026-11-29T03:52:51.596Z\",\"what\":\"event\",\"detail\":\"payment.captured\",\"eventId\":\"evt_070CHDCHG0400\",\"traceId\":\"298f339a9bd27b8cb131d0abed89c961\"}\n{\"at\":\"2026-11-29T03:52:51.643Z\",\"what\":\"decision\",\"detail\":\"REFUND_REQUESTED\",\"traceId\":\"504e24ccab427774476ddbb5229ccbbd\"}\n{\"at\":\"2026-11-29T03:52:51.643Z\",\"what\":\"event\",\"detail\":\"payment.refund-requested\",\"eventId\":\"evt_070CHDCQC0401\",\"traceId\":\"504e24ccab427774476ddbb5229ccbbd\"}\n{\"at\":\"2026-11-29T03:52:51.653Z\",\"what\":\"psp_call\",\"detail\":\"refund approved in 0 ms\",\"traceId\":\"504e24ccab427774476ddbb5229ccbbd\"}\n{\"at\":\"2026-11-29T03:52:51.653Z\",\"what\":\"decision\",\"detail\":\"REFUNDED\",\"traceId\":\"504e24ccab427774476ddbb5229ccbbd\"}\n{\"at\":\"2026-11-29T03:52:51.653Z\",\"what\":\"event\",\"detail\":\"payment.refunded\",\"eventId\":\"evt_070CHDCRM0400\",\"traceId\":\"504e24ccab427774476ddbb5229ccbbd\"}',5,252642943444193280,1,NULL),
(252642943880400896,'MERCHANT-1','VOIDED','KRW',1500,1500,0,0,0,0,'manual',NULL,NULL,'psp_auth_pay_070CHDCYG0400',NULL,1795924371700,1795924371708,1827546771704,NULL,0,0x78B098E99E0393C2BE8A29E0ECF0EF83,'{\"at\":\"2026-11-29T03:52:51.700Z\",\"what\":\"requested\",\"detail\":\"authorize 1500 KRW\",\"traceId\":\"cc9096e6c818e4669216e189342126d3\"}\n{\"at\":\"2026-11-29T03:52:51.704Z\",\"what\":\"psp_call\",\"detail\":\"authorize approved in 1 ms\",\"traceId\":\"cc9096e6c818e4669216e189342126d3\"}\n{\"at\":\"2026-11-29T03:52:51.704Z\",\"what\":\"decision\",\"detail\":\"AUTHORIZED\",\"traceId\":\"cc9096e6c818e4669216e189342126d3\"}\n{\"at\":\"2026-11-29T03:52:51.704Z\",\"what\":\"event\",\"detail\":\"payment.authorized\",\"eventId\":\"evt_070CHDCZ00400\",\"traceId\":\"cc9096e6c818e4669216e189342126d3\"}\n{\"at\":\"2026-11-29T03:52:51.708Z\",\"what\":\"decision\",\"detail\":\"VOIDED\",\"traceId\":\"b07480df40fa7ab28473cca5714fc21b\"}\n{\"at\":\"2026-11-29T03:52:51.708Z\",\"what\":\"event\",\"detail\":\"payment.voided\",\"eventId\":\"evt_070CHDCZG0400\",\"traceId\":\"b07480df40fa7ab28473cca5714fc21b\"}\n{\"at\":\"2026-11-29T03:52:51.743Z\",\"what\":\"psp_call\",\"detail\":\"void approved in 0 ms\",\"traceId\":\"b07480df40fa7ab28473cca5714fc21b\"}',4,NULL,0,NULL),
(252642944014618624,'MERCHANT-1','AUTHORIZED','KRW',4003,4003,0,0,0,0,'manual',NULL,NULL,'psp_auth_pay_070CHDD2G0400',NULL,1795924371732,1795924381807,1827546781807,4102444800000,0,0x0E4893FCEF185E319490FD89228FCB3C,'{\"at\":\"2026-11-29T03:52:51.732Z\",\"what\":\"requested\",\"detail\":\"authorize 4003 KRW\",\"traceId\":\"62c6824804c9bf77f9d06b9885b6ab6d\"}\n{\"at\":\"2026-11-29T03:52:56.737Z\",\"what\":\"psp_call\",\"detail\":\"authorize unknown in 5001 ms no answer in time\",\"traceId\":\"62c6824804c9bf77f9d06b9885b6ab6d\"}\n{\"at\":\"2026-11-29T03:52:56.737Z\",\"what\":\"decision\",\"detail\":\"UNKNOWN\",\"traceId\":\"62c6824804c9bf77f9d06b9885b6ab6d\"}\n{\"at\":\"2026-11-29T03:53:01.807Z\",\"what\":\"psp_call\",\"detail\":\"authorize approved in 0 ms\",\"traceId\":\"6bcf8a47f700e8a03a00e43cece568c9\"}\n{\"at\":\"2026-11-29T03:53:01.807Z\",\"what\":\"decision\",\"detail\":\"AUTHORIZED\",\"traceId\":\"6bcf8a47f700e8a03a00e43cece568c9\"}\n{\"at\":\"2026-11-29T03:53:01.807Z\",\"what\":\"event\",\"detail\":\"payment.authorized\",\"eventId\":\"evt_070CHEMDW0400\",\"traceId\":\"6bcf8a47f700e8a03a00e43cece568c9\"}',3,NULL,0,NULL);
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
('settlement',252642940420100096,1795924371464),
('settlement',252642940457848832,1795924371467),
('ledger',252642942890545152,1795924371473),
('ledger',252642942903128064,1795924371500),
('refund',252642943121231873,1795924371532),
('ledger',252642943175757824,1795924371559),
('settlement',252642943402250241,1795924371596),
('ledger',252642943444193280,1795924371621),
('refund',252642943641325569,1795924371653),
('ledger',252642943683268608,1795924371681),
('settlement',252642943913955328,1795924371743);
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
INSERT INTO `refund` VALUES
(252642943121231872,252642940441071616,'MERCHANT-1','KRW',200,'REFUNDED','torn','psp_refund_ref_070CHDC7W0400',NULL,1795924371519,1795924371532,2,252642943175757824),
(252642943641325568,252642943393861632,'MERCHANT-1','KRW',4000,'REFUNDED',NULL,'psp_refund_ref_070CHDCQC0400',NULL,1795924371643,1795924371653,2,252642943683268608);
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
INSERT INTO `refund_request` VALUES
(252642943121231873,252642943121231872,252642940441071616,200,'KRW','done',0,0,NULL,NULL,'00-842c248b1b10b8074878b438630f8a97-1fadec906b9db901-00',1795924371519,1795924371532,2),
(252642943641325569,252642943641325568,252642943393861632,4000,'KRW','done',0,0,NULL,NULL,'00-504e24ccab427774476ddbb5229ccbbd-bdd2cf6872abb3fb-00',1795924371643,1795924371653,2);
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
('m20261124_000006_dead_letters',1795924369),
('m20261128_000007_shard_identity',1795924369),
('m20261128_000008_bounded_rows',1795924369),
('m20261128_000009_refunds_waiting',1795924369),
('m20261128_000010_write_probe',1795924369);
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
(252642940420100096,252642940365574144,'capture',2000,'KRW','done',0,0,NULL,NULL,'00-6cda305d040aa00c88a29600f98a3931-624769aff201a945-00',1795924370875,1795924371464,2),
(252642940457848832,252642940441071616,'capture',1200,'KRW','done',0,0,NULL,NULL,'00-b88f46f3dca2d525ff7d9ebbe32489c9-375c686bba8465c7-00',1795924370884,1795924371467,2),
(252642943402250241,252642943393861632,'capture',4000,'KRW','done',0,0,NULL,NULL,'00-298f339a9bd27b8cb131d0abed89c961-8499acf915cc934f-00',1795924371586,1795924371596,2),
(252642943913955328,252642943880400896,'void',1500,'KRW','done',0,0,NULL,NULL,'00-b07480df40fa7ab28473cca5714fc21b-96f80d8a28ad43a9-00',1795924371708,1795924371743,2);
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
(1,'2a0a4a36d0a27641dd7337683599803d',1,2,1,'topics fixture_11236.* on the Kafka cluster cmlhbHRvLWthZmthLTAwMQ','file 4f03036f24dc5cf79d2a98c50b7f3047',1795924370050);
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

