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
