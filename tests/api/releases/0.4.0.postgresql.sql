CREATE TABLE public.agent_numbers (
    agent_id character varying(36) NOT NULL,
    number_id character varying(36) NOT NULL,
    inbound boolean NOT NULL,
    created_at double precision NOT NULL
);
CREATE TABLE public.agent_versions (
    agent_id character varying(36) NOT NULL,
    version integer NOT NULL,
    name text NOT NULL,
    config json NOT NULL,
    created_at double precision NOT NULL
);
CREATE TABLE public.agents (
    id character varying(36) NOT NULL,
    name text NOT NULL,
    type character varying(16) NOT NULL,
    status character varying(16) NOT NULL,
    version integer NOT NULL,
    config json NOT NULL,
    primary_number_id character varying(36),
    created_at double precision NOT NULL,
    updated_at double precision NOT NULL,
    CONSTRAINT ck_agents_status CHECK (((status)::text = ANY ((ARRAY['active'::character varying, 'archived'::character varying])::text[]))),
    CONSTRAINT ck_agents_type CHECK (((type)::text = ANY ((ARRAY['outbound'::character varying, 'inbound'::character varying])::text[])))
);
CREATE TABLE public.alembic_version (
    version_num character varying(32) NOT NULL
);
CREATE TABLE public.api_keys (
    id character varying(36) NOT NULL,
    name text NOT NULL,
    prefix character varying(16) NOT NULL,
    key_hash character varying(64) NOT NULL,
    scope character varying(16) DEFAULT 'admin'::character varying NOT NULL,
    rate_limit_per_minute integer,
    dialect character varying(16),
    max_calls_per_day integer,
    max_minutes_per_day integer,
    max_calls_per_number_per_day integer,
    created_at double precision NOT NULL,
    revoked_at double precision
);
CREATE TABLE public.attempts (
    id character varying(36) NOT NULL,
    call_id character varying(36) NOT NULL,
    number integer NOT NULL,
    channel_id character varying(64) NOT NULL,
    state character varying(16) NOT NULL,
    created_at double precision NOT NULL,
    ringing_at double precision,
    early_media_at double precision,
    answered_at double precision,
    ended_at double precision,
    hangup_cause character varying(64),
    message text,
    q850_cause integer,
    sip_code integer,
    sip_call_id text,
    trunk character varying(64),
    concurrency_key character varying(128),
    node_id character varying(36),
    answered_by character varying(16),
    end_reason character varying(64),
    unknown boolean DEFAULT false NOT NULL,
    media json,
    recording_path text,
    amount_milli_cents bigint,
    recording_node character varying(64),
    recording json,
    answerer json,
    found_answered_by character varying(16),
    heard_early json,
    CONSTRAINT ck_attempts_state CHECK (((state)::text = ANY ((ARRAY['dialing'::character varying, 'ringing'::character varying, 'in_progress'::character varying, 'completed'::character varying, 'no_answer'::character varying, 'busy'::character varying, 'canceled'::character varying, 'failed'::character varying])::text[])))
);
CREATE TABLE public.budget (
    id integer NOT NULL,
    limit_milli_cents bigint,
    spent_milli_cents bigint NOT NULL,
    reserved_milli_cents bigint NOT NULL,
    updated_at double precision NOT NULL,
    CONSTRAINT ck_budget_amounts CHECK (((reserved_milli_cents >= 0) AND (spent_milli_cents >= 0))),
    CONSTRAINT ck_budget_one CHECK ((id = 1))
);
CREATE TABLE public.budget_entries (
    row_id bigint NOT NULL,
    at double precision NOT NULL,
    call_id character varying(36),
    kind character varying(16) NOT NULL,
    milli_cents bigint,
    CONSTRAINT ck_budget_entries_kind CHECK (((kind)::text = ANY ((ARRAY['reserve'::character varying, 'settle'::character varying, 'release'::character varying, 'limit'::character varying])::text[])))
);
CREATE SEQUENCE public.budget_entries_row_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.budget_entries_row_id_seq OWNED BY public.budget_entries.row_id;
CREATE SEQUENCE public.budget_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.budget_id_seq OWNED BY public.budget.id;
CREATE TABLE public.calendar_connections (
    id character varying(36) NOT NULL,
    name text NOT NULL,
    kind character varying(16) NOT NULL,
    url text NOT NULL,
    username text,
    sealed_password text,
    event_types json NOT NULL,
    created_at double precision NOT NULL,
    updated_at double precision NOT NULL,
    CONSTRAINT ck_calendar_connections_kind CHECK (((kind)::text = ANY ((ARRAY['caldav'::character varying, 'ics'::character varying])::text[])))
);
CREATE TABLE public.call_events (
    row_id bigint NOT NULL,
    id character varying(40) NOT NULL,
    call_id character varying(36) NOT NULL,
    seq integer NOT NULL,
    type character varying(32) NOT NULL,
    at double precision NOT NULL,
    terminal boolean DEFAULT false NOT NULL,
    data json NOT NULL
);
CREATE SEQUENCE public.call_events_row_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.call_events_row_id_seq OWNED BY public.call_events.row_id;
CREATE TABLE public.call_metadata (
    call_id character varying(36) NOT NULL,
    key character varying(64) NOT NULL,
    value character varying(256) NOT NULL
);
CREATE TABLE public.calls (
    id character varying(36) NOT NULL,
    status character varying(16) NOT NULL,
    direction character varying(16) NOT NULL,
    to_number character varying(128) NOT NULL,
    from_number character varying(16) NOT NULL,
    prompt text NOT NULL,
    context json NOT NULL,
    returns json NOT NULL,
    language character varying(16) NOT NULL,
    webhook_url text,
    metadata json NOT NULL,
    max_duration_s integer NOT NULL,
    result json,
    result_status character varying(16) NOT NULL,
    result_error text,
    created_at double precision NOT NULL,
    started_at double precision,
    answered_at double precision,
    ended_at double precision,
    updated_at double precision NOT NULL,
    cancel_requested_at double precision,
    answered_by character varying(16),
    end_reason character varying(64),
    outcome character varying(64),
    hangup_cause character varying(64),
    error_message text,
    q850_cause integer,
    sip_code integer,
    sip_call_id text,
    recording_path text,
    media json,
    latency json NOT NULL,
    event_count integer NOT NULL,
    summary text,
    scheduled_at double precision,
    retry json,
    zones json DEFAULT '[]'::json NOT NULL,
    force_now boolean DEFAULT false NOT NULL,
    concurrency_key character varying(128),
    concurrency_max integer,
    campaign_id character varying(36),
    api_key_id character varying(36),
    trunk character varying(64),
    attempt_count integer DEFAULT 0 NOT NULL,
    next_attempt_at double precision,
    waiting_for character varying(32),
    hangup_requested_at double precision,
    rate json,
    reservation_status character varying(16) DEFAULT 'released'::character varying NOT NULL,
    reserved_milli_cents bigint DEFAULT '0'::bigint NOT NULL,
    amount_milli_cents bigint,
    transfers_milli_cents bigint DEFAULT '0'::bigint NOT NULL,
    agent_id character varying(36),
    agent_version integer,
    agent json DEFAULT '{}'::json NOT NULL,
    agent_layers json,
    variables json DEFAULT '{}'::json NOT NULL,
    dialect character varying(16),
    transfer json,
    recording json,
    recording_wish json,
    web boolean DEFAULT false NOT NULL,
    CONSTRAINT ck_calls_answered_by CHECK (((answered_by)::text = ANY ((ARRAY['human'::character varying, 'machine'::character varying, 'ivr'::character varying, 'screening'::character varying, 'unknown'::character varying])::text[]))),
    CONSTRAINT ck_calls_direction CHECK (((direction)::text = ANY ((ARRAY['outbound'::character varying, 'inbound'::character varying])::text[]))),
    CONSTRAINT ck_calls_result_status CHECK (((result_status)::text = ANY ((ARRAY['pending'::character varying, 'completed'::character varying, 'failed'::character varying])::text[]))),
    CONSTRAINT ck_calls_status CHECK (((status)::text = ANY ((ARRAY['queued'::character varying, 'initiated'::character varying, 'ringing'::character varying, 'in_progress'::character varying, 'completed'::character varying, 'no_answer'::character varying, 'busy'::character varying, 'canceled'::character varying, 'failed'::character varying])::text[])))
);
CREATE TABLE public.campaign_contacts (
    campaign_id character varying(36) NOT NULL,
    seq integer NOT NULL,
    to_number character varying(128) NOT NULL,
    context json NOT NULL,
    metadata json NOT NULL,
    variables json DEFAULT '{}'::json NOT NULL,
    status character varying(16) NOT NULL,
    call_id character varying(36),
    error text,
    CONSTRAINT ck_campaign_contacts_status CHECK (((status)::text = ANY ((ARRAY['pending'::character varying, 'ordered'::character varying, 'refused'::character varying])::text[])))
);
CREATE TABLE public.campaigns (
    id character varying(36) NOT NULL,
    name text NOT NULL,
    status character varying(16) NOT NULL,
    paused_reason character varying(32),
    template json NOT NULL,
    max_concurrent integer NOT NULL,
    api_key_id character varying(36),
    dialect character varying(16),
    created_at double precision NOT NULL,
    started_at double precision,
    completed_at double precision,
    updated_at double precision NOT NULL,
    CONSTRAINT ck_campaigns_status CHECK (((status)::text = ANY ((ARRAY['draft'::character varying, 'running'::character varying, 'paused'::character varying, 'completed'::character varying, 'canceled'::character varying])::text[])))
);
CREATE TABLE public.do_not_call (
    number character varying(16) NOT NULL,
    source character varying(16) NOT NULL,
    reason text NOT NULL,
    call_id character varying(36),
    created_at double precision NOT NULL,
    CONSTRAINT ck_do_not_call_source CHECK (((source)::text = ANY ((ARRAY['api'::character varying, 'import'::character varying, 'outcome'::character varying])::text[])))
);
CREATE TABLE public.erasures (
    call_id character varying(36) NOT NULL,
    node character varying(64) NOT NULL,
    attempt_count integer NOT NULL,
    asked_at double precision NOT NULL
);
CREATE TABLE public.idempotency_keys (
    api_key_id character varying(36) NOT NULL,
    key character varying(255) NOT NULL,
    fingerprint character varying(64) NOT NULL,
    status_code integer NOT NULL,
    body text NOT NULL,
    created_at double precision NOT NULL
);
CREATE TABLE public.kept_values (
    name character varying(64) NOT NULL,
    value text NOT NULL
);
CREATE TABLE public.leases (
    name character varying(64) NOT NULL,
    holder character varying(64) NOT NULL,
    expires_at double precision NOT NULL
);
CREATE TABLE public.messages (
    id character varying(36) NOT NULL,
    call_id character varying(36) NOT NULL,
    attempt integer NOT NULL,
    kind character varying(8) NOT NULL,
    purpose character varying(16) NOT NULL,
    recipient text NOT NULL,
    sender text,
    subject text,
    body text,
    status character varying(16) NOT NULL,
    attempt_count integer NOT NULL,
    next_attempt_at double precision,
    last_error text,
    sent_at double precision,
    created_at double precision NOT NULL,
    updated_at double precision NOT NULL,
    CONSTRAINT ck_messages_due CHECK ((((status)::text = 'pending'::text) = (next_attempt_at IS NOT NULL))),
    CONSTRAINT ck_messages_kind CHECK (((kind)::text = ANY ((ARRAY['sms'::character varying, 'email'::character varying])::text[]))),
    CONSTRAINT ck_messages_purpose CHECK (((purpose)::text = ANY ((ARRAY['tool'::character varying, 'after_call'::character varying, 'voicemail'::character varying, 'notification'::character varying])::text[]))),
    CONSTRAINT ck_messages_status CHECK (((status)::text = ANY ((ARRAY['pending'::character varying, 'sent'::character varying, 'failed'::character varying])::text[])))
);
CREATE TABLE public.numbers (
    id character varying(36) NOT NULL,
    number character varying(16) NOT NULL,
    trunk character varying(64),
    status character varying(16) NOT NULL,
    description text NOT NULL,
    created_at double precision NOT NULL,
    updated_at double precision NOT NULL,
    caller_name text,
    CONSTRAINT ck_numbers_status CHECK (((status)::text = ANY ((ARRAY['active'::character varying, 'inactive'::character varying])::text[])))
);
CREATE TABLE public.rates (
    prefix character varying(16) NOT NULL,
    milli_cents_per_minute bigint NOT NULL,
    increment_seconds integer NOT NULL,
    minimum_seconds integer NOT NULL,
    description text NOT NULL,
    created_at double precision NOT NULL,
    updated_at double precision NOT NULL,
    CONSTRAINT ck_rates_price CHECK ((milli_cents_per_minute >= 0)),
    CONSTRAINT ck_rates_seconds CHECK (((increment_seconds > 0) AND (minimum_seconds >= 0)))
);
CREATE TABLE public.secrets (
    name character varying(64) NOT NULL,
    sealed text NOT NULL,
    created_at double precision NOT NULL,
    updated_at double precision NOT NULL
);
CREATE TABLE public.sessions (
    token_hash character varying(64) NOT NULL,
    api_key_id character varying(36) NOT NULL,
    created_at double precision NOT NULL,
    expires_at double precision NOT NULL
);
CREATE TABLE public.trunks (
    name character varying(64) NOT NULL,
    status character varying(16) NOT NULL,
    description text NOT NULL,
    allowed_prefixes json NOT NULL,
    max_channels integer,
    calls_per_second integer,
    allow_refer boolean DEFAULT false NOT NULL,
    created_at double precision NOT NULL,
    updated_at double precision NOT NULL,
    priority integer DEFAULT 10 NOT NULL,
    failures integer DEFAULT 0 NOT NULL,
    resting_until double precision,
    rest_reason text,
    dial_string text,
    number_rules json DEFAULT '[]'::json NOT NULL,
    caller_rules json DEFAULT '[]'::json NOT NULL,
    inbound_number_rules json DEFAULT '[]'::json NOT NULL,
    inbound_caller_rules json DEFAULT '[]'::json NOT NULL,
    extensions json DEFAULT '[]'::json NOT NULL,
    pbx character varying(63),
    sip_uris json DEFAULT '[]'::json NOT NULL,
    weight integer DEFAULT 0 NOT NULL,
    CONSTRAINT ck_trunks_status CHECK (((status)::text = ANY ((ARRAY['active'::character varying, 'inactive'::character varying])::text[])))
);
CREATE TABLE public.turns (
    call_id character varying(36) NOT NULL,
    seq integer NOT NULL,
    speaker character varying(8) NOT NULL,
    text text NOT NULL,
    interrupted boolean NOT NULL,
    started_at double precision NOT NULL,
    ended_at double precision NOT NULL,
    confidence double precision,
    timings json NOT NULL,
    attempt integer DEFAULT 1 NOT NULL,
    tool json,
    CONSTRAINT ck_turns_speaker CHECK (((speaker)::text = ANY ((ARRAY['agent'::character varying, 'person'::character varying, 'keypad'::character varying, 'tool'::character varying])::text[])))
);
CREATE TABLE public.web_call_tokens (
    token_hash character varying(64) NOT NULL,
    agent_id character varying(36) NOT NULL,
    origin character varying(300) NOT NULL,
    api_key_id character varying(36),
    variables json NOT NULL,
    metadata json NOT NULL,
    expires_at double precision NOT NULL
);
CREATE TABLE public.webhook_attempts (
    delivery_id character varying(36) NOT NULL,
    number integer NOT NULL,
    at double precision NOT NULL,
    duration_ms integer NOT NULL,
    response_status integer,
    error text
);
CREATE TABLE public.webhook_deliveries (
    id character varying(36) NOT NULL,
    call_id character varying(36),
    event_id character varying(40) NOT NULL,
    event_seq integer NOT NULL,
    event_type character varying(32) NOT NULL,
    terminal boolean NOT NULL,
    data json,
    endpoint_id character varying(36),
    inline boolean NOT NULL,
    url text NOT NULL,
    destination text NOT NULL,
    status character varying(16) NOT NULL,
    attempt_count integer NOT NULL,
    failures integer NOT NULL,
    manual_retry_count integer NOT NULL,
    next_attempt_at double precision,
    last_error text,
    last_response_status integer,
    delivered_at double precision,
    created_at double precision NOT NULL,
    updated_at double precision NOT NULL,
    CONSTRAINT ck_webhook_deliveries_due CHECK ((((status)::text = 'pending'::text) = (next_attempt_at IS NOT NULL))),
    CONSTRAINT ck_webhook_deliveries_status CHECK (((status)::text = ANY ((ARRAY['pending'::character varying, 'held'::character varying, 'delivered'::character varying, 'exhausted'::character varying])::text[])))
);
CREATE TABLE public.webhook_endpoints (
    id character varying(36) NOT NULL,
    url text NOT NULL,
    description text NOT NULL,
    enabled_events json NOT NULL,
    status character varying(16) NOT NULL,
    disabled_reason character varying(32),
    disabled_at double precision,
    consecutive_failures integer NOT NULL,
    secret text NOT NULL,
    previous_secret text,
    previous_secret_until double precision,
    payload character varying(16),
    created_at double precision NOT NULL,
    updated_at double precision NOT NULL,
    CONSTRAINT ck_webhook_endpoints_disabled CHECK ((((status)::text = 'disabled'::text) = (disabled_reason IS NOT NULL))),
    CONSTRAINT ck_webhook_endpoints_disabled_reason CHECK (((disabled_reason)::text = ANY ((ARRAY['requested'::character varying, 'too_many_failures'::character varying, 'gone'::character varying])::text[]))),
    CONSTRAINT ck_webhook_endpoints_status CHECK (((status)::text = ANY ((ARRAY['enabled'::character varying, 'disabled'::character varying])::text[])))
);
ALTER TABLE ONLY public.budget ALTER COLUMN id SET DEFAULT nextval('public.budget_id_seq'::regclass);
ALTER TABLE ONLY public.budget_entries ALTER COLUMN row_id SET DEFAULT nextval('public.budget_entries_row_id_seq'::regclass);
ALTER TABLE ONLY public.call_events ALTER COLUMN row_id SET DEFAULT nextval('public.call_events_row_id_seq'::regclass);
INSERT INTO public.agent_versions VALUES ('17097c8a-7e64-444e-976d-56c6479daa27', 1, 'Ada', '{"instructions": "Ask {{who}}.", "returns": {"ok": "boolean"}}', 1796095876.0642931);
INSERT INTO public.agents VALUES ('17097c8a-7e64-444e-976d-56c6479daa27', 'Ada', 'outbound', 'active', 1, '{"instructions": "Ask {{who}}.", "returns": {"ok": "boolean"}}', NULL, 1796095876.0642931, 1796095876.0642931);
INSERT INTO public.alembic_version VALUES ('0.4.0');
INSERT INTO public.api_keys VALUES ('34545895-8006-4f0f-8ada-9436341d97df', 'operator', 'sk_XrOA-HL', '698615f08b134ab89aded97df1baae2f0631173dac94421c49590ac9b54cbb26', 'admin', NULL, NULL, NULL, NULL, NULL, 1796095875.2840877, NULL);
INSERT INTO public.api_keys VALUES ('793b206d-2830-4dfd-ae00-33615f99b24e', 'tests', 'sk_ljSA5GD', 'ab8cc81c74caceb1e5528d006866e0d338c6dff724514058910391dc0fc1800e', 'admin', NULL, NULL, NULL, NULL, NULL, 1796095875.3039713, NULL);
INSERT INTO public.attempts VALUES ('7eab1b55-4331-453d-a974-20f0a1d574f1', 'a9b58141-9bc7-4ce9-b361-38554e0d914a', 1, 'offhook-db715a4a-93e6-4d7a-8351-1fa7814f1d40', 'completed', 1796095876.1477156, 1796095876.2363093, NULL, 1796095876.2363093, 1796095876.2363093, 'normal_clearing', 'The call ended normally.', 16, 200, 'a@b', 'trunk', NULL, 'node-1', 'human', 'agent_hangup', false, NULL, NULL, 0, NULL, NULL, NULL, NULL, NULL);
INSERT INTO public.budget VALUES (1, NULL, 0, 0, 0);
INSERT INTO public.call_events VALUES (1, 'evt_8d98885017b24919b61fb382c0a9b0c8', 'a9b58141-9bc7-4ce9-b361-38554e0d914a', 1, 'call.queued', 1796095876.1020408, false, '{"call": {"id": "a9b58141-9bc7-4ce9-b361-38554e0d914a", "to_number": "+15551234567", "from_number": "+15559876543", "status": "queued", "direction": "outbound", "prompt": "Ask {{who}}.", "context": {}, "returns": {"ok": "boolean"}, "result": null, "result_status": "pending", "result_error": null, "language": "en", "webhook_url": null, "webhook_status": "none", "webhook_error": null, "created_at": "2026-12-01T03:31:16.102Z", "started_at": null, "answered_at": null, "ended_at": null, "duration_seconds": null, "billed_duration_seconds": null, "billing_amount_milli_cents": null, "reservation_status": "reserved", "error_code": null, "error_message": null, "hangup_cause": null, "metadata": {"of": "a"}, "updated_at": "2026-12-01T03:31:16.102Z", "max_duration_seconds": 600, "answered_by": null, "end_reason": null, "outcome": null, "sip_code": null, "q850_cause": null, "sip_call_id": null, "sip": null, "recording_available": false, "recording_details": null, "latency": {}, "quality": null, "summary": null, "scheduled_at": null, "retry": null, "force_now": false, "concurrency": null, "campaign_id": null, "attempt_count": 0, "next_attempt_at": "2026-12-01T03:31:16.102Z", "waiting_for": "free_slot", "agent_id": "17097c8a-7e64-444e-976d-56c6479daa27", "agent_version": 1, "agent": {"instructions": "Ask {{who}}.", "returns": {"ok": "boolean"}, "variables": {"who": "Wei"}}, "variables": {"who": "Wei"}, "transfer": null}}');
INSERT INTO public.call_events VALUES (2, 'evt_72e0f4168e47409084c20df3016eb45a', 'a9b58141-9bc7-4ce9-b361-38554e0d914a', 2, 'call.initiated', 1796095876.1477156, false, '{"call": {"id": "a9b58141-9bc7-4ce9-b361-38554e0d914a", "to_number": "+15551234567", "from_number": "+15559876543", "status": "initiated", "direction": "outbound", "prompt": "Ask {{who}}.", "context": {}, "returns": {"ok": "boolean"}, "result": null, "result_status": "pending", "result_error": null, "language": "en", "webhook_url": null, "webhook_status": "none", "webhook_error": null, "created_at": "2026-12-01T03:31:16.102Z", "started_at": null, "answered_at": null, "ended_at": null, "duration_seconds": null, "billed_duration_seconds": null, "billing_amount_milli_cents": null, "reservation_status": "reserved", "error_code": null, "error_message": null, "hangup_cause": null, "metadata": {"of": "a"}, "updated_at": "2026-12-01T03:31:16.211Z", "max_duration_seconds": 600, "answered_by": null, "end_reason": null, "outcome": null, "sip_code": null, "q850_cause": null, "sip_call_id": null, "sip": null, "recording_available": false, "recording_details": null, "latency": {}, "quality": null, "summary": null, "scheduled_at": null, "retry": null, "force_now": false, "concurrency": null, "campaign_id": null, "attempt_count": 1, "next_attempt_at": null, "waiting_for": null, "agent_id": "17097c8a-7e64-444e-976d-56c6479daa27", "agent_version": 1, "agent": {"instructions": "Ask {{who}}.", "returns": {"ok": "boolean"}, "variables": {"who": "Wei"}}, "variables": {"who": "Wei"}, "transfer": null}}');
INSERT INTO public.call_events VALUES (3, 'evt_b0785e11603046aab6f1039dcb7519d3', 'a9b58141-9bc7-4ce9-b361-38554e0d914a', 3, 'call.ringing', 1796095876.2363093, false, '{"call": {"id": "a9b58141-9bc7-4ce9-b361-38554e0d914a", "to_number": "+15551234567", "from_number": "+15559876543", "status": "ringing", "direction": "outbound", "prompt": "Ask {{who}}.", "context": {}, "returns": {"ok": "boolean"}, "result": null, "result_status": "pending", "result_error": null, "language": "en", "webhook_url": null, "webhook_status": "none", "webhook_error": null, "created_at": "2026-12-01T03:31:16.102Z", "started_at": "2026-12-01T03:31:16.236Z", "answered_at": null, "ended_at": null, "duration_seconds": null, "billed_duration_seconds": null, "billing_amount_milli_cents": null, "reservation_status": "reserved", "error_code": null, "error_message": null, "hangup_cause": null, "metadata": {"of": "a"}, "updated_at": "2026-12-01T03:31:16.248Z", "max_duration_seconds": 600, "answered_by": null, "end_reason": null, "outcome": null, "sip_code": null, "q850_cause": null, "sip_call_id": null, "sip": null, "recording_available": false, "recording_details": null, "latency": {}, "quality": null, "summary": null, "scheduled_at": null, "retry": null, "force_now": false, "concurrency": null, "campaign_id": null, "attempt_count": 1, "next_attempt_at": null, "waiting_for": null, "agent_id": "17097c8a-7e64-444e-976d-56c6479daa27", "agent_version": 1, "agent": {"instructions": "Ask {{who}}.", "returns": {"ok": "boolean"}, "variables": {"who": "Wei"}}, "variables": {"who": "Wei"}, "transfer": null}}');
INSERT INTO public.call_events VALUES (4, 'evt_6160634e578f4776aa7b974b6f434797', 'a9b58141-9bc7-4ce9-b361-38554e0d914a', 4, 'call.answered', 1796095876.2363093, false, '{"call": {"id": "a9b58141-9bc7-4ce9-b361-38554e0d914a", "to_number": "+15551234567", "from_number": "+15559876543", "status": "in_progress", "direction": "outbound", "prompt": "Ask {{who}}.", "context": {}, "returns": {"ok": "boolean"}, "result": null, "result_status": "pending", "result_error": null, "language": "en", "webhook_url": null, "webhook_status": "none", "webhook_error": null, "created_at": "2026-12-01T03:31:16.102Z", "started_at": "2026-12-01T03:31:16.236Z", "answered_at": "2026-12-01T03:31:16.236Z", "ended_at": null, "duration_seconds": null, "billed_duration_seconds": null, "billing_amount_milli_cents": null, "reservation_status": "reserved", "error_code": null, "error_message": null, "hangup_cause": null, "metadata": {"of": "a"}, "updated_at": "2026-12-01T03:31:16.264Z", "max_duration_seconds": 600, "answered_by": null, "end_reason": null, "outcome": null, "sip_code": null, "q850_cause": null, "sip_call_id": null, "sip": null, "recording_available": false, "recording_details": null, "latency": {}, "quality": null, "summary": null, "scheduled_at": null, "retry": null, "force_now": false, "concurrency": null, "campaign_id": null, "attempt_count": 1, "next_attempt_at": null, "waiting_for": null, "agent_id": "17097c8a-7e64-444e-976d-56c6479daa27", "agent_version": 1, "agent": {"instructions": "Ask {{who}}.", "returns": {"ok": "boolean"}, "variables": {"who": "Wei"}}, "variables": {"who": "Wei"}, "transfer": null}}');
INSERT INTO public.call_events VALUES (5, 'evt_5d6ab97021ca4b1ba52f173e142a83ca', 'a9b58141-9bc7-4ce9-b361-38554e0d914a', 5, 'call.turn', 1796095876.2363093, false, '{"turn": {"seq": 1, "attempt": 1, "speaker": "agent", "text": "words of the agent", "interrupted": false, "started_at": "2026-12-01T03:31:16.236Z", "ended_at": "2026-12-01T03:31:16.236Z", "confidence": null, "timings": {}, "tool": null}}');
INSERT INTO public.call_events VALUES (6, 'evt_06f79a3285f94c70854c3157f8e2b70e', 'a9b58141-9bc7-4ce9-b361-38554e0d914a', 6, 'call.turn', 1796095876.2363093, false, '{"turn": {"seq": 2, "attempt": 1, "speaker": "person", "text": "words of the person", "interrupted": false, "started_at": "2026-12-01T03:31:16.236Z", "ended_at": "2026-12-01T03:31:16.236Z", "confidence": null, "timings": {}, "tool": null}}');
INSERT INTO public.call_events VALUES (7, 'evt_91a20f407ecc4e10887b814c396ba5b9', 'a9b58141-9bc7-4ce9-b361-38554e0d914a', 7, 'call.turn', 1796095876.2363093, false, '{"turn": {"seq": 3, "attempt": 1, "speaker": "tool", "text": "HTTP 200", "interrupted": false, "started_at": "2026-12-01T03:31:16.236Z", "ended_at": "2026-12-01T03:31:16.236Z", "confidence": null, "timings": {}, "tool": {"name": "stock"}}}');
INSERT INTO public.call_events VALUES (8, 'evt_d95001013ba34b5691411c210916a000', 'a9b58141-9bc7-4ce9-b361-38554e0d914a', 8, 'call.ended', 1796095876.2363093, false, '{"status": "completed", "end_reason": "agent_hangup", "hangup_cause": "normal_clearing", "q850_cause": 16, "sip_code": 200, "sip_call_id": "a@b"}');
INSERT INTO public.call_events VALUES (9, 'evt_8b47a472caee4ab1abc162d59c5a7130', 'a9b58141-9bc7-4ce9-b361-38554e0d914a', 9, 'call.transcript.final', 1796095876.2363093, false, '{"transcript": {"turns": [{"seq": 1, "attempt": 1, "speaker": "agent", "text": "words of the agent", "interrupted": false, "started_at": "2026-12-01T03:31:16.236Z", "ended_at": "2026-12-01T03:31:16.236Z", "confidence": null, "timings": {}, "tool": null}, {"seq": 2, "attempt": 1, "speaker": "person", "text": "words of the person", "interrupted": false, "started_at": "2026-12-01T03:31:16.236Z", "ended_at": "2026-12-01T03:31:16.236Z", "confidence": null, "timings": {}, "tool": null}, {"seq": 3, "attempt": 1, "speaker": "tool", "text": "HTTP 200", "interrupted": false, "started_at": "2026-12-01T03:31:16.236Z", "ended_at": "2026-12-01T03:31:16.236Z", "confidence": null, "timings": {}, "tool": {"name": "stock"}}]}}');
INSERT INTO public.call_events VALUES (10, 'evt_557c74196d0443978713b759ae6ba334', 'a9b58141-9bc7-4ce9-b361-38554e0d914a', 10, 'call.analyzed', 1796095876.35788, false, '{"analysis": {"result": {"ok": true}, "result_status": "completed", "result_error": null, "outcome": null, "summary": null}}');
INSERT INTO public.call_events VALUES (11, 'evt_88c08adab86a42b1913150623158c681', 'a9b58141-9bc7-4ce9-b361-38554e0d914a', 11, 'call.completed', 1796095876.35788, true, '{"call": {"id": "a9b58141-9bc7-4ce9-b361-38554e0d914a", "to_number": "+15551234567", "from_number": "+15559876543", "status": "completed", "direction": "outbound", "prompt": "Ask {{who}}.", "context": {}, "returns": {"ok": "boolean"}, "result": {"ok": true}, "result_status": "completed", "result_error": null, "language": "en", "webhook_url": null, "webhook_status": "none", "webhook_error": null, "created_at": "2026-12-01T03:31:16.102Z", "started_at": "2026-12-01T03:31:16.236Z", "answered_at": "2026-12-01T03:31:16.236Z", "ended_at": "2026-12-01T03:31:16.236Z", "duration_seconds": 0, "billed_duration_seconds": 0, "billing_amount_milli_cents": 0, "reservation_status": "settled", "error_code": null, "error_message": null, "hangup_cause": null, "metadata": {"of": "a"}, "updated_at": "2026-12-01T03:31:16.357Z", "max_duration_seconds": 600, "answered_by": "human", "end_reason": "agent_hangup", "outcome": null, "sip_code": 200, "q850_cause": 16, "sip_call_id": "a@b", "sip": null, "recording_available": false, "recording_details": null, "latency": {}, "quality": null, "summary": null, "scheduled_at": null, "retry": null, "force_now": false, "concurrency": null, "campaign_id": null, "attempt_count": 1, "next_attempt_at": null, "waiting_for": null, "agent_id": "17097c8a-7e64-444e-976d-56c6479daa27", "agent_version": 1, "agent": {"instructions": "Ask {{who}}.", "returns": {"ok": "boolean"}, "variables": {"who": "Wei"}}, "variables": {"who": "Wei"}, "transfer": null}}');
INSERT INTO public.call_events VALUES (12, 'evt_2d1d0c9ad36d4495a84b2b58f220dc84', '15a58556-7d7e-48c4-a934-94807b2776d3', 1, 'call.queued', 1796095876.3861196, false, '{"call": {"id": "15a58556-7d7e-48c4-a934-94807b2776d3", "to_number": "+15551234567", "from_number": "+15559876543", "status": "queued", "direction": "outbound", "prompt": "Say hello.", "context": {}, "returns": {}, "result": null, "result_status": "pending", "result_error": null, "language": "en", "webhook_url": null, "webhook_status": "none", "webhook_error": null, "created_at": "2026-12-01T03:31:16.386Z", "started_at": null, "answered_at": null, "ended_at": null, "duration_seconds": null, "billed_duration_seconds": null, "billing_amount_milli_cents": null, "reservation_status": "reserved", "error_code": null, "error_message": null, "hangup_cause": null, "metadata": {}, "updated_at": "2026-12-01T03:31:16.386Z", "max_duration_seconds": 600, "answered_by": null, "end_reason": null, "outcome": null, "sip_code": null, "q850_cause": null, "sip_call_id": null, "sip": null, "recording_available": false, "recording_details": null, "latency": {}, "quality": null, "summary": null, "scheduled_at": null, "retry": {"allowed_days": ["monday", "tuesday", "wednesday", "thursday", "friday"], "calling_windows": [{"start": "10:00", "end": "18:00", "retry_delay_seconds": 7200}], "call_twice_in_a_row": false, "max_attempts": 3, "timezone": "UTC"}, "force_now": true, "concurrency": null, "campaign_id": null, "attempt_count": 0, "next_attempt_at": "2026-12-01T03:31:16.386Z", "waiting_for": "free_slot", "agent_id": null, "agent_version": null, "agent": {"retry": {"timezone": "UTC"}, "instructions": "Say hello."}, "variables": {}, "transfer": null}}');
INSERT INTO public.call_metadata VALUES ('a9b58141-9bc7-4ce9-b361-38554e0d914a', 'of', 'a');
INSERT INTO public.calls VALUES ('a9b58141-9bc7-4ce9-b361-38554e0d914a', 'completed', 'outbound', '+15551234567', '+15559876543', 'Ask {{who}}.', '{}', '{"ok": "boolean"}', 'en', NULL, '{"of": "a"}', 600, '{"ok": true}', 'completed', NULL, 1796095876.1020408, 1796095876.2363093, 1796095876.2363093, 1796095876.2363093, 1796095876.35788, NULL, 'human', 'agent_hangup', NULL, 'normal_clearing', 'The call ended normally.', 16, 200, 'a@b', NULL, NULL, '{}', 11, NULL, NULL, NULL, '[]', false, NULL, NULL, NULL, '793b206d-2830-4dfd-ae00-33615f99b24e', 'trunk', 1, NULL, NULL, NULL, NULL, 'settled', 0, 0, 0, '17097c8a-7e64-444e-976d-56c6479daa27', 1, '{"instructions": "Ask {{who}}.", "returns": {"ok": "boolean"}, "variables": {"who": "Wei"}}', NULL, '{"who": "Wei"}', NULL, NULL, NULL, NULL, false);
INSERT INTO public.calls VALUES ('15a58556-7d7e-48c4-a934-94807b2776d3', 'queued', 'outbound', '+15551234567', '+15559876543', 'Say hello.', '{}', '{}', 'en', NULL, '{}', 600, NULL, 'pending', NULL, 1796095876.3861196, NULL, NULL, NULL, 1796095876.3861196, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, '{}', 1, NULL, NULL, '{"allowed_days": ["monday", "tuesday", "wednesday", "thursday", "friday"], "calling_windows": [{"start": "10:00", "end": "18:00", "retry_delay_seconds": 7200}], "call_twice_in_a_row": false, "max_attempts": 3, "timezone": "UTC"}', '["America/New_York"]', true, NULL, NULL, NULL, '793b206d-2830-4dfd-ae00-33615f99b24e', 'trunk', 0, 1796095876.3861196, 'free_slot', NULL, NULL, 'reserved', 0, NULL, 0, NULL, NULL, '{"retry": {"timezone": "UTC"}, "instructions": "Say hello."}', NULL, '{}', NULL, NULL, NULL, NULL, false);
INSERT INTO public.campaign_contacts VALUES ('02bcf585-b1ec-4332-a5ae-b11d7a72d405', 1, '+12125550123', '{"patient": "Wei"}', '{}', '{}', 'pending', NULL, NULL);
INSERT INTO public.campaigns VALUES ('02bcf585-b1ec-4332-a5ae-b11d7a72d405', 'Recalls', 'running', NULL, '{"prompt": "Call {patient}."}', 2, NULL, NULL, 1796095876.3979402, 1796095876.3979402, NULL, 1796095876.3979402);
INSERT INTO public.numbers VALUES ('76c2b64f-7652-41bc-93b5-1dc8e036ec1b', '+15559876543', NULL, 'active', '', 1796095875.293702, 1796095875.293702, NULL);
INSERT INTO public.numbers VALUES ('b2a594e0-5402-4542-902f-27559303af04', '+15550100099', NULL, 'active', '', 1796095875.2947018, 1796095875.2947018, NULL);
INSERT INTO public.trunks VALUES ('trunk', 'active', '', '[]', NULL, NULL, false, 1796095875.293702, 1796095875.293702, 10, 0, NULL, NULL, NULL, '[]', '[]', '[]', '[]', '[]', NULL, '[]', 0);
INSERT INTO public.turns VALUES ('a9b58141-9bc7-4ce9-b361-38554e0d914a', 1, 'agent', 'words of the agent', false, 1796095876.2363093, 1796095876.2363093, NULL, '{}', 1, NULL);
INSERT INTO public.turns VALUES ('a9b58141-9bc7-4ce9-b361-38554e0d914a', 2, 'person', 'words of the person', false, 1796095876.2363093, 1796095876.2363093, NULL, '{}', 1, NULL);
INSERT INTO public.turns VALUES ('a9b58141-9bc7-4ce9-b361-38554e0d914a', 3, 'tool', 'HTTP 200', false, 1796095876.2363093, 1796095876.2363093, NULL, '{}', 1, '{"name": "stock"}');
INSERT INTO public.webhook_deliveries VALUES ('88831fcc-5221-4bb0-a0af-44dd21761876', 'a9b58141-9bc7-4ce9-b361-38554e0d914a', 'evt_8d98885017b24919b61fb382c0a9b0c8', 1, 'call.queued', false, NULL, 'aab795f5-716c-46ac-95ca-f204f55c8a08', false, 'http://127.0.0.1:9/hook', 'http://127.0.0.1:9', 'pending', 0, 0, 0, 1796095876.1379187, NULL, NULL, NULL, 1796095876.1379187, 1796095876.1379187);
INSERT INTO public.webhook_deliveries VALUES ('d2c7abee-af1c-4ee1-a772-e677cb106dac', 'a9b58141-9bc7-4ce9-b361-38554e0d914a', 'evt_b0785e11603046aab6f1039dcb7519d3', 3, 'call.ringing', false, NULL, 'aab795f5-716c-46ac-95ca-f204f55c8a08', false, 'http://127.0.0.1:9/hook', 'http://127.0.0.1:9', 'pending', 0, 0, 0, 1796095876.2543473, NULL, NULL, NULL, 1796095876.2543473, 1796095876.2543473);
INSERT INTO public.webhook_deliveries VALUES ('18304210-3577-408c-8225-44d4d2a4015b', 'a9b58141-9bc7-4ce9-b361-38554e0d914a', 'evt_6160634e578f4776aa7b974b6f434797', 4, 'call.answered', false, NULL, 'aab795f5-716c-46ac-95ca-f204f55c8a08', false, 'http://127.0.0.1:9/hook', 'http://127.0.0.1:9', 'pending', 0, 0, 0, 1796095876.2709394, NULL, NULL, NULL, 1796095876.2709394, 1796095876.2709394);
INSERT INTO public.webhook_deliveries VALUES ('61ef0a40-58ce-4f74-9820-6281e3420183', 'a9b58141-9bc7-4ce9-b361-38554e0d914a', 'evt_88c08adab86a42b1913150623158c681', 11, 'call.completed', true, NULL, 'aab795f5-716c-46ac-95ca-f204f55c8a08', false, 'http://127.0.0.1:9/hook', 'http://127.0.0.1:9', 'pending', 0, 0, 0, 1796095876.3672755, NULL, NULL, NULL, 1796095876.3672755, 1796095876.3672755);
INSERT INTO public.webhook_deliveries VALUES ('225c17ad-3945-4e29-baf9-60a459114ec1', '15a58556-7d7e-48c4-a934-94807b2776d3', 'evt_2d1d0c9ad36d4495a84b2b58f220dc84', 1, 'call.queued', false, NULL, 'aab795f5-716c-46ac-95ca-f204f55c8a08', false, 'http://127.0.0.1:9/hook', 'http://127.0.0.1:9', 'pending', 0, 0, 0, 1796095876.3937902, NULL, NULL, NULL, 1796095876.3937902, 1796095876.3937902);
INSERT INTO public.webhook_endpoints VALUES ('aab795f5-716c-46ac-95ca-f204f55c8a08', 'http://127.0.0.1:9/hook', '', '["*"]', 'enabled', NULL, NULL, 0, 'sealed:v1:gAAAAABrDj-DxkRAlaiwx1p20Eg9jaN4kUSzfyV62Hy8_RcLZrB9PsTacDdCRZCEQ6Q4K-fpt2yrS_-J9jCfz7sUV1LDYtjS9Ut-k0n09UnF4jrIrL3aybE5Q_Ak8ds-cb9D2LQemT-IAH_3cltz8qXEUKvbAES2HA==', NULL, NULL, NULL, 1796095875.264206, 1796095875.264206);
SELECT pg_catalog.setval('public.budget_entries_row_id_seq', 1, false);
SELECT pg_catalog.setval('public.budget_id_seq', 1, false);
SELECT pg_catalog.setval('public.call_events_row_id_seq', 12, true);
ALTER TABLE ONLY public.alembic_version
    ADD CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num);
ALTER TABLE ONLY public.agent_numbers
    ADD CONSTRAINT pk_agent_numbers PRIMARY KEY (agent_id, number_id);
ALTER TABLE ONLY public.agent_versions
    ADD CONSTRAINT pk_agent_versions PRIMARY KEY (agent_id, version);
ALTER TABLE ONLY public.agents
    ADD CONSTRAINT pk_agents PRIMARY KEY (id);
ALTER TABLE ONLY public.api_keys
    ADD CONSTRAINT pk_api_keys PRIMARY KEY (id);
ALTER TABLE ONLY public.attempts
    ADD CONSTRAINT pk_attempts PRIMARY KEY (id);
ALTER TABLE ONLY public.budget
    ADD CONSTRAINT pk_budget PRIMARY KEY (id);
ALTER TABLE ONLY public.budget_entries
    ADD CONSTRAINT pk_budget_entries PRIMARY KEY (row_id);
ALTER TABLE ONLY public.calendar_connections
    ADD CONSTRAINT pk_calendar_connections PRIMARY KEY (id);
ALTER TABLE ONLY public.call_events
    ADD CONSTRAINT pk_call_events PRIMARY KEY (row_id);
ALTER TABLE ONLY public.call_metadata
    ADD CONSTRAINT pk_call_metadata PRIMARY KEY (call_id, key);
ALTER TABLE ONLY public.calls
    ADD CONSTRAINT pk_calls PRIMARY KEY (id);
ALTER TABLE ONLY public.campaign_contacts
    ADD CONSTRAINT pk_campaign_contacts PRIMARY KEY (campaign_id, seq);
ALTER TABLE ONLY public.campaigns
    ADD CONSTRAINT pk_campaigns PRIMARY KEY (id);
ALTER TABLE ONLY public.do_not_call
    ADD CONSTRAINT pk_do_not_call PRIMARY KEY (number);
ALTER TABLE ONLY public.erasures
    ADD CONSTRAINT pk_erasures PRIMARY KEY (call_id, node);
ALTER TABLE ONLY public.idempotency_keys
    ADD CONSTRAINT pk_idempotency_keys PRIMARY KEY (api_key_id, key);
ALTER TABLE ONLY public.kept_values
    ADD CONSTRAINT pk_kept_values PRIMARY KEY (name);
ALTER TABLE ONLY public.leases
    ADD CONSTRAINT pk_leases PRIMARY KEY (name);
ALTER TABLE ONLY public.messages
    ADD CONSTRAINT pk_messages PRIMARY KEY (id);
ALTER TABLE ONLY public.numbers
    ADD CONSTRAINT pk_numbers PRIMARY KEY (id);
ALTER TABLE ONLY public.rates
    ADD CONSTRAINT pk_rates PRIMARY KEY (prefix);
ALTER TABLE ONLY public.secrets
    ADD CONSTRAINT pk_secrets PRIMARY KEY (name);
ALTER TABLE ONLY public.sessions
    ADD CONSTRAINT pk_sessions PRIMARY KEY (token_hash);
ALTER TABLE ONLY public.trunks
    ADD CONSTRAINT pk_trunks PRIMARY KEY (name);
ALTER TABLE ONLY public.turns
    ADD CONSTRAINT pk_turns PRIMARY KEY (call_id, seq);
ALTER TABLE ONLY public.web_call_tokens
    ADD CONSTRAINT pk_web_call_tokens PRIMARY KEY (token_hash);
ALTER TABLE ONLY public.webhook_attempts
    ADD CONSTRAINT pk_webhook_attempts PRIMARY KEY (delivery_id, number);
ALTER TABLE ONLY public.webhook_deliveries
    ADD CONSTRAINT pk_webhook_deliveries PRIMARY KEY (id);
ALTER TABLE ONLY public.webhook_endpoints
    ADD CONSTRAINT pk_webhook_endpoints PRIMARY KEY (id);
ALTER TABLE ONLY public.api_keys
    ADD CONSTRAINT uq_api_keys_key_hash UNIQUE (key_hash);
ALTER TABLE ONLY public.attempts
    ADD CONSTRAINT uq_attempts_call_id_number UNIQUE (call_id, number);
ALTER TABLE ONLY public.attempts
    ADD CONSTRAINT uq_attempts_channel_id UNIQUE (channel_id);
ALTER TABLE ONLY public.call_events
    ADD CONSTRAINT uq_call_events_call_id_seq UNIQUE (call_id, seq);
ALTER TABLE ONLY public.call_events
    ADD CONSTRAINT uq_call_events_id UNIQUE (id);
ALTER TABLE ONLY public.campaign_contacts
    ADD CONSTRAINT uq_campaign_contacts_call_id UNIQUE (call_id);
ALTER TABLE ONLY public.campaign_contacts
    ADD CONSTRAINT uq_campaign_contacts_campaign_id_to_number UNIQUE (campaign_id, to_number);
ALTER TABLE ONLY public.numbers
    ADD CONSTRAINT uq_numbers_number UNIQUE (number);
ALTER TABLE ONLY public.webhook_deliveries
    ADD CONSTRAINT uq_webhook_deliveries_event_id_endpoint_id UNIQUE (event_id, endpoint_id);
ALTER TABLE ONLY public.webhook_endpoints
    ADD CONSTRAINT uq_webhook_endpoints_url UNIQUE (url);
CREATE INDEX ix_agents_created_at_id ON public.agents USING btree (created_at, id);
CREATE INDEX ix_attempts_live_concurrency_key ON public.attempts USING btree (concurrency_key) WHERE (ended_at IS NULL);
CREATE INDEX ix_attempts_recording_path ON public.attempts USING btree (recording_path) WHERE (recording_path IS NOT NULL);
CREATE INDEX ix_attempts_trunk_created_at ON public.attempts USING btree (trunk, created_at);
CREATE INDEX ix_budget_entries_call_id ON public.budget_entries USING btree (call_id);
CREATE INDEX ix_call_metadata_key_value_call_id ON public.call_metadata USING btree (key, value, call_id);
CREATE INDEX ix_calls_agent_id_created_at_id ON public.calls USING btree (agent_id, created_at, id) WHERE (agent_id IS NOT NULL);
CREATE INDEX ix_calls_api_key_id_created_at ON public.calls USING btree (api_key_id, created_at) WHERE (api_key_id IS NOT NULL);
CREATE INDEX ix_calls_awaiting_result ON public.calls USING btree (created_at) WHERE ((waiting_for)::text = 'result'::text);
CREATE INDEX ix_calls_campaign_id_status_next_attempt_at ON public.calls USING btree (campaign_id, status, next_attempt_at) WHERE (campaign_id IS NOT NULL);
CREATE INDEX ix_calls_concurrency_key_created_at_id ON public.calls USING btree (concurrency_key, created_at, id) WHERE (concurrency_key IS NOT NULL);
CREATE INDEX ix_calls_created_at_id ON public.calls USING btree (created_at, id);
CREATE INDEX ix_calls_due ON public.calls USING btree (next_attempt_at, created_at) WHERE (next_attempt_at IS NOT NULL);
CREATE INDEX ix_calls_status_created_at_id ON public.calls USING btree (status, created_at, id);
CREATE INDEX ix_calls_to_number_created_at_id ON public.calls USING btree (to_number, created_at, id);
CREATE INDEX ix_campaign_contacts_campaign_id_status_seq ON public.campaign_contacts USING btree (campaign_id, status, seq);
CREATE INDEX ix_campaigns_created_at_id ON public.campaigns USING btree (created_at, id);
CREATE INDEX ix_do_not_call_created_at_number ON public.do_not_call USING btree (created_at, number);
CREATE INDEX ix_erasures_node ON public.erasures USING btree (node);
CREATE INDEX ix_idempotency_keys_created_at ON public.idempotency_keys USING btree (created_at);
CREATE INDEX ix_messages_call_id ON public.messages USING btree (call_id);
CREATE INDEX ix_messages_created_at_id ON public.messages USING btree (created_at, id);
CREATE INDEX ix_messages_due ON public.messages USING btree (next_attempt_at) WHERE ((status)::text = 'pending'::text);
CREATE INDEX ix_web_call_tokens_origin ON public.web_call_tokens USING btree (origin);
CREATE INDEX ix_webhook_deliveries_call_id ON public.webhook_deliveries USING btree (call_id);
CREATE INDEX ix_webhook_deliveries_created_at_id ON public.webhook_deliveries USING btree (created_at, id);
CREATE INDEX ix_webhook_deliveries_due ON public.webhook_deliveries USING btree (next_attempt_at) WHERE ((status)::text = 'pending'::text);
CREATE INDEX ix_webhook_deliveries_endpoint_id_created_at_id ON public.webhook_deliveries USING btree (endpoint_id, created_at, id);
CREATE UNIQUE INDEX uq_agent_numbers_inbound ON public.agent_numbers USING btree (number_id) WHERE inbound;
CREATE UNIQUE INDEX uq_attempts_live ON public.attempts USING btree (call_id) WHERE (ended_at IS NULL);
CREATE UNIQUE INDEX uq_call_events_terminal ON public.call_events USING btree (call_id) WHERE terminal;
CREATE UNIQUE INDEX uq_webhook_deliveries_inline ON public.webhook_deliveries USING btree (event_id) WHERE inline;
ALTER TABLE ONLY public.agent_numbers
    ADD CONSTRAINT fk_agent_numbers_agent_id FOREIGN KEY (agent_id) REFERENCES public.agents(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.agent_numbers
    ADD CONSTRAINT fk_agent_numbers_number_id FOREIGN KEY (number_id) REFERENCES public.numbers(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.agent_versions
    ADD CONSTRAINT fk_agent_versions_agent_id FOREIGN KEY (agent_id) REFERENCES public.agents(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.agents
    ADD CONSTRAINT fk_agents_primary_number_id FOREIGN KEY (primary_number_id) REFERENCES public.numbers(id);
ALTER TABLE ONLY public.attempts
    ADD CONSTRAINT fk_attempts_call_id FOREIGN KEY (call_id) REFERENCES public.calls(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.call_events
    ADD CONSTRAINT fk_call_events_call_id FOREIGN KEY (call_id) REFERENCES public.calls(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.call_metadata
    ADD CONSTRAINT fk_call_metadata_call_id FOREIGN KEY (call_id) REFERENCES public.calls(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.campaign_contacts
    ADD CONSTRAINT fk_campaign_contacts_campaign_id FOREIGN KEY (campaign_id) REFERENCES public.campaigns(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.messages
    ADD CONSTRAINT fk_messages_call_id FOREIGN KEY (call_id) REFERENCES public.calls(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.numbers
    ADD CONSTRAINT fk_numbers_trunk FOREIGN KEY (trunk) REFERENCES public.trunks(name);
ALTER TABLE ONLY public.sessions
    ADD CONSTRAINT fk_sessions_api_key_id FOREIGN KEY (api_key_id) REFERENCES public.api_keys(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.turns
    ADD CONSTRAINT fk_turns_call_id FOREIGN KEY (call_id) REFERENCES public.calls(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.web_call_tokens
    ADD CONSTRAINT fk_web_call_tokens_agent_id_agents FOREIGN KEY (agent_id) REFERENCES public.agents(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.webhook_attempts
    ADD CONSTRAINT fk_webhook_attempts_delivery_id FOREIGN KEY (delivery_id) REFERENCES public.webhook_deliveries(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.webhook_deliveries
    ADD CONSTRAINT fk_webhook_deliveries_call_id FOREIGN KEY (call_id) REFERENCES public.calls(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.webhook_deliveries
    ADD CONSTRAINT fk_webhook_deliveries_endpoint_id FOREIGN KEY (endpoint_id) REFERENCES public.webhook_endpoints(id) ON DELETE CASCADE;
