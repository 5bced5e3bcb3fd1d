package constructs

import (
	"fmt"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awscloudwatch"
	"github.com/aws/aws-cdk-go/awscdk/v2/awselasticloadbalancingv2"
	"github.com/aws/jsii-runtime-go"
)

const (
	// errorPercent is how much of the answers may be errors.
	errorPercent = 5
	// fewRequests is how many requests a minute say nothing about their share.
	fewRequests = 20
)

// addAlarms adds the alarm that stops deployments, and one that does not: hosts are
// unhealthy until the first release, and CodeDeploy starts no deployment while an alarm is
// on ("Monitoring deployments with CloudWatch alarms in CodeDeploy", CodeDeploy user guide).
func (s *BlueGreenService) addAlarms() {
	metrics, minute := s.TargetGroup.Metrics(), awscdk.Duration_Minutes(jsii.Number(1))
	sum := &awscloudwatch.MetricOptions{Period: minute, Statistic: jsii.String("Sum")}
	s.Errors = addAlarm(s, alarm{
		id: "ErrorsAlarm",
		description: fmt.Sprintf("%d %% of the answers are errors (5xx), or the instances take no connections. It stops a deployment and rolls it back. Look at the service's logs. "+
			"To deploy a fix while it is on, create the deployment with --override-alarm-configuration enabled=false.", errorPercent),
		// A service that is down answers nothing: the load balancer does, and counts a connection
		// that failed. A minute without errors has no data for them; left out, it would not come
		// between two with errors, and the alarm would go on after the last ("CloudWatch metrics
		// for your Application Load Balancer", Application Load Balancers guide).
		metric: awscloudwatch.NewMathExpression(&awscloudwatch.MathExpressionProps{
			Expression: jsii.String(fmt.Sprintf("IF(requests >= %d, 100 * (FILL(errors, 0) + FILL(refused, 0)) / requests, 0)", fewRequests)),
			UsingMetrics: &map[string]awscloudwatch.IMetric{
				"errors":   metrics.HttpCodeTarget(awselasticloadbalancingv2.HttpCodeTarget_TARGET_5XX_COUNT, sum),
				"refused":  metrics.TargetConnectionErrorCount(sum),
				"requests": metrics.RequestCount(sum),
			},
			Label: jsii.String("errors in percent"), Period: minute,
		}),
		threshold: errorPercent, periods: 2,
	}, s.props.AlarmTopic)
	addAlarm(s, alarm{
		id: "UnhealthyAlarm",
		description: "An instance has failed the load balancer's health checks for ten minutes. Until the first release that is so, because there is nothing to serve. " +
			"Afterwards, Auto Scaling should have replaced it: see the group's activity.",
		metric:    metrics.UnhealthyHostCount(&awscloudwatch.MetricOptions{Period: minute, Statistic: jsii.String("Minimum")}),
		threshold: 1, periods: 10,
	}, s.props.AlarmTopic)
}
