package notice

import "encoding/json"

// Value is the value of a metric of its own. Unit is one of CloudWatch's; empty is none.
type Value struct {
	Name  string
	Unit  string
	Value float64
}

// Measure writes values as metrics with the one dimension Environment, in the embedded
// metric format. Like [Publisher.Count] it may lose them with the log.
func (p *Publisher) Measure(environment string, values ...Value) {
	line := map[string]any{"Environment": environment}
	var all []definition
	for _, v := range values {
		unit := v.Unit
		if unit == "" {
			unit = "None"
		}
		all = append(all, definition{v.Name, unit})
		line[v.Name] = v.Value
	}
	line["_aws"] = metadata{Timestamp: p.now().UnixMilli(), CloudWatchMetrics: []directive{{Namespace: Namespace, Dimensions: [][]string{{"Environment"}}, Metrics: all}}}
	text, err := json.Marshal(line)
	if err != nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	_, _ = p.metrics.Write(append(text, '\n'))
}
