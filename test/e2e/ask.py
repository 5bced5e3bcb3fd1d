# Asks the local cloud several things in one process, with the library of the AWS CLI,
# which is not the SDK that the functions use: one start of the CLI for each takes longer
# than all answers. Each question is [service, operation, parameters, JMESPath].
import json
import sys

import botocore.session
import jmespath

session = botocore.session.get_session()
answers = []
for service, operation, parameters, query in json.loads(sys.argv[1]):
    client = session.create_client(service)
    if client.can_paginate(operation):
        answer = client.get_paginator(operation).paginate(**parameters).build_full_result()
    else:
        answer = getattr(client, operation)(**parameters)
    answers.append(jmespath.search(query, answer))
print(json.dumps(answers))
