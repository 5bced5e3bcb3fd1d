# What the stack of an environment needs of MiniStack 1.5.19.
import os

import botocore.session
import ministack.services.lambda_svc as functions
import ministack.services.sns as topics

session = botocore.session.get_session()

# Types that it does not know are accepted without making anything: ACCEPTED_TYPES. The
# README lists them.


def accept(logical_id, props, stack_name):
    made_up = provisioners._physical_name(stack_name, logical_id, max_len=64)
    # The attachment of a secret is referred to as the secret ("Return values",
    # AWS::SecretsManager::SecretTargetAttachment, CloudFormation template reference).
    return props.get("SecretId", made_up), {name: made_up for name in ("AllocationId", "Arn", "Id", "NatGatewayId")}


def keep(physical_id, props):
    pass


for kind in os.environ["ACCEPTED_TYPES"].split(","):
    provisioners._RESOURCE_HANDLERS[kind] = {"create": accept, "delete": keep}

# Its networks have no addresses of version 6.
networks = provisioners._RESOURCE_HANDLERS["AWS::EC2::VPC"]
create_network = networks["create"]


def create_network_with_addresses(logical_id, props, stack_name):
    name, attributes = create_network(logical_id, props, stack_name)
    return name, attributes | {"Ipv6CidrBlocks": ["2001:db8:1234:1a00::/56"]}


networks["create"] = create_network_with_addresses

# What the deployment group's function and CodeDeploy work with is made in the simulated
# region, whose endpoints are in the environment: REGION_TYPES.


def region(service):
    return session.create_client(service)


def create_group(logical_id, props, stack_name):
    name = provisioners._physical_name(stack_name, logical_id, max_len=255)
    region("autoscaling").create_auto_scaling_group(
        AutoScalingGroupName=name, MinSize=int(props["MinSize"]), MaxSize=int(props["MaxSize"]), LaunchTemplate=props["LaunchTemplate"],
        TargetGroupARNs=props["TargetGroupARNs"], VPCZoneIdentifier=",".join(props["VPCZoneIdentifier"]), HealthCheckType=props["HealthCheckType"],
        HealthCheckGracePeriod=int(props["HealthCheckGracePeriod"]),
        Tags=[tag | {"ResourceId": name, "ResourceType": "auto-scaling-group"} for tag in props["Tags"]],
    )
    return name, {}


def update_group(physical_id, old, new, stack_name):
    raise ValueError(f"the Auto Scaling group {physical_id} of the template is changed, and CodeDeploy deletes it at the first release")


def delete_group(physical_id, props):
    client = region("autoscaling")
    if client.describe_auto_scaling_groups(AutoScalingGroupNames=[physical_id])["AutoScalingGroups"]:
        client.delete_auto_scaling_group(AutoScalingGroupName=physical_id, ForceDelete=True)


def create_hook(logical_id, props, stack_name):
    region("autoscaling").put_lifecycle_hook(**(props | {"HeartbeatTimeout": int(props["HeartbeatTimeout"])}))
    return props["LifecycleHookName"], {}


def create_application(logical_id, props, stack_name):
    region("codedeploy").create_application(applicationName=props["ApplicationName"], computePlatform=props["ComputePlatform"])
    return props["ApplicationName"], {}


# The target group is there before, behind a load balancer of the region.
def find_target_group(logical_id, props, stack_name):
    arn = region("elbv2").describe_target_groups(Names=[props["Name"]])["TargetGroups"][0]["TargetGroupArn"]
    return arn, {"TargetGroupFullName": arn.split(":")[-1], "TargetGroupName": props["Name"]}


region_types = {
    "AWS::AutoScaling::AutoScalingGroup": {"create": create_group, "update": update_group, "delete": delete_group},
    "AWS::AutoScaling::LifecycleHook": {"create": create_hook, "delete": keep},
    "AWS::CodeDeploy::Application": {"create": create_application, "delete": keep},
    "AWS::ElasticLoadBalancingV2::TargetGroup": {"create": find_target_group, "delete": keep},
}
if sorted(region_types) != os.environ["REGION_TYPES"].split(","):
    raise ValueError(f"REGION_TYPES are {os.environ['REGION_TYPES']}, and made in the region are {sorted(region_types)}")
provisioners._RESOURCE_HANDLERS.update(region_types)

# It knows custom resources behind functions only. A request to a topic is what
# CloudFormation publishes there ("Amazon SNS-backed custom resources", CloudFormation user
# guide).
find, prepare, execute = functions._get_func_record_for_ref, functions._execution_record_for_config, functions._execute_function_with_config_scope


def find_function_or_topic(token, *rest):
    if ":sns:" in str(token):
        return {"topic": token}, {"topic": token}, token
    return find(token, *rest)


def prepare_function_or_topic(record, config, *rest):
    return record if "topic" in record else prepare(record, config, *rest)


def execute_or_publish(record, event, *rest):
    if "topic" not in record:
        return execute(record, event, *rest)
    if not topics.publish_internal(record["topic"], json.dumps(event), "AWS CloudFormation custom resource request"):
        raise ValueError(f"there is no topic {record['topic']}")


functions._get_func_record_for_ref = find_function_or_topic
functions._execution_record_for_config = prepare_function_or_topic
functions._execute_function_with_config_scope = execute_or_publish
