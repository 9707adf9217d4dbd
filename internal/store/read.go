package store

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"time"

	"bursar/internal/cloud"
	"bursar/internal/purchase"
	"bursar/internal/store/internal/rows"
)

// LineID completes a shortened line id.
func (db *DB) LineID(ctx context.Context, prefix string) (purchase.LineID, error) {
	id, err := fullID(prefix, "line", func(like string) ([]string, error) { return db.read().LineIDs(ctx, like) })
	return purchase.LineID(id), err
}

// Facts reads the evidence about a line, oldest first.
func (db *DB) Facts(ctx context.Context, line purchase.LineID) ([]purchase.StoredFact, error) {
	rs, err := db.read().ListEvidence(ctx, string(line))
	if err != nil {
		return nil, fmt.Errorf("evidence: %w", err)
	}
	return toFacts(rs)
}

// Receipts reads all receipts, oldest first.
func (db *DB) Receipts(ctx context.Context) ([]purchase.Receipt, error) {
	rs, err := db.read().AllReceipts(ctx)
	if err != nil {
		return nil, fmt.Errorf("receipts: %w", err)
	}
	return toReceipts(rs)
}

// Snapshot reads the whole ledger, all of one moment.
func (db *DB) Snapshot(ctx context.Context) (*purchase.Snapshot, error) {
	s := &purchase.Snapshot{Intents: map[string]bool{}}
	err := db.view(ctx, func(q *rows.Queries) error {
		in, err := q.GetInstallation(ctx)
		if err != nil {
			return err
		}
		s.Install = in.Install
		if s.Plans, err = allPlans(ctx, q); err != nil {
			return err
		}
		for _, p := range s.Plans {
			ds, err := q.ListDecisions(ctx, string(p.ID))
			if err != nil {
				return err
			}
			s.Decisions = append(s.Decisions, toDecisions(ds)...)
		}
		attempts, err := q.AllAttempts(ctx)
		if err != nil {
			return err
		}
		for _, a := range attempts {
			sum := sha256.Sum256([]byte(a.Intent))
			s.Intents[a.Nonce] = hex.EncodeToString(sum[:]) == a.IntentSha256
		}
		if s.Attempts, err = toAttempts(attempts); err != nil {
			return err
		}
		facts, err := q.AllEvidence(ctx)
		if err != nil {
			return err
		}
		if s.Evidence, err = toFacts(facts); err != nil {
			return err
		}
		receipts, err := q.AllReceipts(ctx)
		if err != nil {
			return err
		}
		if s.Receipts, err = toReceipts(receipts); err != nil {
			return err
		}
		if err := snapshotUndos(ctx, q, s); err != nil {
			return err
		}
		return snapshotBudgets(ctx, q, s)
	})
	if err != nil {
		return nil, fmt.Errorf("read the ledger: %w", err)
	}
	return s, nil
}

// Integrity asks the database to check itself: its pages and indexes, its
// references, its settings and the triggers that forbid what must not happen.
func (db *DB) Integrity(ctx context.Context, now time.Time) []purchase.Finding {
	findings := []purchase.Finding{
		{Name: "file-intact", Says: "the pages and indexes of the ledger are whole", Checked: 1},
		{Name: "references", Says: "every row refers to rows that exist", Checked: 1},
		{Name: "settings", Says: "a confirmed write survives power loss", Checked: 1},
		{Name: "guards-in-place", Says: "the database refuses illegal moves, changed evidence and deletions"},
	}
	report := func(i int, err error) {
		if err != nil {
			findings[i].Problems = append(findings[i].Problems, err.Error())
		}
	}
	report(0, db.intact(ctx))
	dangling, err := db.dangling(ctx)
	if err == nil && dangling > 0 {
		err = fmt.Errorf("%d rows refer to rows that do not exist", dangling)
	}
	report(1, err)
	report(2, db.checkSettings(ctx))
	for _, name := range guards {
		findings[3].Checked++
		n, err := db.guard(ctx, name)
		if err == nil && n != 1 {
			err = fmt.Errorf("%s is missing", name)
		}
		report(3, err)
	}
	var moves int
	err = db.reader.QueryRowContext(ctx, "SELECT count(*) FROM transition").Scan(&moves)
	want := map[[2]purchase.State]bool{}
	for _, t := range purchase.Transitions {
		if t.From != t.To {
			want[[2]purchase.State{t.From, t.To}] = true
		}
	}
	if err == nil && moves != len(want) {
		err = fmt.Errorf("the table of transitions has %d moves instead of %d", moves, len(want))
	}
	report(3, err)
	return findings
}

// guards are the triggers and indexes that the promise rests on.
var guards = []string{
	"installation_no_delete", "plan_no_delete", "decision_no_delete", "line_no_delete", "attempt_no_delete", "evidence_no_delete",
	"receipt_no_delete",
	"decision_append_only", "evidence_append_only", "receipt_append_only",
	"installation_frozen", "plan_frozen", "line_frozen", "line_transition", "line_counts_up", "line_starts_as_draft",
	"decision_on_digest", "decision_not_by_requester", "plan_approved_by_enough", "plan_veto", "plan_transition", "plan_starts_proposed",
	"installation_event_no_delete", "installation_event_append_only",
	"foreign_item_no_delete", "foreign_item_append_only", "foreign_item_not_ours", "line_decided_once", "line_undecided", "line_can_be_taken_back", "line_lane_is_kept",
	"installation_copied", "line_copied", "undo_copied",
	"attempt_frozen", "attempt_closed", "line_one_open_per_lane", "attempt_one_per_fire_second",
	"budget_no_delete", "budget_period_no_delete", "hold_no_delete", "budget_frozen", "budget_retired", "budget_period_frozen",
	"undo_no_delete", "undo_decision_no_delete", "undo_decision_append_only", "undo_frozen", "undo_starts_requested", "undo_of_a_purchase",
	"undo_transition", "undo_closed", "undo_tries", "undo_approved_by_enough", "undo_veto", "undo_decision_on_digest",
	"undo_decision_not_by_requester", "undo_one_open", "hold_returned_with_undo",
	"budget_period_taken_stays", "hold_frozen", "hold_starts_held", "hold_ends_once", "hold_spent_with_receipt",
	"hold_released_after_end", "line_opens_with_hold", "budget_one_of_a_name",
	"lane_no_delete", "imported_item_no_delete", "plan_lane_no_delete", "watch_no_delete", "fact_no_delete", "finding_no_delete",
	"imported_item_append_only", "plan_lane_append_only", "fact_append_only", "lane_frozen", "imported_item_first_listing",
	"plan_advice_no_delete", "plan_advice_append_only", "plan_advice_with_its_plan",
	"plan_blackout_no_delete", "plan_blackout_append_only", "plan_blackout_with_its_plan", "attempt_not_in_blackout",
	"plan_policy_no_delete", "plan_policy_append_only", "plan_policy_with_its_plan", "plan_explanation_no_delete", "plan_explanation_append_only",
	"plan_explanation_with_its_plan", "advice_verdict_no_delete", "advice_verdict_append_only", "policy_one_open_plan", "policy_one_open_version",
	"recommendation_no_delete", "recommendation_frozen", "recommendation_copied", "recommendation_with_its_plan",
	"plan_lane_with_its_plan", "watch_counts_up", "finding_frozen", "finding_one_open",
	"begun_no_delete", "begun_append_only", "begun_of_approved", "line_begun_with_plan", "line_starts_unbegun",
	"schedule_no_delete", "lane_pace_no_delete", "claim_no_delete", "plan_schedule_no_delete", "plan_schedule_of_approved", "plan_schedule_frozen", "plan_schedule_one_waiting", "notice_no_delete", "notice_frozen", "notice_one_open",
	"outbox_no_delete", "outbox_frozen", "outbox_starts_unrouted", "outbox_copied", "delivery_no_delete", "delivery_of_routed", "delivery_frozen", "delivery_tries",
	"delivery_copied", "mute_no_delete",
	"plan_tells", "undo_tells", "line_tells", "attempt_tells", "finding_tells", "notice_tells", "delivery_tells",
	"trial_no_delete", "trial_frozen", "trial_one_second", "calibration_no_delete", "calibration_append_only",
	"mark_no_delete", "mark_frozen", "recovery_event_no_delete", "recovery_event_append_only", "regained_item_no_delete",
	"regained_item_append_only", "regained_item_unknown", "installation_counts_up", "installation_recovered",
	"person_no_delete", "api_token_no_delete", "session_no_delete", "sign_in_link_no_delete", "sign_in_try_no_delete", "person_frozen", "person_one_of_a_subject", "person_one_of_a_mail",
	"api_token_frozen", "session_frozen", "sign_in_link_once", "audit_entry_no_delete", "audit_entry_append_only", "audit_entry_follows",
	"signing_key_no_delete", "signing_key_append_only",
}

func toFacts(rs []rows.Evidence) ([]purchase.StoredFact, error) {
	facts := make([]purchase.StoredFact, len(rs))
	for i, r := range rs {
		f := purchase.StoredFact{
			Line: purchase.LineID(r.LineID), At: fromMicros(r.At),
			AttemptEvidence: purchase.AttemptEvidence{N: int(r.N), Evidence: cloud.Evidence{
				Kind: cloud.EvidenceKind(r.Kind), Outcome: cloud.Outcome(r.Outcome), Operation: r.Operation,
				Started: fromMicros(r.Started), CloudTime: fromMicros(r.CloudTime), RequestID: r.RequestID,
				Status: int(r.Status), Code: r.Code, Detail: r.Detail,
			}},
		}
		if r.Commitment != "" {
			f.Commitment = new(cloud.Commitment)
			if err := json.Unmarshal([]byte(r.Commitment), f.Commitment); err != nil {
				return nil, fmt.Errorf("evidence %s: %w", r.ID, err)
			}
		}
		facts[i] = f
	}
	return facts, nil
}

func toReceipts(rs []rows.Receipt) ([]purchase.Receipt, error) {
	receipts := make([]purchase.Receipt, len(rs))
	for i, r := range rs {
		receipts[i] = purchase.Receipt{
			Line: purchase.LineID(r.LineID), Attempt: int(r.N.Int64), Term: cloud.Term(r.TermMonths), At: fromMicros(r.At), How: cloud.EvidenceKind(r.How), Heuristic: r.Heuristic == 1,
		}
		if err := json.Unmarshal([]byte(r.Commitment), &receipts[i].Commitment); err != nil {
			return nil, fmt.Errorf("receipt of line %s: %w", r.LineID, err)
		}
	}
	return receipts, nil
}
