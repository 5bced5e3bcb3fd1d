package steps

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"
	"github.com/aws/aws-sdk-go-v2/service/route53"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/sesv2"
	"github.com/aws/smithy-go"
	"github.com/aws/smithy-go/middleware"

	"deployhooks/infra/config"
	"deployhooks/infra/permissions"
	"deployhooks/pkg/tenant/step"
	"deployhooks/test/clouds"
	"deployhooks/test/harness/policies"
	"deployhooks/test/region"
)

// home and account are the region and account of test/clouds' secrets.
const home, account = "us-east-1", "000000000000"

// iam evaluates policies; the services are those of test/clouds.
var iam = region.New(region.Options{})

// limited is a kind that may call what the permissions of its step allow and nothing else, as
// infra gives them to its worker. Every scenario runs with it.
type limited struct {
	step.Kind
	roles map[string]*region.Principal // by parameters, if somebody wants to know
}

type roleKey struct{}

func (k limited) as(ctx context.Context, in step.Input) context.Context {
	role := k.roles[string(in.Parameters)]
	if role == nil {
		role = roleOf(k.Describe(), in)
	}
	if k.roles != nil {
		k.roles[string(in.Parameters)] = role
	}
	return context.WithValue(ctx, roleKey{}, role)
}

// roleOf may do what the permissions of one step allow.
func roleOf(d step.Description, in step.Input) *region.Principal {
	statements := permissions.Worker(config.Hooks{}, permissions.TenantLocation{
		Location: permissions.Location{Partition: "aws", Region: home, Account: account},
		Bucket:   "arn:aws:s3:::" + clouds.Bucket, ManualMachine: "manual",
	}, d.Class, d.Permissions(in.Parameters))
	statements = slices.DeleteFunc(statements, func(s permissions.Statement) bool { return !strings.HasPrefix(s.SID, "Steps") })
	if len(statements) == 0 {
		return iam.Principal(d.Name)
	}
	return iam.Principal(d.Name, policies.Document(statements))
}

func (k limited) Check(ctx context.Context, in step.Input) (step.State, error) {
	return k.Kind.Check(k.as(ctx, in), in)
}

func (k limited) Apply(ctx context.Context, in step.Input) (step.Outputs, error) {
	return k.Kind.Apply(k.as(ctx, in), in)
}

func (k limited) Undo(ctx context.Context, in step.Input) error {
	return k.Kind.Undo(k.as(ctx, in), in)
}

// enforce has every call of the SDK authorised by the role that its context has.
func enforce(cfg aws.Config) aws.Config {
	cfg.APIOptions = append(slices.Clone(cfg.APIOptions), func(stack *middleware.Stack) error {
		return stack.Initialize.Add(middleware.InitializeMiddlewareFunc("authorize", func(ctx context.Context, in middleware.InitializeInput, next middleware.InitializeHandler) (middleware.InitializeOutput, middleware.Metadata, error) {
			role, ok := ctx.Value(roleKey{}).(*region.Principal)
			if !ok {
				return middleware.InitializeOutput{}, middleware.Metadata{}, fmt.Errorf("%s: a kind calls without the context it was given", awsmiddleware.GetOperationName(ctx))
			}
			for _, n := range needs(in.Parameters) {
				if err := role.Authorize(n[0], n[1], nil); err != nil {
					return middleware.InitializeOutput{}, middleware.Metadata{}, &smithy.GenericAPIError{Code: "AccessDenied", Message: err.Error()}
				}
			}
			return next.HandleInitialize(ctx, in)
		}), middleware.After)
	})
	return cfg
}

// needs are the actions and resources that a call must be allowed ("Actions, resources, and
// condition keys", Service Authorization Reference; for S3, "Permissions" of each operation
// in the Amazon S3 API Reference).
func needs(call any) (all [][2]string) {
	bucket, object := "arn:aws:s3:::"+clouds.Bucket, "arn:aws:s3:::"+clouds.Bucket+"/"
	secret := func(id string) string {
		if !strings.HasPrefix(id, "arn:") { // with the six characters that Secrets Manager adds
			id = fmt.Sprintf("arn:aws:secretsmanager:%s:%s:secret:%s-AbCdEf", home, account, id)
		}
		return id
	}
	identity := func(name *string) string {
		return fmt.Sprintf("arn:aws:ses:%s:%s:identity/%s", home, account, aws.ToString(name))
	}
	zone := func(id *string) string { return "arn:aws:route53:::hostedzone/" + aws.ToString(id) }
	switch in := call.(type) {
	case *s3.GetObjectInput: // and to learn that it is missing
		return [][2]string{{"s3:GetObject", object + *in.Key}, {"s3:ListBucket", bucket}}
	case *s3.PutObjectInput:
		return [][2]string{{"s3:PutObject", object + *in.Key}}
	case *s3.ListObjectVersionsInput:
		return [][2]string{{"s3:ListBucketVersions", bucket}}
	case *s3.DeleteObjectsInput:
		for _, o := range in.Delete.Objects {
			all = append(all, [2]string{"s3:DeleteObject", object + *o.Key})
			if o.VersionId != nil {
				all = append(all, [2]string{"s3:DeleteObjectVersion", object + *o.Key})
			}
		}
		return all
	case *secretsmanager.GetSecretValueInput:
		return [][2]string{{"secretsmanager:GetSecretValue", secret(*in.SecretId)}}
	case *secretsmanager.CreateSecretInput:
		all = [][2]string{{"secretsmanager:CreateSecret", secret(*in.Name)}}
		if len(in.Tags) > 0 {
			all = append(all, [2]string{"secretsmanager:TagResource", secret(*in.Name)})
		}
		return all
	case *secretsmanager.DeleteSecretInput:
		return [][2]string{{"secretsmanager:DeleteSecret", secret(*in.SecretId)}}
	case *sesv2.GetEmailIdentityInput:
		return [][2]string{{"ses:GetEmailIdentity", identity(in.EmailIdentity)}}
	case *sesv2.CreateEmailIdentityInput:
		all = [][2]string{{"ses:CreateEmailIdentity", identity(in.EmailIdentity)}}
		if len(in.Tags) > 0 {
			all = append(all, [2]string{"ses:TagResource", identity(in.EmailIdentity)})
		}
		return all
	case *sesv2.DeleteEmailIdentityInput:
		return [][2]string{{"ses:DeleteEmailIdentity", identity(in.EmailIdentity)}}
	case *route53.ListResourceRecordSetsInput:
		return [][2]string{{"route53:ListResourceRecordSets", zone(in.HostedZoneId)}}
	case *route53.ChangeResourceRecordSetsInput:
		return [][2]string{{"route53:ChangeResourceRecordSets", zone(in.HostedZoneId)}}
	}
	return [][2]string{{fmt.Sprintf("unknown:%T", call), "*"}}
}

// TestEveryPermissionIsNeeded runs each kind that calls AWS, and holds that each action that its
// permissions allow is one that a call rested on.
func TestEveryPermissionIsNeeded(t *testing.T) {
	more := map[string]map[string]any{
		"smoke": {"identity": "TENANT.mail.example.com", "database": "deployhooks/TENANT/postgres", "tls": "disable"},
	}
	p := parameters()
	for kind, parameters := range more {
		p[kind] = parameters
	}
	for kind, parameters := range p {
		t.Run(kind, func(t *testing.T) {
			s := newState()
			tenant := newTenant()
			all := s.process(&network{}).kinds
			k := limited{all[kind].(limited).Kind, map[string]*region.Principal{}}
			in := input(t, tenant, kind, parameters)
			ctx := context.Background()
			if kind == "smoke" { // what it looks at
				for _, made := range []string{"postgres", "ses-identity"} {
					if _, err := all[made].Apply(ctx, input(t, tenant, made, p[made])); err != nil {
						t.Fatal(err)
					}
				}
				cloud.Verify(tenant + ".mail.example.com")
			}
			if _, err := k.Check(ctx, in); err != nil {
				t.Fatal(err)
			}
			if _, err := k.Apply(ctx, in); err != nil {
				t.Fatal(err)
			}
			if err := k.Undo(ctx, in); err != nil {
				t.Fatal(err)
			}
			for _, role := range k.roles {
				unused := slices.DeleteFunc(role.Unused(), func(p string) bool {
					return strings.HasSuffix(p, ": states:StartExecution") // of the engine, in test/tenant
				})
				if len(unused) > 0 {
					t.Errorf("%s: no call rests on %v: whoever gets hold of the worker's role may do more than the kind does", kind, unused)
				}
			}
		})
	}
}

// Permissions that a kind lacks fail it with the action that is missing.
func TestDeniedCalls(t *testing.T) {
	in := input(t, newTenant(), "s3-prefix", parameters()["s3-prefix"])
	k := newState().process(&network{}).kinds["s3-prefix"].(limited)
	none := context.WithValue(context.Background(), roleKey{}, iam.Principal("nobody", policies.Document([]permissions.Statement{permissions.Allow("Other", []string{"*"}, "s3:GetObject")})))
	_, err := k.Kind.Apply(none, in)
	if class(err) != step.Refused || !strings.Contains(step.RemedyOf(err), "s3:ListBucket") {
		t.Errorf("%v, remedy %q: the operator does not learn which permission is missing", err, step.RemedyOf(err))
	}
}
