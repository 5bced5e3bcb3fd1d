package constructs

import (
	"fmt"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awscloudwatch"
	"github.com/aws/aws-cdk-go/awscdk/v2/awselasticloadbalancingv2"
	"github.com/aws/jsii-runtime-go"
)

// addDatabaseAlarms adds what operators must know of the database before it stops.
func (e *Environment) addDatabaseAlarms() {
	d := e.Spec.Database
	five := func(statistic string) *awscloudwatch.MetricOptions {
		return &awscloudwatch.MetricOptions{Period: awscdk.Duration_Minutes(jsii.Number(5)), Statistic: &statistic}
	}
	connections := d.Connections()
	for _, a := range []alarm{{
		id:          "DatabaseStorageAlarm",
		description: fmt.Sprintf("Little storage is free, and it has not grown by itself. It grows to %d GiB: raise maxStorageGiB, or delete data.", d.MaxStorageGiB),
		metric:      e.Database.MetricFreeStorageSpace(five("Minimum")), threshold: float64(d.StorageGiB) / 20 * (1 << 30), periods: 3, below: true,
	}, {
		id:          "DatabaseConnectionsAlarm",
		description: fmt.Sprintf("More than four in five of %d connections are open. Have the services open fewer, or choose a larger instanceClass.", connections),
		metric:      e.Database.MetricDatabaseConnections(five("Maximum")), threshold: float64(connections) * 0.8, periods: 2,
	}, {
		id:          "DatabaseCpuAlarm",
		description: "The database has used more than 90 % of its CPU for a quarter of an hour. Database Insights shows which queries; else choose a larger instanceClass.",
		metric:      e.Database.MetricCPUUtilization(five("Average")), threshold: 90, periods: 3,
	}} {
		addAlarm(e, a, e.props.AlarmTopic)
	}
}

// newDashboard shows what users get, and what limits it.
func (e *Environment) newDashboard() awscloudwatch.Dashboard {
	lb := e.LoadBalancer.Metrics()
	addAlarm(e, alarm{
		id: "LoadBalancerAlarm",
		description: "The load balancer itself answered ten requests a minute with errors (5xx) for five minutes: no instance was healthy, or they did not answer. " +
			"Until the first release that is so. See the target groups' health.",
		metric:    lb.HttpCodeElb(awselasticloadbalancingv2.HttpCodeElb_ELB_5XX_COUNT, &awscloudwatch.MetricOptions{Period: awscdk.Duration_Minutes(jsii.Number(1)), Statistic: jsii.String("Sum")}),
		threshold: 10, periods: 5,
	}, e.props.AlarmTopic)
	rows := []*[]awscloudwatch.IWidget{{
		graph("Load balancer: requests", lb.RequestCount(statistic("Sum"))),
		graph("Load balancer: errors of its own", lb.HttpCodeElb(awselasticloadbalancingv2.HttpCodeElb_ELB_5XX_COUNT, statistic("Sum"))),
	}}
	for _, name := range e.names() {
		m := e.Services[name].TargetGroup.Metrics()
		rows = append(rows, &[]awscloudwatch.IWidget{
			graph(name+": answers", m.HttpCodeTarget(awselasticloadbalancingv2.HttpCodeTarget_TARGET_2XX_COUNT, statistic("Sum")), m.HttpCodeTarget(awselasticloadbalancingv2.HttpCodeTarget_TARGET_5XX_COUNT, statistic("Sum"))),
			graph(name+": time to answer", m.TargetResponseTime(statistic("p50")), m.TargetResponseTime(statistic("p99"))),
		}, &[]awscloudwatch.IWidget{
			graph(name+": instances", m.HealthyHostCount(statistic("Minimum")), m.UnhealthyHostCount(statistic("Maximum"))),
			graph(name+": requests per instance", m.RequestCountPerTarget(statistic("Sum"))),
		})
	}
	if db := e.Database; db != nil {
		rows = append(rows,
			&[]awscloudwatch.IWidget{graph("Database: CPU", db.MetricCPUUtilization(statistic("Average"))), graph("Database: connections", db.MetricDatabaseConnections(statistic("Maximum")))},
			&[]awscloudwatch.IWidget{graph("Database: free storage", db.MetricFreeStorageSpace(statistic("Minimum"))), graph("Database: free memory", db.MetricFreeableMemory(statistic("Minimum")))})
		for _, row := range e.Backups.Graphs() {
			rows = append(rows, &row)
		}
	}
	return awscloudwatch.NewDashboard(e, jsii.String("Dashboard"), &awscloudwatch.DashboardProps{Widgets: &rows})
}
