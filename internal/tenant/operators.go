package tenant

import (
	"context"
	"errors"
	"fmt"
	"time"

	"robot.wtf/internal/store"
	"robot.wtf/internal/wiki"
)

// An OpenReport is a reader's report that no operator has closed.
type OpenReport = store.Report

// OpenReports lists the open reports, oldest first. Only the operator can.
func (s *Service) OpenReports(ctx context.Context, caller wiki.Caller) ([]OpenReport, error) {
	if !caller.Operator {
		return nil, errOperator
	}
	list, err := s.store.Reports(ctx, false)
	if err != nil {
		return nil, fmt.Errorf("tenant: list reports: %w", err)
	}
	return list, nil
}

// CloseReport closes a report. Only the operator can.
func (s *Service) CloseReport(ctx context.Context, caller wiki.Caller, id int64) error {
	if !caller.Operator {
		return errOperator
	}
	if err := s.store.RecordAct(ctx, caller.User.DID, "", "operator.close", fmt.Sprint("report ", id)); err != nil {
		return fmt.Errorf("tenant: close a report: %w", err)
	}
	err := s.store.CloseReport(ctx, id)
	if errors.Is(err, wiki.ErrNotFound) {
		return wiki.Problemf(wiki.ErrNotFound, "id", "This report was closed already.")
	}
	if err != nil {
		return fmt.Errorf("tenant: close a report: %w", err)
	}
	return nil
}

// A SiteState is what the operator decided about a wiki.
type SiteState struct {
	Suspended time.Time // zero if it isn't
	Why       string
	PurgeAt   time.Time // zero if no deletion is pending
}

// State returns the state of a wiki. Only the operator can see it.
func (s *Service) State(ctx context.Context, a wiki.Access) (SiteState, error) {
	if !a.Caller().Operator {
		return SiteState{}, errOperator
	}
	row, err := s.store.Site(ctx, a.Site().Slug)
	if err != nil {
		return SiteState{}, fmt.Errorf("tenant: state: %w", err)
	}
	return SiteState{row.Suspended, row.Why, row.PurgeAt}, nil
}

// RecordAct writes to the audit log which of several operators is about to do
// something to a wiki. The act itself has an entry of "operator", for the owner to see.
func (s *Service) RecordAct(ctx context.Context, a wiki.Access, act string) error {
	if !a.Caller().Operator {
		return errOperator
	}
	if err := s.store.RecordAct(ctx, a.Caller().User.DID, a.Site().Slug, "operator."+act, ""); err != nil {
		return fmt.Errorf("tenant: record an act: %w", err)
	}
	return nil
}

// RecordTakedown writes a takedown to the audit log, or that one was lifted if why is
// "".
func (s *Service) RecordTakedown(ctx context.Context, a wiki.Access, file, why string) error {
	if !a.Caller().Operator {
		return errOperator
	}
	action, detail := "page.withhold", file+": "+why
	if why == "" {
		action, detail = "page.release", file
	}
	if err := s.store.AuditSiteChange(ctx, a.Site().Slug, action, detail); err != nil {
		return fmt.Errorf("tenant: record a takedown: %w", err)
	}
	return nil
}
