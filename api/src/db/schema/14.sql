CREATE TABLE os4x_proxy_settings (
    proxy_id TEXT NOT NULL,
    name TEXT NOT NULL,
    value TEXT NOT NULL,
    PRIMARY KEY (proxy_id, name)
);
ALTER TABLE os4x_sessions ADD COLUMN server TEXT;
