package steps

import (
	"context"
	"testing"
)

// TestNamesWithOnePrefix: undoing what one tenant has leaves that of another whose name begins with its own.
func TestNamesWithOnePrefix(t *testing.T) {
	for kind, p := range parameters() {
		t.Run(kind, func(t *testing.T) {
			s := newState()
			first := newTenant()
			second := first + "-2" + "-abcdefghijklmnopqrstuvwxyz"[:32-len(first+"-2")] // the longest name
			clean := s.process(&network{})
			if _, err := converge(clean, kind, input(t, first, kind, p)); err != nil {
				t.Fatal(err)
			}
			out, err := converge(clean, kind, input(t, second, kind, p))
			if err != nil {
				t.Fatal(err)
			}
			before := left(t, s, second, kind, out)
			if before == "" {
				t.Fatal("the step leaves nothing that could be lost")
			}
			if err := persist(func() error { return clean.kinds[kind].Undo(context.Background(), input(t, first, kind, p)) }); err != nil {
				t.Fatal(err)
			}
			if after := left(t, s, second, kind, out); after != before {
				t.Errorf("after the removal of %s, %s has\n%s\nand had\n%s", first, second, after, before)
			}
		})
	}
}
