package event

import "strings"

// readDeploymentEvent reads a deployment's state from EventBridge.
func readDeploymentEvent(event, detail *object) Event {
	deployment := Deployment{
		Account:     event.optional("account", maxWord),
		Region:      event.optional("region", maxWord),
		Application: detail.name("application", maxCodeDeployName),
		Group:       detail.name("deploymentGroup", maxCodeDeployName),
		ID:          detail.name("deploymentId", maxDeploymentID),
		State:       stateOf(detail.name("state", maxWord)),
	}
	if deployment.State == "" {
		return Unknown{Source: event.peek("source"), Kind: event.peek("detail-type")}
	}
	return deployment
}

// readDeploymentInstanceEvent reads one instance's state from EventBridge.
func readDeploymentInstanceEvent(event, detail *object) Event {
	instance := DeploymentInstance{
		Account:     event.optional("account", maxWord),
		Region:      event.optional("region", maxWord),
		Application: detail.name("application", maxCodeDeployName),
		Group:       detail.name("deploymentGroup", maxCodeDeployName),
		ID:          detail.name("deploymentId", maxDeploymentID),
		Instance:    detail.name("instanceId", maxCodeDeployName),
		State:       stateOf(detail.name("state", maxWord)),
	}
	if instance.State == "" {
		return Unknown{Source: event.peek("source"), Kind: event.peek("detail-type")}
	}
	return instance
}

// readDeploymentMessage reads what a trigger publishes about a deployment. The
// times are not read: the two forms write them differently, and an event's
// time proves nothing.
func readDeploymentMessage(message *object) Event {
	deployment := Deployment{
		Account:     message.optional("accountId", maxWord),
		Region:      message.optional("region", maxWord),
		Application: message.name("applicationName", maxCodeDeployName),
		Group:       message.name("deploymentGroupName", maxCodeDeployName),
		ID:          message.name("deploymentId", maxDeploymentID),
		State:       stateOf(message.name("status", maxWord)),
		RolledBack:  rolledBack(message),
		Error:       deploymentError(message),
	}
	if deployment.State == "" {
		return Unknown{Source: codeDeploy}
	}
	return deployment
}

// readDeploymentInstanceMessage reads what a trigger publishes about one
// instance of a deployment.
func readDeploymentInstanceMessage(message *object) Event {
	instance := DeploymentInstance{
		Account:     message.optional("accountId", maxWord),
		Region:      message.optional("region", maxWord),
		Application: message.optional("applicationName", maxCodeDeployName),
		Group:       message.optional("deploymentGroupName", maxCodeDeployName),
		ID:          message.name("deploymentId", maxDeploymentID),
		Instance:    instanceOfARN(message, "instanceId"),
		State:       stateOf(message.name("instanceStatus", maxWord)),
	}
	if instance.State == "" {
		return Unknown{Source: codeDeploy}
	}
	return instance
}

// stateOf brings CodeDeploy's vocabularies together, in whatever letter case
// and with or without underscores. It returns "" for a state of no consequence
// here: instances that are pending or skipped, and the "unknown" that triggers
// have sent (recorded 2016).
func stateOf(word string) State {
	switch strings.ToUpper(strings.ReplaceAll(word, "_", "")) {
	case "START", "STARTED", "CREATED", "INPROGRESS":
		return Started
	case "READY":
		return Ready
	case "SUCCESS", "SUCCEEDED":
		return Succeeded
	case "FAILURE", "FAILED":
		return Failed
	case "STOP", "STOPPED", "ABORTED":
		return Stopped
	}
	return ""
}

// rolledBack returns the deployment that this one undoes. A failed deployment
// has the field too, but nothing in it.
func rolledBack(message *object) string {
	rollback, _ := message.embedded("rollbackInformation")
	if rollback == nil {
		return ""
	}
	return rollback.optional("RollbackTriggeringDeploymentId", maxDeploymentID)
}

// deploymentError returns CodeDeploy's code and words for a failure, for
// example "IAM_ROLE_MISSING: IAM Role is missing for deployment group: web".
func deploymentError(message *object) string {
	information, words := message.embedded("errorInformation")
	if information == nil {
		return cut(words)
	}
	code, words := information.prose("ErrorCode"), information.prose("ErrorMessage")
	if code == "" || words == "" {
		return code + words
	}
	return cut(code + ": " + words)
}

// instanceOfARN reads the name at the end of an instance's ARN,
// arn:aws:ec2:region:account:instance/i-… for EC2 and
// arn:aws:codedeploy:region:account:instance/name on premises, or a name
// without one.
func instanceOfARN(message *object, field string) string {
	text := message.name(field, maxARN)
	if !strings.HasPrefix(text, "arn:") {
		return text
	}
	parts := strings.SplitN(text, ":", 6)
	kind, name, found := strings.Cut(parts[len(parts)-1], "/")
	if len(parts) < 6 || !found || kind != "instance" || name == "" {
		message.fault(field, "is an ARN, but not of an instance")
		return ""
	}
	return name
}
