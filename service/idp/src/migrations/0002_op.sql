-- What the OpenID Provider remembers between its doors, and passkeys.

-- A request that a relying party pushed, until its browser opens it.
CREATE TABLE idp_pushed (
  tenant_id TEXT NOT NULL, -- data: none; keep: 60 s; erase: use or expiry
  uri_sha256 BLOB NOT NULL, -- data: secret (hash of 256 random bits); keep: 60 s; erase: use or expiry
  client_id TEXT NOT NULL, -- data: none; keep: 60 s; erase: use or expiry
  request BLOB NOT NULL, -- data: content (encrypted); keep: 60 s; erase: use or expiry
  expires_at_ms BIGINT NOT NULL, -- data: none; keep: 60 s; erase: use or expiry
  PRIMARY KEY (tenant_id, uri_sha256)
);
CREATE INDEX idp_pushed_expiry ON idp_pushed (tenant_id, expires_at_ms);

-- What a relying party may do for a person until it ends. `facts` names the person to this relying party alone.
CREATE TABLE idp_grant (
  tenant_id TEXT NOT NULL, -- data: none; keep: end of life + 10 min; erase: expiry
  grant_id TEXT NOT NULL, -- data: pseudonym; keep: end of life + 10 min; erase: expiry
  client_id TEXT NOT NULL, -- data: none; keep: end of life + 10 min; erase: expiry
  person_id TEXT NOT NULL, -- data: pseudonym; keep: end of life + 10 min; erase: expiry
  enrolment_id TEXT, -- data: pseudonym; keep: end of life + 10 min; erase: expiry
  facts BLOB NOT NULL, -- data: pseudonym (encrypted); keep: end of life + 10 min; erase: expiry
  scopes TEXT NOT NULL, -- data: none; keep: end of life + 10 min; erase: expiry
  acr TEXT NOT NULL, -- data: none; keep: end of life + 10 min; erase: expiry
  jkt TEXT, -- data: none; keep: end of life + 10 min; erase: expiry
  ended_at_ms BIGINT, -- data: none; keep: end of life + 10 min; erase: expiry
  created_at_ms BIGINT NOT NULL, -- data: none; keep: end of life + 10 min; erase: expiry
  expires_at_ms BIGINT NOT NULL, -- data: none; keep: end of life + 10 min; erase: expiry
  PRIMARY KEY (tenant_id, grant_id)
);
CREATE INDEX idp_grant_enrolment ON idp_grant (tenant_id, enrolment_id);
CREATE INDEX idp_grant_person ON idp_grant (tenant_id, person_id);
CREATE INDEX idp_grant_order ON idp_grant (tenant_id, created_at_ms, grant_id);
CREATE INDEX idp_grant_expiry ON idp_grant (tenant_id, expires_at_ms);

-- Claims of the person for one access token; only that token opens them.
CREATE TABLE idp_token_claims (
  tenant_id TEXT NOT NULL, -- data: none; keep: life of the access token; erase: expiry
  token_sha256 BLOB NOT NULL, -- data: secret (hash); keep: life of the access token; erase: expiry
  grant_id TEXT NOT NULL, -- data: pseudonym; keep: life of the access token; erase: expiry
  claims BLOB NOT NULL, -- data: identity (sealed under the token); keep: life of the access token; erase: expiry
  expires_at_ms BIGINT NOT NULL, -- data: none; keep: life of the access token; erase: expiry
  PRIMARY KEY (tenant_id, token_sha256)
);
CREATE INDEX idp_token_claims_grant ON idp_token_claims (tenant_id, grant_id);
CREATE INDEX idp_token_claims_expiry ON idp_token_claims (tenant_id, expires_at_ms);

CREATE TABLE idp_refresh (
  tenant_id TEXT NOT NULL, -- data: none; keep: end of life; erase: expiry
  token_sha256 BLOB NOT NULL, -- data: secret (hash of 256 random bits); keep: end of life; erase: expiry
  grant_id TEXT NOT NULL, -- data: pseudonym; keep: end of life; erase: expiry
  claims BLOB, -- data: identity (sealed under the token); keep: end of life; erase: rotation or expiry
  spent_at_ms BIGINT, -- data: none; keep: end of life; erase: expiry
  used_at_ms BIGINT NOT NULL, -- data: none; keep: end of life; erase: expiry
  created_at_ms BIGINT NOT NULL, -- data: none; keep: end of life; erase: expiry
  expires_at_ms BIGINT NOT NULL, -- data: none; keep: end of life; erase: expiry
  PRIMARY KEY (tenant_id, token_sha256)
);
CREATE INDEX idp_refresh_grant ON idp_refresh (tenant_id, grant_id);
CREATE INDEX idp_refresh_expiry ON idp_refresh (tenant_id, expires_at_ms);

CREATE TABLE idp_passkey (
  tenant_id TEXT NOT NULL, -- data: none; keep: removal or revocation + 90 days; erase: DELETE
  passkey_id TEXT NOT NULL, -- data: pseudonym; keep: removal or revocation + 90 days; erase: DELETE
  person_id TEXT NOT NULL, -- data: pseudonym; keep: removal or revocation + 90 days; erase: DELETE
  credential_sha256 BLOB NOT NULL, -- data: pseudonym (hash); keep: removal or revocation + 90 days; erase: DELETE
  credential_id BLOB NOT NULL, -- data: pseudonym; keep: removal or revocation + 90 days; erase: DELETE
  public_key BLOB NOT NULL, -- data: pseudonym (public key); keep: removal or revocation + 90 days; erase: DELETE
  alg TEXT NOT NULL, -- data: none; keep: removal or revocation + 90 days; erase: DELETE
  sign_count BIGINT NOT NULL, -- data: none; keep: removal or revocation + 90 days; erase: DELETE
  backup_eligible BIGINT NOT NULL, -- data: none; keep: removal or revocation + 90 days; erase: DELETE
  backed_up BIGINT NOT NULL, -- data: none; keep: removal or revocation + 90 days; erase: DELETE
  aaguid BLOB NOT NULL, -- data: none; keep: removal or revocation + 90 days; erase: DELETE
  attested BIGINT NOT NULL, -- data: none; keep: removal or revocation + 90 days; erase: DELETE
  created_at_ms BIGINT NOT NULL, -- data: none; keep: removal or revocation + 90 days; erase: DELETE
  used_at_ms BIGINT NOT NULL, -- data: none; keep: removal or revocation + 90 days; erase: DELETE
  PRIMARY KEY (tenant_id, passkey_id)
);
CREATE UNIQUE INDEX idp_passkey_credential ON idp_passkey (tenant_id, credential_sha256);
CREATE INDEX idp_passkey_person ON idp_passkey (tenant_id, person_id);

-- The one way to add a passkey: a ticket that the person's wallet asked for.
CREATE TABLE idp_passkey_ticket (
  tenant_id TEXT NOT NULL, -- data: none; keep: 5 min; erase: use or expiry
  ticket_sha256 BLOB NOT NULL, -- data: secret (hash of 256 random bits); keep: 5 min; erase: use or expiry
  person_id TEXT NOT NULL, -- data: pseudonym; keep: 5 min; erase: use or expiry
  challenge BLOB NOT NULL, -- data: none; keep: 5 min; erase: use or expiry
  expires_at_ms BIGINT NOT NULL, -- data: none; keep: 5 min; erase: use or expiry
  PRIMARY KEY (tenant_id, ticket_sha256)
);
CREATE INDEX idp_passkey_ticket_expiry ON idp_passkey_ticket (tenant_id, expires_at_ms);
