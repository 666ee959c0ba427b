-- A list of trusted entities as its signer wrote it; which certificates it vouches for is read from it, not kept beside it.
CREATE TABLE custody_trust_list (
  tenant_id TEXT NOT NULL, -- data: none; keep: until removed; erase: removal, tenant deletion
  list_id TEXT NOT NULL, -- data: none; keep: until removed; erase: removal, tenant deletion
  uri TEXT, -- data: none; keep: until removed; erase: removal, tenant deletion
  types TEXT NOT NULL, -- data: none; keep: until removed; erase: removal, tenant deletion
  signed TEXT NOT NULL, -- data: identity; keep: until replaced or removed; erase: removal, tenant deletion
  sha256 BLOB NOT NULL, -- data: none; keep: until replaced or removed; erase: removal, tenant deletion
  sequence BIGINT NOT NULL, -- data: none; keep: until removed; erase: removal, tenant deletion
  anchor_sha256 BLOB NOT NULL, -- data: none; keep: until removed; erase: removal, tenant deletion
  imported_at_ms BIGINT NOT NULL, -- data: none; keep: until removed; erase: removal, tenant deletion
  checked_at_ms BIGINT NOT NULL, -- data: none; keep: until removed; erase: removal, tenant deletion
  fault TEXT, -- data: none; keep: until the next check; erase: removal, tenant deletion
  created_at_ms BIGINT NOT NULL, -- data: none; keep: until removed; erase: removal, tenant deletion
  PRIMARY KEY (tenant_id, list_id)
);
CREATE UNIQUE INDEX custody_trust_list_uri ON custody_trust_list (tenant_id, uri);
