package cloud

import (
	"strings"
	"testing"
)

func TestTermsAreReadAsPeopleWriteThem(t *testing.T) {
	for text, want := range map[string]Term{
		"1y": OneYear, "1yr": OneYear, "1 year": OneYear, "1-year": OneYear, "12": OneYear, "12m": OneYear, " 12 months ": OneYear,
		"3y": ThreeYears, "3YR": ThreeYears, "3yrs": ThreeYears, "3_years": ThreeYears, "36": ThreeYears, "36mo": ThreeYears, "36 month": ThreeYears,
	} {
		if got, err := ParseTerm(text); err != nil || got != want {
			t.Errorf("ParseTerm(%q) = %v, %v, want %v", text, got, err, want)
		}
	}
	for _, text := range []string{"", "y", "1", "3", "2y", "5y", "0", "-1y", "1.0y", "1yy", "1 yearly", "12y", "1y1", "one year", "31536000", "36h", "99999999999999999999y"} {
		if got, err := ParseTerm(text); err == nil {
			t.Errorf("ParseTerm(%q) = %v, want an error", text, got)
		}
	}
}

func TestTermsAreShownAndCounted(t *testing.T) {
	for term, want := range map[Term]string{OneYear: "1y", ThreeYears: "3y", 18: "18m"} {
		if got := term.String(); got != want {
			t.Errorf("%d months are shown as %q, want %q", int(term), got, want)
		}
	}
	if OneYear.Hours() != 31_536_000/3600 || ThreeYears.Hours() != 94_608_000/3600 {
		t.Errorf("hours: %d and %d, want the durations that AWS sells", OneYear.Hours(), ThreeYears.Hours())
	}
}

func TestPaymentsAreReadInEverySpelling(t *testing.T) {
	for text, want := range map[string]Payment{
		"All Upfront": AllUpfront, "all-upfront": AllUpfront, "ALL_UPFRONT": AllUpfront, "allUpfront": AllUpfront,
		"Partial Upfront": PartialUpfront, "partial_upfront": PartialUpfront, " no upfront ": NoUpfront, "NoUpfront": NoUpfront, "Monthly": Monthly,
	} {
		if got, err := ParsePayment(text); err != nil || got != want {
			t.Errorf("ParsePayment(%q) = %q, %v, want %q", text, got, err, want)
		}
	}
	for _, text := range []string{"", "upfront", "all", "all upfront!", "none", "month"} {
		if got, err := ParsePayment(text); err == nil {
			t.Errorf("ParsePayment(%q) = %q, want an error", text, got)
		}
	}
}

func TestWordsForPeople(t *testing.T) {
	a := Attributes{"multi_az": "false", "class": "db.r6g.large", "engine": "mysql"}
	if got := a.String(); got != "class=db.r6g.large engine=mysql multi_az=false" {
		t.Errorf("attributes: %q", got)
	}
	if got := (Attributes)(nil).String(); got != "" {
		t.Errorf("no attributes: %q", got)
	}
	lane := Lane{Provider: AWS, Account: "111122223333", Region: "eu-west-1", Service: "rds"}
	if got := lane.String(); got != "aws/111122223333/eu-west-1/rds" {
		t.Errorf("lane: %q", got)
	}
}

func TestWhatAnOutcomeProves(t *testing.T) {
	for outcome, negative := range map[Outcome]bool{
		InDoubt: false, Bought: false, Exists: false, Accepted: false, Refused: true, Throttled: true, Unsent: true,
		"teapot": false, // a word nobody knows proves nothing
	} {
		if got := outcome.Negative(); got != negative {
			t.Errorf("%s proves that nothing was bought: %v, want %v", outcome, got, negative)
		}
	}
	if got := InDoubt.String(); got != "in_doubt" {
		t.Errorf("the zero outcome is %q", got)
	}
	if got := Bought.String(); !strings.EqualFold(got, "bought") {
		t.Errorf("Bought is %q", got)
	}
}

func TestWhichCommitmentsBind(t *testing.T) {
	for state, want := range map[CommitmentState]bool{
		Pending: true, Active: true, Retired: true, Queued: true, Unknown: true, "brand-new-state": true,
		Failed: false, Deleted: false, Returned: false,
	} {
		if got := state.Binding(); got != want {
			t.Errorf("a commitment that is %s binds: %v, want %v", state, got, want)
		}
	}
}
