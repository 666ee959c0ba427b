-- Questions that are asked again, by name. A new definition takes the next version; a session keeps the words it asked with.
CREATE TABLE verifier_query (
  tenant_id TEXT NOT NULL, -- data: none; keep: with the tenant; erase: tenant deletion
  name TEXT NOT NULL, -- data: none; keep: with the tenant; erase: tenant deletion
  version BIGINT NOT NULL, -- data: none; keep: with the tenant; erase: tenant deletion
  query TEXT NOT NULL, -- data: none; keep: with the tenant; erase: tenant deletion
  created_at_ms BIGINT NOT NULL, -- data: none; keep: with the tenant; erase: tenant deletion
  retired_at_ms BIGINT, -- data: none; keep: with the tenant; erase: tenant deletion
  PRIMARY KEY (tenant_id, name)
);

-- What may be authorised with a credential: types of transaction data and the members they have.
CREATE TABLE verifier_tx_type (
  tenant_id TEXT NOT NULL, -- data: none; keep: with the tenant; erase: tenant deletion
  name TEXT NOT NULL, -- data: none; keep: with the tenant; erase: tenant deletion
  version BIGINT NOT NULL, -- data: none; keep: with the tenant; erase: tenant deletion
  fields TEXT NOT NULL, -- data: none; keep: with the tenant; erase: tenant deletion
  created_at_ms BIGINT NOT NULL, -- data: none; keep: with the tenant; erase: tenant deletion
  retired_at_ms BIGINT, -- data: none; keep: with the tenant; erase: tenant deletion
  PRIMARY KEY (tenant_id, name)
);

ALTER TABLE verifier_session ADD COLUMN response_mode TEXT NOT NULL DEFAULT 'direct_post.jwt'; -- data: none; keep: 24 h after its end; erase: expiry
ALTER TABLE verifier_session ADD COLUMN request_method TEXT NOT NULL DEFAULT 'get'; -- data: none; keep: 24 h after its end; erase: expiry
ALTER TABLE verifier_session ADD COLUMN signings_left BIGINT NOT NULL DEFAULT 0; -- data: none; keep: 24 h after its end; erase: expiry
ALTER TABLE verifier_session ADD COLUMN return_uri TEXT; -- data: none; keep: 24 h after its end; erase: expiry
ALTER TABLE verifier_session ADD COLUMN page_sha256 BLOB; -- data: secret (hash); keep: 24 h after its end; erase: expiry
ALTER TABLE verifier_session ADD COLUMN hosted BIGINT NOT NULL DEFAULT 0; -- data: none; keep: 24 h after its end; erase: expiry
ALTER TABLE verifier_session ADD COLUMN transactions BLOB; -- data: content (encrypted); keep: until its answer; erase: final state
CREATE UNIQUE INDEX verifier_session_page ON verifier_session (tenant_id, page_sha256);

-- While the browser that began is awaited, the result stands here and is shown to nobody.
ALTER TABLE verifier_result ADD COLUMN session_binding TEXT NOT NULL DEFAULT 'none'; -- data: none; keep: 90 days; erase: expiry
ALTER TABLE verifier_result ADD COLUMN shown BIGINT NOT NULL DEFAULT 0; -- data: none; keep: 90 days; erase: expiry
ALTER TABLE verifier_result ADD COLUMN result_ttl_s BIGINT NOT NULL DEFAULT 0; -- data: none; keep: 90 days; erase: expiry
ALTER TABLE verifier_result ADD COLUMN return_sha256 BLOB; -- data: secret (hash); keep: until the browser is back, 300 s; erase: final state
ALTER TABLE verifier_result ADD COLUMN return_tries_left BIGINT NOT NULL DEFAULT 0; -- data: none; keep: 90 days; erase: expiry
ALTER TABLE verifier_result ADD COLUMN return_until_ms BIGINT; -- data: none; keep: 90 days; erase: expiry
ALTER TABLE verifier_result ADD COLUMN return_uri TEXT; -- data: none; keep: 90 days; erase: expiry or DELETE
ALTER TABLE verifier_result ADD COLUMN page_sha256 BLOB; -- data: secret (hash); keep: until the browser is back, 300 s; erase: final state
CREATE UNIQUE INDEX verifier_result_page ON verifier_result (tenant_id, page_sha256);
CREATE INDEX verifier_result_return ON verifier_result (tenant_id, state, return_until_ms);
