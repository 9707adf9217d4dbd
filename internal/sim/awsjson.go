package sim

import "encoding/json"

// jsonFailure is an error of the json-1.1 and rest-json protocols, for requests
// to services the simulator does not have.
func jsonFailure(err *apiError) reply {
	body, _ := json.Marshal(map[string]string{"__type": err.code, "message": err.message}) // strings always encode
	return reply{status: err.status(), code: err.code, contentType: "application/x-amz-json-1.1", body: body}
}
