-- +goose Up
-- Before tokens.parent existed, nobody recorded whether a personal token made a wiki
-- token. Any that could have is treated as if it did.
ALTER TABLE tokens ADD COLUMN maker_unknown BOOLEAN NOT NULL DEFAULT FALSE; -- ends with each personal token that could have made it

CREATE TABLE makers AS  -- personal tokens and the times between which they worked
    SELECT did, created AS since, NULL AS until FROM personal_tokens WHERE NOT read_only
    UNION ALL
    SELECT actor, coalesce(min(CASE WHEN action = 'token.add' THEN time END), 0), max(CASE WHEN action = 'token.revoke' THEN time END)
    FROM audit
    WHERE slug = '' AND action IN ('token.add', 'token.revoke') AND detail NOT IN (SELECT id FROM personal_tokens)
    GROUP BY actor, detail;
CREATE INDEX makers_did ON makers (did);

CREATE TABLE unrecorded AS
    SELECT id, slug, did, created FROM tokens
    WHERE parent IS NULL AND created <= (SELECT 1000 * (unixepoch(max(tstamp)) + 1) FROM goose_db_version WHERE version_id = 13);

INSERT INTO audit (time, actor, slug, action, detail)
    SELECT 1000 * unixepoch(), 'operator', slug, 'token.revoke', id FROM unrecorded
    WHERE EXISTS (SELECT 1 FROM makers WHERE makers.did = unrecorded.did AND since <= created AND created <= until);
DELETE FROM tokens WHERE id IN (
    SELECT id FROM unrecorded
    WHERE EXISTS (SELECT 1 FROM makers WHERE makers.did = unrecorded.did AND since <= created AND created <= until));
UPDATE tokens SET maker_unknown = TRUE WHERE id IN (
    SELECT id FROM unrecorded
    WHERE EXISTS (SELECT 1 FROM makers WHERE makers.did = unrecorded.did AND since <= created AND until IS NULL));

DROP TABLE unrecorded;
DROP TABLE makers;
