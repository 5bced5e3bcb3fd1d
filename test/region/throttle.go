package region

import (
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
)

// buckets are the token buckets of services that throttle, by name.
type buckets map[string]*bucket

// bucket holds tokens: each call takes one, time gives them back.
type bucket struct {
	size   float64
	refill float64 // a second
	tokens float64
	at     time.Time
}

// Names of buckets.
const (
	elbDescribe = "elb describe"
	elbMutate   = "elb mutate"
	elbTargets  = "elb register"
	asgAll      = "autoscaling"
)

// newBuckets are the request limits. Documented are the 40 tokens of ELB's
// Describe calls, refilled at 10 a second ("Request throttling for the ELB
// API"), and that all Auto Scaling calls of an account and region share one
// bucket; the other figures are assumed.
func newBuckets(now time.Time) buckets {
	b := buckets{}
	for name, limit := range map[string][2]float64{
		elbDescribe: {40, 10},
		elbTargets:  {20, 4},
		elbMutate:   {20, 3},
		asgAll:      {100, 10},
	} {
		b[name] = &bucket{size: limit[0], refill: limit[1], tokens: limit[0], at: now}
	}
	return b
}

// bucketOf names the bucket that a call takes from, "" if none.
func bucketOf(c Call) string {
	switch c.Service {
	case autoscaling.ServiceID:
		return asgAll
	case elasticloadbalancingv2.ServiceID:
		switch {
		case strings.HasPrefix(c.Operation, "Describe"):
			return elbDescribe
		case c.Operation == "RegisterTargets" || c.Operation == "DeregisterTargets":
			return elbTargets
		}
		return elbMutate
	}
	return ""
}

// take takes a token for a call, if there is one.
func (b buckets) take(c Call) bool {
	from := b[bucketOf(c)]
	if from == nil {
		return true
	}
	from.tokens = min(from.size, from.tokens+from.refill*c.At.Sub(from.at).Seconds())
	from.at = c.At
	if from.tokens < 1 {
		return false
	}
	from.tokens--
	return true
}
