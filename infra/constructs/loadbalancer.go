package constructs

import (
	"github.com/aws/aws-cdk-go/awscdk/v2/awscertificatemanager"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsec2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awselasticloadbalancingv2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsroute53"
	"github.com/aws/jsii-runtime-go"
)

// addLoadBalancer adds the load balancer, which speaks HTTPS only: it sends HTTP
// there. What no service's host names match is not found.
func (e *Environment) addLoadBalancer() {
	e.LoadBalancer = awselasticloadbalancingv2.NewApplicationLoadBalancer(e, jsii.String("LoadBalancer"), &awselasticloadbalancingv2.ApplicationLoadBalancerProps{
		LoadBalancerName: &e.Spec.Name, Vpc: e.Vpc, InternetFacing: jsii.Bool(true), IpAddressType: awselasticloadbalancingv2.IpAddressType_DUAL_STACK,
		VpcSubnets:              &awsec2.SubnetSelection{SubnetGroupName: jsii.String(publicSubnets)},
		DropInvalidHeaderFields: jsii.Bool(true), DeletionProtection: &e.Spec.Protected,
	})
	e.addAccessLogs()
	certificate := e.Spec.Domain.CertificateARN
	if certificate == "" {
		certificate = *e.newCertificate().Ref()
	}
	e.listener = e.LoadBalancer.AddListener(jsii.String("Https"), &awselasticloadbalancingv2.BaseApplicationListenerProps{
		Port: jsii.Number(443), Protocol: awselasticloadbalancingv2.ApplicationProtocol_HTTPS, Open: jsii.Bool(true),
		SslPolicy:     awselasticloadbalancingv2.SslPolicy_TLS13_RES, // TLS 1.3, and 1.2 with forward secrecy
		Certificates:  &[]awselasticloadbalancingv2.IListenerCertificate{awselasticloadbalancingv2.ListenerCertificate_FromArn(&certificate)},
		DefaultAction: awselasticloadbalancingv2.ListenerAction_FixedResponse(jsii.Number(404), &awselasticloadbalancingv2.FixedResponseOptions{ContentType: jsii.String("text/plain"), MessageBody: jsii.String("Not found\n")}),
	})
	e.LoadBalancer.AddListener(jsii.String("Http"), &awselasticloadbalancingv2.BaseApplicationListenerProps{
		Port: jsii.Number(80), Protocol: awselasticloadbalancingv2.ApplicationProtocol_HTTP, Open: jsii.Bool(true),
		DefaultAction: awselasticloadbalancingv2.ListenerAction_Redirect(&awselasticloadbalancingv2.RedirectOptions{
			Protocol: jsii.String("HTTPS"), Port: jsii.String("443"), Permanent: jsii.Bool(true),
		}),
	})
}

// newCertificate requests a certificate, which the zone's records validate.
func (e *Environment) newCertificate() awscertificatemanager.CfnCertificate {
	domain := e.Spec.Domain
	names, validations := e.Spec.CertificateNames(), []any{}
	for _, name := range names {
		validations = append(validations, &awscertificatemanager.CfnCertificate_DomainValidationOptionProperty{DomainName: &name, HostedZoneId: &domain.HostedZoneID})
	}
	return awscertificatemanager.NewCfnCertificate(e, jsii.String("Certificate"), &awscertificatemanager.CfnCertificateProps{
		DomainName: &domain.Name, SubjectAlternativeNames: jsii.Strings(names[1:]...),
		ValidationMethod: jsii.String("DNS"), DomainValidationOptions: &validations,
	})
}

// addRecords has every host resolve to the load balancer.
func (e *Environment) addRecords() {
	for _, name := range e.names() {
		for _, host := range e.Spec.Services[name].Hosts {
			for _, kind := range []string{"A", "AAAA"} {
				awsroute53.NewCfnRecordSet(e, jsii.String("Record-"+kind+"-"+host), &awsroute53.CfnRecordSetProps{
					Name: jsii.String(host + "."), Type: &kind, HostedZoneId: &e.Spec.Domain.HostedZoneID,
					AliasTarget: &awsroute53.CfnRecordSet_AliasTargetProperty{
						DnsName: e.LoadBalancer.LoadBalancerDnsName(), HostedZoneId: e.LoadBalancer.LoadBalancerCanonicalHostedZoneId(), EvaluateTargetHealth: jsii.Bool(false),
					},
				})
			}
		}
	}
}
