package event_test

import (
	"testing"

	"deployhooks/pkg/event"
)

// BenchmarkParse measures what parsing an invocation costs: a few thousandths of
// what its first AWS call does.
func BenchmarkParse(b *testing.B) {
	for _, name := range []string{"codedeploy-eventbridge-success", "codedeploy-sqs-sns-succeeded", "several-sqs", "deployhooks-sqs-continue-sweep"} {
		b.Run(name, func(b *testing.B) {
			payload := read(b, name)
			b.SetBytes(int64(len(payload)))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := event.Parse(payload); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
