package backup

import (
	"errors"
	"net/http"
	"testing"

	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"
)

// TestReason: the same reason is the same text, or operators are notified of it with each sweep.
func TestReason(t *testing.T) {
	denied := func(request string) error {
		return &smithy.OperationError{ServiceID: "RDS", OperationName: "DeleteDBInstance", Err: &awshttp.ResponseError{RequestID: request, ResponseError: &smithyhttp.ResponseError{
			Response: &smithyhttp.Response{Response: &http.Response{StatusCode: http.StatusForbidden}}, Err: &smithy.GenericAPIError{Code: "AccessDenied", Message: "no, not you"},
		}}}
	}
	const want = "operation error RDS: DeleteDBInstance, https response error StatusCode: 403, api error AccessDenied: no, not you. Allow rds:DeleteDBInstance"
	first, second := reason(denied("0a-1")), reason(denied("0b-2"))
	if first != second || first[:min(len(want), len(first))] != want {
		t.Errorf("two denials of a call are %q and %q", first, second)
	}
	if got := reason(errors.New("a reason")); got != "a reason" {
		t.Errorf("says %q", got)
	}
}
