package aws

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudtrail"
	"github.com/aws/aws-sdk-go-v2/service/cloudtrail/types"

	"bursar/internal/cloud"
	"bursar/internal/driver"
)

const (
	opLookup     = "LookupEvents"
	lookupEvents = "cloudtrail:LookupEvents"
)

// trailed is what is read of the record of an event. CloudTrail writes it as JSON
// in a text.
type trailed struct {
	EventSource  string `json:"eventSource"`
	EventName    string `json:"eventName"`
	Region       string `json:"awsRegion"`
	Account      string `json:"recipientAccountId"`
	RequestID    string `json:"requestID"`
	ErrorCode    string `json:"errorCode"`
	UserIdentity struct {
		Type        string `json:"type"`
		ARN         string `json:"arn"`
		AccessKeyID string `json:"accessKeyId"`
	} `json:"userIdentity"`
	ResponseElements map[string]any `json:"responseElements"`
}

// audited is a service whose purchases are looked up in the audit log.
type audited struct{ *reserved }

var _ driver.Auditor = audited{}

// Trail returns what the audit log has of purchases with an access key, each with
// the id that the log names. The log is about 5 minutes late and may miss events,
// so nothing found proves nothing.
//
// Without a role every attempt has the same access key, and what the log has of
// it proves nothing about one of them: then nothing is asked. An event that is
// not of the configured role is left out for the same reason.
func (d audited) Trail(ctx context.Context, _ driver.Request, credential string) ([]cloud.Evidence, error) {
	if d.role == "" || credential == "" {
		return nil, nil
	}
	started := d.now()
	creds, err := d.readCredentials(ctx, d.grant)
	if err != nil {
		return nil, err
	}
	var found []cloud.Evidence
	client := d.trailClient(creds)
	err = pages(ctx, func(ctx context.Context, marker *string) (*string, error) {
		out, err := client.LookupEvents(ctx, &cloudtrail.LookupEventsInput{
			LookupAttributes: []types.LookupAttribute{{
				AttributeKey: types.LookupAttributeKeyAccessKeyId, AttributeValue: aws.String(credential),
			}},
			NextToken: marker,
		})
		if err != nil {
			return nil, err
		}
		for _, e := range out.Events {
			if aws.ToString(e.EventName) != d.opBuy || !slices.Contains(d.sources, aws.ToString(e.EventSource)) {
				continue
			}
			id, t, err := d.boughtBy(credential, aws.ToString(e.CloudTrailEvent))
			if err != nil {
				return nil, err
			}
			if id == "" {
				continue
			}
			found = append(found, cloud.Evidence{
				Kind: cloud.EvidenceAuditLog, Outcome: cloud.Bought, Operation: d.opBuy, Started: started,
				CloudTime: answerTimeOf(out.ResultMetadata), RequestID: t.RequestID,
				Detail:     "the audit log names " + id,
				Commitment: &cloud.Commitment{Lane: d.lane(), ID: id, State: cloud.Unknown},
			})
		}
		return out.NextToken, nil
	})
	if err != nil {
		return nil, readError(opLookup, err, creds)
	}
	return found, nil
}

func (c *core) trailClient(creds aws.Credentials) *cloudtrail.Client {
	return cloudtrail.New(cloudtrail.Options{
		Region:       string(c.Region),
		BaseEndpoint: c.baseEndpoint(),
		Credentials:  frozen(creds),
		HTTPClient:   c.client,
		HTTPSignerV4: c.signer(),
		AppID:        appID,
	})
}

// boughtBy returns the id that the record of a purchase names, "" for a request
// that was refused or was not of the session. A purchase that worked and names no
// id is an error: it proves that something was bought and not what.
func (d audited) boughtBy(credential, record string) (string, trailed, error) {
	var t trailed
	if err := json.Unmarshal([]byte(record), &t); err != nil {
		return "", t, errors.New("the record of a purchase in the audit log is not JSON")
	}
	who := t.UserIdentity
	session := fmt.Sprintf("arn:%s:sts::%s:assumed-role/%s/", d.partition, d.Account, d.role)
	if t.ErrorCode != "" || who.AccessKeyID != credential || who.Type != "AssumedRole" || !strings.HasPrefix(who.ARN, session) ||
		t.Region != string(d.Region) {
		return "", t, nil
	}
	if t.Account != "" && t.Account != string(d.Account) {
		return "", t, nil
	}
	if id := member(t.ResponseElements, d.bought); idForm.MatchString(id) {
		return id, t, nil
	}
	return "", t, errors.New("the audit log shows a purchase by this attempt and not what it bought")
}

// member returns the text of a member of an answer at any depth: CloudTrail does
// not say whether it keeps the element around a result.
func member(in map[string]any, key string) string {
	if text, ok := in[key].(string); ok {
		return text
	}
	for _, name := range sortedKeys(in) {
		if inner, ok := in[name].(map[string]any); ok {
			if text := member(inner, key); text != "" {
				return text
			}
		}
	}
	return ""
}
