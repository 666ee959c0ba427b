-- Passkeys of operators.
CREATE TABLE tenancy_operator_passkey (
  tenant_id TEXT NOT NULL, -- data: none; keep: until removed; erase: removal, revocation
  passkey_id TEXT NOT NULL, -- data: pseudonym; keep: until removed; erase: removal, revocation
  operator_id TEXT NOT NULL, -- data: pseudonym; keep: until removed; erase: removal, revocation
  credential_sha256 BLOB NOT NULL, -- data: pseudonym; keep: until removed; erase: removal, revocation
  credential_id BLOB NOT NULL, -- data: pseudonym; keep: until removed; erase: removal, revocation
  public_key BLOB NOT NULL, -- data: pseudonym; keep: until removed; erase: removal, revocation
  alg TEXT NOT NULL, -- data: none; keep: until removed; erase: removal, revocation
  sign_count BIGINT NOT NULL, -- data: none; keep: until removed; erase: removal, revocation
  backup_eligible BIGINT NOT NULL, -- data: none; keep: until removed; erase: removal, revocation
  backed_up BIGINT NOT NULL, -- data: none; keep: until removed; erase: removal, revocation
  aaguid BLOB NOT NULL, -- data: none; keep: until removed; erase: removal, revocation
  label BLOB NOT NULL, -- data: identity (encrypted); keep: until removed; erase: removal, revocation
  created_at_ms BIGINT NOT NULL, -- data: none; keep: until removed; erase: removal, revocation
  used_at_ms BIGINT NOT NULL, -- data: none; keep: until removed; erase: removal, revocation
  PRIMARY KEY (tenant_id, passkey_id)
);
CREATE UNIQUE INDEX tenancy_operator_passkey_credential ON tenancy_operator_passkey (credential_sha256);
CREATE INDEX tenancy_operator_passkey_operator ON tenancy_operator_passkey (tenant_id, operator_id, created_at_ms);

-- Challenges that browsers were given. One of nobody yet stands in the system tenant, with an empty operator.
CREATE TABLE tenancy_operator_challenge (
  tenant_id TEXT NOT NULL, -- data: none; keep: 5 minutes; erase: use, expiry
  challenge_sha256 BLOB NOT NULL, -- data: secret (hash); keep: 5 minutes; erase: use, expiry
  operator_id TEXT NOT NULL, -- data: pseudonym; keep: 5 minutes; erase: use, expiry
  expires_at_ms BIGINT NOT NULL, -- data: none; keep: 5 minutes; erase: use, expiry
  PRIMARY KEY (tenant_id, challenge_sha256)
);
CREATE UNIQUE INDEX tenancy_operator_challenge_text ON tenancy_operator_challenge (challenge_sha256);
CREATE INDEX tenancy_operator_challenge_end ON tenancy_operator_challenge (expires_at_ms);
