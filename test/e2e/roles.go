package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"path"
	"strings"

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

// enforceRoles has the region's services enforce the policies of the roles that were
// deployed, as the local cloud does with its own services.
func (e *environment) enforceRoles(ctx context.Context) (string, error) {
	var count int
	for _, output := range []string{config.RepairFunctionOutput, config.DrainFunctionOutput} {
		var d deployed
		if err := e.cloud.aws(ctx, &d, "lambda", "get-function-configuration", "--function-name", e.cloud.outputs[output]); err != nil {
			return "", err
		}
		role := path.Base(d.Role)
		var names []string
		if err := e.cloud.aws(ctx, &names, "iam", "list-role-policies", "--role-name", role, "--query", "PolicyNames"); err != nil {
			return "", err
		}
		var policies [][]byte
		for _, name := range names {
			var document json.RawMessage
			if err := e.cloud.aws(ctx, &document, "iam", "get-role-policy", "--role-name", role, "--policy-name", name, "--query", "PolicyDocument"); err != nil {
				return "", err
			}
			policies = append(policies, document)
		}
		enforce(e.handler, e.region, d, policies...)
		count += len(policies)
	}
	return fmt.Sprintf("%d policies", count), nil
}
