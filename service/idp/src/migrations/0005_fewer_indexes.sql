-- Indexes of grants that no statement reads, each with a random key and so a page of its own to write for every sign-in.
DROP INDEX idp_grant_person;
DROP INDEX idp_grant_order;

-- Spent token ids are short and found by their key alone: on SQLite the table becomes its key, one tree instead of two. What was spent
-- stays spent, so the rows move.
-- sqlite
ALTER TABLE idp_jti RENAME TO idp_jti_before;
DROP INDEX idp_jti_expiry;
CREATE TABLE idp_jti (
  tenant_id TEXT NOT NULL, -- data: none; keep: its own expiry + 10 s; erase: expiry
  jti_sha256 BLOB NOT NULL, -- data: none; keep: its own expiry + 10 s; erase: expiry
  expires_at_ms BIGINT NOT NULL, -- data: none; keep: its own expiry + 10 s; erase: expiry
  PRIMARY KEY (tenant_id, jti_sha256)
) WITHOUT ROWID;
INSERT INTO idp_jti (tenant_id, jti_sha256, expires_at_ms) SELECT tenant_id, jti_sha256, expires_at_ms FROM idp_jti_before;
DROP TABLE idp_jti_before;
CREATE INDEX idp_jti_expiry ON idp_jti (tenant_id, expires_at_ms);
-- both
