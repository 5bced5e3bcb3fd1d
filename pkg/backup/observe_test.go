package backup

import (
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/rds/types"
)

// TestPending: what RDS has taken, and the status does not show yet, is waited for.
func TestPending(t *testing.T) {
	for name, p := range map[string]*types.PendingModifiedValues{"a name": {DBInstanceIdentifier: aws.String("db")}, "a password": {MasterUserPassword: aws.String("****")}} {
		if i := instanceOf(types.DBInstance{DBInstanceStatus: aws.String("available"), PendingModifiedValues: p}); i.ready() {
			t.Errorf("an instance that gets %s is ready", name)
		}
	}
}
