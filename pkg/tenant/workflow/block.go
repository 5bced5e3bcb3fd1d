package workflow

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"deployhooks/pkg/tenant/blueprint"
)

// Block is a part of a workflow in the only shapes that a state machine has: one step,
// blocks one after another, or blocks side by side. Exactly one of the three is set.
type Block struct {
	Step     string
	Sequence []Block
	Parallel []Block
	// Expected is how long the block usually takes.
	Expected time.Duration
}

// leastExpected is what a step counts for that is expected to take no time: ranks of
// steps need a duration.
const leastExpected = time.Millisecond

// Arrange turns the graph of the steps into a block that runs each step once and after
// all that it needs. A state machine cannot say more than series and parallel, so where
// the graph is neither, a step may wait for others that it does not need: [Block].Expected
// is at least that of [CriticalPath], and equal for every graph that is made of series and
// parallel parts only. The steps are in an order in which each comes after those it needs.
func Arrange(steps []blueprint.Step) Block {
	if len(steps) == 0 {
		return Block{}
	}
	a := arranger{graph: newGraph(steps), done: map[string]Block{}}
	all := make([]int, len(steps))
	for i := range all {
		all[i] = i
	}
	return a.arrange(all)
}

// reversed is the graph of the removal: a step is undone after all that need it.
func reversed(steps []blueprint.Step) []blueprint.Step {
	back := make([]blueprint.Step, 0, len(steps))
	for _, s := range slices.Backward(steps) {
		var needs []string
		for _, other := range steps {
			if slices.Contains(other.Needs, s.Name) {
				needs = append(needs, other.Name)
			}
		}
		s.Needs = needs
		back = append(back, s)
	}
	return back
}

type arranger struct {
	graph
	done map[string]Block // by the set of steps
}

// arrange arranges some steps, given in ascending order.
func (a arranger) arrange(nodes []int) Block {
	if len(nodes) == 1 {
		return Block{Step: a.names[nodes[0]], Expected: a.expected[nodes[0]]}
	}
	key := fmt.Sprint(nodes)
	if b, ok := a.done[key]; ok {
		return b
	}
	b := a.split(nodes)
	a.done[key] = b
	return b
}

func (a arranger) split(nodes []int) Block {
	if parts := a.components(nodes); len(parts) > 1 {
		var b Block
		for _, part := range parts {
			one := a.arrange(part)
			b.Parallel = append(b.Parallel, one)
			b.Expected = max(b.Expected, one.Expected)
		}
		return b
	}
	order, finish := a.byFinish(nodes)
	if cuts := a.seriesCuts(order); len(cuts) > 0 {
		return a.inSeries(order, cuts...)
	}
	// Not series-parallel. What is cut off must be all that finishes by some time: then
	// nothing in it needs anything after it.
	var best Block
	for _, k := range a.candidates(order, finish) {
		if b := a.inSeries(order, k); best.Expected == 0 || b.Expected < best.Expected {
			best = b
		}
	}
	return best
}

// inSeries arranges the parts of an order between the cuts one after another.
func (a arranger) inSeries(order []int, cuts ...int) Block {
	var b Block
	from := 0
	for _, to := range append(slices.Clone(cuts), len(order)) {
		part := slices.Sorted(slices.Values(order[from:to]))
		one := a.arrange(part)
		if one.Sequence != nil {
			b.Sequence = append(b.Sequence, one.Sequence...)
		} else {
			b.Sequence = append(b.Sequence, one)
		}
		b.Expected += one.Expected
		from = to
	}
	return b
}

// seriesCuts are the places in an order where all that comes after needs all that comes
// before: cutting there costs nothing.
func (a arranger) seriesCuts(order []int) (cuts []int) {
	for k := 1; k < len(order); k++ {
		free := slices.ContainsFunc(order[k:], func(after int) bool {
			return slices.ContainsFunc(order[:k], func(before int) bool { return !a.needs[after][before] })
		})
		if !free {
			cuts = append(cuts, k)
		}
	}
	return cuts
}

// candidates are the cuts worth trying, the most promising first: those whose halves
// have the shortest critical paths together. Few are tried where there are many steps.
func (a arranger) candidates(order []int, finish map[int]time.Duration) []int {
	type candidate struct {
		at    int
		bound time.Duration
	}
	var all []candidate
	for k := 1; k < len(order); k++ {
		if finish[order[k-1]] == finish[order[k]] {
			continue
		}
		rest, after := a.byFinish(slices.Sorted(slices.Values(order[k:])))
		all = append(all, candidate{k, finish[order[k-1]] + after[rest[len(rest)-1]]})
	}
	slices.SortStableFunc(all, func(x, y candidate) int { return cmp.Compare(x.bound, y.bound) })
	const tried = 6
	var cuts []int
	for _, c := range all[:min(len(all), tried)] {
		cuts = append(cuts, c.at)
	}
	return cuts
}
