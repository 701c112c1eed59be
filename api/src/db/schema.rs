//! The tables, and their version. Made by `init` inside its transaction. A newer os4xapi brings the tables of an older
//! one up to its version when it opens them: each upgrade only adds, so that an older `serve` that still runs goes on.
//! Columns are BIGINT (seconds since 1970-01-01 UTC, counts, 0 and 1 for no and yes) and TEXT: both databases and
//! sqlx's `Any` have these types.

use super::DbError;
use sqlx::{AnyConnection, AssertSqlSafe, Row};

/// The version that this program reads and writes.
pub(super) const VERSION: i64 = 2;

/// The tables of version 1; `{identity}` is what differs between the databases.
const TABLES: &str = "
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
";

/// What each version adds to the one before; the first makes version 2.
const UPGRADES: [&str; 1] = ["
ALTER TABLE os4x_partners ADD COLUMN usage TEXT;
ALTER TABLE os4x_partners ADD COLUMN legacy_suites BIGINT;
ALTER TABLE os4x_partners ADD COLUMN max_file_size BIGINT;
ALTER TABLE os4x_partners ADD COLUMN file_names TEXT;
ALTER TABLE os4x_partners ADD COLUMN allowed TEXT;
ALTER TABLE os4x_certificates ADD COLUMN no_crl BIGINT NOT NULL DEFAULT 0;
CREATE TABLE os4x_intermediates (
    fingerprint TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    reported BIGINT NOT NULL,
    pem TEXT NOT NULL
);
CREATE TABLE os4x_partner_deviations (
    partner TEXT NOT NULL REFERENCES os4x_partners (short_name) ON DELETE CASCADE,
    sender TEXT NOT NULL,
    number TEXT NOT NULL,
    sessions BIGINT NOT NULL,
    last BIGINT NOT NULL,
    PRIMARY KEY (partner, sender, number)
);
CREATE TABLE os4x_old_tokens (hash TEXT PRIMARY KEY, valid_until BIGINT NOT NULL);
ALTER TABLE os4x_system_log ADD COLUMN event TEXT;
ALTER TABLE os4x_system_log ADD COLUMN reason TEXT;
ALTER TABLE os4x_system_log ADD COLUMN session TEXT;
ALTER TABLE os4x_system_log ADD COLUMN ssid TEXT;
ALTER TABLE os4x_system_log ADD COLUMN subject TEXT;
CREATE INDEX os4x_system_log_session ON os4x_system_log (session);
ALTER TABLE os4x_ignored_messages ADD COLUMN partner TEXT;
ALTER TABLE os4x_ignored_messages ADD COLUMN networks TEXT;
ALTER TABLE os4x_ignored_messages ADD COLUMN reason TEXT;
ALTER TABLE os4x_sessions ADD COLUMN caller TEXT;
ALTER TABLE os4x_proxies ADD COLUMN addresses TEXT;
ALTER TABLE os4x_partners ADD COLUMN networks TEXT;
CREATE TABLE os4x_bans (
    network TEXT PRIMARY KEY,
    until BIGINT,
    description TEXT NOT NULL,
    created BIGINT NOT NULL
);
"];

/// Creates all tables and notes their version.
pub(super) async fn create(connection: &mut AnyConnection, postgres: bool) -> Result<(), DbError> {
    let identity = if postgres {
        "BIGINT GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY"
    } else {
        "INTEGER PRIMARY KEY AUTOINCREMENT"
    };
    // Safe: both halves are constants of this file.
    sqlx::raw_sql(AssertSqlSafe(TABLES.replace("{identity}", identity))).execute(&mut *connection).await?;
    sqlx::query("INSERT INTO os4x_schema (version) VALUES (1)").execute(&mut *connection).await?;
    upgrade(connection).await
}

/// Brings the tables of an older version to this one, inside the caller's transaction. Leaves newer ones as they are.
pub(super) async fn upgrade(connection: &mut AnyConnection) -> Result<(), DbError> {
    // The first statement writes: of two programs at a time the second one waits here, and finds nothing to do.
    sqlx::query("UPDATE os4x_schema SET version = version").execute(&mut *connection).await?;
    let found: i64 =
        sqlx::query("SELECT version FROM os4x_schema").fetch_one(&mut *connection).await?.try_get(0)?;
    for (version, statements) in (2_i64..).zip(UPGRADES).filter(|(version, _)| *version > found) {
        sqlx::raw_sql(statements).execute(&mut *connection).await?;
        sqlx::query("UPDATE os4x_schema SET version = $1").bind(version).execute(&mut *connection).await?;
    }
    Ok(())
}

/// The version of the tables; none where there are none.
pub(super) async fn version(connection: &mut AnyConnection, postgres: bool) -> Result<Option<i64>, DbError> {
    let list = if postgres {
        "SELECT CAST(COUNT(*) AS BIGINT) FROM information_schema.tables \
         WHERE table_name = 'os4x_schema' AND table_schema = current_schema()"
    } else {
        "SELECT COUNT(*) FROM sqlite_master WHERE type = 'table' AND name = 'os4x_schema'"
    };
    let tables: i64 = sqlx::query(list).fetch_one(&mut *connection).await?.try_get(0)?;
    if tables == 0 {
        return Ok(None);
    }
    Ok(Some(sqlx::query("SELECT version FROM os4x_schema").fetch_one(connection).await?.try_get(0)?))
}
