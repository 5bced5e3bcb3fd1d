package constructs

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awscloudwatch"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsdynamodb"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/aws-cdk-go/awscdk/v2/awss3"
	"github.com/aws/aws-cdk-go/awscdk/v2/awss3assets"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssns"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsstepfunctions"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	"deployhooks/infra/config"
	"deployhooks/infra/permissions"
	"deployhooks/pkg/tenant/blueprint"
	"deployhooks/pkg/tenant/kinds"
	"deployhooks/pkg/tenant/source"
	"deployhooks/pkg/tenant/step"
	"deployhooks/pkg/tenant/workflow"
)

// TenantsProps are the properties of [Tenants].
type TenantsProps struct {
	// Configuration has the settings of README.md, "Configuration", by their keys,
	// "deployhooks:blueprint" among them. The context of the CDK application is not
	// read.
	//
	// Required.
	Configuration *map[string]interface{}

	// NoticeTopic gets every notification, such as the one of [DeploymentHooks]. A
	// given topic keeps its policies; see [DeploymentHooksProps] for what they must
	// allow.
	//
	// Required.
	NoticeTopic awssns.ITopic

	// AlarmTopic gets alarms, and notifications that require action as well.
	//
	// Default: - the NoticeTopic.
	AlarmTopic awssns.ITopic

	// DatabaseSubnets and DatabaseSecurityGroups are IDs of where the worker of class
	// database runs, together, instead of the settings of these names.
	//
	// Default: - those of the settings.
	DatabaseSubnets        *[]*string
	DatabaseSecurityGroups *[]*string

	// Programs is the folder of the built functions:
	// <architecture>/<function>/bootstrap.
	//
	// Default: - they are built from the module's source, which takes the Go
	// toolchain.
	Programs *string
}

// Tenants is what launches, changes and removes tenants by a blueprint.
type Tenants struct {
	constructs.Construct
	Blueprint *blueprint.Blueprint
	// RequestTopic takes the requests.
	RequestTopic awssns.Topic
	Intake       *QueuedFunction
	// Workers run the steps, one function for each privilege class that a step has.
	Workers map[step.Class]*LambdaFunction
	// Registry and Bucket outlive the stack.
	Registry awsdynamodb.ITable
	Bucket   awss3.Bucket
	// Converge launches and changes tenants, Remove removes them, and Manual waits for
	// people.
	Converge, Remove, Manual awsstepfunctions.StateMachine
	Dashboard                awscloudwatch.Dashboard

	in                      installation
	subnets, securityGroups *[]*string         // of the worker of class database, instead of the settings
	versions                map[string]*string // ARNs of the state machines' versions, by construct ID
}

// NewTenants adds Tenants to scope.
func NewTenants(scope constructs.Construct, id *string, props *TenantsProps) *Tenants {
	if props == nil {
		props = &TenantsProps{}
	}
	var v validation
	cfg, err := config.ParseOwn(or(props.Configuration, nil))
	if err != nil {
		v.require(false, "Configuration", "%v", err)
	}
	v.require(props.NoticeTopic != nil, "NoticeTopic", "required")
	v.require((props.DatabaseSubnets == nil) == (props.DatabaseSecurityGroups == nil), "DatabaseSubnets", "a function in a VPC needs DatabaseSecurityGroups as well, and the other way around")
	b := loadBlueprint(&v, cfg.Tenants.Blueprint)
	v.enforce("Tenants", scope, id)

	t := &Tenants{Blueprint: b, subnets: props.DatabaseSubnets, securityGroups: props.DatabaseSecurityGroups, Workers: map[step.Class]*LambdaFunction{}, versions: map[string]*string{}}
	constructs.NewConstruct_Override(t, scope, id)
	t.warnOfMarks(cfg.Tenants.Blueprint)
	t.in = installation{scope: t, cfg: cfg, notices: props.NoticeTopic, alarms: props.NoticeTopic}
	if props.AlarmTopic != nil {
		t.in.alarms = props.AlarmTopic
	}
	discard := t.in.findPrograms("Tenants", props.Programs, "intake", "step")
	defer discard()
	t.addRegistry()
	t.addBucket()
	t.addWorkers()
	t.addMachines()
	t.addIntake()
	t.Dashboard = t.newDashboard()
	return t
}

// AllowRequests lets principals publish requests: whoever may publish may launch, change and
// remove any tenant. Principals of this account may have the permission by policies of their own.
func (t *Tenants) AllowRequests(from ...awsiam.IGrantable) {
	for _, grantee := range from {
		t.RequestTopic.GrantPublish(grantee)
	}
}

// CheckBlueprint reports what keeps the blueprint of a directory from being deployed. It
// takes no CDK, so that a mistake costs a second.
func CheckBlueprint(folder string) error {
	var v validation
	if b := loadBlueprint(&v, folder); b != nil && len(v.faults) == 0 {
		_, converge := workflow.Converge(b)
		_, remove := workflow.Remove(b)
		return errors.Join(converge, remove)
	}
	return errors.Join(v.faults...)
}

// loadBlueprint compiles the blueprint of a directory.
func loadBlueprint(v *validation, folder string) *blueprint.Blueprint {
	if folder == "" {
		v.require(false, "Configuration", "%sblueprint is required", config.Prefix)
		return nil
	}
	if info, err := os.Stat(folder); err != nil || !info.IsDir() {
		v.require(false, "Configuration", "context key %sblueprint: %q is not a directory; give the directory that has %s", config.Prefix, folder, source.Main)
		return nil
	}
	b, err := source.Load(os.DirFS(folder), kinds.Descriptions())
	if err != nil {
		v.require(false, "Configuration", "context key %sblueprint: %q:\n%v", config.Prefix, folder, err)
	}
	return b
}

// warnOfMarks warns of values that a copy of the shipped blueprint has not replaced: it compiles as it
// is, and its launches would be held.
func (t *Tenants) warnOfMarks(folder string) {
	if lines := source.Marks(os.DirFS(folder)); len(lines) > 0 {
		awscdk.Annotations_Of(t).AddWarningV2(jsii.String("deployhooks:exampleValues"), jsii.Sprintf(
			"%s in %s has values of the shipped example, marked REPLACE in the lines %v: replace them and delete the marks.", source.Main, folder, lines))
	}
}

// addRegistry makes the table of all that is known of tenants. It outlives the stack.
// The index holds open operations only; see DeploymentHooks.addDrains.
func (t *Tenants) addRegistry() {
	props := t.in.table("partition")
	props.SortKey = stringKey("sort")
	props.TimeToLiveAttribute = jsii.String("expires")
	props.RemovalPolicy = awscdk.RemovalPolicy_RETAIN
	props.PointInTimeRecoverySpecification = &awsdynamodb.PointInTimeRecoverySpecification{PointInTimeRecoveryEnabled: jsii.Bool(true)}
	table := awsdynamodb.NewTable(t, jsii.String("Registry"), props)
	table.AddGlobalSecondaryIndex(&awsdynamodb.GlobalSecondaryIndexProps{
		IndexName:      jsii.String(permissions.OpenIndex),
		PartitionKey:   stringKey("open"),
		SortKey:        stringKey("partition"),
		ProjectionType: awsdynamodb.ProjectionType_ALL,
	})
	t.Registry = table
}

// addBucket makes the bucket of what steps keep in files: blueprints, configuration,
// first content, branding. Nobody but roles of this account reads it; a proxy or a
// content delivery network serves what is public. It outlives the stack.
func (t *Tenants) addBucket() {
	t.Bucket = awss3.NewBucket(t, jsii.String("Bucket"), &awss3.BucketProps{
		BlockPublicAccess: awss3.BlockPublicAccess_BLOCK_ALL(),
		Encryption:        awss3.BucketEncryption_S3_MANAGED,
		EnforceSSL:        jsii.Bool(true),
		ObjectOwnership:   awss3.ObjectOwnership_BUCKET_OWNER_ENFORCED,
		Versioned:         jsii.Bool(true),
		RemovalPolicy:     awscdk.RemovalPolicy_RETAIN,
		LifecycleRules: &[]*awss3.LifecycleRule{{
			AbortIncompleteMultipartUploadAfter: awscdk.Duration_Days(jsii.Number(7)),
			NoncurrentVersionExpiration:         awscdk.Duration_Days(jsii.Number(90)),
		}},
	})
}

// asset uploads the compiled blueprint. Intake copies it into the bucket, where the
// workers read it by its version for as long as an operation may need it.
func (t *Tenants) asset() awss3assets.Asset {
	folder, err := os.MkdirTemp("", "deployhooks-")
	if err != nil {
		panic(fmt.Errorf("Tenants %s: keep the compiled blueprint: %w", *t.Node().Path(), err))
	}
	defer func() { _ = os.RemoveAll(folder) }() // the CDK has copied it by then
	text, err := t.Blueprint.Encode()
	if err == nil {
		err = os.WriteFile(filepath.Join(folder, "blueprint.json"), text, 0o600)
	}
	if err != nil {
		panic(fmt.Errorf("Tenants %s: keep the compiled blueprint: %w", *t.Node().Path(), err))
	}
	return awss3assets.NewAsset(t, jsii.String("Blueprint"), &awss3assets.AssetProps{Path: jsii.String(filepath.Join(folder, "blueprint.json"))})
}

// classes are the privilege classes that a step of the blueprint has, control among
// them in any case.
func (t *Tenants) classes() []step.Class {
	return slices.DeleteFunc(step.Classes(), func(c step.Class) bool {
		return c != step.Control && !slices.ContainsFunc(t.Blueprint.Steps, func(s blueprint.Step) bool { return s.Class == c })
	})
}

// stepPermissions are what the workers of a class need for the steps of the blueprint.
func (t *Tenants) stepPermissions(class step.Class) (all []step.Permission) {
	known := kinds.Descriptions()
	for _, s := range t.Blueprint.Steps {
		if d := known[s.Kind]; d.Class == class && d.Permissions != nil {
			all = append(all, d.Permissions(json.RawMessage(s.Parameters))...)
		}
	}
	return all
}
