package region

import (
	"fmt"
	"net/http"
	"strings"

	"github.com/aws/smithy-go"
)

// Principal is a caller whose calls an IAM policy limits. It is the region as
// that caller has it: the views of a principal, such as p.AutoScaling(), refuse
// what its policy does not allow, and wire.ServicesOf(p) serves them. Whoever
// calls through the region itself may do everything.
type Principal struct {
	*Region
	name        string
	accessKeyID string
	statements  []*policyStatement
}

// Principal makes a caller with the given identity-based policies: IAM policy
// documents as JSON, intrinsic functions resolved. It panics on a policy that
// AWS would refuse, or that has an element, a condition operator or a condition
// key that is not simulated.
func (r *Region) Principal(name string, policies ...[]byte) *Principal {
	r.mu.Lock()
	defer r.mu.Unlock()
	p := &Principal{name: name, accessKeyID: "ASIA" + strings.ToUpper(r.ids.hex("access key", 16))}
	p.Region = &Region{state: r.state, caller: p}
	for _, document := range policies {
		statements, err := readPolicy(document)
		if err != nil {
			panic(fmt.Sprintf("region: policy of %s: %v", name, err))
		}
		p.statements = append(p.statements, statements...)
	}
	return p
}

// AccessKeyID is the principal's access key id, by which a server tells whose
// request it has: wire.Handler's Attribute takes it.
func (p *Principal) AccessKeyID() string { return p.accessKeyID }

// ARN is that of the role's session, as access-denied messages have it.
func (p *Principal) ARN() string {
	return "arn:aws:sts::" + Account + ":assumed-role/" + p.name + "/" + p.name
}

// Authorize checks one action on one resource for what the region does not
// simulate, such as logs:PutLogEvents, and counts it as a call does. keys are
// the request's condition keys with their values; nil for none.
func (p *Principal) Authorize(action, resource string, keys map[string][]string) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := need{action: action, resource: resource}.with(nil)
	for key, values := range keys {
		n.keys[strings.ToLower(key)] = values
	}
	return p.authorize(Call{}, n)
}

// Unused are the permissions that no call has rested on so far, as "Sid:
// action" in the policy's order; a statement without a Sid is "statement N". A
// call that two statements allow rests on neither, so a statement that others
// make superfluous is unused too, and so is a Deny that has denied nothing.
func (p *Principal) Unused() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	var unused []string
	for _, s := range p.statements {
		for _, action := range s.actions {
			if !s.needed[action] {
				unused = append(unused, s.sid+": "+action)
			}
		}
	}
	return unused
}

// authorize evaluates the policy: an explicit Deny wins, and what nothing
// allows is denied (IAM user guide, "Policy evaluation logic").
func (p *Principal) authorize(c Call, n need) error {
	var allowing []*policyStatement
	for _, s := range p.statements {
		switch {
		case !s.matches(n):
		case s.deny:
			s.rest(n)
			return p.denied(c, n, "with an explicit deny in an identity-based policy")
		default:
			allowing = append(allowing, s)
		}
	}
	if len(allowing) == 0 {
		return p.denied(c, n, "because no identity-based policy allows the "+n.action+" action")
	}
	if len(allowing) == 1 {
		allowing[0].rest(n)
	}
	return nil
}

// rest records that the outcome of a call rested on this statement.
func (s *policyStatement) rest(n need) {
	for _, action := range s.actionsFor(n.action) {
		s.needed[action] = true
	}
}

// denied is the answer to what the policy does not allow ("Troubleshoot access
// denied error messages", IAM user guide). Actions without resource-level
// permissions are answered without a resource (observed).
func (p *Principal) denied(c Call, n need, why string) error {
	on := ""
	if n.resource != "*" {
		on = " on resource: " + n.resource
	}
	message := fmt.Sprintf("User: %s is not authorized to perform: %s%s %s", p.ARN(), n.action, on, why)
	if c.Service == ec2ServiceID {
		message = "You are not authorized to perform this operation. " + message
	}
	return withStatus(http.StatusForbidden, &smithy.GenericAPIError{Code: deniedCode(c.Service), Message: message, Fault: smithy.FaultClient})
}

// ec2ServiceID is the SDK's ServiceID of EC2.
const ec2ServiceID = "EC2"

// deniedCode is a service's error code for access denied ("Common Errors" of
// the API references; EC2: "Error codes for the Amazon EC2 API").
func deniedCode(service string) string {
	switch {
	case service == "SNS":
		return "AuthorizationError"
	case service == ec2ServiceID:
		return "UnauthorizedOperation"
	case query(service):
		return "AccessDenied"
	}
	return "AccessDeniedException"
}
