package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"path"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	sqstypes "github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"deployhooks/infra/config"
	"deployhooks/test/region"
	"deployhooks/test/region/wire"
)

// newHandler serves the region to its owner, who may do everything. Other callers
// may do nothing until enforce knows their roles, so that a call which nobody is
// known for does not pass for an allowed one.
func newHandler(r *region.Region) *wire.Handler {
	handler := wire.New(wire.ServicesOf(r.Principal("unknown"))...)
	handler.Attribute(region.Account, wire.ServicesOf(r)...)
	return handler
}

// deployed is a function that is deployed, as the local cloud describes it.
type deployed struct{ FunctionArn, Role string }

// accessKeyID is the one that the function's calls are signed with (MiniStack 1.5.19,
// core/lambda_runtime.py, execution_credentials).
func (d deployed) accessKeyID() string {
	digest := sha256.Sum256([]byte(d.FunctionArn + ":" + d.Role))
	return "ASIA" + strings.ToUpper(hex.EncodeToString(digest[:])[:16])
}

// enforce has the region allow a function what these policies do, and nothing else.
func enforce(handler *wire.Handler, r *region.Region, d deployed, policies ...[]byte) {
	handler.Attribute(d.accessKeyID(), wire.ServicesOf(r.Principal(path.Base(d.Role), policies...))...)
}

// enforcing has the region's services enforce the policies of the roles that are
// deployed, as the local cloud does with its own services: roles that are deployed later
// are read when their functions call for the first time.
func (e *environment) enforcing(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if key := callerOf(r); key != "" && key != region.Account {
			ctx, cancel := context.WithTimeout(r.Context(), time.Minute)
			defer cancel()
			if _, err := e.enforceRoles(ctx, key); err != nil {
				e.w.printf("  ! the region does not know the role of %s: %v", key, err)
			}
		}
		next.ServeHTTP(w, r)
	})
}

// signed finds the access key ID in an Authorization header ("Authentication methods",
// AWS Signature Version 4).
var signed = regexp.MustCompile(`Credential=([A-Z0-9]+)/`)

func callerOf(r *http.Request) string {
	if found := signed.FindStringSubmatch(r.Header.Get("Authorization")); found != nil {
		return found[1]
	}
	return ""
}

// enforceRoles has the region enforce the roles of the functions that are deployed, unless
// the caller is known already. What a role may do stays the same for the time of the run.
func (e *environment) enforceRoles(ctx context.Context, caller string) (int, error) {
	e.roles.mu.Lock()
	defer e.roles.mu.Unlock()
	if e.roles.known[caller] {
		return 0, nil
	}
	var functions []deployed
	if err := e.cloud.ask(ctx, []question{{service: "lambda", operation: "list_functions", query: "Functions[].{FunctionArn: FunctionArn, Role: Role}"}}, &functions); err != nil {
		return 0, err
	}
	functions = slices.DeleteFunc(functions, func(d deployed) bool { return e.roles.known[d.accessKeyID()] })
	policies, err := e.cloud.policies(ctx, functions)
	if err != nil {
		return 0, err
	}
	for i, d := range functions {
		enforce(e.handler, e.region, d, policies[i]...)
		e.roles.known[d.accessKeyID()] = true
	}
	e.roles.known[caller] = true
	return len(functions), nil
}

// policies are those of the functions' roles, which have one each.
func (c *cloud) policies(ctx context.Context, functions []deployed) ([][][]byte, error) {
	names, documents := make([][]string, len(functions)), make([]json.RawMessage, len(functions))
	questions, answers := make([]question, len(functions)), make([]any, len(functions))
	for i, d := range functions {
		questions[i] = question{service: "iam", operation: "list_role_policies", parameters: map[string]string{"RoleName": path.Base(d.Role)}, query: "PolicyNames"}
		answers[i] = &names[i]
	}
	if err := c.ask(ctx, questions, answers...); err != nil {
		return nil, err
	}
	for i, d := range functions {
		if len(names[i]) != 1 {
			return nil, fmt.Errorf("the role %s has %d policies, want one", d.Role, len(names[i]))
		}
		questions[i].operation, questions[i].query = "get_role_policy", "PolicyDocument"
		questions[i].parameters["PolicyName"] = names[i][0]
		answers[i] = &documents[i]
	}
	if err := c.ask(ctx, questions, answers...); err != nil {
		return nil, err
	}
	all := make([][][]byte, len(functions))
	for i, d := range documents {
		all[i] = [][]byte{d}
	}
	return all, nil
}

// enforceDeployed has the region enforce the roles of both stacks, and waits until the
// functions have done what the schedule told them to when it was made.
func (e *environment) enforceDeployed(ctx context.Context) (string, error) {
	n, err := e.enforceRoles(ctx, "")
	if err != nil {
		return "", err
	}
	queues := sqs.NewFromConfig(e.cloud.config)
	for _, output := range []string{config.RepairQueueOutput, config.DrainQueueOutput} {
		err := eventually(ctx, time.Minute, "the first sweep is over", func() (bool, error) {
			out, err := queues.GetQueueAttributes(ctx, &sqs.GetQueueAttributesInput{
				QueueUrl: aws.String(e.cloud.outputs[output]), AttributeNames: []sqstypes.QueueAttributeName{sqstypes.QueueAttributeNameAll},
			})
			return err == nil && out.Attributes["ApproximateNumberOfMessages"] == "0" && out.Attributes["ApproximateNumberOfMessagesNotVisible"] == "0", err
		})
		if err != nil {
			return "", err
		}
	}
	return fmt.Sprintf("%d roles", n), nil
}
