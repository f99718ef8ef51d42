BEGIN TRANSACTION;
CREATE TABLE agent_numbers (
	agent_id VARCHAR(36) NOT NULL, 
	number_id VARCHAR(36) NOT NULL, 
	inbound BOOLEAN NOT NULL, 
	created_at DOUBLE NOT NULL, 
	CONSTRAINT pk_agent_numbers PRIMARY KEY (agent_id, number_id), 
	CONSTRAINT fk_agent_numbers_agent_id FOREIGN KEY(agent_id) REFERENCES agents (id) ON DELETE CASCADE, 
	CONSTRAINT fk_agent_numbers_number_id FOREIGN KEY(number_id) REFERENCES numbers (id) ON DELETE CASCADE
);
CREATE TABLE agent_versions (
	agent_id VARCHAR(36) NOT NULL, 
	version INTEGER NOT NULL, 
	name TEXT NOT NULL, 
	config JSON NOT NULL, 
	created_at DOUBLE NOT NULL, 
	CONSTRAINT pk_agent_versions PRIMARY KEY (agent_id, version), 
	CONSTRAINT fk_agent_versions_agent_id FOREIGN KEY(agent_id) REFERENCES agents (id) ON DELETE CASCADE
);
INSERT INTO "agent_versions" VALUES('85c64305-de1b-46c5-b211-979290f9527e',1,'Ada','{"instructions": "Ask {{who}}.", "returns": {"ok": "boolean"}}',1.7960958740139341354e+09);
CREATE TABLE agents (
	id VARCHAR(36) NOT NULL, 
	name TEXT NOT NULL, 
	type VARCHAR(16) NOT NULL, 
	status VARCHAR(16) NOT NULL, 
	version INTEGER NOT NULL, 
	config JSON NOT NULL, 
	primary_number_id VARCHAR(36), 
	created_at DOUBLE NOT NULL, 
	updated_at DOUBLE NOT NULL, 
	CONSTRAINT pk_agents PRIMARY KEY (id), 
	CONSTRAINT ck_agents_status CHECK (status IN ('active', 'archived')), 
	CONSTRAINT ck_agents_type CHECK (type IN ('outbound', 'inbound')), 
	CONSTRAINT fk_agents_primary_number_id FOREIGN KEY(primary_number_id) REFERENCES numbers (id)
);
INSERT INTO "agents" VALUES('85c64305-de1b-46c5-b211-979290f9527e','Ada','outbound','active',1,'{"instructions": "Ask {{who}}.", "returns": {"ok": "boolean"}}',NULL,1.7960958740139341354e+09,1.7960958740139341354e+09);
CREATE TABLE alembic_version (
	version_num VARCHAR(32) NOT NULL, 
	CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);
INSERT INTO "alembic_version" VALUES('0.4.0');
CREATE TABLE api_keys (
	id VARCHAR(36) NOT NULL, 
	name TEXT NOT NULL, 
	prefix VARCHAR(16) NOT NULL, 
	key_hash VARCHAR(64) NOT NULL, 
	scope VARCHAR(16) DEFAULT 'admin' NOT NULL, 
	rate_limit_per_minute INTEGER, 
	dialect VARCHAR(16), 
	max_calls_per_day INTEGER, 
	max_minutes_per_day INTEGER, 
	max_calls_per_number_per_day INTEGER, 
	created_at DOUBLE NOT NULL, 
	revoked_at DOUBLE, 
	CONSTRAINT pk_api_keys PRIMARY KEY (id), 
	CONSTRAINT uq_api_keys_key_hash UNIQUE (key_hash)
);
INSERT INTO "api_keys" VALUES('d367f33a-e05f-4f87-9e4a-25750ad41d85','operator','sk_OTBN02H','d8771b58b4170d54f169958fdd1a95d5845b7631864589fb77ea3638215b3951','admin',NULL,NULL,NULL,NULL,NULL,1796095873.26403,NULL);
INSERT INTO "api_keys" VALUES('332136ec-2895-47b1-bb5f-63e142151b07','tests','sk_zO59_1h','5119c8b9f9e9ceaa99f4705efc1aaba22212530e310e20020a343a03cfc90541','admin',NULL,NULL,NULL,NULL,NULL,1.7960958733112761974e+09,NULL);
CREATE TABLE attempts (
	id VARCHAR(36) NOT NULL, 
	call_id VARCHAR(36) NOT NULL, 
	number INTEGER NOT NULL, 
	channel_id VARCHAR(64) NOT NULL, 
	state VARCHAR(16) NOT NULL, 
	created_at DOUBLE NOT NULL, 
	ringing_at DOUBLE, 
	early_media_at DOUBLE, 
	answered_at DOUBLE, 
	ended_at DOUBLE, 
	hangup_cause VARCHAR(64), 
	message TEXT, 
	q850_cause INTEGER, 
	sip_code INTEGER, 
	sip_call_id TEXT, 
	trunk VARCHAR(64), 
	concurrency_key VARCHAR(128), 
	node_id VARCHAR(36), 
	answered_by VARCHAR(16), 
	end_reason VARCHAR(64), 
	unknown BOOLEAN DEFAULT 0 NOT NULL, 
	media JSON, 
	recording_path TEXT, 
	amount_milli_cents BIGINT, 
	recording_node VARCHAR(64), recording JSON, answerer JSON, found_answered_by VARCHAR(16), heard_early JSON, 
	CONSTRAINT pk_attempts PRIMARY KEY (id), 
	CONSTRAINT ck_attempts_state CHECK (state IN ('dialing', 'ringing', 'in_progress', 'completed', 'no_answer', 'busy', 'canceled', 'failed')), 
	CONSTRAINT fk_attempts_call_id FOREIGN KEY(call_id) REFERENCES calls (id) ON DELETE CASCADE, 
	CONSTRAINT uq_attempts_call_id_number UNIQUE (call_id, number), 
	CONSTRAINT uq_attempts_channel_id UNIQUE (channel_id)
);
INSERT INTO "attempts" VALUES('3ac9959b-cbeb-45e2-b25a-9227be7775bd','8d20f646-e873-4fa4-9658-d328ebfe74dc',1,'offhook-16fd2ce1-74f8-4a02-9b49-75cd78c9b65f','completed',1.79609587410221982007e+09,1.79609587413113808629e+09,NULL,1.79609587413113808629e+09,1.79609587413113808629e+09,'normal_clearing','The call ended normally.',16,200,'a@b','trunk',NULL,'node-1','human','agent_hangup',0,NULL,NULL,0,NULL,NULL,NULL,NULL,NULL);
CREATE TABLE budget (
	id INTEGER NOT NULL, 
	limit_milli_cents BIGINT, 
	spent_milli_cents BIGINT NOT NULL, 
	reserved_milli_cents BIGINT NOT NULL, 
	updated_at DOUBLE NOT NULL, 
	CONSTRAINT pk_budget PRIMARY KEY (id), 
	CONSTRAINT ck_budget_one CHECK (id = 1), 
	CONSTRAINT ck_budget_amounts CHECK (reserved_milli_cents >= 0 AND spent_milli_cents >= 0)
);
INSERT INTO "budget" VALUES(1,NULL,0,0,0.0);
CREATE TABLE budget_entries (
	row_id INTEGER NOT NULL, 
	at DOUBLE NOT NULL, 
	call_id VARCHAR(36), 
	kind VARCHAR(16) NOT NULL, 
	milli_cents BIGINT, 
	CONSTRAINT pk_budget_entries PRIMARY KEY (row_id), 
	CONSTRAINT ck_budget_entries_kind CHECK (kind IN ('reserve', 'settle', 'release', 'limit'))
);
CREATE TABLE calendar_connections (
	id VARCHAR(36) NOT NULL, 
	name TEXT NOT NULL, 
	kind VARCHAR(16) NOT NULL, 
	url TEXT NOT NULL, 
	username TEXT, 
	sealed_password TEXT, 
	event_types JSON NOT NULL, 
	created_at DOUBLE NOT NULL, 
	updated_at DOUBLE NOT NULL, 
	CONSTRAINT pk_calendar_connections PRIMARY KEY (id), 
	CONSTRAINT ck_calendar_connections_kind CHECK (kind IN ('caldav', 'ics'))
);
CREATE TABLE call_events (
	row_id INTEGER NOT NULL, 
	id VARCHAR(40) NOT NULL, 
	call_id VARCHAR(36) NOT NULL, 
	seq INTEGER NOT NULL, 
	type VARCHAR(32) NOT NULL, 
	at DOUBLE NOT NULL, 
	terminal BOOLEAN DEFAULT 0 NOT NULL, 
	data JSON NOT NULL, 
	CONSTRAINT pk_call_events PRIMARY KEY (row_id), 
	CONSTRAINT fk_call_events_call_id FOREIGN KEY(call_id) REFERENCES calls (id) ON DELETE CASCADE, 
	CONSTRAINT uq_call_events_call_id_seq UNIQUE (call_id, seq), 
	CONSTRAINT uq_call_events_id UNIQUE (id)
);
INSERT INTO "call_events" VALUES(1,'evt_af8a848294da424ead078cd6b999e90d','8d20f646-e873-4fa4-9658-d328ebfe74dc',1,'call.queued',1.79609587406640887263e+09,0,'{"call": {"id": "8d20f646-e873-4fa4-9658-d328ebfe74dc", "to_number": "+15551234567", "from_number": "+15559876543", "status": "queued", "direction": "outbound", "prompt": "Ask {{who}}.", "context": {}, "returns": {"ok": "boolean"}, "result": null, "result_status": "pending", "result_error": null, "language": "en", "webhook_url": null, "webhook_status": "none", "webhook_error": null, "created_at": "2026-12-01T03:31:14.066Z", "started_at": null, "answered_at": null, "ended_at": null, "duration_seconds": null, "billed_duration_seconds": null, "billing_amount_milli_cents": null, "reservation_status": "reserved", "error_code": null, "error_message": null, "hangup_cause": null, "metadata": {"of": "a"}, "updated_at": "2026-12-01T03:31:14.066Z", "max_duration_seconds": 600, "answered_by": null, "end_reason": null, "outcome": null, "sip_code": null, "q850_cause": null, "sip_call_id": null, "sip": null, "recording_available": false, "recording_details": null, "latency": {}, "quality": null, "summary": null, "scheduled_at": null, "retry": null, "force_now": false, "concurrency": null, "campaign_id": null, "attempt_count": 0, "next_attempt_at": "2026-12-01T03:31:14.066Z", "waiting_for": "free_slot", "agent_id": "85c64305-de1b-46c5-b211-979290f9527e", "agent_version": 1, "agent": {"instructions": "Ask {{who}}.", "returns": {"ok": "boolean"}, "variables": {"who": "Wei"}}, "variables": {"who": "Wei"}, "transfer": null}}');
INSERT INTO "call_events" VALUES(2,'evt_c1222868753f49d4adf315ba29724734','8d20f646-e873-4fa4-9658-d328ebfe74dc',2,'call.initiated',1.79609587410221982007e+09,0,'{"call": {"id": "8d20f646-e873-4fa4-9658-d328ebfe74dc", "to_number": "+15551234567", "from_number": "+15559876543", "status": "initiated", "direction": "outbound", "prompt": "Ask {{who}}.", "context": {}, "returns": {"ok": "boolean"}, "result": null, "result_status": "pending", "result_error": null, "language": "en", "webhook_url": null, "webhook_status": "none", "webhook_error": null, "created_at": "2026-12-01T03:31:14.066Z", "started_at": null, "answered_at": null, "ended_at": null, "duration_seconds": null, "billed_duration_seconds": null, "billing_amount_milli_cents": null, "reservation_status": "reserved", "error_code": null, "error_message": null, "hangup_cause": null, "metadata": {"of": "a"}, "updated_at": "2026-12-01T03:31:14.119Z", "max_duration_seconds": 600, "answered_by": null, "end_reason": null, "outcome": null, "sip_code": null, "q850_cause": null, "sip_call_id": null, "sip": null, "recording_available": false, "recording_details": null, "latency": {}, "quality": null, "summary": null, "scheduled_at": null, "retry": null, "force_now": false, "concurrency": null, "campaign_id": null, "attempt_count": 1, "next_attempt_at": null, "waiting_for": null, "agent_id": "85c64305-de1b-46c5-b211-979290f9527e", "agent_version": 1, "agent": {"instructions": "Ask {{who}}.", "returns": {"ok": "boolean"}, "variables": {"who": "Wei"}}, "variables": {"who": "Wei"}, "transfer": null}}');
INSERT INTO "call_events" VALUES(3,'evt_6be671a855574261babe797fd0410858','8d20f646-e873-4fa4-9658-d328ebfe74dc',3,'call.ringing',1.79609587413113808629e+09,0,'{"call": {"id": "8d20f646-e873-4fa4-9658-d328ebfe74dc", "to_number": "+15551234567", "from_number": "+15559876543", "status": "ringing", "direction": "outbound", "prompt": "Ask {{who}}.", "context": {}, "returns": {"ok": "boolean"}, "result": null, "result_status": "pending", "result_error": null, "language": "en", "webhook_url": null, "webhook_status": "none", "webhook_error": null, "created_at": "2026-12-01T03:31:14.066Z", "started_at": "2026-12-01T03:31:14.131Z", "answered_at": null, "ended_at": null, "duration_seconds": null, "billed_duration_seconds": null, "billing_amount_milli_cents": null, "reservation_status": "reserved", "error_code": null, "error_message": null, "hangup_cause": null, "metadata": {"of": "a"}, "updated_at": "2026-12-01T03:31:14.136Z", "max_duration_seconds": 600, "answered_by": null, "end_reason": null, "outcome": null, "sip_code": null, "q850_cause": null, "sip_call_id": null, "sip": null, "recording_available": false, "recording_details": null, "latency": {}, "quality": null, "summary": null, "scheduled_at": null, "retry": null, "force_now": false, "concurrency": null, "campaign_id": null, "attempt_count": 1, "next_attempt_at": null, "waiting_for": null, "agent_id": "85c64305-de1b-46c5-b211-979290f9527e", "agent_version": 1, "agent": {"instructions": "Ask {{who}}.", "returns": {"ok": "boolean"}, "variables": {"who": "Wei"}}, "variables": {"who": "Wei"}, "transfer": null}}');
INSERT INTO "call_events" VALUES(4,'evt_ad69e164ec564c05b0bfd4864dec5010','8d20f646-e873-4fa4-9658-d328ebfe74dc',4,'call.answered',1.79609587413113808629e+09,0,'{"call": {"id": "8d20f646-e873-4fa4-9658-d328ebfe74dc", "to_number": "+15551234567", "from_number": "+15559876543", "status": "in_progress", "direction": "outbound", "prompt": "Ask {{who}}.", "context": {}, "returns": {"ok": "boolean"}, "result": null, "result_status": "pending", "result_error": null, "language": "en", "webhook_url": null, "webhook_status": "none", "webhook_error": null, "created_at": "2026-12-01T03:31:14.066Z", "started_at": "2026-12-01T03:31:14.131Z", "answered_at": "2026-12-01T03:31:14.131Z", "ended_at": null, "duration_seconds": null, "billed_duration_seconds": null, "billing_amount_milli_cents": null, "reservation_status": "reserved", "error_code": null, "error_message": null, "hangup_cause": null, "metadata": {"of": "a"}, "updated_at": "2026-12-01T03:31:14.145Z", "max_duration_seconds": 600, "answered_by": null, "end_reason": null, "outcome": null, "sip_code": null, "q850_cause": null, "sip_call_id": null, "sip": null, "recording_available": false, "recording_details": null, "latency": {}, "quality": null, "summary": null, "scheduled_at": null, "retry": null, "force_now": false, "concurrency": null, "campaign_id": null, "attempt_count": 1, "next_attempt_at": null, "waiting_for": null, "agent_id": "85c64305-de1b-46c5-b211-979290f9527e", "agent_version": 1, "agent": {"instructions": "Ask {{who}}.", "returns": {"ok": "boolean"}, "variables": {"who": "Wei"}}, "variables": {"who": "Wei"}, "transfer": null}}');
INSERT INTO "call_events" VALUES(5,'evt_c9f671040eaf42088bfbe7cb95182057','8d20f646-e873-4fa4-9658-d328ebfe74dc',5,'call.turn',1.79609587413113808629e+09,0,'{"turn": {"seq": 1, "attempt": 1, "speaker": "agent", "text": "words of the agent", "interrupted": false, "started_at": "2026-12-01T03:31:14.131Z", "ended_at": "2026-12-01T03:31:14.131Z", "confidence": null, "timings": {}, "tool": null}}');
INSERT INTO "call_events" VALUES(6,'evt_45fe7a74a60b45ff8c1c6f3e7eb344ab','8d20f646-e873-4fa4-9658-d328ebfe74dc',6,'call.turn',1.79609587413113808629e+09,0,'{"turn": {"seq": 2, "attempt": 1, "speaker": "person", "text": "words of the person", "interrupted": false, "started_at": "2026-12-01T03:31:14.131Z", "ended_at": "2026-12-01T03:31:14.131Z", "confidence": null, "timings": {}, "tool": null}}');
INSERT INTO "call_events" VALUES(7,'evt_1a5468ac495a4996b01fe27e73a55458','8d20f646-e873-4fa4-9658-d328ebfe74dc',7,'call.turn',1.79609587413113808629e+09,0,'{"turn": {"seq": 3, "attempt": 1, "speaker": "tool", "text": "HTTP 200", "interrupted": false, "started_at": "2026-12-01T03:31:14.131Z", "ended_at": "2026-12-01T03:31:14.131Z", "confidence": null, "timings": {}, "tool": {"name": "stock"}}}');
INSERT INTO "call_events" VALUES(8,'evt_523af6f8e79b41c5918ceb5f24e905c6','8d20f646-e873-4fa4-9658-d328ebfe74dc',8,'call.ended',1.79609587413113808629e+09,0,'{"status": "completed", "end_reason": "agent_hangup", "hangup_cause": "normal_clearing", "q850_cause": 16, "sip_code": 200, "sip_call_id": "a@b"}');
INSERT INTO "call_events" VALUES(9,'evt_a5ec81e482e949989b8050b9161be15a','8d20f646-e873-4fa4-9658-d328ebfe74dc',9,'call.transcript.final',1.79609587413113808629e+09,0,'{"transcript": {"turns": [{"seq": 1, "attempt": 1, "speaker": "agent", "text": "words of the agent", "interrupted": false, "started_at": "2026-12-01T03:31:14.131Z", "ended_at": "2026-12-01T03:31:14.131Z", "confidence": null, "timings": {}, "tool": null}, {"seq": 2, "attempt": 1, "speaker": "person", "text": "words of the person", "interrupted": false, "started_at": "2026-12-01T03:31:14.131Z", "ended_at": "2026-12-01T03:31:14.131Z", "confidence": null, "timings": {}, "tool": null}, {"seq": 3, "attempt": 1, "speaker": "tool", "text": "HTTP 200", "interrupted": false, "started_at": "2026-12-01T03:31:14.131Z", "ended_at": "2026-12-01T03:31:14.131Z", "confidence": null, "timings": {}, "tool": {"name": "stock"}}]}}');
INSERT INTO "call_events" VALUES(10,'evt_1e960c4148834d09823ebc7f0b64a1a1','8d20f646-e873-4fa4-9658-d328ebfe74dc',10,'call.analyzed',1.79609587417413306235e+09,0,'{"analysis": {"result": {"ok": true}, "result_status": "completed", "result_error": null, "outcome": null, "summary": null}}');
INSERT INTO "call_events" VALUES(11,'evt_091df68a28334bddb9074d30ff18c70c','8d20f646-e873-4fa4-9658-d328ebfe74dc',11,'call.completed',1.79609587417413306235e+09,1,'{"call": {"id": "8d20f646-e873-4fa4-9658-d328ebfe74dc", "to_number": "+15551234567", "from_number": "+15559876543", "status": "completed", "direction": "outbound", "prompt": "Ask {{who}}.", "context": {}, "returns": {"ok": "boolean"}, "result": {"ok": true}, "result_status": "completed", "result_error": null, "language": "en", "webhook_url": null, "webhook_status": "none", "webhook_error": null, "created_at": "2026-12-01T03:31:14.066Z", "started_at": "2026-12-01T03:31:14.131Z", "answered_at": "2026-12-01T03:31:14.131Z", "ended_at": "2026-12-01T03:31:14.131Z", "duration_seconds": 0, "billed_duration_seconds": 0, "billing_amount_milli_cents": 0, "reservation_status": "settled", "error_code": null, "error_message": null, "hangup_cause": null, "metadata": {"of": "a"}, "updated_at": "2026-12-01T03:31:14.174Z", "max_duration_seconds": 600, "answered_by": "human", "end_reason": "agent_hangup", "outcome": null, "sip_code": 200, "q850_cause": 16, "sip_call_id": "a@b", "sip": null, "recording_available": false, "recording_details": null, "latency": {}, "quality": null, "summary": null, "scheduled_at": null, "retry": null, "force_now": false, "concurrency": null, "campaign_id": null, "attempt_count": 1, "next_attempt_at": null, "waiting_for": null, "agent_id": "85c64305-de1b-46c5-b211-979290f9527e", "agent_version": 1, "agent": {"instructions": "Ask {{who}}.", "returns": {"ok": "boolean"}, "variables": {"who": "Wei"}}, "variables": {"who": "Wei"}, "transfer": null}}');
INSERT INTO "call_events" VALUES(12,'evt_f7cf01516f054350a467d364260505a1','99c4d92c-4e76-4b48-96be-f77e4a849692',1,'call.queued',1.79609587420079064366e+09,0,'{"call": {"id": "99c4d92c-4e76-4b48-96be-f77e4a849692", "to_number": "+15551234567", "from_number": "+15559876543", "status": "queued", "direction": "outbound", "prompt": "Say hello.", "context": {}, "returns": {}, "result": null, "result_status": "pending", "result_error": null, "language": "en", "webhook_url": null, "webhook_status": "none", "webhook_error": null, "created_at": "2026-12-01T03:31:14.200Z", "started_at": null, "answered_at": null, "ended_at": null, "duration_seconds": null, "billed_duration_seconds": null, "billing_amount_milli_cents": null, "reservation_status": "reserved", "error_code": null, "error_message": null, "hangup_cause": null, "metadata": {}, "updated_at": "2026-12-01T03:31:14.200Z", "max_duration_seconds": 600, "answered_by": null, "end_reason": null, "outcome": null, "sip_code": null, "q850_cause": null, "sip_call_id": null, "sip": null, "recording_available": false, "recording_details": null, "latency": {}, "quality": null, "summary": null, "scheduled_at": null, "retry": {"allowed_days": ["monday", "tuesday", "wednesday", "thursday", "friday"], "calling_windows": [{"start": "10:00", "end": "18:00", "retry_delay_seconds": 7200}], "call_twice_in_a_row": false, "max_attempts": 3, "timezone": "UTC"}, "force_now": true, "concurrency": null, "campaign_id": null, "attempt_count": 0, "next_attempt_at": "2026-12-01T03:31:14.200Z", "waiting_for": "free_slot", "agent_id": null, "agent_version": null, "agent": {"retry": {"timezone": "UTC"}, "instructions": "Say hello."}, "variables": {}, "transfer": null}}');
CREATE TABLE call_metadata (
	call_id VARCHAR(36) NOT NULL, 
	"key" VARCHAR(64) NOT NULL, 
	value VARCHAR(256) NOT NULL, 
	CONSTRAINT pk_call_metadata PRIMARY KEY (call_id, "key"), 
	CONSTRAINT fk_call_metadata_call_id FOREIGN KEY(call_id) REFERENCES calls (id) ON DELETE CASCADE
);
INSERT INTO "call_metadata" VALUES('8d20f646-e873-4fa4-9658-d328ebfe74dc','of','a');
CREATE TABLE calls (
	id VARCHAR(36) NOT NULL, 
	status VARCHAR(16) NOT NULL, 
	direction VARCHAR(16) NOT NULL, 
	to_number VARCHAR(16) NOT NULL, 
	from_number VARCHAR(16) NOT NULL, 
	prompt TEXT NOT NULL, 
	context JSON NOT NULL, 
	returns JSON NOT NULL, 
	language VARCHAR(16) NOT NULL, 
	webhook_url TEXT, 
	metadata JSON NOT NULL, 
	max_duration_s INTEGER NOT NULL, 
	result JSON, 
	result_status VARCHAR(16) NOT NULL, 
	result_error TEXT, 
	created_at DOUBLE NOT NULL, 
	started_at DOUBLE, 
	answered_at DOUBLE, 
	ended_at DOUBLE, 
	updated_at DOUBLE NOT NULL, 
	cancel_requested_at DOUBLE, 
	answered_by VARCHAR(16), 
	end_reason VARCHAR(64), 
	outcome VARCHAR(64), 
	hangup_cause VARCHAR(64), 
	error_message TEXT, 
	q850_cause INTEGER, 
	sip_code INTEGER, 
	sip_call_id TEXT, 
	recording_path TEXT, 
	media JSON, 
	latency JSON NOT NULL, 
	event_count INTEGER NOT NULL, 
	summary TEXT, 
	scheduled_at DOUBLE, 
	retry JSON, 
	zones JSON DEFAULT '[]' NOT NULL, 
	force_now BOOLEAN DEFAULT 0 NOT NULL, 
	concurrency_key VARCHAR(128), 
	concurrency_max INTEGER, 
	campaign_id VARCHAR(36), 
	api_key_id VARCHAR(36), 
	trunk VARCHAR(64), 
	attempt_count INTEGER DEFAULT '0' NOT NULL, 
	next_attempt_at DOUBLE, 
	waiting_for VARCHAR(32), 
	hangup_requested_at DOUBLE, 
	rate JSON, 
	reservation_status VARCHAR(16) DEFAULT 'released' NOT NULL, 
	reserved_milli_cents BIGINT DEFAULT '0' NOT NULL, 
	amount_milli_cents BIGINT, 
	transfers_milli_cents BIGINT DEFAULT '0' NOT NULL, 
	agent_id VARCHAR(36), 
	agent_version INTEGER, 
	agent JSON DEFAULT '{}' NOT NULL, 
	agent_layers JSON, 
	variables JSON DEFAULT '{}' NOT NULL, 
	dialect VARCHAR(16), 
	transfer JSON, recording JSON, recording_wish JSON, web BOOLEAN DEFAULT 0 NOT NULL, 
	CONSTRAINT pk_calls PRIMARY KEY (id), 
	CONSTRAINT ck_calls_answered_by CHECK (answered_by IN ('human', 'machine', 'ivr', 'screening', 'unknown')), 
	CONSTRAINT ck_calls_direction CHECK (direction IN ('outbound', 'inbound')), 
	CONSTRAINT ck_calls_result_status CHECK (result_status IN ('pending', 'completed', 'failed')), 
	CONSTRAINT ck_calls_status CHECK (status IN ('queued', 'initiated', 'ringing', 'in_progress', 'completed', 'no_answer', 'busy', 'canceled', 'failed'))
);
INSERT INTO "calls" VALUES('8d20f646-e873-4fa4-9658-d328ebfe74dc','completed','outbound','+15551234567','+15559876543','Ask {{who}}.','{}','{"ok": "boolean"}','en',NULL,'{"of": "a"}',600,'{"ok": true}','completed',NULL,1.79609587406640887263e+09,1.79609587413113808629e+09,1.79609587413113808629e+09,1.79609587413113808629e+09,1.79609587417413306235e+09,NULL,'human','agent_hangup',NULL,'normal_clearing','The call ended normally.',16,200,'a@b',NULL,NULL,'{}',11,NULL,NULL,NULL,'[]',0,NULL,NULL,NULL,'332136ec-2895-47b1-bb5f-63e142151b07','trunk',1,NULL,NULL,NULL,NULL,'settled',0,0,0,'85c64305-de1b-46c5-b211-979290f9527e',1,'{"instructions": "Ask {{who}}.", "returns": {"ok": "boolean"}, "variables": {"who": "Wei"}}',NULL,'{"who": "Wei"}',NULL,NULL,NULL,NULL,0);
INSERT INTO "calls" VALUES('99c4d92c-4e76-4b48-96be-f77e4a849692','queued','outbound','+15551234567','+15559876543','Say hello.','{}','{}','en',NULL,'{}',600,NULL,'pending',NULL,1.79609587420079064366e+09,NULL,NULL,NULL,1.79609587420079064366e+09,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,'{}',1,NULL,NULL,'{"allowed_days": ["monday", "tuesday", "wednesday", "thursday", "friday"], "calling_windows": [{"start": "10:00", "end": "18:00", "retry_delay_seconds": 7200}], "call_twice_in_a_row": false, "max_attempts": 3, "timezone": "UTC"}','["America/New_York"]',1,NULL,NULL,NULL,'332136ec-2895-47b1-bb5f-63e142151b07','trunk',0,1.79609587420079064366e+09,'free_slot',NULL,NULL,'reserved',0,NULL,0,NULL,NULL,'{"retry": {"timezone": "UTC"}, "instructions": "Say hello."}',NULL,'{}',NULL,NULL,NULL,NULL,0);
CREATE TABLE campaign_contacts (
	campaign_id VARCHAR(36) NOT NULL, 
	seq INTEGER NOT NULL, 
	to_number VARCHAR(16) NOT NULL, 
	context JSON NOT NULL, 
	metadata JSON NOT NULL, 
	variables JSON DEFAULT '{}' NOT NULL, 
	status VARCHAR(16) NOT NULL, 
	call_id VARCHAR(36), 
	error TEXT, 
	CONSTRAINT pk_campaign_contacts PRIMARY KEY (campaign_id, seq), 
	CONSTRAINT ck_campaign_contacts_status CHECK (status IN ('pending', 'ordered', 'refused')), 
	CONSTRAINT fk_campaign_contacts_campaign_id FOREIGN KEY(campaign_id) REFERENCES campaigns (id) ON DELETE CASCADE, 
	CONSTRAINT uq_campaign_contacts_call_id UNIQUE (call_id), 
	CONSTRAINT uq_campaign_contacts_campaign_id_to_number UNIQUE (campaign_id, to_number)
);
INSERT INTO "campaign_contacts" VALUES('ba851007-6ec2-4844-b11d-abbb672ff036',1,'+12125550123','{"patient": "Wei"}','{}','{}','pending',NULL,NULL);
CREATE TABLE campaigns (
	id VARCHAR(36) NOT NULL, 
	name TEXT NOT NULL, 
	status VARCHAR(16) NOT NULL, 
	paused_reason VARCHAR(32), 
	template JSON NOT NULL, 
	max_concurrent INTEGER NOT NULL, 
	api_key_id VARCHAR(36), 
	dialect VARCHAR(16), 
	created_at DOUBLE NOT NULL, 
	started_at DOUBLE, 
	completed_at DOUBLE, 
	updated_at DOUBLE NOT NULL, 
	CONSTRAINT pk_campaigns PRIMARY KEY (id), 
	CONSTRAINT ck_campaigns_status CHECK (status IN ('draft', 'running', 'paused', 'completed', 'canceled'))
);
INSERT INTO "campaigns" VALUES('ba851007-6ec2-4844-b11d-abbb672ff036','Recalls','running',NULL,'{"prompt": "Call {patient}."}',2,NULL,NULL,1.79609587420508956916e+09,1.79609587420508956916e+09,NULL,1.79609587420508956916e+09);
CREATE TABLE do_not_call (
	number VARCHAR(16) NOT NULL, 
	source VARCHAR(16) NOT NULL, 
	reason TEXT NOT NULL, 
	call_id VARCHAR(36), 
	created_at DOUBLE NOT NULL, 
	CONSTRAINT pk_do_not_call PRIMARY KEY (number), 
	CONSTRAINT ck_do_not_call_source CHECK (source IN ('api', 'import', 'outcome'))
);
CREATE TABLE erasures (
	call_id VARCHAR(36) NOT NULL, 
	node VARCHAR(64) NOT NULL, 
	attempt_count INTEGER NOT NULL, 
	asked_at DOUBLE NOT NULL, 
	CONSTRAINT pk_erasures PRIMARY KEY (call_id, node)
);
CREATE TABLE idempotency_keys (
	api_key_id VARCHAR(36) NOT NULL, 
	"key" VARCHAR(255) NOT NULL, 
	fingerprint VARCHAR(64) NOT NULL, 
	status_code INTEGER NOT NULL, 
	body TEXT NOT NULL, 
	created_at DOUBLE NOT NULL, 
	CONSTRAINT pk_idempotency_keys PRIMARY KEY (api_key_id, "key")
);
CREATE TABLE kept_values (
	name VARCHAR(64) NOT NULL, 
	value TEXT NOT NULL, 
	CONSTRAINT pk_kept_values PRIMARY KEY (name)
);
CREATE TABLE leases (
	name VARCHAR(64) NOT NULL, 
	holder VARCHAR(64) NOT NULL, 
	expires_at DOUBLE NOT NULL, 
	CONSTRAINT pk_leases PRIMARY KEY (name)
);
CREATE TABLE messages (
	id VARCHAR(36) NOT NULL, 
	call_id VARCHAR(36) NOT NULL, 
	attempt INTEGER NOT NULL, 
	kind VARCHAR(8) NOT NULL, 
	purpose VARCHAR(16) NOT NULL, 
	recipient TEXT NOT NULL, 
	sender TEXT, 
	subject TEXT, 
	body TEXT, 
	status VARCHAR(16) NOT NULL, 
	attempt_count INTEGER NOT NULL, 
	next_attempt_at DOUBLE, 
	last_error TEXT, 
	sent_at DOUBLE, 
	created_at DOUBLE NOT NULL, 
	updated_at DOUBLE NOT NULL, 
	CONSTRAINT pk_messages PRIMARY KEY (id), 
	CONSTRAINT ck_messages_due CHECK ((status = 'pending') = (next_attempt_at IS NOT NULL)), 
	CONSTRAINT ck_messages_kind CHECK (kind IN ('sms', 'email')), 
	CONSTRAINT ck_messages_purpose CHECK (purpose IN ('tool', 'after_call', 'voicemail', 'notification')), 
	CONSTRAINT ck_messages_status CHECK (status IN ('pending', 'sent', 'failed')), 
	CONSTRAINT fk_messages_call_id FOREIGN KEY(call_id) REFERENCES calls (id) ON DELETE CASCADE
);
CREATE TABLE numbers (
	id VARCHAR(36) NOT NULL, 
	number VARCHAR(16) NOT NULL, 
	trunk VARCHAR(64), 
	status VARCHAR(16) NOT NULL, 
	description TEXT NOT NULL, 
	created_at DOUBLE NOT NULL, 
	updated_at DOUBLE NOT NULL, caller_name TEXT, 
	CONSTRAINT pk_numbers PRIMARY KEY (id), 
	CONSTRAINT ck_numbers_status CHECK (status IN ('active', 'inactive')), 
	CONSTRAINT fk_numbers_trunk FOREIGN KEY(trunk) REFERENCES trunks (name), 
	CONSTRAINT uq_numbers_number UNIQUE (number)
);
INSERT INTO "numbers" VALUES('e4141b83-c155-4d70-b366-4da07fa86740','+15559876543',NULL,'active','',1.79609587329979324341e+09,1.79609587329979324341e+09,NULL);
INSERT INTO "numbers" VALUES('85cf6da5-15d2-46f6-a3ba-d17988d6b24f','+15550100099',NULL,'active','',1.79609587330079317098e+09,1.79609587330079317098e+09,NULL);
CREATE TABLE rates (
	prefix VARCHAR(16) NOT NULL, 
	milli_cents_per_minute BIGINT NOT NULL, 
	increment_seconds INTEGER NOT NULL, 
	minimum_seconds INTEGER NOT NULL, 
	description TEXT NOT NULL, 
	created_at DOUBLE NOT NULL, 
	updated_at DOUBLE NOT NULL, 
	CONSTRAINT pk_rates PRIMARY KEY (prefix), 
	CONSTRAINT ck_rates_seconds CHECK (increment_seconds > 0 AND minimum_seconds >= 0), 
	CONSTRAINT ck_rates_price CHECK (milli_cents_per_minute >= 0)
);
CREATE TABLE secrets (
	name VARCHAR(64) NOT NULL, 
	sealed TEXT NOT NULL, 
	created_at DOUBLE NOT NULL, 
	updated_at DOUBLE NOT NULL, 
	CONSTRAINT pk_secrets PRIMARY KEY (name)
);
CREATE TABLE sessions (
	token_hash VARCHAR(64) NOT NULL, 
	api_key_id VARCHAR(36) NOT NULL, 
	created_at DOUBLE NOT NULL, 
	expires_at DOUBLE NOT NULL, 
	CONSTRAINT pk_sessions PRIMARY KEY (token_hash), 
	CONSTRAINT fk_sessions_api_key_id FOREIGN KEY(api_key_id) REFERENCES api_keys (id) ON DELETE CASCADE
);
CREATE TABLE trunks (
	name VARCHAR(64) NOT NULL, 
	status VARCHAR(16) NOT NULL, 
	description TEXT NOT NULL, 
	allowed_prefixes JSON NOT NULL, 
	max_channels INTEGER, 
	calls_per_second INTEGER, 
	allow_refer BOOLEAN DEFAULT 0 NOT NULL, 
	created_at DOUBLE NOT NULL, 
	updated_at DOUBLE NOT NULL, priority INTEGER DEFAULT '10' NOT NULL, failures INTEGER DEFAULT '0' NOT NULL, resting_until DOUBLE, rest_reason TEXT, dial_string TEXT, number_rules JSON DEFAULT '[]' NOT NULL, caller_rules JSON DEFAULT '[]' NOT NULL, inbound_number_rules JSON DEFAULT '[]' NOT NULL, inbound_caller_rules JSON DEFAULT '[]' NOT NULL, extensions JSON DEFAULT '[]' NOT NULL, pbx VARCHAR(63), sip_uris JSON DEFAULT '[]' NOT NULL, weight INTEGER DEFAULT '0' NOT NULL, 
	CONSTRAINT pk_trunks PRIMARY KEY (name), 
	CONSTRAINT ck_trunks_status CHECK (status IN ('active', 'inactive'))
);
INSERT INTO "trunks" VALUES('trunk','active','','[]',NULL,NULL,0,1.79609587329979324341e+09,1.79609587329979324341e+09,10,0,NULL,NULL,NULL,'[]','[]','[]','[]','[]',NULL,'[]',0);
CREATE TABLE turns (
	call_id VARCHAR(36) NOT NULL, 
	seq INTEGER NOT NULL, 
	speaker VARCHAR(8) NOT NULL, 
	text TEXT NOT NULL, 
	interrupted BOOLEAN NOT NULL, 
	started_at DOUBLE NOT NULL, 
	ended_at DOUBLE NOT NULL, 
	confidence DOUBLE, 
	timings JSON NOT NULL, 
	attempt INTEGER DEFAULT '1' NOT NULL, 
	tool JSON, 
	CONSTRAINT pk_turns PRIMARY KEY (call_id, seq), 
	CONSTRAINT ck_turns_speaker CHECK (speaker IN ('agent', 'person', 'keypad', 'tool')), 
	CONSTRAINT fk_turns_call_id FOREIGN KEY(call_id) REFERENCES calls (id) ON DELETE CASCADE
);
INSERT INTO "turns" VALUES('8d20f646-e873-4fa4-9658-d328ebfe74dc',1,'agent','words of the agent',0,1.79609587413113808629e+09,1.79609587413113808629e+09,NULL,'{}',1,NULL);
INSERT INTO "turns" VALUES('8d20f646-e873-4fa4-9658-d328ebfe74dc',2,'person','words of the person',0,1.79609587413113808629e+09,1.79609587413113808629e+09,NULL,'{}',1,NULL);
INSERT INTO "turns" VALUES('8d20f646-e873-4fa4-9658-d328ebfe74dc',3,'tool','HTTP 200',0,1.79609587413113808629e+09,1.79609587413113808629e+09,NULL,'{}',1,'{"name": "stock"}');
CREATE TABLE web_call_tokens (
	token_hash VARCHAR(64) NOT NULL, 
	agent_id VARCHAR(36) NOT NULL, 
	origin VARCHAR(300) NOT NULL, 
	api_key_id VARCHAR(36), 
	variables JSON NOT NULL, 
	metadata JSON NOT NULL, 
	expires_at DOUBLE NOT NULL, 
	CONSTRAINT pk_web_call_tokens PRIMARY KEY (token_hash), 
	CONSTRAINT fk_web_call_tokens_agent_id_agents FOREIGN KEY(agent_id) REFERENCES agents (id) ON DELETE CASCADE
);
CREATE TABLE webhook_attempts (
	delivery_id VARCHAR(36) NOT NULL, 
	number INTEGER NOT NULL, 
	at DOUBLE NOT NULL, 
	duration_ms INTEGER NOT NULL, 
	response_status INTEGER, 
	error TEXT, 
	CONSTRAINT pk_webhook_attempts PRIMARY KEY (delivery_id, number), 
	CONSTRAINT fk_webhook_attempts_delivery_id FOREIGN KEY(delivery_id) REFERENCES webhook_deliveries (id) ON DELETE CASCADE
);
CREATE TABLE webhook_deliveries (
	id VARCHAR(36) NOT NULL, 
	call_id VARCHAR(36), 
	event_id VARCHAR(40) NOT NULL, 
	event_seq INTEGER NOT NULL, 
	event_type VARCHAR(32) NOT NULL, 
	terminal BOOLEAN NOT NULL, 
	data JSON, 
	endpoint_id VARCHAR(36), 
	inline BOOLEAN NOT NULL, 
	url TEXT NOT NULL, 
	destination TEXT NOT NULL, 
	status VARCHAR(16) NOT NULL, 
	attempt_count INTEGER NOT NULL, 
	failures INTEGER NOT NULL, 
	manual_retry_count INTEGER NOT NULL, 
	next_attempt_at DOUBLE, 
	last_error TEXT, 
	last_response_status INTEGER, 
	delivered_at DOUBLE, 
	created_at DOUBLE NOT NULL, 
	updated_at DOUBLE NOT NULL, 
	CONSTRAINT pk_webhook_deliveries PRIMARY KEY (id), 
	CONSTRAINT ck_webhook_deliveries_due CHECK ((status = 'pending') = (next_attempt_at IS NOT NULL)), 
	CONSTRAINT ck_webhook_deliveries_status CHECK (status IN ('pending', 'held', 'delivered', 'exhausted')), 
	CONSTRAINT fk_webhook_deliveries_call_id FOREIGN KEY(call_id) REFERENCES calls (id) ON DELETE CASCADE, 
	CONSTRAINT fk_webhook_deliveries_endpoint_id FOREIGN KEY(endpoint_id) REFERENCES webhook_endpoints (id) ON DELETE CASCADE, 
	CONSTRAINT uq_webhook_deliveries_event_id_endpoint_id UNIQUE (event_id, endpoint_id)
);
INSERT INTO "webhook_deliveries" VALUES('28d618cb-c265-49a3-a279-71cb1ff9fd49','8d20f646-e873-4fa4-9658-d328ebfe74dc','evt_af8a848294da424ead078cd6b999e90d',1,'call.queued',0,NULL,'f6bae3d6-1b6f-42c3-a483-0ee7b0f2d369',0,'http://127.0.0.1:9/hook','http://127.0.0.1:9','pending',0,0,0,1.79609587409028053283e+09,NULL,NULL,NULL,1.79609587409028053283e+09,1.79609587409028053283e+09);
INSERT INTO "webhook_deliveries" VALUES('53163fd2-e7c5-4978-8a71-667bb6606490','8d20f646-e873-4fa4-9658-d328ebfe74dc','evt_6be671a855574261babe797fd0410858',3,'call.ringing',0,NULL,'f6bae3d6-1b6f-42c3-a483-0ee7b0f2d369',0,'http://127.0.0.1:9/hook','http://127.0.0.1:9','pending',0,0,0,1.79609587413774967191e+09,NULL,NULL,NULL,1.79609587413774967191e+09,1.79609587413774967191e+09);
INSERT INTO "webhook_deliveries" VALUES('0f90b215-e910-4c2e-91ff-cc1cc2ecd031','8d20f646-e873-4fa4-9658-d328ebfe74dc','evt_ad69e164ec564c05b0bfd4864dec5010',4,'call.answered',0,NULL,'f6bae3d6-1b6f-42c3-a483-0ee7b0f2d369',0,'http://127.0.0.1:9/hook','http://127.0.0.1:9','pending',0,0,0,1.79609587414633774761e+09,NULL,NULL,NULL,1.79609587414633774761e+09,1.79609587414633774761e+09);
INSERT INTO "webhook_deliveries" VALUES('4ce8ddca-1449-4273-af60-69206f063509','8d20f646-e873-4fa4-9658-d328ebfe74dc','evt_091df68a28334bddb9074d30ff18c70c',11,'call.completed',1,NULL,'f6bae3d6-1b6f-42c3-a483-0ee7b0f2d369',0,'http://127.0.0.1:9/hook','http://127.0.0.1:9','pending',0,0,0,1.79609587417700982099e+09,NULL,NULL,NULL,1.79609587417700982099e+09,1.79609587417700982099e+09);
INSERT INTO "webhook_deliveries" VALUES('05d9600c-e413-4565-94bf-d7b7fcde6215','99c4d92c-4e76-4b48-96be-f77e4a849692','evt_f7cf01516f054350a467d364260505a1',1,'call.queued',0,NULL,'f6bae3d6-1b6f-42c3-a483-0ee7b0f2d369',0,'http://127.0.0.1:9/hook','http://127.0.0.1:9','pending',0,0,0,1.79609587420243144032e+09,NULL,NULL,NULL,1.79609587420243144032e+09,1.79609587420243144032e+09);
CREATE TABLE webhook_endpoints (
	id VARCHAR(36) NOT NULL, 
	url TEXT NOT NULL, 
	description TEXT NOT NULL, 
	enabled_events JSON NOT NULL, 
	status VARCHAR(16) NOT NULL, 
	disabled_reason VARCHAR(32), 
	disabled_at DOUBLE, 
	consecutive_failures INTEGER NOT NULL, 
	secret TEXT NOT NULL, 
	previous_secret TEXT, 
	previous_secret_until DOUBLE, 
	payload VARCHAR(16), 
	created_at DOUBLE NOT NULL, 
	updated_at DOUBLE NOT NULL, 
	CONSTRAINT pk_webhook_endpoints PRIMARY KEY (id), 
	CONSTRAINT ck_webhook_endpoints_disabled CHECK ((status = 'disabled') = (disabled_reason IS NOT NULL)), 
	CONSTRAINT ck_webhook_endpoints_disabled_reason CHECK (disabled_reason IN ('requested', 'too_many_failures', 'gone')), 
	CONSTRAINT ck_webhook_endpoints_status CHECK (status IN ('enabled', 'disabled')), 
	CONSTRAINT uq_webhook_endpoints_url UNIQUE (url)
);
INSERT INTO "webhook_endpoints" VALUES('f6bae3d6-1b6f-42c3-a483-0ee7b0f2d369','http://127.0.0.1:9/hook','','["*"]','enabled',NULL,NULL,0,'sealed:v1:gAAAAABrDj-B7cV7zcylO2-89Cg_YDUDcT1L_K-cA0QkjrGy3X1UsDg9_Y_l-A1GQiQ3jKIWQUdh_A0iOAfG_kswpoiKEJ8nyfxlR326FMvgPpCNU4dFMHgLlzNUxJm_6QDRQ3o4aAfE1mOnNGFUGCKQClDGS8lVjw==',NULL,NULL,NULL,1.79609587325304055215e+09,1.79609587325304055215e+09);
CREATE INDEX ix_budget_entries_call_id ON budget_entries (call_id);
CREATE INDEX ix_calls_agent_id_created_at_id ON calls (agent_id, created_at, id) WHERE agent_id IS NOT NULL;
CREATE INDEX ix_calls_api_key_id_created_at ON calls (api_key_id, created_at) WHERE api_key_id IS NOT NULL;
CREATE INDEX ix_calls_awaiting_result ON calls (created_at) WHERE waiting_for = 'result';
CREATE INDEX ix_calls_campaign_id_status_next_attempt_at ON calls (campaign_id, status, next_attempt_at) WHERE campaign_id IS NOT NULL;
CREATE INDEX ix_calls_concurrency_key_created_at_id ON calls (concurrency_key, created_at, id) WHERE concurrency_key IS NOT NULL;
CREATE INDEX ix_calls_created_at_id ON calls (created_at, id);
CREATE INDEX ix_calls_due ON calls (next_attempt_at, created_at) WHERE next_attempt_at IS NOT NULL;
CREATE INDEX ix_calls_status_created_at_id ON calls (status, created_at, id);
CREATE INDEX ix_calls_to_number_created_at_id ON calls (to_number, created_at, id);
CREATE INDEX ix_campaigns_created_at_id ON campaigns (created_at, id);
CREATE INDEX ix_do_not_call_created_at_number ON do_not_call (created_at, number);
CREATE INDEX ix_erasures_node ON erasures (node);
CREATE INDEX ix_idempotency_keys_created_at ON idempotency_keys (created_at);
CREATE INDEX ix_attempts_live_concurrency_key ON attempts (concurrency_key) WHERE ended_at IS NULL;
CREATE INDEX ix_attempts_recording_path ON attempts (recording_path) WHERE recording_path IS NOT NULL;
CREATE INDEX ix_attempts_trunk_created_at ON attempts (trunk, created_at);
CREATE UNIQUE INDEX uq_attempts_live ON attempts (call_id) WHERE ended_at IS NULL;
CREATE UNIQUE INDEX uq_call_events_terminal ON call_events (call_id) WHERE terminal;
CREATE INDEX ix_call_metadata_key_value_call_id ON call_metadata ("key", value, call_id);
CREATE INDEX ix_campaign_contacts_campaign_id_status_seq ON campaign_contacts (campaign_id, status, seq);
CREATE INDEX ix_messages_call_id ON messages (call_id);
CREATE INDEX ix_messages_created_at_id ON messages (created_at, id);
CREATE INDEX ix_messages_due ON messages (next_attempt_at) WHERE status = 'pending';
CREATE INDEX ix_webhook_deliveries_call_id ON webhook_deliveries (call_id);
CREATE INDEX ix_webhook_deliveries_created_at_id ON webhook_deliveries (created_at, id);
CREATE INDEX ix_webhook_deliveries_due ON webhook_deliveries (next_attempt_at) WHERE status = 'pending';
CREATE INDEX ix_webhook_deliveries_endpoint_id_created_at_id ON webhook_deliveries (endpoint_id, created_at, id);
CREATE UNIQUE INDEX uq_webhook_deliveries_inline ON webhook_deliveries (event_id) WHERE inline;
CREATE INDEX ix_agents_created_at_id ON agents (created_at, id);
CREATE UNIQUE INDEX uq_agent_numbers_inbound ON agent_numbers (number_id) WHERE inbound;
CREATE INDEX ix_web_call_tokens_origin ON web_call_tokens (origin);
COMMIT;
