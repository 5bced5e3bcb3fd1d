package backup_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/sfn"

	"deployhooks/pkg/backup"
	"deployhooks/pkg/store"
)

// contested is the function's store, to which others may write in between.
type contested struct {
	store.Store[backup.Record]
	e *environment
}

func (c contested) Get(ctx context.Context, keys ...store.Key) (map[store.Key]store.Item[backup.Record], error) {
	found, err := c.Store.Get(ctx, keys...)
	if f := c.e.afterGet; f != nil && f() {
		c.e.afterGet = nil
	}
	return found, err
}

// TestTakenOver: an execution whose run another has taken over changes nothing any more, and
// fails. Otherwise two restore, rename and delete at once.
func TestTakenOver(t *testing.T) {
	for name, c := range map[string]struct {
		input, operation string
		about            func(recorded *backup.Run) bool
	}{
		"proof, about to restore": {prove, "RestoreDBInstanceFromDBSnapshot", func(r *backup.Run) bool { return r.Restored.IsZero() }},
		"fill, about to rename":   {fillNow, "ModifyDBInstance", func(r *backup.Run) bool { return r.Passed != nil }},
	} {
		t.Run(name, func(t *testing.T) {
			e, before := oldTraining(t), 0
			e.afterGet = func() bool {
				if run := e.record().Run; run == nil || !c.about(run) {
					return false
				}
				before = e.made(c.operation, nil)
				e.changeRecord(func(r *backup.Record) { r.Run.Execution = "another" })
				return true
			}
			if got := e.play(c.input); got != "FAILED" || e.afterGet != nil {
				t.Errorf("it has %s: whoever waits for it believes that its run is over", got)
			}
			if after := e.made(c.operation, nil); after != before {
				t.Errorf("%d calls of %s after another has taken the run over", after-before, c.operation)
			}
		})
	}
}

// TestProofAfterAbandoned: an execution that ends an abandoned run does its own task then. The
// failure of another's is not its own.
func TestProofAfterAbandoned(t *testing.T) {
	for _, input := range []string{prove, sweep} {
		e := newEnvironment(t)
		abandoned := e.start(prove)
		e.Advance(5 * time.Minute)
		if _, err := e.StepFunctions().StopExecution(context.Background(), &sfn.StopExecutionInput{ExecutionArn: &abandoned}); err != nil {
			t.Fatal(err)
		}
		e.Advance(time.Hour)
		if got := e.play(input); got != "SUCCEEDED" || (e.record().Proof != nil) != (input == prove) {
			t.Errorf("%s after an abandoned proof has %s, and the last proof is %+v", input, got, e.record().Proof)
		}
		if all := e.notices(); len(all) != 1 || !strings.Contains(all[0], "execution ended before it did") || len(e.left()) > 0 {
			t.Errorf("operators get %q, and %v is left", all, e.left())
		}
	}
}
