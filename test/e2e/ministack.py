# Starts MiniStack 1.5.19 so that it enforces IAM and resource policies
# (AUTH=true) and takes every connection for TLS: it never tells its policy
# evaluation how a request came, which makes "TLS only" policies, as all queues
# and topics of the stack have, deny everything.
import ministack.core.iam_evaluator as iam

init = iam.EvalContext.__init__
names = list(iam.EvalContext.__dataclass_fields__)
defaults = list(init.__defaults__)
defaults[names.index("secure_transport") - len(names)] = True
init.__defaults__ = tuple(defaults)

from ministack.app import main

main()
