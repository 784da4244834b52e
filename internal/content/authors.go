package content

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
)

// Anybody can write any name or DID into a repository's commits. The names in
// imported commits therefore match no user and no agent of this wiki.

// Authors are the names that a LogFilter's Author accepts.
type Authors struct {
	People []string // usernames
	Agents []string // names as in their grants
}

// maxAuthors bounds a list of names.
const maxAuthors = 200

// Authors lists the authors of commits, sorted, at most 200 people and 200 agents.
// The query jumps from name to name in an index, so its cost doesn't grow with the
// history.
func (w *Wiki) Authors(ctx context.Context) (Authors, error) {
	var a Authors
	var err error
	if a.People, err = w.distinctValues(ctx, "username", "imported = FALSE"); err == nil {
		a.Agents, err = w.distinctValues(ctx, "agent", "agent <> '' AND imported = FALSE")
	}
	return a, wrapError(err, "authors of %s", w.slug)
}

// distinctValues lists the distinct values of a column of commits.
func (w *Wiki) distinctValues(ctx context.Context, column, where string) ([]string, error) {
	next := "(SELECT MIN(" + column + ") FROM commits WHERE wiki = $1 AND " + where + " AND " + column + " > "
	var list []string
	err := forEachRow(ctx, w, func(rows *sql.Rows) error {
		var name string
		err := rows.Scan(&name)
		list = append(list, name)
		return err
	}, "WITH RECURSIVE n(name) AS (SELECT "+next+"'') UNION ALL SELECT "+next+"n.name) FROM n WHERE n.name IS NOT NULL) SELECT name FROM n WHERE name IS NOT NULL LIMIT $2", w.slug, maxAuthors)
	return list, err
}

// An authorFilter is a SQL condition on commits c, with "?" for each argument.
type authorFilter struct {
	sql  string
	args []any
}

// authorFilters returns the conditions for a filter's Author and Agents. It fails
// with errUnknownAuthor if no author has that name.
func (w *Wiki) authorFilters(ctx context.Context, f LogFilter) ([]authorFilter, error) {
	var list []authorFilter
	switch {
	case f.Agents == nil:
	case *f.Agents:
		list = append(list, authorFilter{sql: "c.agent <> '' AND c.imported = FALSE"})
	default:
		list = append(list, authorFilter{sql: "(c.agent = '' OR c.imported = TRUE)"})
	}
	if f.Author == "" {
		return list, nil
	}
	named, err := w.authorCondition(ctx, f.Author)
	return append(list, named), err
}

var errUnknownAuthor = errors.New("content: unknown author")

// authorCondition parses a person's name, an agent's name, or "agent for person".
func (w *Wiki) authorCondition(ctx context.Context, name string) (authorFilter, error) {
	name = strings.TrimSpace(name)
	is, err := w.isAuthor(ctx, name)
	if err != nil {
		return authorFilter{}, err
	}
	agents, err := w.agentCondition(ctx, name)
	switch {
	case err != nil:
		return authorFilter{}, err
	case is && len(agents.args) > 0: // an agent can have a person's name
		return authorFilter{"c.imported = FALSE AND (c.username = ? OR " + agents.sql + ")", append([]any{strings.ToLower(name)}, agents.args...)}, nil
	case is:
		return authorFilter{"c.imported = FALSE AND c.username = ?", []any{strings.ToLower(name)}}, nil
	case len(agents.args) > 0:
		return authorFilter{"c.imported = FALSE AND " + agents.sql, agents.args}, nil
	}
	i := strings.LastIndex(name, " for ")
	if i < 0 {
		return authorFilter{}, errUnknownAuthor
	}
	agents, err = w.agentCondition(ctx, name[:i])
	if err == nil && len(agents.args) == 0 {
		err = errUnknownAuthor
	}
	return authorFilter{"c.imported = FALSE AND " + agents.sql + " AND c.username = ?", append(agents.args, strings.ToLower(strings.TrimSpace(name[i+5:])))}, err
}

func (w *Wiki) isAuthor(ctx context.Context, name string) (bool, error) {
	var one int
	err := w.queryRow(ctx, "SELECT 1 FROM commits WHERE wiki = $1 AND username = $2 LIMIT 1", w.slug, strings.ToLower(name)).Scan(&one)
	if errors.Is(err, sql.ErrNoRows) {
		return false, nil
	}
	return err == nil, err
}

// agentCondition matches all spellings of an agent's name. It has no args if no
// agent has that name.
func (w *Wiki) agentCondition(ctx context.Context, name string) (authorFilter, error) {
	all, err := w.distinctValues(ctx, "agent", "agent <> '' AND imported = FALSE")
	if err != nil {
		return authorFilter{}, err
	}
	var found authorFilter
	for _, agent := range all {
		if strings.EqualFold(agent, strings.TrimSpace(name)) {
			found.args = append(found.args, agent)
		}
	}
	// The redundant condition lets SQLite use the index of agents.
	found.sql = "c.agent <> '' AND c.agent IN (" + strings.TrimSuffix(strings.Repeat("?, ", len(found.args)), ", ") + ")"
	return found, nil
}

// appendCondition adds a condition to a query, with numbered parameters for "?".
func appendCondition(query string, args []any, condition string, more ...any) (string, []any) {
	for _, a := range more {
		args = append(args, a)
		condition = strings.Replace(condition, "?", fmt.Sprintf("$%d", len(args)), 1)
	}
	return query + " AND " + condition, args
}
