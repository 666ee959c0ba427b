-- Relying parties, people with their devices, sign-ins in the making and how they ended, document seals.
CREATE TABLE idp_relying_party (
  tenant_id TEXT NOT NULL, -- data: none; keep: life of the relying party; erase: DELETE
  client_id TEXT NOT NULL, -- data: none; keep: life of the relying party; erase: DELETE
  name TEXT NOT NULL, -- data: none; keep: life of the relying party; erase: DELETE
  state TEXT NOT NULL, -- data: none; keep: life of the relying party; erase: DELETE
  metadata TEXT NOT NULL, -- data: none; keep: life of the relying party; erase: DELETE
  keys TEXT NOT NULL, -- data: none; keep: life of the relying party; erase: DELETE
  secret_sha256 BLOB, -- data: secret (hash of 256 random bits); keep: life of the relying party; erase: DELETE
  service_seal BLOB, -- data: none; keep: life of the relying party; erase: DELETE
  seal_id TEXT, -- data: none; keep: life of the relying party; erase: DELETE
  sealed_until_ms BIGINT, -- data: none; keep: life of the relying party; erase: DELETE
  revision BIGINT NOT NULL, -- data: none; keep: life of the relying party; erase: DELETE
  created_at_ms BIGINT NOT NULL, -- data: none; keep: life of the relying party; erase: DELETE
  PRIMARY KEY (tenant_id, client_id)
);
CREATE INDEX idp_relying_party_order ON idp_relying_party (tenant_id, created_at_ms, client_id);

-- 32 random bytes that somebody has to sign: a relying party that registers, a device that enrols.
CREATE TABLE idp_challenge (
  tenant_id TEXT NOT NULL, -- data: none; keep: 10 min; erase: use or expiry
  about TEXT NOT NULL, -- data: pseudonym; keep: 10 min; erase: use or expiry
  challenge BLOB NOT NULL, -- data: none; keep: 10 min; erase: use or expiry
  invite_id TEXT, -- data: pseudonym; keep: 10 min; erase: use or expiry
  expires_at_ms BIGINT NOT NULL, -- data: none; keep: 10 min; erase: use or expiry
  PRIMARY KEY (tenant_id, about)
);

CREATE TABLE idp_invite (
  tenant_id TEXT NOT NULL, -- data: none; keep: 7 days; erase: use or expiry
  invite_id TEXT NOT NULL, -- data: pseudonym; keep: 7 days; erase: use or expiry
  secret_sha256 BLOB NOT NULL, -- data: secret (hash of 256 random bits); keep: 7 days; erase: use or expiry
  level_min BIGINT NOT NULL, -- data: none; keep: 7 days; erase: use or expiry
  expires_at_ms BIGINT NOT NULL, -- data: none; keep: 7 days; erase: use or expiry
  created_at_ms BIGINT NOT NULL, -- data: none; keep: 7 days; erase: use or expiry
  PRIMARY KEY (tenant_id, invite_id)
);

-- Random ids on which enrolments hang. The counters are the exact limits of addressed sign-ins.
CREATE TABLE idp_person (
  tenant_id TEXT NOT NULL, -- data: none; keep: last enrolment + 90 days; erase: expiry
  person_id TEXT NOT NULL, -- data: pseudonym; keep: last enrolment + 90 days; erase: expiry
  commitment BLOB, -- data: pseudonym (keyed); keep: last enrolment + 90 days; erase: expiry
  starts BIGINT NOT NULL, -- data: none; keep: last enrolment + 90 days; erase: expiry
  starts_since_ms BIGINT NOT NULL, -- data: none; keep: last enrolment + 90 days; erase: expiry
  pause_s BIGINT NOT NULL, -- data: none; keep: last enrolment + 90 days; erase: expiry
  paused_until_ms BIGINT NOT NULL, -- data: none; keep: last enrolment + 90 days; erase: expiry
  locked_until_ms BIGINT NOT NULL, -- data: none; keep: last enrolment + 90 days; erase: expiry
  created_at_ms BIGINT NOT NULL, -- data: none; keep: last enrolment + 90 days; erase: expiry
  PRIMARY KEY (tenant_id, person_id)
);
CREATE UNIQUE INDEX idp_person_anchor ON idp_person (tenant_id, commitment);

-- A device of a person: public keys, no name, no photo, no document.
CREATE TABLE idp_enrolment (
  tenant_id TEXT NOT NULL, -- data: none; keep: revocation + 90 days; erase: expiry
  enrolment_id TEXT NOT NULL, -- data: pseudonym; keep: revocation + 90 days; erase: expiry
  person_id TEXT NOT NULL, -- data: pseudonym; keep: revocation + 90 days; erase: expiry
  state TEXT NOT NULL, -- data: none; keep: revocation + 90 days; erase: expiry
  dk BLOB NOT NULL, -- data: pseudonym (public key); keep: revocation + 90 days; erase: expiry
  d BLOB NOT NULL, -- data: pseudonym (public key); keep: revocation + 90 days; erase: expiry
  dk_sha256 BLOB NOT NULL, -- data: pseudonym; keep: revocation + 90 days; erase: expiry
  kid_s TEXT NOT NULL, -- data: none; keep: revocation + 90 days; erase: expiry
  attestation_sha256 BLOB NOT NULL, -- data: none; keep: revocation + 90 days; erase: expiry
  assurance TEXT NOT NULL, -- data: none; keep: revocation + 90 days; erase: expiry
  level BIGINT NOT NULL, -- data: none; keep: revocation + 90 days; erase: expiry
  commitment BLOB, -- data: pseudonym (keyed); keep: revocation + 90 days; erase: expiry
  handle_mac BLOB NOT NULL, -- data: pseudonym (keyed); keep: revocation + 90 days; erase: expiry
  relay BLOB, -- data: contact (encrypted); keep: revocation + 90 days; erase: expiry
  claims BIGINT NOT NULL, -- data: none; keep: revocation + 90 days; erase: expiry
  claims_since_ms BIGINT NOT NULL, -- data: none; keep: revocation + 90 days; erase: expiry
  waits_until_ms BIGINT, -- data: none; keep: revocation + 90 days; erase: expiry
  needs_operator BIGINT NOT NULL, -- data: none; keep: revocation + 90 days; erase: expiry
  used_at_ms BIGINT NOT NULL, -- data: none; keep: revocation + 90 days; erase: expiry
  expires_at_ms BIGINT NOT NULL, -- data: none; keep: revocation + 90 days; erase: expiry
  revoked_at_ms BIGINT, -- data: none; keep: revocation + 90 days; erase: expiry
  revision BIGINT NOT NULL, -- data: none; keep: revocation + 90 days; erase: expiry
  created_at_ms BIGINT NOT NULL, -- data: none; keep: revocation + 90 days; erase: expiry
  PRIMARY KEY (tenant_id, enrolment_id)
);
CREATE UNIQUE INDEX idp_enrolment_dk ON idp_enrolment (tenant_id, dk_sha256);
CREATE UNIQUE INDEX idp_enrolment_handle ON idp_enrolment (tenant_id, handle_mac);
CREATE INDEX idp_enrolment_person ON idp_enrolment (tenant_id, person_id);
CREATE INDEX idp_enrolment_order ON idp_enrolment (tenant_id, created_at_ms, enrolment_id);

-- A sign-in that a browser waits for. Gone with its answer, whatever the verdict.
CREATE TABLE idp_signin (
  tenant_id TEXT NOT NULL, -- data: none; keep: 18 min; erase: answer or expiry
  sid BLOB NOT NULL, -- data: none; keep: 18 min; erase: answer or expiry
  state TEXT NOT NULL, -- data: none; keep: 18 min; erase: answer or expiry
  client_id TEXT NOT NULL, -- data: none; keep: 18 min; erase: answer or expiry
  request BLOB NOT NULL, -- data: content (encrypted); keep: 18 min; erase: answer or expiry
  request_sha256 BLOB NOT NULL, -- data: none; keep: 18 min; erase: answer or expiry
  ctx TEXT NOT NULL, -- data: none; keep: 18 min; erase: answer or expiry
  point BLOB NOT NULL, -- data: none; keep: 18 min; erase: answer or expiry
  ephemeral BLOB NOT NULL, -- data: secret (encrypted); keep: 18 min; erase: answer or expiry
  kid_s TEXT NOT NULL, -- data: none; keep: 18 min; erase: answer or expiry
  t0 BLOB NOT NULL, -- data: none; keep: 18 min; erase: answer or expiry
  browser_sha256 BLOB NOT NULL, -- data: none; keep: 18 min; erase: answer or expiry
  hint BLOB NOT NULL, -- data: contact (encrypted); keep: 18 min; erase: answer or expiry
  assertion_needed BIGINT NOT NULL, -- data: none; keep: 18 min; erase: answer or expiry
  asserted BIGINT NOT NULL, -- data: none; keep: 18 min; erase: answer or expiry
  assertion BLOB, -- data: pseudonym (encrypted); keep: 18 min; erase: answer or expiry
  addressed TEXT, -- data: pseudonym; keep: 18 min; erase: answer or expiry
  asserted_person TEXT, -- data: pseudonym; keep: 18 min; erase: answer or expiry
  enrolment_id TEXT, -- data: pseudonym; keep: 18 min; erase: answer or expiry
  renewals BIGINT NOT NULL, -- data: none; keep: 18 min; erase: answer or expiry
  created_at_ms BIGINT NOT NULL, -- data: none; keep: 18 min; erase: answer or expiry
  expires_at_ms BIGINT NOT NULL, -- data: none; keep: 18 min; erase: answer or expiry
  ends_at_ms BIGINT NOT NULL, -- data: none; keep: 18 min; erase: answer or expiry
  PRIMARY KEY (tenant_id, sid)
);
CREATE INDEX idp_signin_addressed ON idp_signin (tenant_id, addressed);
CREATE INDEX idp_signin_request ON idp_signin (tenant_id, request_sha256);
CREATE INDEX idp_signin_expiry ON idp_signin (tenant_id, expires_at_ms);

-- How a sign-in ended, for the browser that began it and the relying party that redeems the code.
CREATE TABLE idp_result (
  tenant_id TEXT NOT NULL, -- data: none; keep: 10 min; erase: expiry
  sid BLOB NOT NULL, -- data: none; keep: 10 min; erase: expiry
  t0 BLOB NOT NULL, -- data: none; keep: 10 min; erase: expiry
  outcome TEXT NOT NULL, -- data: none; keep: 10 min; erase: expiry
  reason TEXT NOT NULL, -- data: none; keep: 10 min; erase: expiry
  client_id TEXT NOT NULL, -- data: none; keep: 10 min; erase: expiry
  browser_sha256 BLOB NOT NULL, -- data: none; keep: 10 min; erase: expiry
  request BLOB NOT NULL, -- data: content (encrypted); keep: 10 min; erase: expiry
  code_sha256 BLOB, -- data: secret (hash); keep: 10 min; erase: expiry
  facts BLOB, -- data: pseudonym (encrypted); keep: 10 min; erase: expiry
  claims BLOB, -- data: identity (sealed under the code); keep: 60 s; erase: redemption or expiry
  device TEXT NOT NULL, -- data: pseudonym; keep: 10 min; erase: expiry
  grant_id TEXT, -- data: pseudonym; keep: 10 min; erase: expiry
  created_at_ms BIGINT NOT NULL, -- data: none; keep: 10 min; erase: expiry
  code_until_ms BIGINT NOT NULL, -- data: none; keep: 10 min; erase: expiry
  spent_at_ms BIGINT, -- data: none; keep: 10 min; erase: expiry
  PRIMARY KEY (tenant_id, sid)
);
CREATE UNIQUE INDEX idp_result_code ON idp_result (tenant_id, code_sha256);
CREATE INDEX idp_result_expiry ON idp_result (tenant_id, created_at_ms);

-- What the lists of the console show. No person.
CREATE TABLE idp_history (
  tenant_id TEXT NOT NULL, -- data: none; keep: 90 days; erase: expiry
  signin_id TEXT NOT NULL, -- data: none; keep: 90 days; erase: expiry
  client_id TEXT NOT NULL, -- data: none; keep: 90 days; erase: expiry
  outcome TEXT NOT NULL, -- data: none; keep: 90 days; erase: expiry
  reason TEXT NOT NULL, -- data: none; keep: 90 days; erase: expiry
  acr TEXT, -- data: none; keep: 90 days; erase: expiry
  consent_hash TEXT, -- data: none; keep: 90 days; erase: expiry
  created_at_ms BIGINT NOT NULL, -- data: none; keep: 90 days; erase: expiry
  PRIMARY KEY (tenant_id, signin_id)
);
CREATE INDEX idp_history_order ON idp_history (tenant_id, created_at_ms, signin_id);
CREATE INDEX idp_history_consent ON idp_history (tenant_id, consent_hash);

-- What a person agreed to, with the device's signature over it.
CREATE TABLE idp_consent (
  tenant_id TEXT NOT NULL, -- data: none; keep: consent_keep_d; erase: DELETE or expiry
  consent_id TEXT NOT NULL, -- data: none; keep: consent_keep_d; erase: DELETE or expiry
  person_id TEXT NOT NULL, -- data: pseudonym; keep: consent_keep_d; erase: DELETE or expiry
  client_id TEXT NOT NULL, -- data: none; keep: consent_keep_d; erase: DELETE or expiry
  evidence BLOB NOT NULL, -- data: identity (encrypted); keep: consent_keep_d; erase: DELETE or expiry
  created_at_ms BIGINT NOT NULL, -- data: none; keep: consent_keep_d; erase: DELETE or expiry
  expires_at_ms BIGINT NOT NULL, -- data: none; keep: consent_keep_d; erase: DELETE or expiry
  PRIMARY KEY (tenant_id, consent_id)
);
CREATE INDEX idp_consent_person ON idp_consent (tenant_id, person_id, created_at_ms);

-- Token ids that were seen: one is good for one request.
CREATE TABLE idp_jti (
  tenant_id TEXT NOT NULL, -- data: none; keep: its own expiry + 10 s; erase: expiry
  jti_sha256 BLOB NOT NULL, -- data: none; keep: its own expiry + 10 s; erase: expiry
  expires_at_ms BIGINT NOT NULL, -- data: none; keep: its own expiry + 10 s; erase: expiry
  PRIMARY KEY (tenant_id, jti_sha256)
);
CREATE INDEX idp_jti_expiry ON idp_jti (tenant_id, expires_at_ms);

-- Three keys for MACs that must never change: codes, pairwise subjects, anchors.
CREATE TABLE idp_secret (
  tenant_id TEXT NOT NULL, -- data: none; keep: life of the tenant; erase: deletion of the tenant
  name TEXT NOT NULL, -- data: none; keep: life of the tenant; erase: deletion of the tenant
  value BLOB NOT NULL, -- data: secret (encrypted); keep: life of the tenant; erase: deletion of the tenant
  created_at_ms BIGINT NOT NULL, -- data: none; keep: life of the tenant; erase: deletion of the tenant
  PRIMARY KEY (tenant_id, name)
);

-- The keys that wallets pin, each set signed by the reply key of the set before.
CREATE TABLE idp_key_set (
  tenant_id TEXT NOT NULL, -- data: none; keep: life of the tenant; erase: deletion of the tenant
  number BIGINT NOT NULL, -- data: none; keep: life of the tenant; erase: deletion of the tenant
  kid_s TEXT NOT NULL, -- data: none; keep: life of the tenant; erase: deletion of the tenant
  kid_reply TEXT NOT NULL, -- data: none; keep: life of the tenant; erase: deletion of the tenant
  statement TEXT NOT NULL, -- data: none; keep: life of the tenant; erase: deletion of the tenant
  created_at_ms BIGINT NOT NULL, -- data: none; keep: life of the tenant; erase: deletion of the tenant
  PRIMARY KEY (tenant_id, number)
);

-- Document seals that the tenant issued: their place in a status list, no content.
CREATE TABLE idp_document_seal (
  tenant_id TEXT NOT NULL, -- data: none; keep: end of the seal + 90 days; erase: expiry
  seal_id TEXT NOT NULL, -- data: pseudonym; keep: end of the seal + 90 days; erase: expiry
  kind TEXT NOT NULL, -- data: none; keep: end of the seal + 90 days; erase: expiry
  seal_sha256 BLOB NOT NULL, -- data: pseudonym; keep: end of the seal + 90 days; erase: expiry
  list BIGINT NOT NULL, -- data: none; keep: end of the seal + 90 days; erase: expiry
  idx BIGINT NOT NULL, -- data: none; keep: end of the seal + 90 days; erase: expiry
  revoked_at_ms BIGINT, -- data: none; keep: end of the seal + 90 days; erase: expiry
  reason TEXT, -- data: none; keep: end of the seal + 90 days; erase: expiry
  expires_at_ms BIGINT NOT NULL, -- data: none; keep: end of the seal + 90 days; erase: expiry
  created_at_ms BIGINT NOT NULL, -- data: none; keep: end of the seal + 90 days; erase: expiry
  PRIMARY KEY (tenant_id, seal_id)
);
CREATE UNIQUE INDEX idp_document_seal_place ON idp_document_seal (tenant_id, list, idx);
CREATE UNIQUE INDEX idp_document_seal_hash ON idp_document_seal (tenant_id, seal_sha256);
CREATE INDEX idp_document_seal_order ON idp_document_seal (tenant_id, created_at_ms, seal_id);

-- Status lists of document seals. `version` grows with each change; `signed_version` is what the token says.
CREATE TABLE idp_seal_list (
  tenant_id TEXT NOT NULL, -- data: none; keep: end of its last seal; erase: deletion of the tenant
  list BIGINT NOT NULL, -- data: none; keep: end of its last seal; erase: deletion of the tenant
  entries BIGINT NOT NULL, -- data: none; keep: end of its last seal; erase: deletion of the tenant
  dealt BIGINT NOT NULL, -- data: none; keep: end of its last seal; erase: deletion of the tenant
  version BIGINT NOT NULL, -- data: none; keep: end of its last seal; erase: deletion of the tenant
  signed_version BIGINT NOT NULL, -- data: none; keep: end of its last seal; erase: deletion of the tenant
  token TEXT NOT NULL, -- data: none; keep: end of its last seal; erase: deletion of the tenant
  signed_at_ms BIGINT NOT NULL, -- data: none; keep: end of its last seal; erase: deletion of the tenant
  PRIMARY KEY (tenant_id, list)
);
