package repair

import (
	"encoding/json"
	"strings"
	"time"

	"deployhooks/pkg/repair"
	"deployhooks/test/harness/repairs"
)

// atBubbleTime is another execution environment of the fixture's function, whose
// clock is that of a synctest bubble, in which calls take time.
func atBubbleTime(f *fixture) *repair.Repairer {
	return repairs.New(f.Region, repairs.Settings{Now: time.Now})
}

// queued is the event of one message in the function's queue.
func queued(body string) []byte {
	text, _ := json.Marshal(map[string]any{"Records": []map[string]any{{
		"messageId": "1", "receiptHandle": "1", "body": body, "eventSource": "aws:sqs",
		"attributes": map[string]string{"ApproximateReceiveCount": "1"},
	}}})
	return text
}

// sweeps reports whether a message has the function sweep.
func sweeps(body string) bool {
	return strings.Contains(body, `"sweep"`) && strings.Contains(body, `"continue"`) && !strings.Contains(body, `"reconcile"`)
}
