ALTER TABLE os4x_panel_sessions ADD COLUMN proven_until BIGINT NOT NULL DEFAULT 0;
CREATE TABLE os4x_rollbacks (
    number BIGINT PRIMARY KEY,
    due BIGINT NOT NULL
);
