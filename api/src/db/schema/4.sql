ALTER TABLE os4x_certificates ADD COLUMN used_from BIGINT;
