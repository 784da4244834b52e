// Package site writes a wiki as files.
package site
