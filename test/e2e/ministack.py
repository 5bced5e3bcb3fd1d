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

from ministack.app import main

main()
