CREATE TABLE os4x_shown_certificates (
    partner TEXT NOT NULL REFERENCES os4x_partners (short_name) ON DELETE CASCADE,
    direction TEXT NOT NULL,
    fingerprint TEXT NOT NULL,
    address TEXT NOT NULL,
    reported BIGINT NOT NULL,
    chain TEXT NOT NULL,
    PRIMARY KEY (partner, direction, fingerprint)
);
