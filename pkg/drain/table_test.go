package drain

import (
	"bytes"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"deployhooks/test/dynamo"
)

// TestTableContract holds what a table must do for the drains, each clause in
// an empty table of its own.
func TestTableContract(t *testing.T) {
	clauses := []struct {
		name string
		hold func(*testing.T, table)
	}{
		{"drains are kept as they are", keepsDrains},
		{"a lost update is told and keeps no other drain", tellsLostUpdates},
		{"more drains than a transaction takes", takesMany},
		{"what is forgotten is deleted, unless somebody has written it", deletesForgotten},
		{"a damaged item is left out and logged", leavesOutDamaged},
		{"only what has ended expires", expiresEnded},
		{"a tick belongs to one message", givesTickToOne},
	}
	for _, c := range clauses {
		t.Run(c.name, func(t *testing.T) {
			dynamo.Each(t, "drains", []string{"instance"}, func(t *testing.T, db dynamo.DB) {
				c.hold(t, table{"drains", db, slog.New(slog.DiscardHandler)})
			})
		})
	}
}

func keepsDrains(t *testing.T, drains table) {
	holds(t, drains)
	if lost := save(t, drains); lost != nil {
		t.Errorf("nothing was written, and %v lost", lost)
	}
	one, two := underWay("i-1"), underWay("i-2")
	save(t, drains, one)
	holds(t, drains, one)
	one.Delay, one.Told = 7, nil
	save(t, drains, one, two)
	holds(t, drains, one, two)
	if one.Version != 2 || two.Version != 1 {
		t.Errorf("written twice and once, the drains are at versions %d and %d", one.Version, two.Version)
	}
}

func tellsLostUpdates(t *testing.T, drains table) {
	theirs, known, fresh := underWay("i-1"), underWay("i-2"), underWay("i-3")
	save(t, drains, theirs, known)
	// One that is new to its writer, one that was read before their last write,
	// and one that was read before the item was deleted and began anew.
	fancied, stale, deleted := underWay("i-1"), *theirs, *theirs
	theirs.Delay, known.Delay = 1, 1
	save(t, drains, theirs)
	deleted.Version = theirs.Version + 1
	for _, late := range []*Drain{fancied, &stale, &deleted} {
		version := late.Version
		if lost := save(t, drains, fresh, late, known); !slices.Equal(lost, []string{"i-1"}) {
			t.Errorf("written at version %d, which is another's: %v lost", version, lost)
		}
		if late.Version != version {
			t.Errorf("a drain that was not written went from version %d to %d", version, late.Version)
		}
		if lost := save(t, drains, late); !slices.Equal(lost, []string{"i-1"}) {
			t.Errorf("alone, written at version %d, which is another's: %v lost", version, lost)
		}
	}
	holds(t, drains, theirs, known, fresh)
}

func takesMany(t *testing.T, drains table) {
	var all []*Drain
	for n := range 250 { // a transaction takes 100 (TransactWriteItems, DynamoDB API Reference)
		all = append(all, underWay(fmt.Sprintf("i-%03d", n)))
	}
	theirs := []*Drain{underWay("i-007"), underWay("i-107"), underWay("i-207")}
	save(t, drains, theirs...)
	if lost := save(t, drains, all...); !slices.Equal(lost, []string{"i-007", "i-107", "i-207"}) {
		t.Errorf("one drain in each hundred was another's: %v lost", lost)
	}
	for _, d := range theirs {
		all[slices.IndexFunc(all, func(a *Drain) bool { return a.Instance == d.Instance })] = d
	}
	holds(t, drains, all...)
}

func deletesForgotten(t *testing.T, drains table) {
	over, theirs, known := underWay("i-1"), underWay("i-2"), underWay("i-3")
	save(t, drains, over, theirs, known)
	stale := *theirs
	theirs.Delay = 1
	save(t, drains, theirs)
	over.dropped, stale.dropped, known.Delay = true, true, 1
	if lost := save(t, drains, over, &stale, known); !slices.Equal(lost, []string{"i-2"}) {
		t.Errorf("forgotten was one that somebody has written since: %v lost", lost)
	}
	holds(t, drains, theirs, known)
	theirs.dropped = true
	save(t, drains, theirs)
	holds(t, drains, known)
}

func leavesOutDamaged(t *testing.T, drains table) {
	var log bytes.Buffer
	drains.log = slog.New(slog.NewTextHandler(&log, nil))
	good := underWay("i-good")
	save(t, drains, good)
	str := func(s string) types.AttributeValue { return &types.AttributeValueMemberS{Value: s} }
	for instance, item := range map[string]map[string]types.AttributeValue{
		"i-cut-off":      {"state": str(`{"cause":"lifec`), "version": number(1)},
		"i-empty":        {"version": number(1)},
		"i-no-version":   {"state": str("{}")},
		"i-text-version": {"state": str("{}"), "version": str("1")},
		"i-half-version": {"state": str("{}"), "version": &types.AttributeValueMemberN{Value: "1.5"}},
	} {
		item["instance"] = str(instance)
		if _, err := drains.db.PutItem(t.Context(), &dynamodb.PutItemInput{TableName: &drains.name, Item: item}); err != nil {
			t.Fatal(err)
		}
		holds(t, drains, good)
		if !strings.Contains(log.String(), instance) {
			t.Errorf("nobody hears of the damaged item of %s", instance)
		}
	}
}

func expiresEnded(t *testing.T, drains table) {
	d := underWay("i-1")
	save(t, drains, d)
	if at := expires(t, drains); !at.IsZero() {
		t.Errorf("a drain under way expires at %s", at)
	}
	d.Ended, d.Outcome = noon, Drained
	save(t, drains, d)
	// A lifecycle action may last 48 hours (PutLifecycleHook, Amazon EC2 Auto
	// Scaling API Reference), and what comes late must find its drain.
	if at := expires(t, drains); at.Before(noon.Add(48*time.Hour)) || at.After(noon.Add(7*24*time.Hour)) {
		t.Errorf("a drain that ended at %s expires at %s", noon, at)
	}
	found, _, err := drains.load(t.Context())
	if err != nil || !found["i-1"].Ended.Equal(noon) || found["i-1"].Outcome != Drained || found["i-1"].open() {
		t.Errorf("the ended drain is remembered as %+v, %v", found["i-1"], err)
	}
	again := underWay("i-1")
	again.Version = d.Version
	save(t, drains, again)
	if at := expires(t, drains); !at.IsZero() {
		t.Errorf("a drain that began anew expires at %s", at)
	}
	holds(t, drains, again)
}

func givesTickToOne(t *testing.T, drains table) {
	var log bytes.Buffer
	drains.log = slog.New(slog.NewTextHandler(&log, nil))
	for _, c := range []struct {
		after   time.Duration
		message string
		mine    bool
		since   time.Duration // the tick before
	}{
		{10 * time.Second, "m-1", true, noon.Add(10 * time.Second).Sub(time.Unix(0, 0))}, // none was taken before
		{10 * time.Second, "m-1", true, 0},                                               // delivered again: it may have died half-way
		{10 * time.Second, "m-2", false, 0},
		{0, "m-2", false, 0},
		{0, "m-1", false, 0},
		{25 * time.Second, "m-2", true, 15 * time.Second},
		{10 * time.Second, "m-1", false, 0},
		{25 * time.Second, "m-1", false, 0},
		{25 * time.Second, "m-2", true, 0},
	} {
		mine, since, err := drains.claim(t.Context(), noon.Add(c.after), c.message)
		if err != nil || mine != c.mine || since != c.since {
			t.Errorf("the tick of %s for %s: %t, %s after the last, %v; want %t, %s", noon.Add(c.after).Format(time.TimeOnly), c.message, mine, since, err, c.mine, c.since)
		}
	}
	d := underWay("i-1")
	save(t, drains, d)
	holds(t, drains, d)
	if log.Len() > 0 {
		t.Errorf("the clock is taken for a drain: %s", &log)
	}
}

// underWay is a new drain that uses every field that a drain under way may.
func underWay(instance string) *Drain {
	return &Drain{
		Instance: instance, Group: "shop ünd mehr", Cause: Lifecycle, Since: noon, Beat: noon.Add(time.Second),
		Actions: []Action{{Hook: "deployhooks-drain", Token: "t-1", Timeout: 300, Global: 30000}, {Hook: "deployhooks-logs"}},
		Known:   true, Targets: []string{webARN, sideARN}, Delay: 120,
		Command:    Command{Key: "k-1", Asked: noon.Add(time.Minute), ID: "c-1", Over: true, Status: succeeded, Output: "gone\n"},
		ToWarmPool: true, Skip: true, Told: []string{"elasticloadbalancing:DeregisterTargets"},
	}
}

// save writes drains and returns the instances whose drains were lost, sorted.
func save(t *testing.T, drains table, all ...*Drain) (lost []string) {
	t.Helper()
	losers, err := drains.save(t.Context(), all)
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range losers {
		lost = append(lost, d.Instance)
	}
	slices.Sort(lost)
	return lost
}

// holds sees that the table holds these drains and no others.
func holds(t *testing.T, drains table, want ...*Drain) {
	t.Helper()
	found, _, err := drains.load(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	wanted := map[string]Drain{}
	for _, d := range want {
		wanted[d.Instance] = *d
	}
	if diff := cmp.Diff(wanted, found, cmpopts.IgnoreUnexported(Drain{})); diff != "" {
		t.Errorf("the table holds other drains than were written (-written +held):\n%s", diff)
	}
}

// expires is when DynamoDB may delete the only item of the table; zero for
// never.
func expires(t *testing.T, drains table) time.Time {
	t.Helper()
	out, err := drains.db.Scan(t.Context(), &dynamodb.ScanInput{TableName: &drains.name, ConsistentRead: aws.Bool(true)})
	if err != nil || len(out.Items) != 1 {
		t.Fatalf("the table has %d items, %v", len(out.Items), err)
	}
	n, ok := out.Items[0]["expires"].(*types.AttributeValueMemberN)
	if !ok {
		return time.Time{}
	}
	at, err := strconv.ParseInt(n.Value, 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return time.Unix(at, 0)
}
