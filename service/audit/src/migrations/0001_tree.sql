-- The trees: their heads, entries, full tiles and signed checkpoints, and the tokens that outsiders read private ones with.
-- No column of this room holds personal data: a leaf is public by its nature, or a pseudonym that only its log's keys link.

-- The head of each tree. One guarded update moves it, so two sequencers cannot both append.
CREATE TABLE audit_log (
  tenant_id TEXT NOT NULL, -- data: none; keep: always; erase: never
  log_id TEXT NOT NULL UNIQUE, -- data: none; keep: always; erase: never
  origin TEXT NOT NULL UNIQUE, -- data: none; keep: always; erase: never
  public BIGINT NOT NULL, -- data: none; keep: always; erase: never
  epoch BIGINT NOT NULL, -- data: none; keep: always; erase: never
  state TEXT NOT NULL, -- data: none; keep: always; erase: never
  size BIGINT NOT NULL, -- data: none; keep: always; erase: never
  root BLOB NOT NULL, -- data: none; keep: always; erase: never
  vkeys TEXT NOT NULL, -- data: none; keep: always; erase: never
  created_at_ms BIGINT NOT NULL, -- data: none; keep: always; erase: never
  PRIMARY KEY (tenant_id, log_id)
);

-- Entries in the order of the log.
CREATE TABLE audit_entry (
  tenant_id TEXT NOT NULL, -- data: none; keep: always; erase: never
  log_id TEXT NOT NULL, -- data: none; keep: always; erase: never
  idx BIGINT NOT NULL, -- data: none; keep: always; erase: never
  event_id BLOB NOT NULL, -- data: pseudonym; keep: always; erase: never
  leaf BLOB NOT NULL, -- data: pseudonym; keep: always; erase: never
  PRIMARY KEY (tenant_id, log_id, idx)
)
-- sqlite
WITHOUT ROWID
-- both
;
CREATE UNIQUE INDEX audit_entry_event ON audit_entry (event_id, log_id);

-- Full tiles. The partial ones at the right edge are computed, never stored.
CREATE TABLE audit_tile (
  tenant_id TEXT NOT NULL, -- data: none; keep: always; erase: never
  log_id TEXT NOT NULL, -- data: none; keep: always; erase: never
  level BIGINT NOT NULL, -- data: none; keep: always; erase: never
  n BIGINT NOT NULL, -- data: none; keep: always; erase: never
  hashes BLOB NOT NULL, -- data: none; keep: always; erase: never
  PRIMARY KEY (tenant_id, log_id, level, n)
);

-- What was signed and served. The newest of each log stays; older ones may go.
CREATE TABLE audit_checkpoint (
  tenant_id TEXT NOT NULL, -- data: none; keep: the newest always, others 256; erase: expiry
  log_id TEXT NOT NULL, -- data: none; keep: the newest always, others 256; erase: expiry
  size BIGINT NOT NULL, -- data: none; keep: the newest always, others 256; erase: expiry
  root BLOB NOT NULL, -- data: none; keep: the newest always, others 256; erase: expiry
  signed_at_ms BIGINT NOT NULL, -- data: none; keep: the newest always, others 256; erase: expiry
  note BLOB NOT NULL, -- data: none; keep: the newest always, others 256; erase: expiry
  PRIMARY KEY (tenant_id, log_id, size)
);

-- Bearer tokens of outsiders, each for one log. The token itself is not kept.
CREATE TABLE audit_token (
  tenant_id TEXT NOT NULL, -- data: none; keep: 30 d past its end; erase: expiry
  token_id TEXT NOT NULL, -- data: none; keep: 30 d past its end; erase: expiry
  log_id TEXT NOT NULL, -- data: none; keep: 30 d past its end; erase: expiry
  name TEXT NOT NULL, -- data: none; keep: 30 d past its end; erase: expiry
  sha256 BLOB NOT NULL UNIQUE, -- data: secret (hashed); keep: 30 d past its end; erase: expiry
  created_at_ms BIGINT NOT NULL, -- data: none; keep: 30 d past its end; erase: expiry
  expires_at_ms BIGINT NOT NULL, -- data: none; keep: 30 d past its end; erase: expiry
  revoked_at_ms BIGINT, -- data: none; keep: 30 d past its end; erase: expiry
  PRIMARY KEY (tenant_id, token_id)
);

-- sqlite
CREATE TRIGGER audit_entry_update BEFORE UPDATE ON audit_entry
  BEGIN SELECT RAISE(ABORT, 'audit_entry is append-only'); END;
CREATE TRIGGER audit_entry_delete BEFORE DELETE ON audit_entry
  BEGIN SELECT RAISE(ABORT, 'audit_entry is append-only'); END;
CREATE TRIGGER audit_entry_insert BEFORE INSERT ON audit_entry
  WHEN NEW.idx <> (SELECT COALESCE(MAX(idx) + 1, 0) FROM audit_entry
                   WHERE tenant_id = NEW.tenant_id AND log_id = NEW.log_id)
  BEGIN SELECT RAISE(ABORT, 'audit_entry grows by one'); END;

CREATE TRIGGER audit_tile_update BEFORE UPDATE ON audit_tile
  BEGIN SELECT RAISE(ABORT, 'audit_tile is append-only'); END;
CREATE TRIGGER audit_tile_delete BEFORE DELETE ON audit_tile
  BEGIN SELECT RAISE(ABORT, 'audit_tile is append-only'); END;
CREATE TRIGGER audit_tile_insert BEFORE INSERT ON audit_tile
  WHEN NEW.n <> (SELECT COALESCE(MAX(n) + 1, 0) FROM audit_tile
                 WHERE tenant_id = NEW.tenant_id AND log_id = NEW.log_id AND level = NEW.level)
  BEGIN SELECT RAISE(ABORT, 'audit_tile grows by one'); END;

CREATE TRIGGER audit_checkpoint_update BEFORE UPDATE ON audit_checkpoint
  BEGIN SELECT RAISE(ABORT, 'audit_checkpoint is append-only'); END;
CREATE TRIGGER audit_checkpoint_delete BEFORE DELETE ON audit_checkpoint
  WHEN OLD.size = (SELECT MAX(size) FROM audit_checkpoint
                   WHERE tenant_id = OLD.tenant_id AND log_id = OLD.log_id)
  BEGIN SELECT RAISE(ABORT, 'the newest checkpoint stays'); END;
CREATE TRIGGER audit_checkpoint_insert BEFORE INSERT ON audit_checkpoint
  WHEN NEW.size <= (SELECT COALESCE(MAX(size), -1) FROM audit_checkpoint
                    WHERE tenant_id = NEW.tenant_id AND log_id = NEW.log_id)
  BEGIN SELECT RAISE(ABORT, 'checkpoints only grow'); END;

CREATE TRIGGER audit_log_update BEFORE UPDATE ON audit_log
  WHEN NEW.size < OLD.size OR NEW.origin <> OLD.origin OR NEW.log_id <> OLD.log_id
  BEGIN SELECT RAISE(ABORT, 'audit_log only grows'); END;
CREATE TRIGGER audit_log_delete BEFORE DELETE ON audit_log
  BEGIN SELECT RAISE(ABORT, 'audit_log is append-only'); END;
-- postgres
CREATE FUNCTION audit_refuse() RETURNS trigger LANGUAGE plpgsql AS
  $$ BEGIN RAISE EXCEPTION '% is append-only', TG_TABLE_NAME; END $$;
CREATE FUNCTION audit_entry_grows() RETURNS trigger LANGUAGE plpgsql AS
  $$ BEGIN
    IF NEW.idx <> (SELECT COALESCE(MAX(idx) + 1, 0) FROM audit_entry
                   WHERE tenant_id = NEW.tenant_id AND log_id = NEW.log_id)
    THEN RAISE EXCEPTION 'audit_entry grows by one'; END IF;
    RETURN NEW;
  END $$;
CREATE FUNCTION audit_tile_grows() RETURNS trigger LANGUAGE plpgsql AS
  $$ BEGIN
    IF NEW.n <> (SELECT COALESCE(MAX(n) + 1, 0) FROM audit_tile
                 WHERE tenant_id = NEW.tenant_id AND log_id = NEW.log_id AND level = NEW.level)
    THEN RAISE EXCEPTION 'audit_tile grows by one'; END IF;
    RETURN NEW;
  END $$;
CREATE TRIGGER audit_entry_change BEFORE UPDATE OR DELETE ON audit_entry
  FOR EACH ROW EXECUTE FUNCTION audit_refuse();
CREATE TRIGGER audit_entry_insert BEFORE INSERT ON audit_entry
  FOR EACH ROW EXECUTE FUNCTION audit_entry_grows();
CREATE TRIGGER audit_tile_change BEFORE UPDATE OR DELETE ON audit_tile
  FOR EACH ROW EXECUTE FUNCTION audit_refuse();
CREATE TRIGGER audit_tile_insert BEFORE INSERT ON audit_tile
  FOR EACH ROW EXECUTE FUNCTION audit_tile_grows();
CREATE TRIGGER audit_checkpoint_update BEFORE UPDATE ON audit_checkpoint
  FOR EACH ROW EXECUTE FUNCTION audit_refuse();
CREATE TRIGGER audit_log_delete BEFORE DELETE ON audit_log
  FOR EACH ROW EXECUTE FUNCTION audit_refuse();
-- both
