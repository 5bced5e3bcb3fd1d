package event

import "strings"

// readDeploymentEvent reads a deployment's state from EventBridge.
func readDeploymentEvent(event, detail *object) Event {
	deployment := Deployment{
		Account:         event.optional("account", maxWord),
		Region:          event.optional("region", maxWord),
		Application:     detail.name("application", maxCodeDeployName),
		DeploymentGroup: detail.name("deploymentGroup", maxCodeDeployName),
		ID:              detail.name("deploymentId", maxDeploymentID),
		State:           stateOf(detail.name("state", maxWord)),
	}
	if deployment.State == "" {
		return Unknown{Source: event.peek("source"), Kind: event.peek("detail-type")}
	}
	return deployment
}

// readDeploymentMessage reads what a trigger publishes about a deployment. The
// times are not read: the two forms write them differently, and an event's
// time proves nothing.
func readDeploymentMessage(message *object) Event {
	deployment := Deployment{
		Account:         message.optional("accountId", maxWord),
		Region:          message.optional("region", maxWord),
		Application:     message.name("applicationName", maxCodeDeployName),
		DeploymentGroup: message.name("deploymentGroupName", maxCodeDeployName),
		ID:              message.name("deploymentId", maxDeploymentID),
		State:           stateOf(message.name("status", maxWord)),
	}
	if deployment.State == "" {
		return Unknown{Source: codeDeploy}
	}
	return deployment
}

// stateOf brings CodeDeploy's vocabularies together, in whatever letter case
// and with or without underscores. It returns "" for any other, such as the
// "unknown" that triggers have sent (recorded 2016).
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
