package api

import "time"

// SignedReceipt is what an installation signs about one purchase. Each part has its
// digest, and the signature is of the digests.
type SignedReceipt struct {
	Format    string            `json:"format"`
	Parts     ReceiptParts      `json:"parts"`
	SHA256    map[string]string `json:"sha256"` // of each part, in canonical JSON (RFC 8785)
	PublicKey string            `json:"public_key"`
	Signature string            `json:"signature"`
}

// ReceiptParts are the parts of a receipt.
type ReceiptParts struct {
	Installation string            `json:"installation"` // four characters
	Plan         ReceiptPlan       `json:"plan"`
	Decisions    []Decision        `json:"decisions"`
	Line         Line              `json:"line"`
	Request      *ReceiptRequest   `json:"request"` // null if the ledger has lost the attempt
	Answer       []Evidence        `json:"answer"`  // what the cloud said about the line, oldest first
	Commitment   Receipt           `json:"commitment"`
	Chain        []ReceiptPosition `json:"chain"` // where the audit log tells of it, oldest first
}

// ReceiptPlan is the plan that was approved.
type ReceiptPlan struct {
	ID        string    `json:"id"`
	Name      string    `json:"name"`
	Version   int       `json:"version"`
	Requester string    `json:"requester"`
	CreatedAt time.Time `json:"created_at"`
	Digest    string    `json:"digest"`
}

// ReceiptRequest is the request that was sent. SHA256 is that of its stored form.
type ReceiptRequest struct {
	Attempt  int       `json:"attempt"`
	Identity string    `json:"identity"`
	ArmedAt  time.Time `json:"armed_at"`
	SHA256   string    `json:"sha256"`
}

// ReceiptPosition is an entry of the audit log.
type ReceiptPosition struct {
	Seq   int64  `json:"seq"`
	Actor string `json:"actor"`
	Act   string `json:"act"`
	Hash  string `json:"hash"`
}

// Verdict is what came of testing a receipt.
type Verdict struct {
	OK        bool     `json:"ok"`
	Problems  []string `json:"problems"`
	Line      string   `json:"line,omitempty"`
	PublicKey string   `json:"public_key,omitempty"` // that the receipt names
}
