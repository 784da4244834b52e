package content

import (
	"context"
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
func (w *Wiki) Authors(ctx context.Context) (Authors, error) {
	var a Authors
	var err error
	if a.People, err = w.authorNames(ctx, "username"); err == nil {
		a.Agents, err = w.authorNames(ctx, "agent")
	}
	return a, wrapError(err, "authors of %s", w.slug)
}

// An authorFilter is a SQL condition on commits c, with "?" for each argument. Commits
// that match have one of the names, if there are any.
type authorFilter struct {
	sql   string
	args  []any
	names []authorName
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
	person := authorFilter{"c.username = ?", []any{strings.ToLower(name)}, []authorName{{"username", strings.ToLower(name)}}}
	is, err := w.hasAuthor(ctx, strings.ToLower(name))
	if err != nil {
		return authorFilter{}, err
	}
	agents, err := w.agentCondition(ctx, name)
	switch {
	case err != nil:
		return authorFilter{}, err
	case is && len(agents.args) > 0: // an agent can have a person's name
		return authorFilter{"c.imported = FALSE AND (" + person.sql + " OR " + agents.sql + ")", append(person.args, agents.args...), append(person.names, agents.names...)}, nil
	case is:
		return authorFilter{"c.imported = FALSE AND " + person.sql, person.args, person.names}, nil
	case len(agents.args) > 0:
		return authorFilter{"c.imported = FALSE AND " + agents.sql, agents.args, agents.names}, nil
	}
	i := strings.LastIndex(name, " for ")
	if i < 0 {
		return authorFilter{}, errUnknownAuthor
	}
	agents, err = w.agentCondition(ctx, name[:i])
	if err == nil && len(agents.args) == 0 {
		err = errUnknownAuthor
	}
	return authorFilter{"c.imported = FALSE AND " + agents.sql + " AND c.username = ?", append(agents.args, strings.ToLower(strings.TrimSpace(name[i+5:]))), agents.names}, err
}

// agentCondition matches all spellings of an agent's name. It has no args if no
// agent has that name.
func (w *Wiki) agentCondition(ctx context.Context, name string) (authorFilter, error) {
	all, err := w.authorNames(ctx, "agent")
	if err != nil {
		return authorFilter{}, err
	}
	var found authorFilter
	for _, agent := range all {
		if strings.EqualFold(agent, strings.TrimSpace(name)) {
			found.args, found.names = append(found.args, agent), append(found.names, authorName{"agent", agent})
		}
	}
	found.sql = "c.agent IN (" + strings.TrimSuffix(strings.Repeat("?, ", len(found.args)), ", ") + ")"
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
