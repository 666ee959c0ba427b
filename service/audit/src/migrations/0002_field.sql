-- Where entries stand whose public field is salted: whoever knows the value may have the proof, without a token. No value of another
-- kind of field stands here, as it could be guessed.
CREATE TABLE audit_field (
  tenant_id TEXT NOT NULL, -- data: none; keep: always; erase: never
  log_id TEXT NOT NULL, -- data: none; keep: always; erase: never
  field BLOB NOT NULL, -- data: pseudonym (salted hash, in the leaf too); keep: always; erase: never
  idx BIGINT NOT NULL, -- data: none; keep: always; erase: never
  PRIMARY KEY (tenant_id, log_id, field)
);
