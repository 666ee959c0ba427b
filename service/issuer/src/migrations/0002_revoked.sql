-- Only revoked copies are looked for by their list: an index of all of them was written at each issuance and never read.
DROP INDEX issuer_copy_status;
CREATE INDEX issuer_copy_revoked ON issuer_copy (tenant_id, list, idx) WHERE status = 'revoked';
