-- A question to a wallet, until it has its answer.
CREATE TABLE verifier_session (
  tenant_id TEXT NOT NULL, -- data: none; keep: 24 h after its end; erase: expiry
  session_id TEXT NOT NULL, -- data: pseudonym; keep: 24 h after its end; erase: expiry
  client_id TEXT NOT NULL, -- data: none; keep: 24 h after its end; erase: expiry
  query TEXT NOT NULL, -- data: none; keep: 24 h after its end; erase: expiry
  status_policy TEXT NOT NULL, -- data: none; keep: 24 h after its end; erase: expiry
  wallet_scheme TEXT NOT NULL, -- data: none; keep: 24 h after its end; erase: expiry
  result_ttl_s BIGINT NOT NULL, -- data: none; keep: 24 h after its end; erase: expiry
  request_sha256 BLOB NOT NULL, -- data: secret (hash); keep: 24 h after its end; erase: expiry
  response_sha256 BLOB NOT NULL, -- data: secret (hash); keep: 24 h after its end; erase: expiry
  seed BLOB, -- data: secret (encrypted); keep: until its answer; erase: final state
  request BLOB, -- data: secret (encrypted); keep: until its answer; erase: final state
  response_key BLOB, -- data: key (encrypted); keep: until its answer; erase: final state
  state TEXT NOT NULL, -- data: none; keep: 24 h after its end; erase: expiry
  tries_left BIGINT NOT NULL, -- data: none; keep: 24 h after its end; erase: expiry
  created_at_ms BIGINT NOT NULL, -- data: none; keep: 24 h after its end; erase: expiry
  expires_at_ms BIGINT NOT NULL, -- data: none; keep: 24 h after its end; erase: expiry
  PRIMARY KEY (tenant_id, session_id),
  UNIQUE (tenant_id, request_sha256),
  UNIQUE (tenant_id, response_sha256)
);
CREATE INDEX verifier_session_order ON verifier_session (tenant_id, state, created_at_ms, session_id);
CREATE INDEX verifier_session_end ON verifier_session (tenant_id, state, expires_at_ms);

-- How a verification ended. The claims go first; the report names no claim value.
CREATE TABLE verifier_result (
  tenant_id TEXT NOT NULL, -- data: none; keep: 90 days; erase: expiry
  session_id TEXT NOT NULL, -- data: pseudonym; keep: 90 days; erase: expiry
  state TEXT NOT NULL, -- data: none; keep: 90 days; erase: expiry
  wallet_error TEXT, -- data: none; keep: 90 days; erase: expiry or DELETE
  failure TEXT, -- data: none; keep: 90 days; erase: expiry or DELETE
  report TEXT, -- data: none; keep: 90 days; erase: expiry or DELETE
  claims BLOB, -- data: identity (encrypted); keep: result_ttl_s; erase: expiry or DELETE
  created_at_ms BIGINT NOT NULL, -- data: none; keep: 90 days; erase: expiry
  expires_at_ms BIGINT NOT NULL, -- data: none; keep: 90 days; erase: expiry
  ended_at_ms BIGINT NOT NULL, -- data: none; keep: 90 days; erase: expiry
  erase_at_ms BIGINT, -- data: none; keep: 90 days; erase: expiry
  erased_at_ms BIGINT, -- data: none; keep: 90 days; erase: expiry
  deleted BIGINT NOT NULL, -- data: none; keep: 90 days; erase: expiry
  PRIMARY KEY (tenant_id, session_id)
);
CREATE INDEX verifier_result_order ON verifier_result (tenant_id, created_at_ms, session_id);
CREATE INDEX verifier_result_erase ON verifier_result (tenant_id, erased_at_ms, erase_at_ms);

-- Status lists of others, so that a restart fetches none that is still fresh. Our own are never kept here: a hint that a crash
-- swallowed would leave an old copy.
CREATE TABLE verifier_status_cache (
  tenant_id TEXT NOT NULL, -- data: none; keep: 24 h unused; erase: expiry
  uri TEXT NOT NULL, -- data: none; keep: 24 h unused; erase: expiry
  token TEXT NOT NULL, -- data: none; keep: 24 h unused; erase: expiry
  fetched_at_ms BIGINT NOT NULL, -- data: none; keep: 24 h unused; erase: expiry
  PRIMARY KEY (tenant_id, uri)
);
