package sim

// Help describes the simulator and its control surface for people; GET /_sim/
// answers it.
const Help = `The simulator answers for these services on this one port:

  rds                  reserved DB instances
  elasticache          reserved cache nodes
  memorydb             reserved nodes
  es                   reserved instances of OpenSearch, by its old API too
  cloudtrail           LookupEvents, about five minutes late
  ec2                  Reserved Instances, queued ones too
  redshift             reserved nodes
  redshift-serverless  reservations, in RPUs
  savingsplans         Savings Plans of every type, queued ones and returns too
  organizations        the accounts, for the management account
  servicequotas        the quotas of reserved capacity
  ce                   recommendations of Cost Explorer
  ssm                  parameters: PutParameter, GetParameter, DeleteParameter
  sts                  who am I, and sessions of a role

and, as Azure Resource Manager under /subscriptions and /providers, for

  microsoft.capacity         reservations: catalogs, prices, orders
  microsoft.billingbenefits  savings plans, and reservations by alias
  microsoft.resources        the subscription of the caller
  microsoft.authorization    what the caller may do there
  microsoft.consumption      recommendations of reservations
  microsoft.costmanagement   recommendations of savings plans
  microsoft.advisor          recommendations of every kind

and, under /examplecorp, for

  microsoft.storage          blobs of its container bursar

and, as Google Cloud, for

  compute              commitments (compute v1), their operations, regions
  consumerprocurement  orders of spend-based commitments
  cloudbilling         the price list, and the billing account of a project
  cloudresourcemanager projects, and what a caller may do there
  recommender          advice to commit
  storage              objects of the bucket example-corp-bursar

  export AWS_ENDPOINT_URL=http://127.0.0.1:PORT AWS_REGION=us-east-1
  export AWS_ACCESS_KEY_ID=111122223333 AWS_SECRET_ACCESS_KEY=test
  aws rds describe-reserved-db-instances-offerings

(The AWS CLI version 1 ignores AWS_ENDPOINT_URL for rds in us-east-1: give it
--endpoint-url.)

EC2 and CloudTrail limit the rate of requests as AWS says it does.

The access key id is an account id of GET /_sim/accounts, or "test" for the
first one; the secret is always "test". AssumeRole works for any role of these
accounts. Regions: us-east-1, us-west-2, eu-west-1, eu-central-1,
ap-southeast-2.

A token of Azure is "sim-" and the id of a subscription: Authorization: Bearer
sim-40000000-0000-4000-8000-000000000001; "-" and a Unix second behind it end it.
One for storage begins with "sim-storage-" instead.
Locations: eastus, northeurope, uksouth, westeurope. What an order or an alias
that was used once answers to a second request, and how long a price is good for,
are options of the simulator.

A token of Google Cloud is "sim-" and the id of a project, and may end in "." and a
Unix second, within the hour. Regions: us-central1, us-east1, europe-west1,
europe-west4.

Control surface, JSON, no credentials:

  GET    /_sim/            this text
  GET    /_sim/accounts    the accounts
  GET    /_sim/ledger      every commitment, hidden ones included: the truth
  GET    /_sim/requests    every request; ?service=rds &operation=NAME
                           &account=ID &spending=true
  GET    /_sim/clock       {"now":...,"offset":"15m0s"}
  POST   /_sim/clock       {"advance":"15m"}
  GET    /_sim/faults      the faults and how often they struck
  POST   /_sim/faults      one fault, see below
  DELETE /_sim/faults      no more faults; ?id=f-1 removes one
  POST   /_sim/prices      {"offering_id":"...","fixed":"1200.00","hourly":"0.05"}
                           a new price, USD per instance
  POST   /_sim/existing    [{"account":"...","region":"...","id":"...","count":2,
                           "offering_id":"..."}] commitments that are already
                           there; Savings Plans are in the region "global" and
                           count hundred-thousandths of a dollar per hour
  POST   /_sim/reset       an empty world; the clock stays

A fault strikes requests that fit its "service", "operation", "account" and
"region" (each may be left out) and, with "spending":true, that can spend, "times"
times (1 if left out, -1 without end), after letting "skip" of them pass, each with
a chance of "permille" in 1000 (always if left out). The kinds, each with an example:

Not applied:
  {"kind":"lose-request","service":"rds"}         the connection is cut
  {"kind":"error-before","status":503}            500, 502, 503 or 504
  {"kind":"throttle","times":3}                   Throttling 400, of Azure 429,
                                                  of Google 403 or 429
  {"kind":"redirect","service":"rds"}             307 to the same address

Applied, and then:
  {"kind":"lose-reply","operation":"PurchaseReservedDBInstancesOffering"}
                                                  the connection is cut
  {"kind":"error-after","status":500}             500, 502, 503 or 504
  {"kind":"torn-body"}                            the reply breaks off
  {"kind":"slow","duration":"30s"}                the reply waits (wall time), or
                                                  without duration until the
                                                  client hangs up
  {"kind":"payment-failed","times":-1}            the payment fails later
  {"kind":"return-fails"}                         what was to be returned is
                                                  active again later
  {"kind":"duplicate"}                            the same request arrives twice
  {"kind":"no-trail","service":"redshift"}        CloudTrail never shows it

Applied late:
  {"kind":"delay","duration":"10m"}               once the simulated clock has
                                                  advanced so far, if the request
                                                  is still authorized then, and
                                                  even if its client is gone

Wrong answers:
  {"kind":"stale-listing","duration":"5m","times":-1}
                                                  listings as of 5 minutes ago
  {"kind":"strange-state"}                        a listing shows states that
                                                  nobody knows
  {"kind":"truncated-page"}                       a listing ends early
  {"kind":"wrong-caller"}                         GetCallerIdentity names another
                                                  account, Subscriptions.get of
                                                  Azure another tenant, regions.get
                                                  of Google another project

Not applied, until removed (unless "times" is given):
  {"kind":"deny-action","service":"rds","account":"444455556666"}
                                                  no permission: AccessDenied
  {"kind":"region-disabled","region":"eu-west-1"} the account has not opted in:
                                                  OptInRequired
  {"kind":"region-unreachable","region":"eu-west-1"}
                                                  the connection is cut, with
                                                  "duration" only then (wall time)
`
