package api

import (
	"encoding/json"
	"time"
)

// Doctor is what was found about an installation and its clouds. Nothing was
// bought to find it.
type Doctor struct {
	At        time.Time    `json:"at"`
	Simulated bool         `json:"simulated"`
	OK        bool         `json:"ok"` // nothing failed
	Lines     []DoctorLine `json:"lines"`
}

// DoctorLine is one subject of the doctor: the ledger, the configuration, or a
// service in an account and region.
type DoctorLine struct {
	Subject  string `json:"subject"` // "ledger", "configuration" or "service"
	Provider string `json:"provider,omitempty"`
	Account  string `json:"account,omitempty"`
	Name     string `json:"name,omitempty"` // of the account
	Region   string `json:"region,omitempty"`
	Service  string `json:"service,omitempty"`
	// State is "ok", "failed" if a purchase would fail, or "unproven" if the cloud
	// did not say.
	State  string  `json:"state"`
	Detail string  `json:"detail"`
	Next   string  `json:"next,omitempty"`
	Checks []Check `json:"checks,omitempty"`
}

// Check is one question to a cloud and what came of it.
type Check struct {
	Of     string `json:"of"` // such as "identity", "clock", "quota" or an action
	State  string `json:"state"`
	Detail string `json:"detail"`
	Next   string `json:"next,omitempty"`
}

// AccountPolicy is the least that Bursar has to be allowed in an account.
type AccountPolicy struct {
	Provider string   `json:"provider"`
	Account  string   `json:"account"`
	Name     string   `json:"name,omitempty"`
	Regions  []string `json:"regions"`
	Services []string `json:"services"`
	// For is whom Policy is for: the ARN of the role, or "the base credentials".
	For    string          `json:"for"`
	Policy json.RawMessage `json:"policy"`
	// Advice is for the same, to read what the cloud recommends, where that is a policy
	// of its own.
	Advice json.RawMessage `json:"advice_policy,omitempty"`
	// Base is for the base credentials and Trust is the trust policy of the role,
	// where there is one.
	Base  json.RawMessage `json:"base_policy,omitempty"`
	Trust json.RawMessage `json:"trust_policy,omitempty"`
	// Utilization is for the same as Policy, to ask how commitments are used, where that
	// is a policy of its own.
	Utilization json.RawMessage `json:"utilization_policy,omitempty"`
}

// Member is an account of an organization.
type Member struct {
	Provider   string `json:"provider"`
	Account    string `json:"account"`
	Name       string `json:"name"`
	Status     string `json:"status"`     // in the words of the cloud
	Configured bool   `json:"configured"` // the configuration names it
	Live       bool   `json:"live"`       // money can move in it
	// Add is what the configuration needs to name it, as YAML; empty where it does
	// already or the account is not active.
	Add string `json:"add,omitempty"`
}

// Calibration is one result of an experiment in an account.
type Calibration struct {
	Provider string `json:"provider"`
	Account  string `json:"account"`
	Region   string `json:"region"`
	Service  string `json:"service"`
	Name     string `json:"name"`
	Value    string `json:"value,omitempty"` // a duration such as 1m30s, where the result is one
	Holds    bool   `json:"holds"`           // what was hoped for is so
	// Skipped: it was not measured, for the reason in Detail, and is not stored.
	Skipped bool      `json:"skipped,omitempty"`
	Detail  string    `json:"detail"`
	At      time.Time `json:"at"`
}

// CalibrationPlan is what a calibration would do.
type CalibrationPlan struct {
	Account   string `json:"account"`
	Name      string `json:"name,omitempty"`
	Region    string `json:"region"`
	Simulated bool   `json:"simulated"`
	Cycles    int    `json:"cycles"`
	Left      int    `json:"left"` // trials of earlier runs that are still open
}
