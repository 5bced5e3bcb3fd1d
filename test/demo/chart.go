package main

import "fmt"

// The measures of the charts of launches, in pixels of their own coordinates.
const (
	chartNames = 170 // width of the steps' names
	chartTop   = 26
	rowHeight  = 18
)

// chart is a launch laid out to be drawn: the real times on the left, the estimate on the right.
type chart struct {
	Launch
	columns [2]column
}

// column is one of the two time axes.
type column struct {
	left, right, seconds float64
}

func newChart(l Launch) chart {
	middle := float64(chartNames + (pictureWidth-chartNames)/2)
	return chart{l, [2]column{{chartNames, middle - gap, l.Seconds}, {middle + gap, pictureWidth - right, l.AWS}}}
}

func (c chart) Width() int      { return pictureWidth }
func (c chart) Bottom() int     { return chartTop + len(c.Steps)*rowHeight }
func (c chart) Height() int     { return c.Bottom() + 22 }
func (c chart) Y(row int) int   { return chartTop + row*rowHeight }
func (c chart) Names() int      { return chartNames }
func (c chart) Columns() []int  { return []int{0, 1} }
func (c chart) Left(n int) int  { return int(c.columns[n].left) }
func (c chart) Right(n int) int { return int(c.columns[n].right) }

// Title is what a column shows.
func (c chart) Title(n int) string {
	if n == 1 {
		return fmt.Sprintf("on AWS, estimated from what each kind of step expects: %.1f s", c.AWS)
	}
	return fmt.Sprintf("on this machine, measured: %.2f s", c.Seconds)
}

// X is where a time is drawn in a column.
func (c chart) X(n int, seconds float64) float64 {
	a := c.columns[n]
	return a.left + seconds/max(a.seconds, 0.001)*(a.right-a.left)
}

// Bar is the width of a bar, which can be seen however short it is.
func (c chart) Bar(n int, from, to float64) float64 { return max(c.X(n, to)-c.X(n, from), 2) }

// Ticks are the times that a column's axis names: five at most, at round numbers.
func (c chart) Ticks(n int) (ticks []float64) {
	for _, every := range []float64{0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60, 300} {
		if count := int(c.columns[n].seconds / every); count <= 5 {
			for i := range count + 1 {
				ticks = append(ticks, float64(i)*every)
			}
			return ticks
		}
	}
	return nil
}

// Last is when the last try ended.
func (s LaunchedStep) Last() float64 {
	if len(s.Tries) == 0 {
		return 0
	}
	return s.Tries[len(s.Tries)-1].To
}

// First is when the first try began.
func (s LaunchedStep) First() float64 {
	if len(s.Tries) == 0 {
		return 0
	}
	return s.Tries[0].From
}
