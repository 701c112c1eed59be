CREATE TABLE os4x_audit (
    number BIGINT PRIMARY KEY,
    time BIGINT NOT NULL,
    actor TEXT NOT NULL,
    role TEXT NOT NULL,
    way TEXT NOT NULL,
    address TEXT,
    act TEXT NOT NULL,
    object TEXT NOT NULL,
    old_value TEXT NOT NULL,
    new_value TEXT NOT NULL,
    generation BIGINT NOT NULL,
    previous TEXT NOT NULL,
    hash TEXT NOT NULL
);
CREATE TABLE os4x_audit_head (number BIGINT NOT NULL, hash TEXT NOT NULL);
INSERT INTO os4x_audit_head (number, hash) VALUES (0, '');
CREATE TABLE os4x_versions (object TEXT PRIMARY KEY, version BIGINT NOT NULL);
