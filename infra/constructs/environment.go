package constructs

import (
	"maps"
	"slices"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awscloudwatch"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsec2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsecr"
	"github.com/aws/aws-cdk-go/awscdk/v2/awselasticloadbalancingv2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsrds"
	"github.com/aws/aws-cdk-go/awscdk/v2/awss3"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssns"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	"deployhooks/infra/config"
	"deployhooks/infra/environment/spec"
)

// EnvironmentProps are the properties of [Environment].
type EnvironmentProps struct {
	// Spec is the environment file (spec.Read).
	//
	// Required.
	Spec *spec.Environment

	// Configuration has the settings of README.md, "Configuration", by their keys; those
	// of functions and logs matter here.
	//
	// Default: - the hooks section of Spec.
	Configuration *map[string]interface{}

	// NoticeTopic gets the notifications of backups: that of the [DeploymentHooks].
	//
	// Required with a database.
	NoticeTopic awssns.ITopic

	// TriggerTopic and AlarmTopic are those of the [DeploymentHooks] in the same account
	// and region.
	//
	// Default: - repair gets deployments from EventBridge alone, and nobody is notified of
	// an alarm.
	TriggerTopic awssns.ITopic
	AlarmTopic   awssns.ITopic

	// Programs is the folder of the built functions:
	// <architecture>/<function>/bootstrap.
	//
	// Default: - they are built from the module's source, which takes the Go
	// toolchain.
	Programs *string
}

// Environment is everything that an environment file describes except the hooks: network,
// HTTPS load balancer, DNS records and certificate, database, bucket of revisions, ECR
// repositories, and the services. The stack has to be in the file's region.
type Environment struct {
	constructs.Construct
	Spec         *spec.Environment
	Vpc          awsec2.Vpc
	LoadBalancer awselasticloadbalancingv2.ApplicationLoadBalancer
	// Database, and Backups of it, are nil if there is none. DatabaseClients is a security group that it lets
	// in besides those of the services.
	Database        awsrds.DatabaseInstance
	Backups         *Backups
	DatabaseClients awsec2.SecurityGroup
	// Revisions and Repositories, by service, outlive the stack.
	Revisions    awss3.Bucket
	Repositories map[string]awsecr.Repository
	Services     map[string]*BlueGreenService
	// Provider is the function behind the custom resources of the deployment groups.
	Provider  *DeploymentGroupFunction
	Dashboard awscloudwatch.Dashboard

	props           EnvironmentProps
	in              installation
	listener        awselasticloadbalancingv2.ApplicationListener
	databaseSubnets awsrds.SubnetGroup
}

// NewEnvironment adds an Environment to scope.
func NewEnvironment(scope constructs.Construct, id *string, props *EnvironmentProps) *Environment {
	var v validation
	if props == nil {
		props = &EnvironmentProps{}
	}
	var cfg config.Hooks
	if v.require(props.Spec != nil, "Spec", "required"); props.Spec != nil {
		var err error
		cfg, err = config.ParseOwn(or(props.Configuration, props.Spec.Configuration(nil)))
		v.require(err == nil, "Configuration", "%v", err)
		region := *awscdk.Stack_Of(scope).Region()
		v.require(props.NoticeTopic != nil || props.Spec.Database == nil, "NoticeTopic", "required with a database, whose backups are proven")
		v.require(region == props.Spec.Region, "Spec", "its region is %s, and the stack needs the same and has %s", props.Spec.Region, region)
	}
	v.enforce("Environment", scope, id)

	e := &Environment{Spec: props.Spec, props: *props, Repositories: map[string]awsecr.Repository{}, Services: map[string]*BlueGreenService{}}
	constructs.NewConstruct_Override(e, scope, id)
	e.in = installation{scope: e, cfg: cfg, environment: &e.Spec.Name}
	discard := e.in.findPrograms("Environment", props.Programs, "deploymentgroup", "backup")
	defer discard()
	e.addNetwork()
	e.addLoadBalancer()
	e.addRecords()
	e.addDatabase()
	e.addBackups()
	e.addRevisions()
	e.addFunctions()
	for _, name := range e.names() {
		e.addService(name, e.Spec.Services[name])
	}
	e.Dashboard = e.newDashboard()
	return e
}

// names are those of the services, in one order, so that the template stays the same.
func (e *Environment) names() []string { return slices.Sorted(maps.Keys(e.Spec.Services)) }

func (e *Environment) addFunctions() {
	e.Provider = NewDeploymentGroupFunction(e, jsii.String("DeploymentGroups"), &DeploymentGroupFunctionProps{
		LambdaFunctionProps: LambdaFunctionProps{
			Code:         e.in.program("deploymentgroup"),
			Description:  e.in.named("Makes, changes and deletes blue/green deployment groups for CloudFormation"),
			Architecture: e.in.architecture(), LogLevel: &e.in.cfg.LogLevel, LogRetentionDays: jsii.Number(e.in.cfg.LogRetentionDays),
			AlarmTopic: e.props.AlarmTopic,
		},
		// Those of services that the file no longer has, too; see DeploymentGroupFunctionProps.
		Applications: jsii.Strings(e.Spec.ServiceName("*")),
	})
}

func (e *Environment) addService(name string, s spec.Service) {
	full := e.Spec.ServiceName(name)
	repository := e.newRepository(name)
	variables := map[string]*string{"IMAGE_REPOSITORY": repository.RepositoryUri()}
	if e.Database != nil {
		variables["DATABASE_SECRET_ARN"] = e.Database.Secret().SecretArn()
	}
	service := NewBlueGreenService(e, jsii.String("Service-"+name), &BlueGreenServiceProps{
		Name: &full, Provider: e.Provider, Vpc: e.Vpc, Subnets: e.subnets(s.Zones),
		LoadBalancer: e.LoadBalancer, Listener: e.listener, Hosts: jsii.Strings(s.Hosts...), Priority: jsii.Number(spec.Priority(name)),
		Port: jsii.Number(s.Port), HealthCheckPath: &s.HealthCheckPath, InstanceType: &s.InstanceType, Image: &s.Image,
		MinInstances: jsii.Number(s.MinInstances), MaxInstances: jsii.Number(s.MaxInstances), TargetCPUPercent: jsii.Number(s.TargetCPUPercent),
		DeregistrationDelay: awscdk.Duration_Seconds(jsii.Number(s.DeregistrationDelaySeconds)),
		TerminationWait:     awscdk.Duration_Minutes(jsii.Number(s.TerminationWaitMinutes)),
		Revisions:           e.Revisions, Repository: repository, Variables: &variables,
		Tags:             &map[string]*string{spec.Tag: &e.Spec.Name},
		LogRetentionDays: jsii.Number(e.Spec.Logs.RetentionDays), TriggerTopic: e.props.TriggerTopic, AlarmTopic: e.props.AlarmTopic,
	})
	if e.Database != nil {
		e.Database.Secret().GrantRead(service.Role, nil)
		e.Database.Connections().AllowDefaultPortFrom(service.SecurityGroup, jsii.String("The service "+name))
	}
	e.Services[name] = service
}
