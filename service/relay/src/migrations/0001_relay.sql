-- Onions that were accepted: one blob a commit, sealed to the hop key of their epoch. No row says whose they are, nor when each came.
CREATE TABLE relay_intake (
  tenant_id TEXT NOT NULL, -- data: none; keep: until the round is published; erase: publication
  class BIGINT NOT NULL, -- data: none; keep: until the round is published; erase: publication
  round BIGINT NOT NULL, -- data: none; keep: until the round is published; erase: publication
  part BIGINT NOT NULL, -- data: none; keep: until the round is published; erase: publication
  cells BLOB NOT NULL, -- data: content (sealed by its sender); keep: until the round is published; erase: publication
  PRIMARY KEY (tenant_id, class, round, part)
);

-- What a round published, in parts: sorted rows of 512 bytes that only a contact can open.
CREATE TABLE relay_bucket_round (
  tenant_id TEXT NOT NULL, -- data: none; keep: retention_days; erase: expiry
  class BIGINT NOT NULL, -- data: none; keep: retention_days; erase: expiry
  round BIGINT NOT NULL, -- data: none; keep: retention_days; erase: expiry
  bucket BIGINT NOT NULL, -- data: none; keep: retention_days; erase: expiry
  part BIGINT NOT NULL, -- data: none; keep: retention_days; erase: expiry
  cells BLOB NOT NULL, -- data: content (sealed by its sender); keep: retention_days; erase: expiry
  PRIMARY KEY (tenant_id, class, round, bucket, part)
);

-- Public statements of rounds.
CREATE TABLE relay_round (
  tenant_id TEXT NOT NULL, -- data: none; keep: 400 days; erase: expiry
  class BIGINT NOT NULL, -- data: none; keep: 400 days; erase: expiry
  round BIGINT NOT NULL, -- data: none; keep: 400 days; erase: expiry
  statement BLOB NOT NULL, -- data: none; keep: 400 days; erase: expiry
  PRIMARY KEY (tenant_id, class, round)
);

-- Manifests and epochs, as they are served.
CREATE TABLE relay_statement (
  tenant_id TEXT NOT NULL, -- data: none; keep: with the tenant; erase: tenant deletion
  kind TEXT NOT NULL, -- data: none; keep: with the tenant; erase: tenant deletion
  version BIGINT NOT NULL, -- data: none; keep: with the tenant; erase: tenant deletion
  body TEXT NOT NULL, -- data: none; keep: with the tenant; erase: tenant deletion
  PRIMARY KEY (tenant_id, kind, version)
);

-- Secret hop keys. Without one, cells of its epoch can be opened by nobody.
CREATE TABLE relay_epoch_key (
  tenant_id TEXT NOT NULL, -- data: none; keep: end of the epoch and four rounds; erase: expiry
  epoch BIGINT NOT NULL, -- data: none; keep: end of the epoch and four rounds; erase: expiry
  purpose TEXT NOT NULL, -- data: none; keep: end of the epoch and four rounds; erase: expiry
  secret BLOB NOT NULL, -- data: secret (encrypted); keep: end of the epoch and four rounds; erase: expiry
  PRIMARY KEY (tenant_id, epoch, purpose)
);

-- Who may draw tokens. Nothing ties a member to a cell, a connection or a bucket.
CREATE TABLE relay_member (
  tenant_id TEXT NOT NULL, -- data: none; keep: until removed; erase: removal
  member_id TEXT NOT NULL, -- data: pseudonym; keep: until removed; erase: removal
  member_key BLOB NOT NULL, -- data: pseudonym; keep: until removed; erase: removal
  state TEXT NOT NULL, -- data: none; keep: until removed; erase: removal
  added_day BIGINT NOT NULL, -- data: none; keep: until removed; erase: removal
  turns BIGINT NOT NULL, -- data: none; keep: until removed; erase: removal
  PRIMARY KEY (tenant_id, member_id),
  UNIQUE (tenant_id, member_key)
);

-- One-time links for new members.
CREATE TABLE relay_link (
  tenant_id TEXT NOT NULL, -- data: none; keep: until used, at most 7 days; erase: use or expiry
  sha256 BLOB NOT NULL, -- data: secret (hash); keep: until used, at most 7 days; erase: use or expiry
  expires_at_ms BIGINT NOT NULL, -- data: none; keep: until used, at most 7 days; erase: use or expiry
  PRIMARY KEY (tenant_id, sha256)
);
