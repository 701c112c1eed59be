CREATE TABLE os4x_states (
    daemon TEXT NOT NULL,
    name TEXT NOT NULL,
    client TEXT NOT NULL,
    address TEXT NOT NULL,
    received BIGINT NOT NULL,
    ended TEXT,
    state TEXT,
    PRIMARY KEY (daemon, name)
);
CREATE TABLE os4x_refusals (
    minute BIGINT NOT NULL,
    proxy_id TEXT NOT NULL,
    direction TEXT NOT NULL,
    reason TEXT NOT NULL,
    address TEXT NOT NULL,
    ssid TEXT NOT NULL,
    partner TEXT NOT NULL,
    subject TEXT NOT NULL,
    times BIGINT NOT NULL,
    received BIGINT NOT NULL,
    PRIMARY KEY (minute, proxy_id, direction, reason, address, ssid, partner, subject)
);
CREATE INDEX os4x_refusals_received ON os4x_refusals (received);
ALTER TABLE os4x_sessions ADD COLUMN file_sender TEXT;
ALTER TABLE os4x_sessions ADD COLUMN file_name TEXT;
ALTER TABLE os4x_sessions ADD COLUMN file_octets BIGINT;
