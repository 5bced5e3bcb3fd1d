package workflow

import (
	"cmp"
	"slices"
	"time"

	"deployhooks/pkg/tenant/blueprint"
)

// graph is the steps by index, in an order in which each comes after those it needs.
type graph struct {
	names    []string
	expected []time.Duration
	needs    [][]bool // needs[i][j]: i needs j, directly or not
}

func newGraph(steps []blueprint.Step) graph {
	g := graph{needs: make([][]bool, len(steps))}
	index := make(map[string]int, len(steps))
	for i, s := range steps {
		g.names = append(g.names, s.Name)
		g.expected = append(g.expected, max(s.Policy.Expected, leastExpected))
		g.needs[i] = make([]bool, len(steps))
		index[s.Name] = i
		for _, name := range s.Needs {
			j := index[name]
			g.needs[i][j] = true
			for k, indirect := range g.needs[j] {
				g.needs[i][k] = g.needs[i][k] || indirect
			}
		}
	}
	return g
}

// components are the parts of a set of nodes that have nothing to do with one another.
func (g graph) components(nodes []int) (parts [][]int) {
	left := slices.Clone(nodes)
	for len(left) > 0 {
		part := []int{left[0]}
		left = left[1:]
		for i := 0; i < len(part); i++ {
			var others []int
			for _, n := range left {
				if g.needs[n][part[i]] || g.needs[part[i]][n] {
					part = append(part, n)
				} else {
					others = append(others, n)
				}
			}
			left = others
		}
		slices.Sort(part)
		parts = append(parts, part)
	}
	return parts
}

// byFinish orders nodes, given in ascending order, by when each is done at the earliest
// if the nodes are all there is.
func (g graph) byFinish(nodes []int) (order []int, finish map[int]time.Duration) {
	finish = make(map[int]time.Duration, len(nodes))
	for i, n := range nodes {
		for _, before := range nodes[:i] {
			if g.needs[n][before] {
				finish[n] = max(finish[n], finish[before])
			}
		}
		finish[n] += g.expected[n]
	}
	order = slices.Clone(nodes)
	slices.SortStableFunc(order, func(x, y int) int { return cmp.Compare(finish[x], finish[y]) })
	return order, finish
}

// CriticalPath are the steps that decide how long a workflow takes at least, in order,
// and how long that is. The steps are in an order in which each comes after those it needs;
// a need that is not among them takes no time.
func CriticalPath(steps []blueprint.Step) (path []string, expected time.Duration) {
	finish := map[string]time.Duration{}
	last := map[string]string{} // the need that is done last
	var end string
	for _, s := range steps {
		for _, need := range s.Needs {
			if finish[need] > finish[last[s.Name]] {
				last[s.Name] = need
			}
		}
		finish[s.Name] = finish[last[s.Name]] + max(s.Policy.Expected, leastExpected)
		if end == "" || finish[s.Name] > finish[end] {
			end = s.Name
		}
	}
	for name := end; name != ""; name = last[name] {
		path = append(path, name)
	}
	slices.Reverse(path)
	return path, finish[end]
}
