package drain

import (
	"testing"

	ssmtypes "github.com/aws/aws-sdk-go-v2/service/ssm/types"
)

// TestCommandOver holds which statuses end the wait for a command.
func TestCommandOver(t *testing.T) {
	running := map[ssmtypes.CommandInvocationStatus]bool{
		ssmtypes.CommandInvocationStatusPending: true, ssmtypes.CommandInvocationStatusInProgress: true,
		ssmtypes.CommandInvocationStatusDelayed: true, ssmtypes.CommandInvocationStatusCancelling: true,
	}
	for _, status := range ssmtypes.CommandInvocationStatus("").Values() {
		if got := resultFrom(ssmtypes.CommandInvocation{Status: status}); got.Over == running[status] {
			t.Errorf("%s counts as over: %t; the instance is released while its command runs, or held after it", status, got.Over)
		}
	}
}
