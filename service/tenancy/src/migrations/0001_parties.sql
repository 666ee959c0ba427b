-- Tenants. A row here is the tenant itself, so it has no other tenant in front of its key.
CREATE TABLE tenancy_tenant (
  tenant_id TEXT NOT NULL PRIMARY KEY, -- data: none; keep: with the tenant; erase: tenant deletion
  name TEXT NOT NULL UNIQUE, -- data: none; keep: with the tenant; erase: tenant deletion
  title TEXT NOT NULL, -- data: none; keep: with the tenant; erase: tenant deletion
  state TEXT NOT NULL, -- data: none; keep: with the tenant; erase: tenant deletion
  created_at_ms BIGINT NOT NULL, -- data: none; keep: with the tenant; erase: tenant deletion
  changed_at_ms BIGINT NOT NULL -- data: none; keep: with the tenant; erase: tenant deletion
);
CREATE INDEX tenancy_tenant_order ON tenancy_tenant (created_at_ms, tenant_id);

-- Operators: people who administer a tenant. The system tenant's administer the instance.
CREATE TABLE tenancy_operator (
  tenant_id TEXT NOT NULL, -- data: none; keep: with the tenant; erase: tenant deletion
  operator_id TEXT NOT NULL, -- data: pseudonym; keep: with the tenant; erase: tenant deletion
  name BLOB NOT NULL, -- data: identity (encrypted); keep: with the tenant; erase: tenant deletion
  role TEXT NOT NULL, -- data: none; keep: with the tenant; erase: tenant deletion
  created_at_ms BIGINT NOT NULL, -- data: none; keep: with the tenant; erase: tenant deletion
  revoked_at_ms BIGINT, -- data: none; keep: with the tenant; erase: tenant deletion
  PRIMARY KEY (tenant_id, operator_id)
);
CREATE INDEX tenancy_operator_order ON tenancy_operator (tenant_id, created_at_ms, operator_id);

-- One-time links. Only the hash of the token stands here.
CREATE TABLE tenancy_operator_link (
  tenant_id TEXT NOT NULL, -- data: none; keep: 24 h after expiry; erase: expiry
  token_sha256 BLOB NOT NULL, -- data: secret (hash); keep: 24 h after expiry; erase: expiry
  operator_id TEXT NOT NULL, -- data: pseudonym; keep: 24 h after expiry; erase: expiry
  purpose TEXT NOT NULL, -- data: none; keep: 24 h after expiry; erase: expiry
  created_at_ms BIGINT NOT NULL, -- data: none; keep: 24 h after expiry; erase: expiry
  expires_at_ms BIGINT NOT NULL, -- data: none; keep: 24 h after expiry; erase: expiry
  spent_at_ms BIGINT, -- data: none; keep: 24 h after expiry; erase: expiry
  PRIMARY KEY (tenant_id, token_sha256)
);
CREATE UNIQUE INDEX tenancy_operator_link_token ON tenancy_operator_link (token_sha256);
CREATE INDEX tenancy_operator_link_end ON tenancy_operator_link (expires_at_ms);

-- Sessions of operators. Only the hash of the bearer token stands here.
CREATE TABLE tenancy_operator_session (
  tenant_id TEXT NOT NULL, -- data: none; keep: until its end; erase: expiry
  session_sha256 BLOB NOT NULL, -- data: secret (hash); keep: until its end; erase: expiry
  session_id TEXT NOT NULL, -- data: pseudonym; keep: until its end; erase: expiry
  operator_id TEXT NOT NULL, -- data: pseudonym; keep: until its end; erase: expiry
  method TEXT NOT NULL, -- data: none; keep: until its end; erase: expiry
  opened_at_ms BIGINT NOT NULL, -- data: none; keep: until its end; erase: expiry
  seen_at_ms BIGINT NOT NULL, -- data: none; keep: until its end; erase: expiry
  expires_at_ms BIGINT NOT NULL, -- data: none; keep: until its end; erase: expiry
  PRIMARY KEY (tenant_id, session_sha256)
);
CREATE UNIQUE INDEX tenancy_operator_session_token ON tenancy_operator_session (session_sha256);
CREATE INDEX tenancy_operator_session_operator ON tenancy_operator_session (tenant_id, operator_id);
CREATE INDEX tenancy_operator_session_end ON tenancy_operator_session (expires_at_ms);

-- Service accounts: programs that call the API of one tenant.
CREATE TABLE tenancy_service_account (
  tenant_id TEXT NOT NULL, -- data: none; keep: 30 d after its end; erase: expiry
  account_id TEXT NOT NULL, -- data: none; keep: 30 d after its end; erase: expiry
  name TEXT NOT NULL, -- data: none; keep: 30 d after its end; erase: expiry
  roles TEXT NOT NULL, -- data: none; keep: 30 d after its end; erase: expiry
  secret_sha256 BLOB, -- data: secret (hash); keep: 30 d after its end; erase: rotation, expiry
  jwk TEXT, -- data: none; keep: 30 d after its end; erase: rotation, expiry
  created_at_ms BIGINT NOT NULL, -- data: none; keep: 30 d after its end; erase: expiry
  rekeyed_at_ms BIGINT NOT NULL, -- data: none; keep: 30 d after its end; erase: expiry
  expires_at_ms BIGINT NOT NULL, -- data: none; keep: 30 d after its end; erase: expiry
  revoked_at_ms BIGINT, -- data: none; keep: 30 d after its end; erase: expiry
  PRIMARY KEY (tenant_id, account_id)
);
CREATE UNIQUE INDEX tenancy_service_account_id ON tenancy_service_account (account_id);
CREATE INDEX tenancy_service_account_order ON tenancy_service_account (tenant_id, created_at_ms, account_id);

-- Ids of client assertions that were used, until they end by themselves: none serves twice.
CREATE TABLE tenancy_client_assertion (
  tenant_id TEXT NOT NULL, -- data: none; keep: until its end; erase: expiry
  jti_sha256 BLOB NOT NULL, -- data: none; keep: until its end; erase: expiry
  expires_at_ms BIGINT NOT NULL, -- data: none; keep: until its end; erase: expiry
  PRIMARY KEY (tenant_id, jti_sha256)
);
CREATE INDEX tenancy_client_assertion_end ON tenancy_client_assertion (expires_at_ms);
