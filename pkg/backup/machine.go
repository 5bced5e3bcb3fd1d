package backup

import (
	"bytes"
	"encoding/json"
)

// FunctionSubstitution is the name of the substitution, in the definition of [Machine],
// for the ARN of the function.
const FunctionSubstitution = "FunctionArn"

// machineLimit ends an execution whose function never answers, in seconds: more than a run
// takes with all its retries. The sweep then takes over.
const machineLimit = 12 * 60 * 60

// FunctionTimeout bounds an invocation, in seconds: Lambda's limit. The checks have less.
const FunctionTimeout = 15 * 60

// Machine is the definition of the state machine, in the Amazon States Language with
// JSONPath (https://states-language.net/spec.html): it calls the function until the run is
// over, and waits in between. Its input is a [Request]. An execution has about nine events
// for each call, of the 25,000 that it may have ("Step Functions service quotas").
func Machine() ([]byte, error) {
	type object = map[string]any
	definition := object{
		"Comment":        "Proves or fills an environment's database",
		"StartAt":        "reconcile",
		"TimeoutSeconds": machineLimit,
		"States": object{
			"reconcile": object{
				"Type": "Task", "Resource": "arn:${Partition}:states:::lambda:invoke",
				"Parameters": object{
					"FunctionName": "${" + FunctionSubstitution + "}",
					"Payload":      object{"input.$": "$$.Execution.Input", "execution.$": "$$.Execution.Id"},
				},
				"TimeoutSeconds": FunctionTimeout + 60,
				"ResultSelector": object{"state.$": "$.Payload.state", "wait.$": "$.Payload.wait", "text.$": "$.Payload.text"},
				"Retry": []object{
					{"ErrorEquals": []string{"Refused"}, "MaxAttempts": 0},
					{"ErrorEquals": []string{"States.ALL"}, "IntervalSeconds": 5, "BackoffRate": 2, "MaxAttempts": 10, "MaxDelaySeconds": 120, "JitterStrategy": "FULL"},
				},
				"Next": "over?",
			},
			"over?": object{
				"Type": "Choice",
				"Choices": []object{
					{"Variable": "$.state", "StringEquals": Waiting, "Next": "wait"},
					{"Variable": "$.state", "StringEquals": Done, "Next": "done"},
				},
				"Default": "failed",
			},
			"wait":   object{"Type": "Wait", "SecondsPath": "$.wait", "Next": "reconcile"},
			"done":   object{"Type": "Succeed"},
			"failed": object{"Type": "Fail", "Error": "Failed", "Cause": `The notification and the last result of "reconcile" have the reason.`},
		},
	}
	var text bytes.Buffer
	e := json.NewEncoder(&text)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	err := e.Encode(definition)
	return text.Bytes(), err
}
