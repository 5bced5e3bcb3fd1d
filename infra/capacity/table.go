package capacity

import (
	"fmt"
	"math"
	"strings"
)

// Table is the stages in Markdown, as the README shows them: the largest region of each, and
// the price of all.
func Table(a Application) string {
	var b strings.Builder
	b.WriteString("| stage | users a month | active a day | regions | largest region: peak requests/s | instances | their CPU with a zone lost | database | connections | data after a year | sent a month | list price a month, all regions |\n")
	b.WriteString("| --- " + strings.Repeat("| --- ", 11) + "|\n")
	for _, s := range Stages() {
		p := s.Region(0, a)
		fmt.Fprintf(&b, "| %s | %s | %s | %d | %s | %d × `%s` | %.0f %% | `%s`, Multi-AZ | %d of %d | %s GB | %s GB | $%s |\n",
			s.Name, number(s.Users), number(s.Users*DailyShare), len(s.Regions), number(p.PeakPerSecond), p.Instances, s.Instance.Type, 100*p.LostCPU,
			p.Database.Class, p.Connections, p.Database.Connections, number(p.StorageGB), number(p.OutGB), number(s.Total(a)))
	}
	return b.String()
}

// number is a number with two digits that mean something, and commas.
func number(v float64) string {
	if v > 0 {
		unit := math.Pow(10, math.Floor(math.Log10(v))-1)
		v = math.Round(v/unit) * unit
	}
	if v < 10 {
		return fmt.Sprintf("%.2g", v)
	}
	text := fmt.Sprintf("%.0f", v)
	for n := len(text) - 3; n > 0; n -= 3 {
		text = text[:n] + "," + text[n:]
	}
	return text
}
