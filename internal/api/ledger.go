package api

// Migration says which version a ledger had and which it has.
type Migration struct {
	Ledger string `json:"ledger"` // without a password
	From   int64  `json:"from"`
	To     int64  `json:"to"`
}

// LedgerCopy says what was copied from one ledger to another.
type LedgerCopy struct {
	From   string        `json:"from"` // without a password
	To     string        `json:"to"`   // without a password
	Tables []CopiedTable `json:"tables"`
	// Clouds is where the state of the simulated clouds was copied to; "" if it was
	// not.
	Clouds string `json:"clouds,omitempty"`
}

// CopiedTable is how much of a table was copied.
type CopiedTable struct {
	Name string `json:"name"`
	Rows int    `json:"rows"`
}
