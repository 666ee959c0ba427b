-- Marks of requests that carry an Idempotency-Key, and the answers that a repeat gets.
CREATE TABLE edge_idempotency (
  tenant_id TEXT NOT NULL, -- data: none; keep: 24 h; erase: expiry
  actor TEXT NOT NULL, -- data: pseudonym; keep: 24 h; erase: expiry
  key_sha256 BLOB NOT NULL, -- data: none; keep: 24 h; erase: expiry
  mark_id TEXT NOT NULL, -- data: none; keep: 24 h; erase: expiry
  request_sha256 BLOB NOT NULL, -- data: pseudonym; keep: 24 h; erase: expiry
  done BIGINT NOT NULL, -- data: none; keep: 24 h; erase: expiry
  answer BLOB, -- data: content (encrypted); keep: 24 h; erase: expiry
  lease_until_ms BIGINT NOT NULL, -- data: none; keep: 24 h; erase: expiry
  expires_at_ms BIGINT NOT NULL, -- data: none; keep: 24 h; erase: expiry
  PRIMARY KEY (tenant_id, actor, key_sha256)
);
CREATE INDEX edge_idempotency_end ON edge_idempotency (expires_at_ms);
