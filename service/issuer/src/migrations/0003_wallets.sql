-- A transaction code stands as a MAC, with the tries that are left for it.
ALTER TABLE issuer_offer ADD COLUMN tx_code_mac BLOB; -- data: secret (hash); keep: 24 h after its end; erase: expiry
ALTER TABLE issuer_offer ADD COLUMN tx_code_tries BIGINT NOT NULL DEFAULT 0; -- data: none; keep: 24 h after its end; erase: expiry
-- Copies that one request gets at most; what was offered before batches were served gets one.
ALTER TABLE issuer_credential ADD COLUMN copies_max BIGINT NOT NULL DEFAULT 1; -- data: none; keep: 1 year after expiry; erase: expiry
-- The key that an access token is bound to.
ALTER TABLE issuer_grant ADD COLUMN dpop_jkt BLOB; -- data: pseudonym; keep: 24 h after its end; erase: expiry
-- Copies of one answer share the id that a notification about them names.
ALTER TABLE issuer_copy ADD COLUMN notification_sha256 BLOB; -- data: secret (hash); keep: 1 year after expiry; erase: expiry

-- What a wallet told of the copies of one answer.
CREATE TABLE issuer_notification (
  tenant_id TEXT NOT NULL, -- data: none; keep: 1 year; erase: expiry
  sha256 BLOB NOT NULL, -- data: secret (hash); keep: 1 year; erase: expiry
  grant_id TEXT NOT NULL, -- data: pseudonym; keep: 1 year; erase: expiry
  credential_id TEXT NOT NULL, -- data: pseudonym; keep: 1 year; erase: expiry
  event TEXT NOT NULL, -- data: none; keep: 1 year; erase: expiry
  created_at_ms BIGINT NOT NULL, -- data: none; keep: 1 year; erase: expiry
  PRIMARY KEY (tenant_id, sha256)
);
CREATE INDEX issuer_notification_end ON issuer_notification (tenant_id, created_at_ms);
