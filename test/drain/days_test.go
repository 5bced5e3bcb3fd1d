package drain

import (
	"testing"
	"time"
)

func TestScaleIn(t *testing.T) {
	w := newWorld(t, setting{})
	w.scaleIn(1)
	w.settle()
	w.mustComplete(1)
	w.mustLoseNothing()
	w.mustBeQuiet()
	if told := w.told(); len(told) > 0 {
		t.Errorf("an ordinary scale-in is told as %q", told)
	}
}

// TestScaleInWithoutTheFunction shows that the stories have something to lose.
func TestScaleInWithoutTheFunction(t *testing.T) {
	w := newWorld(t, setting{noHook: true})
	w.scaleIn(1)
	w.Advance(10 * time.Minute)
	if total := w.side.Total(); total.CutEarly == 0 {
		t.Errorf("without a drain nothing is lost either: %+v", total)
	}
}
