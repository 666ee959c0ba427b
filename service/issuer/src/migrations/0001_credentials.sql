-- Kinds of credentials that a tenant issues.
CREATE TABLE issuer_type (
  tenant_id TEXT NOT NULL, -- data: none; keep: with the tenant; erase: tenant deletion
  name TEXT NOT NULL, -- data: none; keep: with the tenant; erase: tenant deletion
  format TEXT NOT NULL, -- data: none; keep: with the tenant; erase: tenant deletion
  vct TEXT NOT NULL, -- data: none; keep: with the tenant; erase: tenant deletion
  claims TEXT NOT NULL, -- data: none; keep: with the tenant; erase: tenant deletion
  valid_for_s BIGINT NOT NULL, -- data: none; keep: with the tenant; erase: tenant deletion
  version BIGINT NOT NULL, -- data: none; keep: with the tenant; erase: tenant deletion
  created_at_ms BIGINT NOT NULL, -- data: none; keep: with the tenant; erase: tenant deletion
  PRIMARY KEY (tenant_id, name)
);

-- One credential is one dataset with all its copies.
CREATE TABLE issuer_credential (
  tenant_id TEXT NOT NULL, -- data: none; keep: 1 year after expiry; erase: expiry
  credential_id TEXT NOT NULL, -- data: pseudonym; keep: 1 year after expiry; erase: expiry
  type TEXT NOT NULL, -- data: none; keep: 1 year after expiry; erase: expiry
  status TEXT NOT NULL, -- data: none; keep: 1 year after expiry; erase: expiry
  reason TEXT, -- data: none; keep: 1 year after expiry; erase: expiry
  subject BLOB, -- data: identity (encrypted); keep: 1 year after expiry; erase: expiry
  dataset BLOB, -- data: identity (encrypted); keep: until no copy can be fetched any more; erase: expiry
  valid_for_s BIGINT NOT NULL, -- data: none; keep: 1 year after expiry; erase: expiry
  expires_at_ms BIGINT, -- data: none; keep: 1 year after expiry; erase: expiry
  created_at_ms BIGINT NOT NULL, -- data: none; keep: 1 year after expiry; erase: expiry
  changed_at_ms BIGINT NOT NULL, -- data: none; keep: 1 year after expiry; erase: expiry
  PRIMARY KEY (tenant_id, credential_id)
);
CREATE INDEX issuer_credential_order ON issuer_credential (tenant_id, created_at_ms, credential_id);
CREATE INDEX issuer_credential_end ON issuer_credential (tenant_id, expires_at_ms);
CREATE INDEX issuer_credential_dataset ON issuer_credential (tenant_id) WHERE dataset IS NOT NULL;

-- An offer is spent once, by its code.
CREATE TABLE issuer_offer (
  tenant_id TEXT NOT NULL, -- data: none; keep: 24 h after its end; erase: expiry
  offer_id TEXT NOT NULL, -- data: pseudonym; keep: 24 h after its end; erase: expiry
  credential_id TEXT NOT NULL, -- data: pseudonym; keep: 24 h after its end; erase: expiry
  link_sha256 BLOB NOT NULL, -- data: secret (hash); keep: 24 h after its end; erase: expiry
  code_sha256 BLOB NOT NULL, -- data: secret (hash); keep: 24 h after its end; erase: expiry
  links BLOB NOT NULL, -- data: secret (encrypted); keep: 24 h after its end; erase: expiry
  state TEXT NOT NULL, -- data: none; keep: 24 h after its end; erase: expiry
  created_at_ms BIGINT NOT NULL, -- data: none; keep: 24 h after its end; erase: expiry
  expires_at_ms BIGINT NOT NULL, -- data: none; keep: 24 h after its end; erase: expiry
  PRIMARY KEY (tenant_id, offer_id),
  UNIQUE (tenant_id, link_sha256),
  UNIQUE (tenant_id, code_sha256)
);
CREATE INDEX issuer_offer_order ON issuer_offer (tenant_id, created_at_ms, offer_id);
CREATE INDEX issuer_offer_of ON issuer_offer (tenant_id, credential_id);
CREATE INDEX issuer_offer_end ON issuer_offer (tenant_id, expires_at_ms);

-- What a wallet's access token allows.
CREATE TABLE issuer_grant (
  tenant_id TEXT NOT NULL, -- data: none; keep: 24 h after its end; erase: expiry
  grant_id TEXT NOT NULL, -- data: pseudonym; keep: 24 h after its end; erase: expiry
  offer_id TEXT NOT NULL, -- data: pseudonym; keep: 24 h after its end; erase: expiry
  credential_id TEXT NOT NULL, -- data: pseudonym; keep: 24 h after its end; erase: expiry
  token_sha256 BLOB NOT NULL, -- data: secret (hash); keep: 24 h after its end; erase: expiry
  client_id TEXT, -- data: none; keep: 24 h after its end; erase: expiry
  rounds_left BIGINT NOT NULL, -- data: none; keep: 24 h after its end; erase: expiry
  created_at_ms BIGINT NOT NULL, -- data: none; keep: 24 h after its end; erase: expiry
  expires_at_ms BIGINT NOT NULL, -- data: none; keep: 24 h after its end; erase: expiry
  PRIMARY KEY (tenant_id, grant_id),
  UNIQUE (tenant_id, token_sha256)
);
CREATE INDEX issuer_grant_of ON issuer_grant (tenant_id, credential_id);
CREATE INDEX issuer_grant_end ON issuer_grant (tenant_id, expires_at_ms);

-- One signed copy and its place in a status list.
CREATE TABLE issuer_copy (
  tenant_id TEXT NOT NULL, -- data: none; keep: 1 year after expiry; erase: expiry
  credential_id TEXT NOT NULL, -- data: pseudonym; keep: 1 year after expiry; erase: expiry
  copy BIGINT NOT NULL, -- data: none; keep: 1 year after expiry; erase: expiry
  configuration TEXT NOT NULL, -- data: none; keep: 1 year after expiry; erase: expiry
  list BIGINT NOT NULL, -- data: none; keep: 1 year after expiry; erase: expiry
  idx BIGINT NOT NULL, -- data: pseudonym; keep: 1 year after expiry; erase: expiry
  key_id TEXT NOT NULL, -- data: none; keep: 1 year after expiry; erase: expiry
  status TEXT NOT NULL, -- data: none; keep: 1 year after expiry; erase: expiry
  issued_at_ms BIGINT NOT NULL, -- data: none; keep: 1 year after expiry; erase: expiry
  expires_at_ms BIGINT NOT NULL, -- data: none; keep: 1 year after expiry; erase: expiry
  PRIMARY KEY (tenant_id, credential_id, copy),
  UNIQUE (tenant_id, list, idx)
);
CREATE INDEX issuer_copy_status ON issuer_copy (tenant_id, list, status, idx);
CREATE INDEX issuer_copy_end ON issuer_copy (tenant_id, expires_at_ms);

-- Hashes of what may be used once: c_nonce.
CREATE TABLE issuer_spent (
  tenant_id TEXT NOT NULL, -- data: none; keep: until its window is over; erase: expiry
  sha256 BLOB NOT NULL, -- data: none; keep: until its window is over; erase: expiry
  expires_at_ms BIGINT NOT NULL, -- data: none; keep: until its window is over; erase: expiry
  PRIMARY KEY (tenant_id, sha256)
);

-- A published status list: what it says follows from issuer_copy.
CREATE TABLE issuer_status_list (
  tenant_id TEXT NOT NULL, -- data: none; keep: until all copies expired; erase: expiry
  list BIGINT NOT NULL, -- data: none; keep: until all copies expired; erase: expiry
  entries BIGINT NOT NULL, -- data: none; keep: until all copies expired; erase: expiry
  state TEXT NOT NULL, -- data: none; keep: until all copies expired; erase: expiry
  version BIGINT NOT NULL, -- data: none; keep: until all copies expired; erase: expiry
  signed_version BIGINT NOT NULL, -- data: none; keep: until all copies expired; erase: expiry
  signed_at_ms BIGINT NOT NULL, -- data: none; keep: until all copies expired; erase: expiry
  token TEXT NOT NULL, -- data: none; keep: until all copies expired; erase: expiry
  created_at_ms BIGINT NOT NULL, -- data: none; keep: until all copies expired; erase: expiry
  PRIMARY KEY (tenant_id, list)
);

-- Indices that were not dealt yet, shuffled, 256 to a block.
CREATE TABLE issuer_status_block (
  tenant_id TEXT NOT NULL, -- data: none; keep: until it is taken; erase: taking
  list BIGINT NOT NULL, -- data: none; keep: until it is taken; erase: taking
  block BIGINT NOT NULL, -- data: none; keep: until it is taken; erase: taking
  indices BLOB NOT NULL, -- data: secret (encrypted); keep: until it is taken; erase: taking
  PRIMARY KEY (tenant_id, list, block)
);
