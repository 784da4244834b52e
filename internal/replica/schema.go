package replica

// platformSchemas are those of robot.db, by generation.
var platformSchemas = map[Schema]string{
	Early:  withUsernames + wikisTable + aclsTable + agentsTable,
	Middle: withUsernames + wikisTable + aclsTable,
	Late:   withoutUsernames + wikisTable + `CREATE UNIQUE INDEX ix_wikis_mcp_token_hash ON wikis (mcp_token_hash);`,
}

const withUsernames = `CREATE TABLE users (
	did TEXT PRIMARY KEY, handle TEXT NOT NULL, display_name TEXT, avatar_url TEXT,
	username TEXT UNIQUE NOT NULL, created_at TEXT NOT NULL, wiki_count INTEGER DEFAULT 0);`

const withoutUsernames = `CREATE TABLE users (
	did TEXT PRIMARY KEY, handle TEXT NOT NULL, display_name TEXT, avatar_url TEXT,
	created_at TEXT NOT NULL, wiki_count INTEGER DEFAULT 0);`

const wikisTable = `CREATE TABLE wikis (
	slug TEXT PRIMARY KEY, owner_did TEXT NOT NULL REFERENCES users (did), display_name TEXT NOT NULL,
	repo_path TEXT NOT NULL, mcp_token_hash TEXT NOT NULL, is_public INTEGER DEFAULT 0, created_at TEXT NOT NULL,
	last_accessed TEXT NOT NULL, page_count INTEGER DEFAULT 0, disk_usage_bytes INTEGER DEFAULT 0);`

const aclsTable = `CREATE TABLE acls (
	wiki_slug TEXT NOT NULL REFERENCES wikis (slug), grantee_did TEXT NOT NULL REFERENCES users (did),
	role TEXT NOT NULL, granted_by TEXT NOT NULL, granted_at TEXT NOT NULL, PRIMARY KEY (wiki_slug, grantee_did));`

const agentsTable = `CREATE TABLE mcp_oauth_clients (
	client_id TEXT PRIMARY KEY, client_name TEXT, redirect_uris TEXT NOT NULL, client_secret_hash TEXT, created_at TEXT NOT NULL);`

// wikiSchema is that of a wiki.db, which is An Otter Wiki's with three more columns.
const wikiSchema = `
CREATE TABLE preferences (name VARCHAR(256) PRIMARY KEY, value TEXT);
CREATE TABLE drafts (
	id INTEGER PRIMARY KEY AUTOINCREMENT, pagepath VARCHAR(2048), revision VARCHAR(64), author_email VARCHAR(256),
	content TEXT, cursor_line INTEGER, cursor_ch INTEGER, datetime DATETIME);
CREATE TABLE "user" (
	id INTEGER PRIMARY KEY AUTOINCREMENT, name VARCHAR(128), email VARCHAR(128) UNIQUE, password_hash VARCHAR(512),
	first_seen DATETIME, last_seen DATETIME, is_approved BOOLEAN DEFAULT 0, is_admin BOOLEAN DEFAULT 0,
	email_confirmed BOOLEAN DEFAULT 0, allow_read BOOLEAN DEFAULT 0, allow_write BOOLEAN DEFAULT 0, allow_upload BOOLEAN DEFAULT 0);
CREATE TABLE cache (key VARCHAR(64) PRIMARY KEY, value TEXT, datetime DATETIME);`

// oauthSchema is that of mcp_oauth.db.
const oauthSchema = `
CREATE TABLE oauth_clients (client_id TEXT PRIMARY KEY, client_json TEXT NOT NULL, created_at REAL NOT NULL);
CREATE TABLE oauth_tokens (
	token TEXT PRIMARY KEY, client_id TEXT NOT NULL, scopes TEXT NOT NULL, expires_at INTEGER,
	token_type TEXT NOT NULL, refresh_token TEXT, resource TEXT);`
