CREATE TABLE os4x_schema (version BIGINT NOT NULL);
CREATE TABLE os4x_generation (value BIGINT NOT NULL);
CREATE TABLE os4x_configuration (name TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE os4x_partners (
    short_name TEXT PRIMARY KEY,
    ssid TEXT NOT NULL UNIQUE,
    enabled BIGINT NOT NULL,
    certificate TEXT NOT NULL,
    profile TEXT NOT NULL,
    host TEXT,
    port BIGINT NOT NULL,
    tls BIGINT NOT NULL,
    outgoing_ip TEXT,
    check_ssid BIGINT NOT NULL
);
CREATE TABLE os4x_partner_pins (
    partner TEXT NOT NULL REFERENCES os4x_partners (short_name) ON DELETE CASCADE,
    position BIGINT NOT NULL,
    name TEXT NOT NULL,
    pem TEXT NOT NULL,
    PRIMARY KEY (partner, position)
);
CREATE TABLE os4x_proxies (proxy_id TEXT PRIMARY KEY, name TEXT NOT NULL, added BIGINT NOT NULL);
CREATE TABLE os4x_proxy_clients (
    address TEXT NOT NULL,
    partner TEXT REFERENCES os4x_partners (short_name) ON DELETE CASCADE,
    listen_ip TEXT,
    listen_port BIGINT NOT NULL,
    networks TEXT NOT NULL,
    name TEXT NOT NULL
);
CREATE UNIQUE INDEX os4x_proxy_clients_listener ON os4x_proxy_clients (address, (COALESCE(partner, '')));
CREATE TABLE os4x_certificates (
    usage TEXT NOT NULL,
    name TEXT NOT NULL,
    fingerprint TEXT NOT NULL,
    pem TEXT NOT NULL,
    private_key TEXT,
    PRIMARY KEY (usage, name),
    UNIQUE (usage, fingerprint)
);
CREATE TABLE os4x_crls (
    issuer_key TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    last_update BIGINT NOT NULL,
    next_update BIGINT,
    source TEXT,
    pem TEXT NOT NULL
);
CREATE TABLE os4x_crl_urls (
    url TEXT PRIMARY KEY,
    reported BIGINT NOT NULL,
    due BIGINT NOT NULL,
    failures BIGINT NOT NULL,
    tried BIGINT,
    fetched BIGINT,
    error TEXT
);
CREATE TABLE os4x_system_log (
    id {identity},
    time BIGINT NOT NULL,
    received BIGINT NOT NULL,
    level TEXT NOT NULL,
    origin TEXT NOT NULL,
    host TEXT NOT NULL,
    pid BIGINT NOT NULL,
    address TEXT,
    partner TEXT,
    text TEXT NOT NULL,
    detail TEXT NOT NULL
);
CREATE INDEX os4x_system_log_received ON os4x_system_log (received);
CREATE TABLE os4x_ignored_messages (
    id {identity},
    description TEXT NOT NULL,
    text TEXT NOT NULL,
    valid_until BIGINT NOT NULL
);
CREATE TABLE os4x_sessions (
    session TEXT PRIMARY KEY,
    client TEXT NOT NULL,
    received BIGINT NOT NULL,
    direction TEXT,
    pid BIGINT,
    began BIGINT,
    address TEXT,
    partner TEXT,
    ssid TEXT,
    subject TEXT,
    serial TEXT,
    tls TEXT,
    station TEXT,
    ended BIGINT,
    octets_in BIGINT,
    octets_out BIGINT,
    files BIGINT,
    files_refused BIGINT,
    receipts BIGINT,
    reason TEXT,
    detail TEXT,
    orphaned BIGINT NOT NULL
);
CREATE INDEX os4x_sessions_received ON os4x_sessions (received);
CREATE TABLE os4x_session_transfers (
    session TEXT NOT NULL REFERENCES os4x_sessions (session) ON DELETE CASCADE,
    position BIGINT NOT NULL,
    sender TEXT NOT NULL,
    name TEXT NOT NULL,
    octets BIGINT NOT NULL,
    result TEXT NOT NULL,
    reason BIGINT,
    PRIMARY KEY (session, position)
);
CREATE TABLE os4x_clients_seen (address TEXT PRIMARY KEY, seen BIGINT NOT NULL);
