-- Signing keys. One row is a key with its policy; what signs are its versions.
CREATE TABLE custody_key (
  tenant_id TEXT NOT NULL, -- data: none; keep: with the tenant; erase: tenant deletion
  key_id TEXT NOT NULL, -- data: none; keep: with the tenant; erase: tenant deletion
  slot TEXT, -- data: none; keep: with the tenant; erase: tenant deletion
  label TEXT NOT NULL, -- data: none; keep: with the tenant; erase: tenant deletion
  owner TEXT NOT NULL, -- data: none; keep: with the tenant; erase: tenant deletion
  alg TEXT NOT NULL, -- data: none; keep: with the tenant; erase: tenant deletion
  keeper TEXT NOT NULL, -- data: none; keep: with the tenant; erase: tenant deletion
  uses TEXT NOT NULL, -- data: none; keep: with the tenant; erase: tenant deletion
  chain_kind TEXT NOT NULL, -- data: none; keep: with the tenant; erase: tenant deletion
  names BLOB, -- data: none; keep: with the tenant; erase: tenant deletion
  rotate_every_s BIGINT NOT NULL, -- data: none; keep: with the tenant; erase: tenant deletion
  publish_ahead_s BIGINT NOT NULL, -- data: none; keep: with the tenant; erase: tenant deletion
  max_uses BIGINT NOT NULL, -- data: none; keep: with the tenant; erase: tenant deletion
  keep_public_s BIGINT NOT NULL, -- data: none; keep: with the tenant; erase: tenant deletion
  destroy_after_s BIGINT NOT NULL, -- data: none; keep: with the tenant; erase: tenant deletion
  in_use BIGINT NOT NULL, -- data: none; keep: with the tenant; erase: tenant deletion
  last_version BIGINT NOT NULL, -- data: none; keep: with the tenant; erase: tenant deletion
  state TEXT NOT NULL, -- data: none; keep: with the tenant; erase: tenant deletion
  revision BIGINT NOT NULL, -- data: none; keep: with the tenant; erase: tenant deletion
  created_at_ms BIGINT NOT NULL, -- data: none; keep: with the tenant; erase: tenant deletion
  PRIMARY KEY (tenant_id, key_id)
);
-- A room has one key a use; keys of the API have no slot.
CREATE UNIQUE INDEX custody_key_slot ON custody_key (tenant_id, slot) WHERE slot IS NOT NULL;
CREATE INDEX custody_key_order ON custody_key (tenant_id, created_at_ms, key_id);

-- Versions. The private part is the envelope of the room's README; it is erased at destroy, the row stays.
CREATE TABLE custody_key_version (
  tenant_id TEXT NOT NULL, -- data: none; keep: with the tenant; erase: tenant deletion
  key_id TEXT NOT NULL, -- data: none; keep: with the tenant; erase: tenant deletion
  version BIGINT NOT NULL, -- data: none; keep: with the tenant; erase: tenant deletion
  kid TEXT NOT NULL, -- data: none; keep: with the tenant; erase: tenant deletion
  state TEXT NOT NULL, -- data: none; keep: with the tenant; erase: tenant deletion
  public BLOB NOT NULL, -- data: none; keep: with the tenant; erase: tenant deletion
  sealed BLOB, -- data: key (encrypted); keep: until destroyed; erase: destroy, tenant deletion
  kek_version BIGINT NOT NULL, -- data: none; keep: with the tenant; erase: tenant deletion
  chain BLOB, -- data: none; keep: with the tenant; erase: tenant deletion
  chain_from_ms BIGINT, -- data: none; keep: with the tenant; erase: tenant deletion
  chain_until_ms BIGINT, -- data: none; keep: with the tenant; erase: tenant deletion
  uses BIGINT NOT NULL, -- data: none; keep: with the tenant; erase: tenant deletion
  longest_life_s BIGINT NOT NULL, -- data: none; keep: with the tenant; erase: tenant deletion
  created_at_ms BIGINT NOT NULL, -- data: none; keep: with the tenant; erase: tenant deletion
  activate_at_ms BIGINT, -- data: none; keep: with the tenant; erase: tenant deletion
  activated_at_ms BIGINT, -- data: none; keep: with the tenant; erase: tenant deletion
  retired_at_ms BIGINT, -- data: none; keep: with the tenant; erase: tenant deletion
  keep_public_until_ms BIGINT, -- data: none; keep: with the tenant; erase: tenant deletion
  destroy_at_ms BIGINT, -- data: none; keep: with the tenant; erase: tenant deletion
  blocked_at_ms BIGINT, -- data: none; keep: with the tenant; erase: tenant deletion
  warned_days BIGINT, -- data: none; keep: with the tenant; erase: tenant deletion
  PRIMARY KEY (tenant_id, key_id, version)
);
CREATE INDEX custody_key_version_state ON custody_key_version (tenant_id, state);

-- What a tenant trusts, and for what. Removed by the tenant.
CREATE TABLE custody_anchor (
  tenant_id TEXT NOT NULL, -- data: none; keep: until removed; erase: removal, tenant deletion
  anchor_id TEXT NOT NULL, -- data: none; keep: until removed; erase: removal, tenant deletion
  sha256 BLOB NOT NULL, -- data: none; keep: until removed; erase: removal, tenant deletion
  certificate BLOB NOT NULL, -- data: identity; keep: until removed; erase: removal, tenant deletion
  contexts TEXT NOT NULL, -- data: none; keep: until removed; erase: removal, tenant deletion
  patterns TEXT NOT NULL, -- data: none; keep: until removed; erase: removal, tenant deletion
  is_own BIGINT NOT NULL, -- data: none; keep: until removed; erase: removal, tenant deletion
  created_at_ms BIGINT NOT NULL, -- data: none; keep: until removed; erase: removal, tenant deletion
  PRIMARY KEY (tenant_id, anchor_id)
);
CREATE UNIQUE INDEX custody_anchor_certificate ON custody_anchor (tenant_id, sha256);
