package main

import (
	"bytes"
	_ "embed"
	"fmt"
	"html/template"
)

//go:embed page.html
var pageHTML string

// The picture's measures, in pixels of its own coordinates.
const (
	pictureWidth = 1080
	left         = 150 // where time begins
	right        = 20
	marksTop     = 14
	markHeight   = 16
	chartHeight  = 70
	laneHeight   = 15
	gap          = 14
)

// picture is a run laid out to be drawn.
type picture struct {
	Run
	seconds  int
	ceiling  int // requests a second at the top of the chart
	MarkRows int
}

// render draws the page. It holds all it needs: no script, no network.
func render(scenarios []Scenario, launches []Launch) ([]byte, error) {
	page, err := template.New("page").Funcs(template.FuncMap{"picture": newPicture, "percent": percent, "chart": newChart}).Parse(pageHTML)
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	err = page.Execute(&out, map[string]any{"Scenarios": scenarios, "Launches": launches})
	return out.Bytes(), err
}

func newPicture(r Run) picture {
	p := picture{Run: r, seconds: max(len(r.Seconds), 1), ceiling: 1, MarkRows: len(r.Marks)}
	for _, s := range r.Seconds {
		p.ceiling = max(p.ceiling, s.Requests)
	}
	return p
}

// Width, Height, ChartTop, LanesTop and Bottom lay the picture out.
func (p picture) Width() int    { return pictureWidth }
func (p picture) Left() int     { return left }
func (p picture) Right() int    { return pictureWidth - right }
func (p picture) ChartTop() int { return marksTop + p.MarkRows*markHeight + gap }
func (p picture) ChartBottom() int {
	return p.ChartTop() + chartHeight
}
func (p picture) LanesTop() int { return p.ChartBottom() + gap }
func (p picture) Bottom() int   { return p.LanesTop() + len(p.Lanes)*laneHeight }
func (p picture) Height() int   { return p.Bottom() + 28 }

// X is where a second is drawn.
func (p picture) X(second int) float64 {
	return left + float64(second)*float64(pictureWidth-left-right)/float64(p.seconds)
}

// Bar is one second of the chart.
type bar struct {
	X, Width, OK, OKTop, Bad, BadTop float64
	Second
	At int
}

// Bars are the chart: what was answered, and on top of it what failed.
func (p picture) Bars() []bar {
	scale := float64(chartHeight) / float64(p.ceiling)
	var bars []bar
	for i, s := range p.Seconds {
		b := bar{X: p.X(i), Width: p.X(i+1) - p.X(i) - 0.6, Second: s, At: i}
		b.OK, b.Bad = float64(s.Requests-s.Failed)*scale, float64(s.Failed)*scale
		b.OKTop = float64(p.ChartBottom()) - b.OK
		b.BadTop = b.OKTop - b.Bad
		bars = append(bars, b)
	}
	return bars
}

// LaneY is the top of an instance's lane, and MarkY the base line of a mark.
func (p picture) LaneY(lane int) int { return p.LanesTop() + lane*laneHeight }
func (p picture) MarkY(mark int) int { return marksTop + mark*markHeight }

// Anchor says which way a mark's text runs, so that late ones stay inside.
func (p picture) Anchor(m Mark) string {
	if m.At > p.seconds*3/5 {
		return "end"
	}
	return "start"
}

// SpanWidth is how long a span is drawn.
func (p picture) SpanWidth(s Span) float64 { return p.X(s.To) - p.X(s.From) }

// Ticks are the seconds that the time axis names.
func (p picture) Ticks() []int {
	var ticks []int
	for t := 0; t <= p.seconds; t += 30 {
		ticks = append(ticks, t)
	}
	return ticks
}

func (m Mark) Time() string { return clockTime(m.At) }

// Clock is a second as minutes and seconds.
func (p picture) Clock(second int) string { return clockTime(second) }

func clockTime(second int) string { return fmt.Sprintf("%d:%02d", second/60, second%60) }

func percent(part, whole int) string {
	if whole == 0 {
		return "0 %"
	}
	return fmt.Sprintf("%.1f %%", 100*float64(part)/float64(whole))
}
