CREATE TABLE os4x_hours (
    hour BIGINT NOT NULL,
    direction TEXT NOT NULL,
    sessions BIGINT NOT NULL,
    octets_in BIGINT NOT NULL,
    octets_out BIGINT NOT NULL,
    refused BIGINT NOT NULL,
    PRIMARY KEY (hour, direction)
);
INSERT INTO os4x_hours (hour, direction, sessions, octets_in, octets_out, refused)
SELECT COALESCE(began, received) / 3600, CASE WHEN direction IN ('incoming', 'outgoing') THEN direction ELSE '' END,
    CAST(COUNT(*) AS BIGINT),
    CAST(SUM(CASE WHEN ended IS NULL THEN 0 WHEN octets_in > 4398046511104 THEN 4398046511104 ELSE COALESCE(octets_in, 0) END) AS BIGINT),
    CAST(SUM(CASE WHEN ended IS NULL THEN 0 WHEN octets_out > 4398046511104 THEN 4398046511104 ELSE COALESCE(octets_out, 0) END) AS BIGINT),
    0
FROM os4x_sessions WHERE COALESCE(began, received) BETWEEN received - 604800 AND received + 3600 GROUP BY 1, 2;
INSERT INTO os4x_hours (hour, direction, sessions, octets_in, octets_out, refused)
SELECT minute / 3600, '', 0, 0, 0, CAST(SUM(times) AS BIGINT) FROM os4x_refusals WHERE minute > 0 GROUP BY 1
ON CONFLICT (hour, direction) DO UPDATE SET refused = excluded.refused;
CREATE INDEX os4x_sessions_files ON os4x_sessions (received) WHERE files > 0;
