package region

import (
	"cmp"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"
)

// targetGroup is a target group. What is described lives in config.
type targetGroup struct {
	config elb.TargetGroup
	arn    string
	name   string
	kind   string // the target type
	port   int32
	delay  time.Duration // deregistration delay
	// balancers are the ARNs of the load balancers that route to it. Without
	// one its targets are unused.
	balancers []string
	zones     []string  // of their nodes; none where nobody has said
	targets   []*target // by instance and port
	// routes are the targets that requests go to, worked out anew when a
	// target has come, gone or changed its state: a request must not cost a
	// walk over a thousand targets.
	routes    []*target
	routesOld bool
	// lingering are deregistered targets that a Network Load Balancer still
	// sends new connections to.
	lingering []*target
	// terminates says that connections end with the deregistration delay.
	terminates bool
	classic    bool // the instances of a Classic Load Balancer
	deleted    bool
}

// The target types that matter here.
const (
	typeInstance = string(elb.TargetTypeEnumInstance)
	typeIP       = string(elb.TargetTypeEnumIp)
	typeLambda   = string(elb.TargetTypeEnumLambda)
)

// balancer is a load balancer: of the classic kind by name, else by ARN.
type balancer struct {
	name    string
	arn     string
	classic bool
	created time.Time
	pool    *targetGroup // of the classic kind
}

// Documented defaults of target groups.
const (
	defaultHealthyThreshold    = 5
	defaultUnhealthyThreshold  = 2
	defaultHealthInterval      = 30
	defaultHealthTimeout       = 5
	defaultDeregistrationDelay = 300 * time.Second
	maxDeregistrationDelay     = 3600 * time.Second
	deregistrationDelay        = "deregistration_delay.timeout_seconds"
	connectionTermination      = "deregistration_delay.connection_termination.enabled"
)

// goodTargetGroupName is what the API reference says of names.
var goodTargetGroupName = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9-]{0,30}[A-Za-z0-9])?$`)

func (r *Region) newTargetGroup(config elb.TargetGroup) *targetGroup {
	name := aws.ToString(config.TargetGroupName)
	if !goodTargetGroupName.MatchString(name) {
		panic("region: AWS would refuse the target group name " + name)
	}
	tgARN := arn("elasticloadbalancing", "targetgroup/"+name+"/"+r.ids.hex("target group", 16))
	defaults := func(field **int32, value int32) {
		if *field == nil {
			*field = aws.Int32(value)
		}
	}
	defaults(&config.HealthCheckIntervalSeconds, defaultHealthInterval)
	defaults(&config.HealthCheckTimeoutSeconds, defaultHealthTimeout)
	defaults(&config.HealthyThresholdCount, defaultHealthyThreshold)
	defaults(&config.UnhealthyThresholdCount, defaultUnhealthyThreshold)
	if config.TargetType == "" {
		config.TargetType = elb.TargetTypeEnumInstance
	}
	if config.HealthCheckEnabled == nil {
		config.HealthCheckEnabled = aws.Bool(true)
	}
	if config.TargetType != elb.TargetTypeEnumLambda {
		if config.HealthCheckProtocol == "" {
			config.HealthCheckProtocol = elb.ProtocolEnumHttp
		}
		if config.HealthCheckPort == nil {
			config.HealthCheckPort = aws.String("traffic-port")
		}
		if config.HealthCheckPath == nil {
			config.HealthCheckPath = aws.String("/")
		}
		if config.Matcher == nil {
			config.Matcher = &elb.Matcher{HttpCode: aws.String("200")}
		}
	}
	config.TargetGroupArn = aws.String(tgARN)
	tg := &targetGroup{
		config: config, arn: tgARN, name: name,
		kind: string(config.TargetType), port: deref(config.Port),
		delay: defaultDeregistrationDelay,
	}
	r.targets[tgARN] = tg
	return tg
}

func (tg *targetGroup) describe() elb.TargetGroup {
	d := tg.config
	d.LoadBalancerArns = slices.Clone(tg.balancers)
	return d
}

// network reports whether it is a Network Load Balancer that sends requests here.
func (tg *targetGroup) network() bool {
	switch tg.config.Protocol {
	case elb.ProtocolEnumTcp, elb.ProtocolEnumUdp, elb.ProtocolEnumTcpUdp, elb.ProtocolEnumTls:
		return true
	}
	return false
}

func (tg *targetGroup) interval() time.Duration {
	return seconds(tg.config.HealthCheckIntervalSeconds)
}

// find is where a target is among the targets, or belongs, and whether it is
// there.
func (tg *targetGroup) find(key targetKey) (int, bool) {
	return slices.BinarySearchFunc(tg.targets, key, func(t *target, key targetKey) int {
		return cmp.Or(strings.Compare(t.key.id, key.id), cmp.Compare(t.key.port, key.port))
	})
}

// target is the target of that instance and port, nil if there is none.
func (tg *targetGroup) target(key targetKey) *target {
	if n, ok := tg.find(key); ok {
		return tg.targets[n]
	}
	return nil
}

// put adds a target, in the place of one with the same key.
func (tg *targetGroup) put(t *target) {
	tg.routesOld = true
	n, ok := tg.find(t.key)
	if ok {
		tg.targets[n] = t
		return
	}
	tg.targets = slices.Insert(tg.targets, n, t)
}

// remove removes a target, unless another one has taken its place.
func (tg *targetGroup) remove(t *target) {
	tg.routesOld = true
	if n, ok := tg.find(t.key); ok && tg.targets[n] == t {
		tg.targets = slices.Delete(tg.targets, n, n+1)
	}
}

// targetGroup finds a target group by ARN.
func (r *Region) targetGroup(arn *string) (*targetGroup, error) {
	tg := r.targets[aws.ToString(arn)]
	if tg == nil {
		return nil, noTargetGroup(aws.ToString(arn))
	}
	return tg, nil
}

func noTargetGroup(which string) error {
	return &elb.TargetGroupNotFoundException{Message: aws.String("One or more target groups not found: " + which)}
}

// targetGroupNamed finds a target group by name; nil if there is none.
func (r *Region) targetGroupNamed(name string) *targetGroup {
	for _, tg := range r.targets {
		if tg.name == name {
			return tg
		}
	}
	return nil
}

func (r *Region) createTargetGroup(in *elasticloadbalancingv2.CreateTargetGroupInput) (*elasticloadbalancingv2.CreateTargetGroupOutput, error) {
	if aws.ToString(in.Name) == "" {
		return nil, invalid("A target group name must be specified")
	}
	if !goodTargetGroupName.MatchString(*in.Name) {
		return nil, invalid("The target group name '%s' must have at most 32 characters, only letters, digits and hyphens, and not begin or end with a hyphen", *in.Name)
	}
	if r.targetGroupNamed(*in.Name) != nil {
		return nil, &elb.DuplicateTargetGroupNameException{Message: aws.String("A target group with the same name '" + *in.Name + "' exists, but with different settings")}
	}
	if in.TargetType != elb.TargetTypeEnumLambda && (in.Port == nil || in.Protocol == "") {
		return nil, invalid("A port and a protocol must be specified")
	}
	tg := r.newTargetGroup(elb.TargetGroup{
		TargetGroupName: in.Name, Port: in.Port, Protocol: in.Protocol, ProtocolVersion: in.ProtocolVersion, VpcId: in.VpcId,
		TargetType: in.TargetType, IpAddressType: in.IpAddressType,
		HealthCheckIntervalSeconds: in.HealthCheckIntervalSeconds,
		HealthCheckPath:            in.HealthCheckPath, HealthCheckPort: in.HealthCheckPort, HealthCheckProtocol: in.HealthCheckProtocol,
		HealthCheckTimeoutSeconds: in.HealthCheckTimeoutSeconds, Matcher: in.Matcher,
		HealthyThresholdCount: in.HealthyThresholdCount, UnhealthyThresholdCount: in.UnhealthyThresholdCount,
	})
	return &elasticloadbalancingv2.CreateTargetGroupOutput{TargetGroups: []elb.TargetGroup{tg.describe()}}, nil
}

func (r *Region) deleteTargetGroup(in *elasticloadbalancingv2.DeleteTargetGroupInput) (*elasticloadbalancingv2.DeleteTargetGroupOutput, error) {
	tg := r.targets[aws.ToString(in.TargetGroupArn)]
	switch {
	case tg == nil: // succeeds, as AWS does
	case len(tg.balancers) > 0:
		return nil, &elb.ResourceInUseException{Message: aws.String("Target group '" + tg.arn + "' is currently in use by a listener or a rule")}
	default:
		tg.deleted = true
		delete(r.targets, tg.arn)
	}
	return &elasticloadbalancingv2.DeleteTargetGroupOutput{}, nil
}

func (r *Region) describeTargetGroups(in *elasticloadbalancingv2.DescribeTargetGroupsInput) (*elasticloadbalancingv2.DescribeTargetGroupsOutput, error) {
	for _, arn := range in.TargetGroupArns {
		if r.targets[arn] == nil {
			return nil, noTargetGroup(arn)
		}
	}
	for _, name := range in.Names {
		if r.targetGroupNamed(name) == nil {
			return nil, noTargetGroup(name)
		}
	}
	var found []elb.TargetGroup
	for _, tg := range sorted(r.targets) {
		switch {
		case len(in.TargetGroupArns) > 0 && !slices.Contains(in.TargetGroupArns, tg.arn):
		case len(in.Names) > 0 && !slices.Contains(in.Names, tg.name):
		case in.LoadBalancerArn != nil && !slices.Contains(tg.balancers, *in.LoadBalancerArn):
		default:
			found = append(found, tg.describe())
		}
	}
	// PageSize is at most 400 (API reference).
	found, next, err := page(r, found, in.Marker, deref(in.PageSize), 400, invalid("the marker is not valid"))
	if err != nil {
		return nil, err
	}
	return &elasticloadbalancingv2.DescribeTargetGroupsOutput{TargetGroups: found, NextMarker: next}, nil
}

func (tg *targetGroup) attributes() []elb.TargetGroupAttribute {
	all := []elb.TargetGroupAttribute{{
		Key: aws.String(deregistrationDelay), Value: aws.String(strconv.Itoa(int(tg.delay / time.Second))),
	}}
	if tg.network() {
		all = append(all, elb.TargetGroupAttribute{Key: aws.String(connectionTermination), Value: aws.String(strconv.FormatBool(tg.terminates))})
	}
	return all
}

func (r *Region) describeTargetGroupAttributes(in *elasticloadbalancingv2.DescribeTargetGroupAttributesInput) (*elasticloadbalancingv2.DescribeTargetGroupAttributesOutput, error) {
	tg, err := r.targetGroup(in.TargetGroupArn)
	if err != nil {
		return nil, err
	}
	return &elasticloadbalancingv2.DescribeTargetGroupAttributesOutput{Attributes: tg.attributes()}, nil
}

func (r *Region) modifyTargetGroupAttributes(in *elasticloadbalancingv2.ModifyTargetGroupAttributesInput) (*elasticloadbalancingv2.ModifyTargetGroupAttributesOutput, error) {
	tg, err := r.targetGroup(in.TargetGroupArn)
	if err != nil {
		return nil, err
	}
	for _, a := range in.Attributes {
		if tg.network() && aws.ToString(a.Key) == connectionTermination {
			tg.terminates = aws.ToString(a.Value) == "true"
			continue
		}
		n, err := strconv.Atoi(aws.ToString(a.Value))
		delay := time.Duration(n) * time.Second
		if aws.ToString(a.Key) != deregistrationDelay {
			return nil, failure("NotImplemented", "the simulated region does not know the target group attribute %s", aws.ToString(a.Key))
		}
		if err != nil || delay < 0 || delay > maxDeregistrationDelay {
			return nil, invalid("'%s' must be between 0 and 3600 seconds", deregistrationDelay)
		}
		tg.delay = delay
	}
	return &elasticloadbalancingv2.ModifyTargetGroupAttributesOutput{Attributes: tg.attributes()}, nil
}
