-- Pushes that wait for the relay: which device, and what it is told. One device has one; the newest.
CREATE TABLE idp_outbox (
  tenant_id TEXT NOT NULL, -- data: none; keep: 18 min; erase: sent or expiry
  push_id TEXT NOT NULL, -- data: none; keep: 18 min; erase: sent or expiry
  enrolment_id TEXT NOT NULL, -- data: pseudonym; keep: 18 min; erase: sent or expiry
  payload BLOB NOT NULL, -- data: content (encrypted); keep: 18 min; erase: sent or expiry
  created_at_ms BIGINT NOT NULL, -- data: none; keep: 18 min; erase: sent or expiry
  expires_at_ms BIGINT NOT NULL, -- data: none; keep: 18 min; erase: sent or expiry
  PRIMARY KEY (tenant_id, push_id)
);
CREATE INDEX idp_outbox_device ON idp_outbox (tenant_id, enrolment_id);
