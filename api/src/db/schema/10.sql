CREATE TABLE os4x_partner_debug (
    partner TEXT PRIMARY KEY REFERENCES os4x_partners (short_name) ON DELETE CASCADE,
    until BIGINT NOT NULL
);
