CREATE TABLE os4x_acts (
    id {identity},
    caller TEXT NOT NULL,
    kind TEXT NOT NULL,
    administrator TEXT NOT NULL,
    made BIGINT NOT NULL,
    taken BIGINT,
    done BIGINT,
    outcome TEXT
);
CREATE TABLE os4x_waits (caller TEXT PRIMARY KEY, acts TEXT NOT NULL, seen BIGINT NOT NULL);
