package region

import (
	"context"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	"github.com/aws/aws-sdk-go-v2/service/ssm/types"
)

// SSM has the methods of the SDK's ssm.Client.
type SSM struct{ r *Region }

// SSM is the region's Parameter Store and Run Command.
func (r *Region) SSM() SSM { return SSM{r} }

// parameter is a parameter of the Parameter Store.
type parameter struct {
	name     string
	value    string
	kind     types.ParameterType
	version  int64
	modified time.Time
}

// Limits of parameters (API reference, PutParameter).
const (
	maxParameterName  = 1011
	maxParameterValue = 4 << 10 // standard tier
	maxParameterDepth = 15
)

// PutParameter creates a parameter or, with Overwrite, a new version of it.
func (v SSM) PutParameter(ctx context.Context, in *ssm.PutParameterInput, _ ...func(*ssm.Options)) (*ssm.PutParameterOutput, error) {
	return call(ctx, v.r, ssm.ServiceID, "PutParameter", in, "Name Value Type Overwrite", v.r.putParameter)
}

// GetParameter reads a parameter.
func (v SSM) GetParameter(ctx context.Context, in *ssm.GetParameterInput, _ ...func(*ssm.Options)) (*ssm.GetParameterOutput, error) {
	return call(ctx, v.r, ssm.ServiceID, "GetParameter", in, "Name WithDecryption", v.r.getParameter)
}

// GetParametersByPath reads the parameters below a path.
func (v SSM) GetParametersByPath(ctx context.Context, in *ssm.GetParametersByPathInput, _ ...func(*ssm.Options)) (*ssm.GetParametersByPathOutput, error) {
	return call(ctx, v.r, ssm.ServiceID, "GetParametersByPath", in, "Path Recursive MaxResults NextToken WithDecryption", v.r.getParametersByPath)
}

// Parameter is a parameter's value; "" if there is none.
func (r *Region) Parameter(name string) string {
	r.mu.Lock()
	defer r.mu.Unlock()
	if p := r.parameters[name]; p != nil {
		return p.value
	}
	return ""
}

func (r *Region) putParameter(in *ssm.PutParameterInput) (*ssm.PutParameterOutput, error) {
	name, value := aws.ToString(in.Name), aws.ToString(in.Value)
	if err := parameterName(name); err != nil {
		return nil, err
	}
	old := r.parameters[name]
	switch {
	case value == "" || len(value) > maxParameterValue:
		return nil, failure("ValidationException", "Parameter values must have between 1 and %d characters in the standard tier.", maxParameterValue)
	case old != nil && !deref(in.Overwrite):
		return nil, &types.ParameterAlreadyExists{Message: aws.String("The parameter already exists. To overwrite this value, set the overwrite option in the request to true.")}
	case old == nil && in.Type == "":
		return nil, failure("ValidationException", "A parameter type is required when you create a parameter.")
	}
	p := &parameter{name: name, value: value, kind: in.Type, version: 1, modified: r.clock.now}
	if old != nil {
		p.version = old.version + 1
		if p.kind == "" {
			p.kind = old.kind
		}
	}
	r.parameters[name] = p
	return &ssm.PutParameterOutput{Version: p.version, Tier: types.ParameterTierStandard}, nil
}

// parameterName holds what the API reference says of names: letters, digits
// and . - _ in a hierarchy of at most fifteen levels, and not beginning with
// "aws" or "ssm".
func parameterName(name string) error {
	for _, c := range name {
		if !strings.ContainsRune("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_/", c) {
			return failure("ValidationException", "Parameter name: can't be prefixed with \"ssm\" (case-insensitive). If formed as a path, it can consist of sub-paths divided by slash symbol; each sub-path can be formed as a mix of letters, numbers and the following 3 symbols .-_")
		}
	}
	bare := strings.ToLower(strings.TrimPrefix(name, "/"))
	switch {
	case name == "" || len(name) > maxParameterName:
		return failure("ValidationException", "Parameter names must have between 1 and %d characters.", maxParameterName)
	case strings.HasPrefix(bare, "aws"), strings.HasPrefix(bare, "ssm"):
		return failure("ValidationException", "Parameter name: can't be prefixed with \"aws\" or \"ssm\" (case-insensitive).")
	case strings.Contains(name, "/") && !strings.HasPrefix(name, "/"):
		return failure("ValidationException", "Parameter name must be a fully qualified name.")
	case strings.Contains(name, "//") || (len(name) > 1 && strings.HasSuffix(name, "/")):
		return failure("ValidationException", "Parameter name: sub-paths must not be empty.")
	case strings.Count(name, "/") > maxParameterDepth:
		return &types.HierarchyLevelLimitExceededException{Message: aws.String("A hierarchy can have a maximum of 15 levels.")}
	}
	return nil
}

func (p *parameter) describe() types.Parameter {
	return types.Parameter{
		Name: aws.String(p.name), Value: aws.String(p.value), Type: p.kind, Version: p.version,
		ARN: aws.String(arn("ssm", "parameter/"+strings.TrimPrefix(p.name, "/"))), DataType: aws.String("text"),
		LastModifiedDate: aws.Time(p.modified),
	}
}

func (r *Region) getParameter(in *ssm.GetParameterInput) (*ssm.GetParameterOutput, error) {
	p := r.parameters[aws.ToString(in.Name)]
	if p == nil {
		return nil, &types.ParameterNotFound{Message: in.Name}
	}
	d := p.describe()
	return &ssm.GetParameterOutput{Parameter: &d}, nil
}

func (r *Region) getParametersByPath(in *ssm.GetParametersByPathInput) (*ssm.GetParametersByPathOutput, error) {
	path := aws.ToString(in.Path)
	if !strings.HasPrefix(path, "/") {
		return nil, failure("ValidationException", "The parameter doesn't meet the parameter name requirements. The parameter name must begin with a forward slash \"/\".")
	}
	prefix := strings.TrimSuffix(path, "/") + "/"
	var found []types.Parameter
	for _, p := range sorted(r.parameters) {
		rest, below := strings.CutPrefix(p.name, prefix)
		if below && (deref(in.Recursive) || !strings.Contains(rest, "/")) {
			found = append(found, p.describe())
		}
	}
	// At most ten a page (API reference).
	found, next, err := page(r, found, in.NextToken, deref(in.MaxResults), 10, &types.InvalidNextToken{Message: aws.String("The specified token isn't valid.")})
	if err != nil {
		return nil, err
	}
	return &ssm.GetParametersByPathOutput{Parameters: found, NextToken: next}, nil
}
