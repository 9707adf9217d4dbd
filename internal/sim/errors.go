package sim

import "fmt"

// apiError is a refusal in a vendor's own vocabulary. Services return it; the
// protocol writes its wire form.
type apiError struct {
	code    string // the code on the wire, which is not the SDK's type name
	message string
}

func (e *apiError) Error() string { return e.code + ": " + e.message }

// status is the HTTP status of the code, 400 for a code the table lacks.
func (e *apiError) status() int {
	if s, ok := vendorErrors[e.code]; ok {
		return s
	}
	return 400
}

func fail(code, format string, args ...any) *apiError {
	return &apiError{code: code, message: fmt.Sprintf(format, args...)}
}

// vendorErrors is every error code the simulator answers and its HTTP status.
// Sources: botocore 1.43.67 service models of RDS and STS (the operations' own
// errors), the "Common Errors" page of the RDS API reference (the rest).
var vendorErrors = map[string]int{
	// RDS
	"ReservedDBInstanceAlreadyExists":     404,
	"ReservedDBInstanceNotFound":          404,
	"ReservedDBInstanceQuotaExceeded":     400,
	"ReservedDBInstancesOfferingNotFound": 404,

	// STS
	"MalformedPolicyDocument": 400,
	"ValidationError":         400,

	// Common to the query services
	"AccessDenied":                403,
	"ExpiredToken":                403,
	"IncompleteSignature":         400,
	"InternalFailure":             500,
	"InvalidAction":               400,
	"InvalidClientTokenId":        403,
	"InvalidParameterCombination": 400,
	"InvalidParameterValue":       400,
	"MalformedInput":              400,
	"MissingAction":               400,
	"MissingAuthenticationToken":  403,
	"MissingParameter":            400,
	"ServiceUnavailable":          503,
	"SignatureDoesNotMatch":       403,
	"Throttling":                  400,

	// UnknownService is the simulator's own: a real cloud has another host for
	// every service, so no real service can answer for one it is not.
	"UnknownService": 400,
}
