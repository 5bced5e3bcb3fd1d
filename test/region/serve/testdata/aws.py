"""Runs AWS CLI commands without its start, a second of CPU time each.

"aws.py serve SOCKET" starts the CLI once. "aws.py run SOCKET ARGUMENT..." has a
copy of it run one command with the caller's arguments, environment, working
directory, input and output, and ends with that command's status.
"""

import gc
import json
import os
import signal
import socket
import sys

# What the commands of the tests call, so that each service is read only once.
SERVICES = ["autoscaling", "codedeploy", "dynamodb", "ec2", "elb", "elbv2", "events", "sns", "sqs", "ssm"]


def serve(listener):
    from awscli.clidriver import create_clidriver

    driver = create_clidriver()
    for service in SERVICES:
        driver.session.create_client(service, "eu-west-1", aws_access_key_id="none", aws_secret_access_key="none")
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # the system reaps the copies
    gc.freeze()  # so that the copies share it
    listener.listen()
    print("ready", flush=True)
    while True:
        caller, _ = listener.accept()
        if os.fork() == 0:
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            status = command(driver, caller)
            sys.stdout.flush()
            sys.stderr.flush()
            caller.send(bytes([status]))
            os._exit(0)
        caller.close()


def command(driver, caller):
    received, files, _, _ = socket.recv_fds(caller, 1 << 16, 3)
    while more := caller.recv(1 << 16):
        received += more
    arguments, environment, folder = json.loads(received)
    for standard, file in enumerate(files):
        os.dup2(file, standard)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    try:
        return driver.main(arguments)
    except SystemExit as end:  # of the parser of arguments
        return end.code


def run(caller, arguments):
    request = json.dumps([arguments, dict(os.environ), os.getcwd()]).encode()
    socket.send_fds(caller, [request], [0, 1, 2])
    caller.shutdown(socket.SHUT_WR)
    status = caller.recv(1)
    sys.exit(status[0] if status else "the copy of the AWS CLI has died")


with socket.socket(socket.AF_UNIX) as s:
    if sys.argv[1] == "serve":
        s.bind(sys.argv[2])
        serve(s)
    else:
        s.connect(sys.argv[2])
        run(s, sys.argv[3:])
