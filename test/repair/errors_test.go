package repair

import "github.com/aws/smithy-go"

// smithyError is an error of an AWS service.
type smithyError struct{ code string }

func (e *smithyError) Error() string                 { return e.code }
func (e *smithyError) ErrorCode() string             { return e.code }
func (e *smithyError) ErrorMessage() string          { return e.code }
func (e *smithyError) ErrorFault() smithy.ErrorFault { return smithy.FaultClient }
