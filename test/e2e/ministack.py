# Starts MiniStack 1.5.19 so that it enforces IAM and resource policies
# (AUTH=true) as AWS does, where it would not:
#
# It does not pass on to its policy evaluation how a request came, which makes "TLS only"
# policies, as all queues and topics of the stack have, deny everything. So every
# connection is taken for TLS.
import json

import ministack.core.iam_actions as actions
import ministack.core.iam_evaluator as iam

init = iam.EvalContext.__init__
names = list(iam.EvalContext.__dataclass_fields__)
defaults = list(init.__defaults__)
defaults[names.index("secure_transport") - len(names)] = True
init.__defaults__ = tuple(defaults)

# It asks for the permission dynamodb:TransactWriteItems, which IAM does not
# know: a transaction needs those of what it does (DynamoDB developer guide,
# "Using IAM with DynamoDB transactions"). Ours put and delete items and nothing
# else. One that does both is asked for the permission to delete, as it asks for
# one only; the others show the permission to put.
action_of, tables_of = actions.extract_iam_action, actions.dynamodb_resource_arns


def writes_of(body):
    items = json.loads(body or b"{}").get("TransactItems", [])
    return [write for item in items for write in item.items()]


def transaction_action(service, method, path, headers, body, params):
    action = action_of(service, method, path, headers, body, params)
    if action != "dynamodb:TransactWriteItems":
        return action
    permissions = {"Put": "dynamodb:PutItem", "Delete": "dynamodb:DeleteItem"}
    return min(permissions[kind] for kind, _ in writes_of(body))  # fails on anything else


def transaction_tables(body, region, account_id):
    names = sorted({write["TableName"] for _, write in writes_of(body)})
    return [f"arn:aws:dynamodb:{region}:{account_id}:table/{name}" for name in names] or tables_of(body, region, account_id)


actions.extract_iam_action, actions.dynamodb_resource_arns = transaction_action, transaction_tables

# It knows no metric math. An alarm on an expression is taken for one on the
# metric in it, so that the stack can be deployed; what the expression says is
# held by the tests of the template.
import ministack.services.cloudformation.provisioners as provisioners

alarm_record = provisioners._cw_metric_alarm_record


def alarm_on_its_metric(name, props):
    queries = [query["MetricStat"] for query in props.get("Metrics") or [] if "MetricStat" in query]
    if queries:
        metric = queries[0]["Metric"]
        props = {key: value for key, value in props.items() if key != "Metrics"} | {
            "MetricName": metric["MetricName"], "Namespace": metric["Namespace"], "Dimensions": metric.get("Dimensions", []),
            "Period": queries[0]["Period"], "Statistic": queries[0]["Stat"],
        }
    return alarm_record(name, props)


provisioners._cw_metric_alarm_record = alarm_on_its_metric

# It has no versions of state machines in templates; its own service publishes them. An
# execution of a version runs by the machine's latest definition there all the same, and a
# wait for a task token has no TimeoutSecondsPath, so that nobody is reminded.
import ministack.services.stepfunctions as stepfunctions


def publish_version(logical_id, props, stack_name):
    status, _, body = stepfunctions._publish_state_machine_version({
        "stateMachineArn": props["StateMachineArn"], "revisionId": props.get("StateMachineRevisionId"), "description": props.get("Description", ""),
    })
    answer = json.loads(body)
    if status != 200:
        raise ValueError(f"AWS::StepFunctions::StateMachineVersion {logical_id}: {answer}")
    arn = answer["stateMachineVersionArn"]
    return arn, {"Arn": arn}


def delete_version(physical_id, props):
    stepfunctions._delete_state_machine_version({"stateMachineVersionArn": physical_id})


provisioners._RESOURCE_HANDLERS["AWS::StepFunctions::StateMachineVersion"] = {"create": publish_version, "delete": delete_version}

# Its SES makes no DKIM tokens for a domain, which has three ("Easy DKIM in Amazon SES",
# Amazon SES Developer Guide).
import ministack.services.ses_v2 as ses

handle_ses = ses.handle_request


async def with_tokens(method, path, headers, body, query_params):
    answer = await handle_ses(method, path, headers, body, query_params)
    for name, identity in ses._identities.items():
        if identity["IdentityType"] == "DOMAIN":
            identity["DkimAttributes"]["Tokens"] = [f"{name.replace('.', '-')}-{n}" for n in (1, 2, 3)]
    return answer


ses.handle_request = with_tokens

# It authorizes calls with the version of a state machine by the version's ARN, and those
# with a task token by none. Step Functions uses the machine's ARN for both ("Authorization
# for versions and aliases", Step Functions Developer Guide; the CDK's grantTaskResponse).
# It authorizes no call of SES v2 at all, and does not invoke functions as the state
# machine's role: those permissions are held by the tests of the template only.
resource_of = actions.extract_resource_arn
run_task = stepfunctions._execute_task
contexts = []  # of the executions that have come to a task


def remember_context(state_def, raw_input, execution, ctx):
    contexts.append(ctx)
    return run_task(state_def, raw_input, execution, ctx)


def named_resource(service, method, path, headers, body, query_params, region, account_id):
    token = service == "states" and actions._safe_json_field(body, "taskToken")
    for ctx in contexts:
        if token and ctx.get("Task", {}).get("Token") == token:
            return ctx["StateMachine"]["Id"]
    arn = resource_of(service, method, path, headers, body, query_params, region, account_id)
    if service == "states" and ":stateMachine:" in arn:
        arn = ":".join(arn.split(":")[:7])
    return arn


actions.extract_resource_arn, stepfunctions._execute_task = named_resource, remember_context
