package workflow_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"deployhooks/pkg/tenant/blueprint"
	"deployhooks/pkg/tenant/step"
	"deployhooks/pkg/tenant/workflow"
)

// graphOf reads a graph from lines such as "b 2 <- a": b takes two minutes and needs a.
func graphOf(lines ...string) (steps []blueprint.Step) {
	for _, line := range lines {
		left, needs, _ := strings.Cut(line, "<-")
		s := blueprint.Step{Needs: strings.Fields(needs)}
		var minutes int
		fmt.Sscan(left, &s.Name, &minutes)
		s.Policy.Expected = time.Duration(minutes) * time.Minute
		steps = append(steps, s)
	}
	return steps
}

// text is a block in one line: (a b) one after another, [a b] side by side.
func text(b workflow.Block) string {
	var inner []string
	for _, part := range slices.Concat(b.Sequence, b.Parallel) {
		inner = append(inner, text(part))
	}
	switch {
	case b.Sequence != nil:
		return "(" + strings.Join(inner, " ") + ")"
	case b.Parallel != nil:
		return "[" + strings.Join(inner, " ") + "]"
	}
	return b.Step
}

func TestArrange(t *testing.T) {
	for name, c := range map[string]struct {
		steps []string
		want  string
		loss  time.Duration
	}{
		"nothing":                   {want: ""},
		"one step":                  {steps: []string{"a 1"}, want: "a"},
		"a chain":                   {steps: []string{"a 1", "b 1 <- a", "c 1 <- b"}, want: "(a b c)"},
		"nothing needed":            {steps: []string{"a 1", "b 1", "c 1"}, want: "[a b c]"},
		"a diamond":                 {steps: []string{"a 1", "b 1 <- a", "c 5 <- a", "d 1 <- b c"}, want: "(a [b c] d)"},
		"a need that another has":   {steps: []string{"a 1", "b 1 <- a", "c 1 <- a b"}, want: "(a b c)"},
		"two apart":                 {steps: []string{"a 1", "x 9", "b 1 <- a", "y 1 <- x"}, want: "[(a b) (x y)]"},
		"branches of several steps": {steps: []string{"r 1", "a 1 <- r", "b 2 <- a", "x 9 <- r", "z 1 <- b x"}, want: "(r [(a b) x] z)"},
		"steps that take no time":   {steps: []string{"a 0", "b 0 <- a", "c 0 <- a", "d 0 <- b c"}, want: "(a [b c] d)"},
		"all of one, all of the other": {
			steps: []string{"a 1", "b 3", "c 1 <- a b", "d 1 <- a b"}, want: "([a b] [c d])",
		},
		// a -> c, a -> d, b -> d: the smallest graph that is neither. c waits for b, or a for nothing.
		"the letter N": {steps: []string{"a 1", "b 1", "c 1 <- a", "d 1 <- a b"}, want: "([a b] [c d])"},
		"the letter N, where waiting costs": {
			steps: []string{"a 1", "b 5", "c 5 <- a", "d 1 <- a b"}, want: "(a [(b d) c])", loss: time.Minute,
		},
	} {
		t.Run(name, func(t *testing.T) {
			steps := graphOf(c.steps...)
			got := workflow.Arrange(steps)
			if text(got) != c.want {
				t.Errorf("arranged as %s, not as %s: steps wait for what they do not need", text(got), c.want)
			}
			if _, least := workflow.CriticalPath(steps); len(steps) > 0 && got.Expected-least != c.loss {
				t.Errorf("a launch takes %s longer than its critical path of %s, not %s", got.Expected-least, least, c.loss)
			}
		})
	}
}

func TestCriticalPath(t *testing.T) {
	path, expected := workflow.CriticalPath(graphOf("a 1", "b 1 <- a", "c 5 <- a", "x 6", "d 1 <- b c"))
	if fmt.Sprint(path) != "[a c d]" || expected != 7*time.Minute {
		t.Errorf("critical path %v of %s: progress counts the wrong steps", path, expected)
	}
	if path, expected := workflow.CriticalPath(graphOf("b 1 <- a", "d 1 <- b a")); fmt.Sprint(path) != "[b d]" || expected != 2*time.Minute {
		t.Errorf("critical path %v of %s of what is left: it has steps that are done", path, expected)
	}
}

// randomSteps is a random graph of steps.
func randomSteps(t *rapid.T, most int) (steps []blueprint.Step) {
	n := rapid.IntRange(1, most).Draw(t, "steps")
	density := rapid.IntRange(1, 9).Draw(t, "density")
	for i := range n {
		s := blueprint.Step{Name: fmt.Sprintf("s%d", i), Policy: step.Policy{Expected: time.Duration(rapid.IntRange(0, 90).Draw(t, "expected")) * time.Second}}
		for j := range i {
			if rapid.IntRange(0, 9).Draw(t, "needed") < density {
				s.Needs = append(s.Needs, steps[j].Name)
			}
		}
		steps = append(steps, s)
	}
	return steps
}

// seriesParallel is a random graph that is made of series and parallel parts; it returns
// its sinks.
func seriesParallel(t *rapid.T, steps *[]blueprint.Step, depth int, after []string) (sinks []string) {
	shape := rapid.IntRange(0, 2).Draw(t, "shape")
	if depth == 0 || shape == 0 {
		s := blueprint.Step{Name: fmt.Sprintf("s%d", len(*steps)), Needs: after, Policy: step.Policy{Expected: time.Duration(rapid.IntRange(0, 90).Draw(t, "expected")) * time.Second}}
		*steps = append(*steps, s)
		return []string{s.Name}
	}
	for range rapid.IntRange(2, 3).Draw(t, "parts") {
		if shape == 1 {
			after = seriesParallel(t, steps, depth-1, after)
			sinks = after
		} else {
			sinks = append(sinks, seriesParallel(t, steps, depth-1, after)...)
		}
	}
	return sinks
}

// walk visits the steps of a block in an order in which they may run, with all that has
// certainly run before each.
func walk(b workflow.Block, before []string, visit func(step string, before []string)) []string {
	switch {
	case b.Sequence != nil:
		for _, part := range b.Sequence {
			before = walk(part, before, visit)
		}
	case b.Parallel != nil:
		all := slices.Clone(before)
		for _, part := range b.Parallel {
			all = append(all, walk(part, slices.Clone(before), visit)...)
		}
		before = all
	default:
		visit(b.Step, before)
		before = append(before, b.Step)
	}
	return before
}

func TestArrangeRandomGraphs(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		steps := randomSteps(t, 25)
		needs := map[string][]string{}
		for _, s := range steps {
			needs[s.Name] = s.Needs
		}
		runs := map[string]int{}
		b := workflow.Arrange(steps)
		walk(b, nil, func(name string, before []string) {
			runs[name]++
			for _, need := range needs[name] {
				if !slices.Contains(before, need) {
					t.Fatalf("%s runs although %s, which it needs, may not have", name, need)
				}
			}
		})
		for _, s := range steps {
			if runs[s.Name] != 1 {
				t.Fatalf("%s runs %d times in %s", s.Name, runs[s.Name], text(b))
			}
		}
		if _, least := workflow.CriticalPath(steps); b.Expected < least {
			t.Fatalf("expected to take %s, less than the critical path's %s", b.Expected, least)
		}
	})
}

func TestArrangeLosesNothingInSeriesParallelGraphs(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var steps []blueprint.Step
		seriesParallel(t, &steps, 4, nil)
		b := workflow.Arrange(steps)
		if _, least := workflow.CriticalPath(steps); b.Expected != least {
			t.Fatalf("%s takes %s, longer than its critical path of %s", text(b), b.Expected, least)
		}
	})
}
