package sim

import "fmt"

// apiError is a refusal in a vendor's own vocabulary. Services return it; the
// protocol writes its wire form.
type apiError struct {
	code    string // the code on the wire, which is not the SDK's type name
	message string
	http    int // where the service has another status for the code than the table
}

func (e *apiError) Error() string { return e.code + ": " + e.message }

// status is the HTTP status of the code, 400 for a code the table lacks.
func (e *apiError) status() int {
	if e.http != 0 {
		return e.http
	}
	if s, ok := vendorErrors[e.code]; ok {
		return s
	}
	return 400
}

func fail(code, format string, args ...any) *apiError {
	return &apiError{code: code, message: fmt.Sprintf(format, args...)}
}

// vendorErrors is every error code the simulator answers and its HTTP status.
// Sources: botocore 1.43.67 service models (the operations' own
// errors), the "Common Errors" page of the RDS API reference (the rest).
var vendorErrors = map[string]int{
	// RDS
	"ReservedDBInstanceAlreadyExists":     404,
	"ReservedDBInstanceNotFound":          404,
	"ReservedDBInstanceQuotaExceeded":     400,
	"ReservedDBInstancesOfferingNotFound": 404,

	// ElastiCache
	"ReservedCacheNodeAlreadyExists":     404,
	"ReservedCacheNodeNotFound":          404,
	"ReservedCacheNodeQuotaExceeded":     400,
	"ReservedCacheNodesOfferingNotFound": 404,
	"TagQuotaPerResourceExceeded":        400,

	// CloudTrail
	"InvalidLookupAttributesException": 400,
	"InvalidMaxResultsException":       400,
	"InvalidNextTokenException":        400,
	"InvalidTimeRangeException":        400,
	"UnsupportedOperationException":    400,

	// EC2 ("Error codes for the Amazon EC2 API"; the model declares none)
	"AuthFailure":                        401,
	"DryRunOperation":                    412,
	"InternalError":                      500,
	"InvalidPaginationToken":             400,
	"InvalidReservedInstancesId":         400,
	"InvalidReservedInstancesOfferingId": 400,
	"RequestExpired":                     400,
	"RequestLimitExceeded":               503,
	"ReservedInstancesLimitExceeded":     400,
	"Unavailable":                        503,
	"UnauthorizedOperation":              403,
	"UnknownParameter":                   400,

	// MemoryDB. The code is the shape's name. Models of 2025 said 404 for some; the
	// API reference of 2026 says 400.
	"InvalidParameterCombinationException": 400,
	"InvalidParameterValueException":       400,
	"ReservedNodeAlreadyExistsFault":       400,
	"ReservedNodeNotFoundFault":            400,
	"ReservedNodeQuotaExceededFault":       400,
	"ReservedNodesOfferingNotFoundFault":   400,

	// Redshift
	"ReservedNodeAlreadyExists":    404,
	"ReservedNodeNotFound":         404,
	"ReservedNodeOfferingNotFound": 404,
	"ReservedNodeQuotaExceeded":    400,

	// Organizations
	"InvalidInputException":    400,
	"TooManyRequestsException": 400,

	// Service Quotas
	"IllegalArgumentException":        400,
	"InvalidPaginationTokenException": 400,
	"NoSuchResourceException":         400,

	// Systems Manager
	"HierarchyLevelLimitExceededException": 400,
	"ParameterAlreadyExists":               400,
	"ParameterNotFound":                    400,
	"UnsupportedParameterType":             400,

	// Cost Explorer
	"GenerationExistsException": 400,

	// OpenSearch
	"InternalException":              500,
	"LimitExceededException":         409,
	"ResourceAlreadyExistsException": 409,

	// Redshift Serverless
	"ConflictException": 400,

	// Of several REST services, each with statuses of its own for some.
	"InternalServerException":       500,
	"ResourceNotFoundException":     400,
	"ServiceQuotaExceededException": 400,
	"ValidationException":           400,

	// Azure Resource Manager, and the codes of Microsoft.Capacity that are used here.
	// The statuses of most are not published.
	"AuthenticationFailed":            401,
	"AuthorizationFailed":             403,
	"BadRequest":                      400,
	"ExpiredAuthenticationToken":      401,
	"FulfillmentOutOfStockError":      400,
	"InternalServerError":             500,
	"InvalidAuthenticationToken":      401,
	"InvalidRefundQuantity":           400,
	"InvalidRequestContent":           400,
	"InvalidReservationOrderId":       400,
	"InvalidResourceType":             400,
	"InvalidSingleAppliedScopesCount": 400,
	"InvalidTenantId":                 400,
	"MissingApiVersionParameter":      400,
	"MissingAppliedScopesForSingle":   400,
	"MissingTenantId":                 400,
	"RefundLimitExceeded":             400,
	"ReservationOrderIdAlreadyExists": 409,
	"ReservationOrderNotFound":        404,
	"ResourceNotFound":                404,
	"RiskCheckFailed":                 400,
	"SubscriptionNotFound":            404,
	"TooManyRequests":                 429,
	"UnsupportedReservationTerm":      400,

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
	"OptInRequired":               403,
	"ServiceUnavailable":          503,
	"SignatureDoesNotMatch":       403,
	"Throttling":                  400,

	// Common to the JSON services
	"AccessDeniedException":               400,
	"ExpiredTokenException":               400,
	"IncompleteSignatureException":        400,
	"InvalidSignatureException":           400,
	"MissingAuthenticationTokenException": 400,
	"SerializationException":              400,
	"ThrottlingException":                 400,
	"UnknownOperationException":           400,
	"UnrecognizedClientException":         400,

	// UnknownService is the simulator's own: a real cloud has another host for
	// every service, so no real service can answer for one it is not.
	"UnknownService": 400,
}
