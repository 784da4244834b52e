package main

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/url"
	"slices"
	"strings"
	"time"

	"robot.wtf/internal/atproto"
	"robot.wtf/internal/background"
	"robot.wtf/internal/oauth"
	"robot.wtf/internal/original"
	"robot.wtf/internal/service"
	"robot.wtf/internal/store"
	"robot.wtf/internal/wiki"
)

// movedToken is the name of the token that each of the original's wikis had.
const movedToken = "MCP token"

// theOperator is the caller of the operator's commands.
var theOperator = wiki.Caller{Operator: true, Client: "operator"}

// moveInPeople is the operation that moves people, wikis without their histories,
// agents and the key.
func moveInPeople(ctx context.Context, s *service.Service, _ url.Values, in io.Reader, out io.Writer) error {
	p := peopleMove{s: s, out: out, found: map[string]*lookup{}}
	if err := json.NewDecoder(in).Decode(&p.plan); err != nil {
		return err
	}
	p.sortWikis()
	if err := p.movePeople(ctx); err != nil {
		return err
	}
	todo, err := p.changed(ctx)
	if err != nil {
		return err
	}
	if err := p.lookUp(ctx, todo); err != nil {
		return err
	}
	for _, w := range todo {
		if err := p.moveSite(ctx, w); err != nil {
			return err
		}
	}
	return errors.Join(p.moveClients(ctx), p.adoptKey(ctx))
}

// A peopleMove is one run of moveInPeople.
type peopleMove struct {
	s     *service.Service
	plan  moveInPlan
	out   io.Writer
	found map[string]*lookup // by handle
}

// A lookup is the result of resolving a handle.
type lookup struct {
	did string
	err error
}

// sortWikis sorts each owner's main wiki first: the one with their username, else the
// oldest. Its name becomes their username.
func (p *peopleMove) sortWikis() {
	usernames := map[string]string{}
	for _, person := range p.plan.People {
		usernames[person.DID] = person.Username
	}
	slices.SortStableFunc(p.plan.Wikis, func(a, b original.Wiki) int {
		isMain := func(w original.Wiki) int {
			if w.Slug == usernames[w.Owner] {
				return 0
			}
			return 1
		}
		return cmp.Or(cmp.Compare(isMain(a), isMain(b)), a.Created.Compare(b.Created), strings.Compare(a.Slug, b.Slug))
	})
}

// movePeople adds all accounts, each with the username that is reserved for it.
func (p *peopleMove) movePeople(ctx context.Context) error {
	names, taken := map[string]string{}, map[string]bool{}
	for _, w := range p.plan.Wikis {
		if name := p.plan.name(w); w.Owner != "" && wiki.CheckSlug(name) == nil { // also of a wiki that can't be moved yet
			taken[name] = true
			if names[w.Owner] == "" {
				names[w.Owner] = name
			}
		}
	}
	var list []store.MovedPerson
	for _, person := range p.plan.People {
		name := names[person.DID]
		if name == "" && !taken[person.Username] {
			name = person.Username
		}
		list = append(list, p.person(person, name))
		delete(names, person.DID)
	}
	for did, name := range names {
		list = append(list, p.person(original.Person{DID: did}, name))
	}
	if err := p.s.Tenant.MovePeople(ctx, theOperator, list); err != nil {
		return err
	}
	_, err := fmt.Fprintf(p.out, "people: %d\n", len(list))
	return err
}

func (p *peopleMove) person(was original.Person, username string) store.MovedPerson {
	if was.Created.IsZero() {
		was.Created = time.Now()
	}
	return store.MovedPerson{User: wiki.User{DID: was.DID, Handle: cmp.Or(was.Handle, wiki.InvalidHandle), Name: was.Name, Username: username}, Created: was.Created}
}

// sourceDigest identifies what the original has of a wiki besides its pages.
func sourceDigest(w original.Wiki) string {
	w.Head, w.Drafts = "", nil
	text, err := json.Marshal(w)
	if err != nil {
		panic(err) // has no cause
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:])
}

// unresolved ends the digest of a wiki with handles that couldn't be looked up. The
// next run tries again.
const unresolved = "?"

// changed returns the wikis to move: those that the original has changed since they
// were moved, or that had handles that couldn't be looked up.
func (p *peopleMove) changed(ctx context.Context) (list []original.Wiki, err error) {
	for _, w := range p.plan.Wikis {
		slug := printable(p.plan.name(w))
		if w.Problem != "" {
			fmt.Fprintf(p.out, "%s: not moved: %s\n", slug, printable(w.Problem))
			continue
		}
		row, err := p.s.Store.MovedRow(ctx, p.plan.name(w))
		if err != nil && !errors.Is(err, wiki.ErrNotFound) {
			return nil, err
		}
		if strings.HasPrefix(row.Digest, sourceDigest(w)) && !strings.HasSuffix(row.Digest, unresolved) {
			continue
		}
		list = append(list, w)
	}
	return list, nil
}

// lookupsAtOnce is how many handles are looked up at the same time.
const lookupsAtOnce = 4

// lookUp resolves the handles of members.
func (p *peopleMove) lookUp(ctx context.Context, wikis []original.Wiki) error {
	people, err := p.s.People()
	if err != nil {
		return err
	}
	var handles []string
	for _, w := range wikis {
		for _, m := range w.Members {
			if m.Problem == "" && m.Handle != "" && p.found[m.Handle] == nil {
				p.found[m.Handle] = &lookup{}
				handles = append(handles, m.Handle)
			}
		}
	}
	for part := range slices.Chunk(handles, lookupsAtOnce) {
		var work background.Group
		for _, handle := range part {
			work.Go(func() {
				u, err := people.Find(ctx, store.Operator, handle)
				*p.found[handle] = lookup{u.DID, err}
			})
		}
		work.Wait()
	}
	return ctx.Err()
}

// moveSite moves one wiki, and prints what becomes of it.
func (p *peopleMove) moveSite(ctx context.Context, w original.Wiki) error {
	slug := p.plan.name(w)
	members, without, complete := p.members(w)
	changes := slices.Clone(w.Changes)
	for _, member := range members {
		if member.admin {
			changes = append(changes, fmt.Sprintf("@%s was an admin and is an editor now. Only you can change settings.", member.handle))
		}
	}
	if slug != w.Slug {
		changes = append(changes, fmt.Sprintf("Its name was %s. Links to the former address don't lead here.", w.Slug))
	}
	if w.Token == "" {
		changes = append(changes, "Its token can't be used any more. Create a new one on the tokens page.")
	}
	m := store.MovedSite{
		Site:    wiki.Site{Slug: slug, OwnerDID: w.Owner, Title: w.Title, Description: w.Description, Public: w.Public, Home: w.Home, Wikilinks: linkOrder(w), Created: w.Created},
		Members: map[string]wiki.Role{}, Token: w.Token, TokenName: movedToken, Changes: append(slices.Clone(changes), noAccess(without, true)...),
	}
	m.Digest = movedDigest(w, members, m.Changes, complete)
	var unknown []store.MovedPerson
	for _, member := range members {
		m.Members[member.did] = member.role
		unknown = append(unknown, p.person(original.Person{DID: member.did, Handle: member.handle}, ""))
	}
	if err := p.s.Tenant.MovePeople(ctx, theOperator, unknown); err != nil {
		return err
	}
	done, err := p.s.Tenant.MoveSite(ctx, theOperator, m)
	var problem *wiki.Problem
	if errors.Is(err, wiki.ErrGone) && errors.As(err, &problem) {
		fmt.Fprintf(p.out, "%s: not moved: %s\n", slug, printable(problem.Message))
		return nil
	}
	if errors.As(err, &problem) {
		fmt.Fprintf(p.out, "%s: not moved: %s Move it to another name with --rename %s=NAME.\n", slug, printable(problem.Message), w.Slug)
		return nil
	}
	if err != nil {
		return err
	}
	fmt.Fprintf(p.out, "%s: %s, %d of %s with access\n", slug, done, len(members), countOf(len(w.Members), "member"))
	for _, text := range append(changes, noAccess(without, false)...) {
		fmt.Fprintf(p.out, "  %s\n", printable(text))
	}
	return nil
}

// movedDigest identifies the state of a wiki that is moved, without its pages.
func movedDigest(w original.Wiki, members []movedMember, changes []string, complete bool) string {
	resolved := sha256.New()
	fmt.Fprint(resolved, w.Slug, members, changes)
	digest := sourceDigest(w) + hex.EncodeToString(resolved.Sum(nil)[:8])
	if !complete {
		digest += unresolved
	}
	return digest
}

// A movedMember is a person with access to a moved wiki.
type movedMember struct {
	did, handle string
	role        wiki.Role
	admin       bool // there
}

// members returns the members of a wiki, and those without access by the reason. It
// counts a handle only if it leads to the person that the original knew by it.
// complete is false if a handle couldn't be looked up.
func (p *peopleMove) members(w original.Wiki) (members []movedMember, without map[string][]original.Member, complete bool) {
	without, complete = map[string][]original.Member{}, true
	for _, m := range w.Members {
		did, why, again := p.memberDID(m)
		complete = complete && !again
		switch {
		case why != "":
			without[why] = append(without[why], m)
		case did != w.Owner && !slices.ContainsFunc(members, func(other movedMember) bool { return other.did == did }):
			role := wiki.Viewer
			if m.Editor {
				role = wiki.Editor
			}
			members = append(members, movedMember{did, m.Handle, role, m.Admin})
		}
	}
	return members, without, complete
}

// memberDID returns who a member is, or why they get no access. again says that another
// lookup may find them.
func (p *peopleMove) memberDID(m original.Member) (did, why string, again bool) {
	if m.Problem != "" || m.Handle == "" {
		return m.DID, m.Problem, false
	}
	found := p.found[m.Handle]
	switch {
	case found.err != nil && wiki.CauseOf(found.err) == atproto.OtherHandle:
		return "", "the account at that handle uses another one", false
	case errors.Is(found.err, wiki.ErrNotFound): // or its server can't be reached
		return "", "nobody has that handle now", true
	case found.err != nil:
		return "", "the handle can't be looked up", true
	case m.DID != "" && found.did != m.DID:
		return "", "the handle is another person's now", false
	}
	return found.did, "", false
}

// noAccess lists members without access, a sentence for each reason. The owner's list
// leaves out people without access in the original.
func noAccess(without map[string][]original.Member, toOwner bool) (sentences []string) {
	for _, why := range slices.Sorted(maps.Keys(without)) {
		var names []string
		for _, m := range without[why] {
			name := m.DID
			if m.Handle != "" {
				name = "@" + strings.TrimPrefix(m.Handle, "@")
			}
			if !toOwner || !m.Never {
				names = append(names, printable(name))
			}
		}
		if len(names) > 0 {
			sentences = append(sentences, fmt.Sprintf("No access for %s: %s. Add them again if they should have it.", strings.Join(names, ", "), why))
		}
	}
	return sentences
}

// moveClients adds the registrations of agents.
func (p *peopleMove) moveClients(ctx context.Context) error {
	moved := 0
	for _, c := range p.plan.Clients {
		registered := store.Client{ID: c.ID, Name: c.Name, Redirects: c.Redirects, Auth: c.Auth}
		switch {
		case c.Secret != "":
			sum := sha256.Sum256([]byte(c.Secret))
			registered.Secret = sum[:]
		case c.Hash != "":
			registered.Secret, _ = hex.DecodeString(c.Hash) // the original's reader has checked it
		}
		err := p.s.OAuth.MoveClient(ctx, theOperator, registered)
		var refused *oauth.Error
		if errors.As(err, &refused) {
			fmt.Fprintf(p.out, "agent %.60q: not moved: %s It will have to register again.\n", c.ID, refused.Text)
			continue
		}
		if err != nil {
			return err
		}
		moved++
	}
	_, err := fmt.Fprintf(p.out, "agents: %d\n", moved)
	return err
}

// adoptKey makes the ATProto client's key the service's.
func (p *peopleMove) adoptKey(ctx context.Context) error {
	if p.plan.Key == nil {
		return nil
	}
	adopt := func(text []byte) (bool, error) { return atproto.AdoptKey(p.s.KeyDir(), text) }
	if p.s.SignIn != nil {
		adopt = p.s.SignIn.AdoptKey
	}
	adopted, err := adopt(p.plan.Key)
	if err != nil || !adopted {
		return err
	}
	fmt.Fprintln(p.out, "The key for signing in is the original's now.")
	return p.s.Store.AuditServiceChange(ctx, "keys.adopt")
}

// moveInNames is the operation that prints which names are taken.
func moveInNames(ctx context.Context, s *service.Service, _ url.Values, in io.Reader, out io.Writer) error {
	var plan moveInPlan
	if err := json.NewDecoder(in).Decode(&plan); err != nil {
		return err
	}
	for _, w := range plan.Wikis {
		slug := plan.name(w)
		_, err := s.Store.MovedRow(ctx, slug)
		if w.Problem != "" || err == nil {
			continue
		}
		u, err := s.Store.User(ctx, w.Owner)
		if err != nil && !errors.Is(err, wiki.ErrNotFound) {
			return err
		}
		u.DID, u.Username = w.Owner, ""
		var problem *wiki.Problem
		if err := s.Tenant.CheckUsername(ctx, u, slug); errors.As(err, &problem) {
			fmt.Fprintf(out, "%s: can't be moved: %s\n", slug, printable(problem.Message))
		} else if err != nil {
			return err
		}
	}
	return nil
}

func linkOrder(w original.Wiki) wiki.LinkOrder {
	if w.TextFirst {
		return wiki.TextFirst
	}
	return wiki.TargetFirst
}
