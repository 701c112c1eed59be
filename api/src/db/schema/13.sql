CREATE TABLE os4x_api_keys (
    name TEXT PRIMARY KEY,
    hash TEXT NOT NULL UNIQUE,
    role TEXT NOT NULL,
    scopes TEXT NOT NULL,
    networks TEXT NOT NULL,
    valid_until BIGINT NOT NULL,
    created BIGINT NOT NULL,
    created_by TEXT NOT NULL,
    used BIGINT,
    used_from TEXT
);
CREATE TABLE os4x_totals (
    server TEXT NOT NULL,
    direction TEXT NOT NULL,
    reason TEXT NOT NULL,
    partner TEXT NOT NULL,
    sessions BIGINT NOT NULL,
    octets_in BIGINT NOT NULL,
    octets_out BIGINT NOT NULL,
    files_accepted BIGINT NOT NULL,
    files_refused BIGINT NOT NULL,
    PRIMARY KEY (server, direction, reason, partner)
);
CREATE TABLE os4x_refusal_totals (
    server TEXT NOT NULL,
    reason TEXT NOT NULL,
    times BIGINT NOT NULL,
    PRIMARY KEY (server, reason)
);
