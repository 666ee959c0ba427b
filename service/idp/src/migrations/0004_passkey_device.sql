-- A passkey is as good as the device whose wallet asked for it: with that enrolment it ends. One from before is its person's oldest
-- device's.
ALTER TABLE idp_passkey ADD COLUMN enrolment_id TEXT; -- data: pseudonym; keep: removal or revocation + 90 days; erase: DELETE or expiry
ALTER TABLE idp_passkey_ticket ADD COLUMN enrolment_id TEXT; -- data: pseudonym; keep: 5 min; erase: use or expiry
UPDATE idp_passkey SET enrolment_id = (SELECT MIN(e.enrolment_id) FROM idp_enrolment e
  WHERE e.tenant_id = idp_passkey.tenant_id AND e.person_id = idp_passkey.person_id);
CREATE INDEX idp_passkey_enrolment ON idp_passkey (tenant_id, enrolment_id);
