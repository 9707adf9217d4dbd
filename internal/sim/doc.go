// Package sim is a simulator of the clouds' own wire protocols over HTTP, with
// a ledger, a clock and faults. It is written from the providers' published
// facts and never from a client: it imports no cloud SDK, no driver and no
// store, so it cannot share their bugs. The official SDKs and command-line
// clients are its test.
//
//	signed request ─▶ awsquery.go ─▶ rds.go, ec2.go ─▶ change ─▶ journal ─▶ world
//	                  one file per    functions over    one JSON   a fold over
//	                  wire protocol   the world         line       all changes
//
// A file of a service holds what is special about it. What they share is in
// catalog.go (what is for sale), reservation.go (what was bought, and its states),
// node_services.go (the three operations that most of them have), queued.go
// (orders for later), rate.go and pages.go.
//
// One port serves every service: a request is routed by the service name in its
// credential scope, so AWS_ENDPOINT_URL alone is enough for any SDK and for the
// AWS CLI (whose version 1 wants --endpoint-url for rds in us-east-1). The access
// key id is the 12-digit account id (or "test" for the first account) and the
// secret is always "test".
//
// Azure and Google Cloud are on the same port. Paths under /subscriptions and
// /providers are those of Azure Resource Manager (arm.go); the services of Google
// Cloud, in the files gcp*.go, are routed by path too. Their callers are bearer tokens,
// "sim-" and the subscription or the project, which decide where no path does.
//
// The simulator is hostile unless told otherwise: pages are small and of
// unpredictable size, lists are shuffled, a new commitment is hidden from
// listings for a while, CloudTrail is late, rates are limited, and request members
// it does not know are refused.
//
// The world is a pure fold over the journal. Several processes may run a Sim
// over one state file at the same time; each request is one transaction under a
// file lock and one line of the journal, so a process killed at any instant
// leaves either the whole effect of a request or none of it.
package sim
