package region_test

import (
	"errors"

	"github.com/aws/smithy-go"
)

// second drops a call's output.
func second[T any](_ T, err error) error { return err }

// code is the API error code of an error, "" if it has none.
func code(err error) string {
	var api smithy.APIError
	if errors.As(err, &api) {
		return api.ErrorCode()
	}
	return ""
}
