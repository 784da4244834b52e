package service

import (
	"testing"
	"time"

	"robot.wtf/internal/limit"
	"robot.wtf/internal/testworld"
	"robot.wtf/internal/wiki"
)

// A large commit uses up its author's writes, but not those of other people.
func TestChargeCommit(t *testing.T) {
	t.Parallel()
	w := testworld.New(t, testworld.Options{})
	now := time.Unix(1e9, 0)
	s := &Service{limits: limit.New(limit.Options{Rates: limit.RatesFor(100, 20), Now: func() time.Time { return now }})}
	agent, err := w.Tenant.Resolve(t.Context(), "ada", wiki.Caller{User: testworld.Person("ada"), Agent: "Claude", Grant: "g1", Wiki: "ada"})
	if err != nil {
		t.Fatal(err)
	}
	person := limit.Request{Wiki: "ada", Caller: limit.Person("did:plc:ada"), Member: true, Write: true}
	token := limit.Request{Wiki: "ada", Caller: limit.Token("g1"), Member: true, Write: true}
	s.chargeCommit(agent, 400)
	if s.limits.Take(token) == nil || s.limits.Take(person) != nil {
		t.Error("the agent's commit must count against its token, and not its person")
	}
	s.chargeCommit(w.Access("ada", "ada"), 400)
	if s.limits.Take(person) == nil {
		t.Error("the person can still write")
	}
	person.Caller = limit.Person("did:plc:bob")
	if err := s.limits.Take(person); err != nil {
		t.Errorf("another member: %v", err)
	}
}
