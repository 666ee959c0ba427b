-- Events on their way to the log, what they say, whom they are about, and the keys under which all of it is sealed.
-- Every column names its data category, how long it is kept, and what erases it.

-- Entries that wait for the sequencer. The leaf holds no personal data; rows go when they are in the tree.
-- sqlite
CREATE TABLE store_event (
  seq INTEGER PRIMARY KEY, -- data: none; keep: until sequenced; erase: sequencing
  log_id TEXT NOT NULL, -- data: none; keep: until sequenced; erase: sequencing
  event_id BLOB NOT NULL, -- data: pseudonym; keep: until sequenced; erase: sequencing
  leaf BLOB NOT NULL, -- data: pseudonym; keep: until sequenced; erase: sequencing
  at_ms BIGINT NOT NULL -- data: none; keep: until sequenced; erase: sequencing
);
-- postgres
CREATE TABLE store_event (
  seq BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY, -- data: none; keep: until sequenced; erase: sequencing
  log_id TEXT NOT NULL, -- data: none; keep: until sequenced; erase: sequencing
  event_id BLOB NOT NULL, -- data: pseudonym; keep: until sequenced; erase: sequencing
  leaf BLOB NOT NULL, -- data: pseudonym; keep: until sequenced; erase: sequencing
  at_ms BIGINT NOT NULL -- data: none; keep: until sequenced; erase: sequencing
);
-- both
CREATE INDEX store_event_order ON store_event (log_id, seq);

-- What an event says beyond its leaf, sealed under the person's or the log's key; deleting it leaves the tree whole.
-- The key begins with the time, so that rows are added at the end whatever their number.
CREATE TABLE store_event_detail (
  tenant_id TEXT NOT NULL, -- data: none; keep: 400 d; erase: erasure, expiry
  log_id TEXT NOT NULL, -- data: none; keep: 400 d; erase: erasure, expiry
  at_ms BIGINT NOT NULL, -- data: none; keep: 400 d; erase: erasure, expiry
  event_id BLOB NOT NULL, -- data: pseudonym; keep: 400 d; erase: erasure, expiry
  type TEXT NOT NULL, -- data: none; keep: 400 d; erase: erasure, expiry
  subject_ref BLOB, -- data: pseudonym; keep: 400 d; erase: erasure, expiry
  actor_ref BLOB, -- data: pseudonym; keep: 400 d; erase: erasure, expiry
  actor BLOB, -- data: identity (encrypted); keep: 400 d; erase: erasure, expiry
  sealed BLOB NOT NULL, -- data: content (encrypted); keep: 400 d; erase: erasure, expiry
  expires_at_ms BIGINT NOT NULL, -- data: none; keep: 400 d; erase: erasure, expiry
  PRIMARY KEY (tenant_id, log_id, at_ms, event_id)
)
-- sqlite
WITHOUT ROWID
-- both
;
CREATE INDEX store_event_detail_expiry ON store_event_detail (tenant_id, expires_at_ms);
CREATE INDEX store_event_detail_subject ON store_event_detail (tenant_id, log_id, subject_ref) WHERE subject_ref IS NOT NULL;

-- One key a person and log. With it an auditor finds all entries of the person; without it nobody does.
CREATE TABLE store_subject (
  tenant_id TEXT NOT NULL, -- data: none; keep: with the last detail; erase: erasure
  log_id TEXT NOT NULL, -- data: none; keep: with the last detail; erase: erasure
  subject_ref BLOB NOT NULL, -- data: pseudonym; keep: with the last detail; erase: erasure
  k_subject BLOB NOT NULL, -- data: key (encrypted); keep: with the last detail; erase: erasure
  PRIMARY KEY (tenant_id, log_id, subject_ref)
);

-- The keys of each log, and which log of a tenant takes entries.
CREATE TABLE store_log (
  tenant_id TEXT NOT NULL, -- data: none; keep: with the tenant; erase: tenant deletion
  log_id TEXT NOT NULL UNIQUE, -- data: none; keep: with the tenant; erase: tenant deletion
  kind TEXT NOT NULL, -- data: none; keep: with the tenant; erase: tenant deletion
  origin TEXT NOT NULL UNIQUE, -- data: none; keep: with the tenant; erase: tenant deletion
  open BIGINT NOT NULL, -- data: none; keep: with the tenant; erase: tenant deletion
  k_index BLOB NOT NULL, -- data: key (encrypted); keep: with the tenant; erase: tenant deletion
  k_detail BLOB NOT NULL, -- data: key (encrypted); keep: with the tenant; erase: tenant deletion
  head_key BLOB NOT NULL, -- data: key (encrypted); keep: with the tenant; erase: tenant deletion
  PRIMARY KEY (tenant_id, log_id)
);
CREATE UNIQUE INDEX store_log_open ON store_log (tenant_id, kind) WHERE open = 1;

-- Keys under which a tenant's keys and fields are sealed, themselves sealed under the root. Deleting them erases the
-- tenant.
CREATE TABLE store_kek (
  tenant_id TEXT NOT NULL, -- data: none; keep: with the tenant; erase: tenant deletion
  purpose TEXT NOT NULL, -- data: none; keep: with the tenant; erase: tenant deletion
  version BIGINT NOT NULL, -- data: none; keep: with the tenant; erase: tenant deletion
  root_id BLOB NOT NULL, -- data: none; keep: with the tenant; erase: tenant deletion
  wrapped BLOB NOT NULL, -- data: key (encrypted); keep: with the tenant; erase: tenant deletion
  PRIMARY KEY (tenant_id, purpose, version)
);
CREATE INDEX store_kek_root ON store_kek (root_id);

-- Which root opens this database (slot current), and while it is replaced, old and new sealed under each other
-- (slot rotation).
CREATE TABLE store_root (
  slot TEXT NOT NULL PRIMARY KEY, -- data: none; keep: always; erase: root rotation
  old_id BLOB NOT NULL, -- data: none; keep: always; erase: root rotation
  new_id BLOB NOT NULL, -- data: none; keep: always; erase: root rotation
  old_under_new BLOB, -- data: key (encrypted); keep: during a rotation; erase: root rotation
  new_under_old BLOB -- data: key (encrypted); keep: during a rotation; erase: root rotation
);

-- Which processes use this database.
CREATE TABLE store_instance (
  instance_id TEXT NOT NULL PRIMARY KEY, -- data: none; keep: 1 d; erase: expiry
  seen_at_ms BIGINT NOT NULL -- data: none; keep: 1 d; erase: expiry
);
