// Package store is the platform's SQL: users, sites, members, sessions, tokens,
// one-time codes, settings and the audit log.
package store
