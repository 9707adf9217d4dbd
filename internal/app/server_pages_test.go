package app

import (
	"bytes"
	"mime/multipart"
	"net/http"
	"testing"

	"bursar/internal/auth"
)

// form is what browsers post.
const form = "application/x-www-form-urlencoded"

// ownRoutes has a row for every route of the server beside the API.
var ownRoutes = map[string]route{
	"GET /healthz":      {open: []int{200}},
	"GET /readyz":       {open: []int{200}},
	"GET /openapi.json": {open: []int{200}},
	"GET /metrics":      {needs: auth.Read, whole: true},
	"/api/":             {at: "/api/v1/nothing", open: []int{401, 404}},
}

// pageRoutes has a row for every route of the pages.
var pageRoutes = map[string]route{
	"/":                     {at: "/nothing", open: []int{404}},
	"GET /assets/{name}":    {open: []int{404}},
	"GET /sign-in":          {open: []int{200, 303}},
	"GET /sign-in/link":     {open: []int{200}},
	"POST /sign-in/link":    {open: []int{401, 429}, body: "token=x"},
	"GET /sign-in/oidc":     {open: []int{404}},
	"GET /sign-in/callback": {open: []int{404}},
	"POST /sign-out":        {open: []int{303}},

	"GET /{$}":                           {at: "/", needs: auth.Read},
	"POST /purchasing":                   {needs: auth.Administer, whole: true, body: "on=true"},
	"GET /plans":                         {needs: auth.Read},
	"GET /plans/new":                     {needs: auth.Plan},
	"POST /plans":                        {needs: auth.Plan, file: true},
	"GET /plans/{plan}":                  {needs: auth.Read, subject: true},
	"POST /plans/{plan}/begin":           {needs: auth.Apply, subject: true},
	"POST /plans/{plan}/schedule":        {needs: auth.Apply, subject: true, body: "at=2001-01-01T00:00"},
	"POST /plans/{plan}/cancel":          {needs: auth.Stop, subject: true},
	"POST /plans/{plan}/continue":        {needs: auth.Plan, subject: true},
	"GET /plans/{plan}/approve":          {needs: auth.Read, subject: true},
	"POST /plans/{plan}/approve":         {needs: auth.Approve, subject: true, body: "decision=reject&comment=no&digest=x"},
	"GET /plans/{plan}/execution":        {needs: auth.Read, subject: true},
	"GET /plans/{plan}/events":           {needs: auth.Read, subject: true},
	"GET /doubt":                         {needs: auth.Read},
	"GET /doubt/{line}":                  {needs: auth.Read, subject: true},
	"POST /doubt/{line}":                 {needs: auth.Resolve, subject: true, body: "choice=look_again&comment=why"},
	"POST /doubt/{line}/second":          {needs: auth.Resolve, subject: true, body: "answer=no"},
	"GET /history":                       {needs: auth.Read},
	"GET /history/export":                {at: "/history/export?format=csv", needs: auth.Read},
	"GET /history/{line}":                {needs: auth.Read, subject: true},
	"GET /history/{line}/receipt":        {at: "/history/{bought}/receipt", needs: auth.Read, subject: true},
	"GET /history/{line}/undo":           {needs: auth.Read, subject: true},
	"POST /history/{line}/undo":          {at: "/history/{bought}/undo", needs: auth.Resolve, subject: true},
	"GET /inventory":                     {needs: auth.Read},
	"POST /inventory":                    {needs: auth.Read},
	"POST /inventory/utilization":        {needs: auth.Plan},
	"GET /expiry":                        {needs: auth.Read},
	"GET /what-if":                       {needs: auth.Read},
	"POST /what-if":                      {needs: auth.Read, file: true},
	"GET /recommendations":               {needs: auth.Read},
	"POST /recommendations":              {needs: auth.Plan, body: "provider=aws&service=memorydb"},
	"POST /recommendations/plan":         {needs: auth.Plan},
	"POST /recommendations/advice/{key}": {needs: auth.Plan, body: "verdict=dismissed&reason=x"},
	"GET /schedules":                     {needs: auth.Read},
	"POST /schedules/run":                {needs: auth.Resolve, whole: true, body: "task=expire"},
	"POST /schedules/cancel":             {needs: auth.Stop, subject: true, body: "schedule={schedule}"},
	"GET /accounts":                      {needs: auth.Read},
	"POST /accounts/doctor":              {needs: auth.Read},
	"GET /notifications":                 {needs: auth.Read},
	"POST /notifications/mute":           {needs: auth.Own, body: "kind=bought&days=7"},
	"POST /notifications/unmute":         {needs: auth.Own, body: "kind=bought"},
	"GET /audit":                         {needs: auth.Read},
	"GET /audit/export":                  {needs: auth.Administer, whole: true},
	"POST /audit/check":                  {needs: auth.Read, whole: true},
	"POST /audit/verify":                 {needs: auth.Administer, whole: true},
}

// upload is a form with a file.
func upload(t *testing.T, name, content string) (kind, body string) {
	t.Helper()
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	part, err := w.CreateFormFile("file", name)
	if err == nil {
		_, err = part.Write([]byte(content))
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	return w.FormDataContentType(), b.String()
}

// led reports whether an answer leads to the sign-in.
func led(a answered) bool {
	to, err := a.Location()
	return a.StatusCode == http.StatusSeeOther && err == nil && to.Path == auth.SignInPath
}
