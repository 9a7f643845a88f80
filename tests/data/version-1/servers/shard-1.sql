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
('ı[¨ƒ6xltÄÕB7m','MERCHANT-1','capture','key-3',252623558402904064,'„∞ƒBò¸ö˚Ù»ôoπ$\'ÆA‰dõìL§ïôxR∏U','{\"outcome\":{\"done\":{\"payment\":{\"paymentId\":\"pay_070BZS6T80400\",\"merchantId\":\"MERCHANT-1\",\"status\":\"CAPTURE_REQUESTED\",\"currency\":\"KRW\",\"amounts\":{\"authorized\":2000,\"captured\":0,\"capturable\":0,\"refunded\":0,\"refundable\":2000},\"amount\":2000,\"requestedAt\":\"2026-11-29T02:35:49.842Z\",\"updatedAt\":\"2026-11-29T02:35:49.862Z\",\"captureBefore\":\"2027-11-30T02:35:49.852Z\",\"pspReference\":\"psp_auth_pay_070BZS6T80400\",\"message\":\"The capture is requested.\"},\"refund_id\":null}},\"request_id\":\"req_02409123e3012d2a\"}',1795919749862,1795919749862,4102444800000,1),
('Hì¸Ô^1îê˝â\"èÀ<','MERCHANT-1','authorize','key-14',252623576572628992,'∏SÉÒÙ¸û»5åí’á)ûﬂdÚóáqÏ5,\ZÆ¶','{\"outcome\":{\"pending\":{\"payment\":{\"paymentId\":\"pay_070BZSQQR0400\",\"merchantId\":\"MERCHANT-1\",\"status\":\"UNKNOWN\",\"currency\":\"KRW\",\"amounts\":{\"authorized\":0,\"captured\":0,\"capturable\":0,\"refunded\":0,\"refundable\":0},\"amount\":4003,\"requestedAt\":\"2026-11-29T02:35:54.174Z\",\"updatedAt\":\"2026-11-29T02:35:59.202Z\",\"message\":\"The outcome at the payment provider is not known yet; it is being resolved.\"}}},\"request_id\":\"req_db1a11a54f4a516a\"}',1795919754174,1795919759202,4102444800000,2),
('nA[£◊≥≤S\'~µ÷‹)','MERCHANT-1','refund','key-9',252623575280783360,'„∞ƒBò¸ö˚Ù»ôoπ$\'ÆA‰dõìL§ïôxR∏U','{\"outcome\":{\"done\":{\"payment\":{\"paymentId\":\"pay_070BZSPH80400\",\"merchantId\":\"MERCHANT-1\",\"status\":\"REFUND_REQUESTED\",\"currency\":\"KRW\",\"amounts\":{\"authorized\":4000,\"captured\":4000,\"capturable\":0,\"refunded\":0,\"refundable\":0},\"amount\":4000,\"requestedAt\":\"2026-11-29T02:35:53.866Z\",\"updatedAt\":\"2026-11-29T02:35:53.977Z\",\"captureBefore\":\"2027-11-30T02:35:53.893Z\",\"pspReference\":\"psp_auth_pay_070BZSPH80400\",\"message\":\"The refund is requested.\"},\"refund_id\":\"ref_070BZSPZ40400\"}},\"request_id\":\"req_cc46db6d9bfbb3ab\"}',1795919753977,1795919753977,4102444800000,1),
('·7nçSÍ\rÃ@ô@\n','MERCHANT-1','refund','key-6',252623558612619264,'ßÆâ‡ãqïº€]Gî«.ˇ¨á-∞“r°ytOƒé“','{\"outcome\":{\"done\":{\"payment\":{\"paymentId\":\"pay_070BZS70G0400\",\"merchantId\":\"MERCHANT-1\",\"status\":\"REFUND_REQUESTED\",\"currency\":\"KRW\",\"amounts\":{\"authorized\":3000,\"captured\":1200,\"capturable\":0,\"refunded\":0,\"refundable\":1000},\"amount\":3000,\"requestedAt\":\"2026-11-29T02:35:49.892Z\",\"updatedAt\":\"2026-11-29T02:35:53.755Z\",\"captureBefore\":\"2027-11-30T02:35:49.897Z\",\"pspReference\":\"psp_auth_pay_070BZS70G0400\",\"message\":\"The refund is requested.\"},\"refund_id\":\"ref_070BZSP3C0400\"}},\"request_id\":\"req_f6c3d5140b23a202\"}',1795919753755,1795919753755,4102444800000,1),
('V«Ûóüx‡ŸµòÊôôìM','MERCHANT-1','capture','key-12',252623576006397952,'„∞ƒBò¸ö˚Ù»ôoπ$\'ÆA‰dõìL§ïôxR∏U','{\"outcome\":{\"refused\":{\"refusal\":{\"state_conflict\":{\"status\":\"VOIDED\"}}}},\"request_id\":\"req_430800a22f4851fa\"}',1795919754110,1795919754110,4102444800000,1),
('YW≥Yk#ry/\'#õ?aÀo','MERCHANT-1','refund','key-7',252623558612619264,'Kk	-≥B¢\'0ÿ’ıâp˜…ÄVÍoåƒm%wroH¢','{\"outcome\":{\"refused\":{\"refusal\":{\"refund_exceeds_captured\":{\"refundable\":1000}}}},\"request_id\":\"req_61e6997ae5761170\"}',1795919753853,1795919753853,4102444800000,1),
('x∞òÈûì¬æä)‡ÏÔÉ','MERCHANT-1','authorize','key-10',252623576006397952,'ÓúΩ≥.(I•ΩQH‰÷2äyé ˆÉ·öç!%','{\"outcome\":{\"done\":{\"payment\":{\"paymentId\":\"pay_070BZSQ6W0400\",\"merchantId\":\"MERCHANT-1\",\"status\":\"AUTHORIZED\",\"currency\":\"KRW\",\"amounts\":{\"authorized\":1500,\"captured\":0,\"capturable\":1500,\"refunded\":0,\"refundable\":0},\"amount\":1500,\"requestedAt\":\"2026-11-29T02:35:54.039Z\",\"updatedAt\":\"2026-11-29T02:35:54.059Z\",\"captureBefore\":\"2027-11-30T02:35:54.059Z\",\"pspReference\":\"psp_auth_pay_070BZSQ6W0400\",\"message\":\"The payment is authorized.\"},\"refund_id\":null}},\"request_id\":\"req_fcead0800fc46c49\"}',1795919754039,1795919754059,4102444800000,2),
('ê `D…âÚùH\Z9!','MERCHANT-1','authorize','key-2',252623558402904064,'∑¿±„ÌÉ∫ ;vÆ£œÚR5{ÚÓ5au√G•®XÛ','{\"outcome\":{\"done\":{\"payment\":{\"paymentId\":\"pay_070BZS6T80400\",\"merchantId\":\"MERCHANT-1\",\"status\":\"AUTHORIZED\",\"currency\":\"KRW\",\"amounts\":{\"authorized\":2000,\"captured\":0,\"capturable\":2000,\"refunded\":0,\"refundable\":0},\"amount\":2000,\"requestedAt\":\"2026-11-29T02:35:49.842Z\",\"updatedAt\":\"2026-11-29T02:35:49.852Z\",\"captureBefore\":\"2027-11-30T02:35:49.852Z\",\"pspReference\":\"psp_auth_pay_070BZS6T80400\",\"message\":\"The payment is authorized.\"},\"refund_id\":null}},\"request_id\":\"req_79454c17c628d9bf\"}',1795919749842,1795919749852,4102444800000,2),
('∞åîÕ˜<†Úvı¨ªcƒû','MERCHANT-1','authorize','key-8',252623575280783360,'°t©øÄπÊ,˝9D>p∫ËÆ(Æ¥Ã\"kC!$K6˚','{\"outcome\":{\"done\":{\"payment\":{\"paymentId\":\"pay_070BZSPH80400\",\"merchantId\":\"MERCHANT-1\",\"status\":\"CAPTURE_REQUESTED\",\"currency\":\"KRW\",\"amounts\":{\"authorized\":4000,\"captured\":0,\"capturable\":0,\"refunded\":0,\"refundable\":4000},\"amount\":4000,\"requestedAt\":\"2026-11-29T02:35:53.866Z\",\"updatedAt\":\"2026-11-29T02:35:53.893Z\",\"captureBefore\":\"2027-11-30T02:35:53.893Z\",\"pspReference\":\"psp_auth_pay_070BZSPH80400\",\"message\":\"The capture is requested.\"},\"refund_id\":null}},\"request_id\":\"req_4e1c886eb3305182\"}',1795919753866,1795919753893,4102444800000,2),
('—Mv◊}°ì√≈hJâïoBæ','MERCHANT-1','capture','key-5',252623558612619264,'\Z\rE)q´VO ßñö≈ÌEgTœúí˘ç÷KpWª“','{\"outcome\":{\"done\":{\"payment\":{\"paymentId\":\"pay_070BZS70G0400\",\"merchantId\":\"MERCHANT-1\",\"status\":\"CAPTURE_REQUESTED\",\"currency\":\"KRW\",\"amounts\":{\"authorized\":3000,\"captured\":0,\"capturable\":0,\"refunded\":0,\"refundable\":1200},\"amount\":3000,\"requestedAt\":\"2026-11-29T02:35:49.892Z\",\"updatedAt\":\"2026-11-29T02:35:49.902Z\",\"captureBefore\":\"2027-11-30T02:35:49.897Z\",\"pspReference\":\"psp_auth_pay_070BZS70G0400\",\"message\":\"The capture is requested.\"},\"refund_id\":null}},\"request_id\":\"req_7c8f2e002f9e3920\"}',1795919749902,1795919749902,4102444800000,1),
('Î∞C+RdËg†jáÏj','MERCHANT-1','void','key-11',252623576006397952,'„∞ƒBò¸ö˚Ù»ôoπ$\'ÆA‰dõìL§ïôxR∏U','{\"outcome\":{\"done\":{\"payment\":{\"paymentId\":\"pay_070BZSQ6W0400\",\"merchantId\":\"MERCHANT-1\",\"status\":\"VOIDED\",\"currency\":\"KRW\",\"amounts\":{\"authorized\":1500,\"captured\":0,\"capturable\":0,\"refunded\":0,\"refundable\":0},\"amount\":1500,\"requestedAt\":\"2026-11-29T02:35:54.039Z\",\"updatedAt\":\"2026-11-29T02:35:54.068Z\",\"captureBefore\":\"2027-11-30T02:35:54.059Z\",\"pspReference\":\"psp_auth_pay_070BZSQ6W0400\",\"message\":\"The payment is voided.\"},\"refund_id\":null}},\"request_id\":\"req_d0ad52ee851045ed\"}',1795919754068,1795919754068,4102444800000,1),
('ı»⁄2gyUøZføà”','MERCHANT-1','authorize','key-4',252623558612619264,'ìè0E“&&£ìY ∞”¡™Kd1[ô:ÿôú≈Xlg¸','{\"outcome\":{\"done\":{\"payment\":{\"paymentId\":\"pay_070BZS70G0400\",\"merchantId\":\"MERCHANT-1\",\"status\":\"AUTHORIZED\",\"currency\":\"KRW\",\"amounts\":{\"authorized\":3000,\"captured\":0,\"capturable\":3000,\"refunded\":0,\"refundable\":0},\"amount\":3000,\"requestedAt\":\"2026-11-29T02:35:49.892Z\",\"updatedAt\":\"2026-11-29T02:35:49.897Z\",\"captureBefore\":\"2027-11-30T02:35:49.897Z\",\"pspReference\":\"psp_auth_pay_070BZS70G0400\",\"message\":\"The payment is authorized.\"},\"refund_id\":null}},\"request_id\":\"req_69ff00f1b8a18f4c\"}',1795919749892,1795919749897,4102444800000,2);
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
(252623574685192192,252623574534197248,252623558612619264,NULL,'MERCHANT-1','merchant_receivable','customer_funds',1200,'KRW',1795919753724),
(252623574907490304,252623574555168768,252623558402904064,NULL,'MERCHANT-1','merchant_receivable','customer_funds',2000,'KRW',1795919753777),
(252623575339503616,252623575113011200,252623558612619264,252623574815215616,'MERCHANT-1','customer_funds','merchant_receivable',200,'KRW',1795919753880),
(252623575746351106,252623575607939072,252623575280783360,NULL,'MERCHANT-1','merchant_receivable','customer_funds',4000,'KRW',1795919753977),
(252623576060923904,252623575905734656,252623575280783360,252623575746351104,'MERCHANT-1','customer_funds','merchant_receivable',4000,'KRW',1795919754052);
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
(1,252623558444847104,252623558402904064,'payment.authorized','{\"paymentId\":\"pay_070BZS6T80400\",\"merchantId\":\"MERCHANT-1\",\"status\":\"AUTHORIZED\",\"amount\":2000,\"currency\":\"KRW\",\"pspReference\":\"psp_auth_pay_070BZS6T80400\"}','00-0dc386907e6b15d034acc19da9495139-18c8f93d287e67bf-00',1795919749852,1795919750003),
(2,252623558486790144,252623558402904064,'payment.capture-requested','{\"paymentId\":\"pay_070BZS6T80400\",\"merchantId\":\"MERCHANT-1\",\"status\":\"CAPTURE_REQUESTED\",\"amount\":2000,\"currency\":\"KRW\",\"pspReference\":\"psp_auth_pay_070BZS6T80400\"}','00-dbaeb647b21876bcf4db0dcbff1e8fbd-1c5f0b90720fcafd-00',1795919749862,1795919750053),
(3,252623558633590784,252623558612619264,'payment.authorized','{\"paymentId\":\"pay_070BZS70G0400\",\"merchantId\":\"MERCHANT-1\",\"status\":\"AUTHORIZED\",\"amount\":3000,\"currency\":\"KRW\",\"pspReference\":\"psp_auth_pay_070BZS70G0400\"}','00-7abf256574ddfcf4bb5d5e3356878783-dc9361a0116a9fdd-00',1795919749897,1795919750053),
(4,252623558654562304,252623558612619264,'payment.capture-requested','{\"paymentId\":\"pay_070BZS70G0400\",\"merchantId\":\"MERCHANT-1\",\"status\":\"CAPTURE_REQUESTED\",\"amount\":1200,\"currency\":\"KRW\",\"pspReference\":\"psp_auth_pay_070BZS70G0400\"}','00-890fae4038ffaa109fc88012debb010d-d4db89198757a1a5-00',1795919749902,1795919750053),
(5,252623574534197248,252623558612619264,'payment.captured','{\"paymentId\":\"pay_070BZS70G0400\",\"merchantId\":\"MERCHANT-1\",\"status\":\"CAPTURED\",\"amount\":1200,\"currency\":\"KRW\",\"pspReference\":\"psp_auth_pay_070BZS70G0400\"}','00-890fae4038ffaa109fc88012debb010d-d4db89198757a1a5-00',1795919753688,1795919753711),
(6,252623574555168768,252623558402904064,'payment.captured','{\"paymentId\":\"pay_070BZS6T80400\",\"merchantId\":\"MERCHANT-1\",\"status\":\"CAPTURED\",\"amount\":2000,\"currency\":\"KRW\",\"pspReference\":\"psp_auth_pay_070BZS6T80400\"}','00-dbaeb647b21876bcf4db0dcbff1e8fbd-1c5f0b90720fcafd-00',1795919753693,1795919753771),
(7,252623574815215617,252623558612619264,'payment.refund-requested','{\"paymentId\":\"pay_070BZS70G0400\",\"merchantId\":\"MERCHANT-1\",\"status\":\"REFUND_REQUESTED\",\"amount\":200,\"currency\":\"KRW\",\"pspReference\":\"psp_auth_pay_070BZS70G0400\",\"refundId\":\"ref_070BZSP3C0400\"}','00-23ba3cd1ec970547cde0013e7a93c78d-73214ba6d5e962e3-00',1795919753755,1795919753806),
(8,252623575113011200,252623558612619264,'payment.refunded','{\"paymentId\":\"pay_070BZS70G0400\",\"merchantId\":\"MERCHANT-1\",\"status\":\"PARTIALLY_REFUNDED\",\"amount\":200,\"currency\":\"KRW\",\"pspReference\":\"psp_auth_pay_070BZS70G0400\",\"refundId\":\"ref_070BZSP3C0400\"}','00-23ba3cd1ec970547cde0013e7a93c78d-73214ba6d5e962e3-00',1795919753826,1795919753880),
(9,252623575394029568,252623575280783360,'payment.authorized','{\"paymentId\":\"pay_070BZSPH80400\",\"merchantId\":\"MERCHANT-1\",\"status\":\"AUTHORIZED\",\"amount\":4000,\"currency\":\"KRW\",\"pspReference\":\"psp_auth_pay_070BZSPH80400\"}','00-ceac41e1d99d714f327dd1f1504fe817-288bbb9c4943543f-00',1795919753893,1795919753931),
(10,252623575394029569,252623575280783360,'payment.capture-requested','{\"paymentId\":\"pay_070BZSPH80400\",\"merchantId\":\"MERCHANT-1\",\"status\":\"CAPTURE_REQUESTED\",\"amount\":4000,\"currency\":\"KRW\",\"pspReference\":\"psp_auth_pay_070BZSPH80400\"}','00-ceac41e1d99d714f327dd1f1504fe817-288bbb9c4943543f-00',1795919753893,1795919753931),
(11,252623575607939072,252623575280783360,'payment.captured','{\"paymentId\":\"pay_070BZSPH80400\",\"merchantId\":\"MERCHANT-1\",\"status\":\"CAPTURED\",\"amount\":4000,\"currency\":\"KRW\",\"pspReference\":\"psp_auth_pay_070BZSPH80400\"}','00-ceac41e1d99d714f327dd1f1504fe817-288bbb9c4943543f-00',1795919753944,1795919753964),
(12,252623575746351105,252623575280783360,'payment.refund-requested','{\"paymentId\":\"pay_070BZSPH80400\",\"merchantId\":\"MERCHANT-1\",\"status\":\"REFUND_REQUESTED\",\"amount\":4000,\"currency\":\"KRW\",\"pspReference\":\"psp_auth_pay_070BZSPH80400\",\"refundId\":\"ref_070BZSPZ40400\"}','00-6b18ffa0d657625bf5edaee1704ed295-38b09a865d60affd-00',1795919753977,1795919754007),
(13,252623575905734656,252623575280783360,'payment.refunded','{\"paymentId\":\"pay_070BZSPH80400\",\"merchantId\":\"MERCHANT-1\",\"status\":\"REFUNDED\",\"amount\":4000,\"currency\":\"KRW\",\"pspReference\":\"psp_auth_pay_070BZSPH80400\",\"refundId\":\"ref_070BZSPZ40400\"}','00-6b18ffa0d657625bf5edaee1704ed295-38b09a865d60affd-00',1795919754015,1795919754052),
(14,252623576090284032,252623576006397952,'payment.authorized','{\"paymentId\":\"pay_070BZSQ6W0400\",\"merchantId\":\"MERCHANT-1\",\"status\":\"AUTHORIZED\",\"amount\":1500,\"currency\":\"KRW\",\"pspReference\":\"psp_auth_pay_070BZSQ6W0400\"}','00-2c9dcfbf0cfc6df12ad348940d44219b-8e6101987337c593-00',1795919754059,1795919754095),
(15,252623576128032768,252623576006397952,'payment.voided','{\"paymentId\":\"pay_070BZSQ6W0400\",\"merchantId\":\"MERCHANT-1\",\"status\":\"VOIDED\",\"amount\":1500,\"currency\":\"KRW\",\"pspReference\":\"psp_auth_pay_070BZSQ6W0400\"}','00-9c1da2c181f83476170f7813433f0f2f-7ea4940c7d13bff3-00',1795919754068,1795919754144),
(16,252623619044151296,252623576572628992,'payment.authorized','{\"paymentId\":\"pay_070BZSQQR0400\",\"merchantId\":\"MERCHANT-1\",\"status\":\"AUTHORIZED\",\"amount\":4003,\"currency\":\"KRW\",\"pspReference\":\"psp_auth_pay_070BZSQQR0400\"}','00-5b5a7ecbb5f164782356aab6cf9e295b-c3403d271e3fb96d-00',1795919764300,1795919764313);
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
(252623558402904064,'MERCHANT-1','CAPTURED','KRW',2000,2000,0,2000,0,0,'manual',NULL,NULL,'psp_auth_pay_070BZS6T80400',NULL,1795919749842,1795919753693,1827542149852,NULL,0,'ê `D…âÚùH\Z9!','{\"at\":\"2026-11-29T02:35:49.842Z\",\"what\":\"requested\",\"detail\":\"authorize 2000 KRW\",\"traceId\":\"0dc386907e6b15d034acc19da9495139\"}\n{\"at\":\"2026-11-29T02:35:49.852Z\",\"what\":\"psp_call\",\"detail\":\"authorize approved in 2 ms\",\"traceId\":\"0dc386907e6b15d034acc19da9495139\"}\n{\"at\":\"2026-11-29T02:35:49.852Z\",\"what\":\"decision\",\"detail\":\"AUTHORIZED\",\"traceId\":\"0dc386907e6b15d034acc19da9495139\"}\n{\"at\":\"2026-11-29T02:35:49.852Z\",\"what\":\"event\",\"detail\":\"payment.authorized\",\"eventId\":\"evt_070BZS6VG0400\",\"traceId\":\"0dc386907e6b15d034acc19da9495139\"}\n{\"at\":\"2026-11-29T02:35:49.862Z\",\"what\":\"decision\",\"detail\":\"CAPTURE_REQUESTED\",\"traceId\":\"dbaeb647b21876bcf4db0dcbff1e8fbd\"}\n{\"at\":\"2026-11-29T02:35:49.862Z\",\"what\":\"event\",\"detail\":\"payment.capture-requested\",\"eventId\":\"evt_070BZS6WR0400\",\"traceId\":\"dbaeb647b21876bcf4db0dcbff1e8fbd\"}\n{\"at\":\"2026-11-29T02:35:53.693Z\",\"what\":\"psp_call\",\"detail\":\"capture approved in 7 ms\",\"traceId\":\"dbaeb647b21876bcf4db0dcbff1e8fbd\"}\n{\"at\":\"2026-11-29T02:35:53.693Z\",\"what\":\"decision\",\"detail\":\"CAPTURED\",\"traceId\":\"dbaeb647b21876bcf4db0dcbff1e8fbd\"}\n{\"at\":\"2026-11-29T02:35:53.693Z\",\"what\":\"event\",\"detail\":\"payment.captured\",\"eventId\":\"evt_070BZSNVM0400\",\"traceId\":\"dbaeb647b21876bcf4db0dcbff1e8fbd\"}',4,252623574555168768,0,NULL),
(252623558612619264,'MERCHANT-1','PARTIALLY_REFUNDED','KRW',3000,3000,0,1200,0,200,'manual',NULL,NULL,'psp_auth_pay_070BZS70G0400',NULL,1795919749892,1795919753826,1827542149897,NULL,0,'ı»⁄2gyUøZføà”','{\"at\":\"2026-11-29T02:35:49.892Z\",\"what\":\"requested\",\"detail\":\"authorize 3000 KRW\",\"traceId\":\"7abf256574ddfcf4bb5d5e3356878783\"}\n{\"at\":\"2026-11-29T02:35:49.897Z\",\"what\":\"psp_call\",\"detail\":\"authorize approved in 1 ms\",\"traceId\":\"7abf256574ddfcf4bb5d5e3356878783\"}\n{\"at\":\"2026-11-29T02:35:49.897Z\",\"what\":\"decision\",\"detail\":\"AUTHORIZED\",\"traceId\":\"7abf256574ddfcf4bb5d5e3356878783\"}\n{\"at\":\"2026-11-29T02:35:49.897Z\",\"what\":\"event\",\"detail\":\"payment.authorized\",\"eventId\":\"evt_070BZS7140400\",\"traceId\":\"7abf256574ddfcf4bb5d5e3356878783\"}\n{\"at\":\"2026-11-29T02:35:49.902Z\",\"what\":\"decision\",\"detail\":\"CAPTURE_REQUESTED\",\"traceId\":\"890fae4038ffaa109fc88012debb010d\"}\n{\"at\":\"2026-11-29T02:35:49.902Z\",\"what\":\"event\",\"detail\":\"payment.capture-requested\",\"eventId\":\"evt_070BZS71R0400\",\"traceId\":\"890fae4038ffaa109fc88012debb010d\"}\n{\"at\":\"2026-11-29T02:35:53.688Z\",\"what\":\"psp_call\",\"detail\":\"capture approved in 8 ms\",\"traceId\":\"890fae4038ffaa109fc88012debb010d\"}\n{\"at\":\"2026-11-29T02:35:53.688Z\",\"what\":\"decision\",\"detail\":\"CAPTURED\",\"traceId\":\"890fae4038ffaa109fc88012debb010d\"}\n{\"at\":\"2026-11-29T02:35:53.688Z\",\"what\":\"event\",\"detail\":\"payment.captured\",\"eventId\":\"evt_070BZSNV00400\",\"traceId\":\"890fae4038ffaa109fc88012debb010d\"}\n{\"at\":\"2026-11-29T02:35:53.755Z\",\"what\":\"decision\",\"detail\":\"REFUND_REQUESTED\",\"traceId\":\"23ba3cd1ec970547cde0013e7a93c78d\"}\n{\"at\":\"2026-11-29T02:35:53.755Z\",\"what\":\"event\",\"detail\":\"payment.refund-requested\",\"eventId\":\"evt_070BZSP3C0401\",\"traceId\":\"23ba3cd1ec970547cde0013e7a93c78d\"}\n{\"at\":\"2026-11-29T02:35:53.826Z\",\"what\":\"psp_call\",\"detail\":\"refund approved in 18 ms\",\"traceId\":\"23ba3cd1ec970547cde0013e7a93c78d\"}\n{\"at\":\"2026-11-29T02:35:53.826Z\",\"what\":\"decision\",\"detail\":\"PARTIALLY_REFUNDED\",\"traceId\":\"23ba3cd1ec970547cde0013e7a93c78d\"}\n{\"at\":\"2026-11-29T02:35:53.826Z\",\"what\":\"event\",\"detail\":\"payment.refunded\",\"eventId\":\"evt_070BZSPC80400\",\"traceId\":\"23ba3cd1ec970547cde0013e7a93c78d\"}',6,252623574534197248,1,NULL),
(252623575280783360,'MERCHANT-1','REFUNDED','KRW',4000,4000,0,4000,0,4000,'automatic',NULL,NULL,'psp_auth_pay_070BZSPH80400',NULL,1795919753866,1795919754015,1827542153893,NULL,0,'∞åîÕ˜<†Úvı¨ªcƒû','{\"at\":\"2026-11-29T02:35:53.866Z\",\"what\":\"requested\",\"detail\":\"authorize 4000 KRW\",\"traceId\":\"ceac41e1d99d714f327dd1f1504fe817\"}\n{\"at\":\"2026-11-29T02:35:53.893Z\",\"what\":\"psp_call\",\"detail\":\"authorize approved in 8 ms\",\"traceId\":\"ceac41e1d99d714f327dd1f1504fe817\"}\n{\"at\":\"2026-11-29T02:35:53.893Z\",\"what\":\"decision\",\"detail\":\"AUTHORIZED\",\"traceId\":\"ceac41e1d99d714f327dd1f1504fe817\"}\n{\"at\":\"2026-11-29T02:35:53.893Z\",\"what\":\"event\",\"detail\":\"payment.authorized\",\"eventId\":\"evt_070BZSPMM0400\",\"traceId\":\"ceac41e1d99d714f327dd1f1504fe817\"}\n{\"at\":\"2026-11-29T02:35:53.893Z\",\"what\":\"decision\",\"detail\":\"CAPTURE_REQUESTED\",\"traceId\":\"ceac41e1d99d714f327dd1f1504fe817\"}\n{\"at\":\"2026-11-29T02:35:53.893Z\",\"what\":\"event\",\"detail\":\"payment.capture-requested\",\"eventId\":\"evt_070BZSPMM0401\",\"traceId\":\"ceac41e1d99d714f327dd1f1504fe817\"}\n{\"at\":\"2026-11-29T02:35:53.944Z\",\"what\":\"psp_call\",\"detail\":\"capture approved in 2 ms\",\"traceId\":\"ceac41e1d99d714f327dd1f1504fe817\"}\n{\"at\":\"2026-11-29T02:35:53.944Z\",\"what\":\"decision\",\"detail\":\"CAPTURED\",\"traceId\":\"ceac41e1d99d714f327dd1f1504fe817\"}\n{\"at\":\"2026-11-29T02:35:53.944Z\",\"what\":\"event\",\"detail\":\"payment.captured\",\"eventId\":\"evt_070BZSPV00400\",\"traceId\":\"ceac41e1d99d714f327dd1f1504fe817\"}\n{\"at\":\"2026-11-29T02:35:53.977Z\",\"what\":\"decision\",\"detail\":\"REFUND_REQUESTED\",\"traceId\":\"6b18ffa0d657625bf5edaee1704ed295\"}\n{\"at\":\"2026-11-29T02:35:53.977Z\",\"what\":\"event\",\"detail\":\"payment.refund-requested\",\"eventId\":\"evt_070BZSPZ40401\",\"traceId\":\"6b18ffa0d657625bf5edaee1704ed295\"}\n{\"at\":\"2026-11-29T02:35:54.015Z\",\"what\":\"psp_call\",\"detail\":\"refund approved in 4 ms\",\"traceId\":\"6b18ffa0d657625bf5edaee1704ed295\"}\n{\"at\":\"2026-11-29T02:35:54.015Z\",\"what\":\"decision\",\"detail\":\"REFUNDED\",\"traceId\":\"6b18ffa0d657625bf5edaee1704ed295\"}\n{\"at\":\"2026-11-29T02:35:54.015Z\",\"what\":\"event\",\"detail\":\"payment.refunded\",\"eventId\":\"evt_070BZSQ3W0400\",\"traceId\":\"6b18ffa0d657625bf5edaee1704ed295\"}',5,252623575607939072,1,NULL),
(252623576006397952,'MERCHANT-1','VOIDED','KRW',1500,1500,0,0,0,0,'manual',NULL,NULL,'psp_auth_pay_070BZSQ6W0400',NULL,1795919754039,1795919754068,1827542154059,NULL,0,'x∞òÈûì¬æä)‡ÏÔÉ','{\"at\":\"2026-11-29T02:35:54.039Z\",\"what\":\"requested\",\"detail\":\"authorize 1500 KRW\",\"traceId\":\"2c9dcfbf0cfc6df12ad348940d44219b\"}\n{\"at\":\"2026-11-29T02:35:54.059Z\",\"what\":\"psp_call\",\"detail\":\"authorize approved in 5 ms\",\"traceId\":\"2c9dcfbf0cfc6df12ad348940d44219b\"}\n{\"at\":\"2026-11-29T02:35:54.059Z\",\"what\":\"decision\",\"detail\":\"AUTHORIZED\",\"traceId\":\"2c9dcfbf0cfc6df12ad348940d44219b\"}\n{\"at\":\"2026-11-29T02:35:54.059Z\",\"what\":\"event\",\"detail\":\"payment.authorized\",\"eventId\":\"evt_070BZSQ9C0400\",\"traceId\":\"2c9dcfbf0cfc6df12ad348940d44219b\"}\n{\"at\":\"2026-11-29T02:35:54.068Z\",\"what\":\"decision\",\"detail\":\"VOIDED\",\"traceId\":\"9c1da2c181f83476170f7813433f0f2f\"}\n{\"at\":\"2026-11-29T02:35:54.068Z\",\"what\":\"event\",\"detail\":\"payment.voided\",\"eventId\":\"evt_070BZSQAG0400\",\"traceId\":\"9c1da2c181f83476170f7813433f0f2f\"}\n{\"at\":\"2026-11-29T02:35:54.154Z\",\"what\":\"psp_call\",\"detail\":\"void approved in 5 ms\",\"traceId\":\"9c1da2c181f83476170f7813433f0f2f\"}',4,NULL,0,NULL),
(252623576572628992,'MERCHANT-1','AUTHORIZED','KRW',4003,4003,0,0,0,0,'manual',NULL,NULL,'psp_auth_pay_070BZSQQR0400',NULL,1795919754174,1795919764300,1827542164300,4102444800000,0,'Hì¸Ô^1îê˝â\"èÀ<','{\"at\":\"2026-11-29T02:35:54.174Z\",\"what\":\"requested\",\"detail\":\"authorize 4003 KRW\",\"traceId\":\"276935361fbe78269db25f83dcaacc5b\"}\n{\"at\":\"2026-11-29T02:35:59.202Z\",\"what\":\"psp_call\",\"detail\":\"authorize unknown in 5001 ms no answer in time\",\"traceId\":\"276935361fbe78269db25f83dcaacc5b\"}\n{\"at\":\"2026-11-29T02:35:59.202Z\",\"what\":\"decision\",\"detail\":\"UNKNOWN\",\"traceId\":\"276935361fbe78269db25f83dcaacc5b\"}\n{\"at\":\"2026-11-29T02:36:04.300Z\",\"what\":\"psp_call\",\"detail\":\"authorize approved in 0 ms\",\"traceId\":\"5b5a7ecbb5f164782356aab6cf9e295b\"}\n{\"at\":\"2026-11-29T02:36:04.300Z\",\"what\":\"decision\",\"detail\":\"AUTHORIZED\",\"traceId\":\"5b5a7ecbb5f164782356aab6cf9e295b\"}\n{\"at\":\"2026-11-29T02:36:04.300Z\",\"what\":\"event\",\"detail\":\"payment.authorized\",\"eventId\":\"evt_070BZTZ9G0400\",\"traceId\":\"5b5a7ecbb5f164782356aab6cf9e295b\"}',3,NULL,0,NULL);
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
('settlement',252623558654562304,1795919753688),
('settlement',252623558486790144,1795919753693),
('ledger',252623574534197248,1795919753724),
('ledger',252623574555168768,1795919753777),
('refund',252623574815215617,1795919753826),
('ledger',252623575113011200,1795919753880),
('settlement',252623575394029569,1795919753944),
('ledger',252623575607939072,1795919753977),
('refund',252623575746351105,1795919754015),
('ledger',252623575905734656,1795919754052),
('settlement',252623576128032768,1795919754154);
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
(252623574815215616,252623558612619264,'MERCHANT-1','KRW',200,'REFUNDED','torn','psp_refund_ref_070BZSP3C0400',NULL,1795919753755,1795919753826,2,252623575113011200),
(252623575746351104,252623575280783360,'MERCHANT-1','KRW',4000,'REFUNDED',NULL,'psp_refund_ref_070BZSPZ40400',NULL,1795919753977,1795919754015,2,252623575905734656);
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
(252623574815215617,252623574815215616,252623558612619264,200,'KRW','done',0,0,NULL,NULL,'00-23ba3cd1ec970547cde0013e7a93c78d-73214ba6d5e962e3-00',1795919753755,1795919753826,2),
(252623575746351105,252623575746351104,252623575280783360,4000,'KRW','done',0,0,NULL,NULL,'00-6b18ffa0d657625bf5edaee1704ed295-38b09a865d60affd-00',1795919753977,1795919754015,2);
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
('m20261123_000001_payments',1795919748),
('m20261123_000002_requests',1795919748),
('m20261123_000003_ledger',1795919748),
('m20261123_000004_events',1795919748),
('m20261123_000005_idempotency_keys',1795919748),
('m20261124_000006_dead_letters',1795919748),
('m20261128_000007_shard_identity',1795919748),
('m20261128_000008_bounded_rows',1795919748),
('m20261128_000009_refunds_waiting',1795919748),
('m20261128_000010_write_probe',1795919748);
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
(252623558486790144,252623558402904064,'capture',2000,'KRW','done',0,0,NULL,NULL,'00-dbaeb647b21876bcf4db0dcbff1e8fbd-1c5f0b90720fcafd-00',1795919749862,1795919753693,2),
(252623558654562304,252623558612619264,'capture',1200,'KRW','done',0,0,NULL,NULL,'00-890fae4038ffaa109fc88012debb010d-d4db89198757a1a5-00',1795919749902,1795919753688,2),
(252623575394029569,252623575280783360,'capture',4000,'KRW','done',0,0,NULL,NULL,'00-ceac41e1d99d714f327dd1f1504fe817-288bbb9c4943543f-00',1795919753893,1795919753944,2),
(252623576128032768,252623576006397952,'void',1500,'KRW','done',0,0,NULL,NULL,'00-9c1da2c181f83476170f7813433f0f2f-7ea4940c7d13bff3-00',1795919754068,1795919754154,2);
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
(1,'b3c63ffc95b780821a87773d91173506',1,2,1,'topics fixture_27847.* on the Kafka cluster cmlhbHRvLWthZmthLTAwMQ','file ed43cce33778f1e7dce79e8daebe485e',1795919748574);
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

