CREATE TABLE os4x_users (
    name TEXT PRIMARY KEY,
    role TEXT NOT NULL,
    enabled BIGINT NOT NULL,
    created BIGINT NOT NULL,
    password TEXT,
    password_set BIGINT,
    totp_secret TEXT,
    totp_last_step BIGINT NOT NULL,
    recovery TEXT NOT NULL,
    failed BIGINT NOT NULL,
    locked_until BIGINT NOT NULL,
    last_login BIGINT,
    last_address TEXT,
    language TEXT NOT NULL,
    theme TEXT NOT NULL
);
CREATE TABLE os4x_setup_links (
    hash TEXT PRIMARY KEY,
    user_name TEXT NOT NULL,
    valid_until BIGINT NOT NULL,
    totp_secret TEXT NOT NULL
);
CREATE TABLE os4x_panel_sessions (
    hash TEXT PRIMARY KEY,
    user_name TEXT NOT NULL,
    created BIGINT NOT NULL,
    seen BIGINT NOT NULL,
    address TEXT NOT NULL,
    agent TEXT NOT NULL,
    failed_before BIGINT NOT NULL,
    login_before BIGINT,
    address_before TEXT
);
CREATE INDEX os4x_panel_sessions_user ON os4x_panel_sessions (user_name);
CREATE INDEX os4x_sessions_open ON os4x_sessions (received) WHERE ended IS NULL;
CREATE INDEX os4x_sessions_partner ON os4x_sessions (partner, received);
