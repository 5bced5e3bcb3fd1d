# Starts MiniStack 1.5.19 so that it enforces IAM and resource policies
# (AUTH=true) as AWS does, where it would not:
#
# It never tells its policy evaluation how a request came, which makes "TLS only"
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
# "Using IAM with DynamoDB transactions"). Ours put items and nothing else.
from_target, table_arns = actions._action_from_target, actions.dynamodb_resource_arns


def action_of(headers):
    action = from_target(headers)
    return "PutItem" if action == "TransactWriteItems" else action


def tables_of(body, region, account_id):
    items = json.loads(body or b"{}").get("TransactItems")
    if items is None:
        return table_arns(body, region, account_id)
    puts = [item["Put"]["TableName"] for item in items]  # fails on anything else
    return sorted({f"arn:aws:dynamodb:{region}:{account_id}:table/{name}" for name in puts})


actions._action_from_target, actions.dynamodb_resource_arns = action_of, tables_of

from ministack.app import main

main()
