package notice

import (
	"encoding/json"
	"fmt"
	"slices"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"
)

var noon = time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)

func none(string) bool { return false }

func TestLedger(t *testing.T) {
	ledger := func(sent []string, outbox ...Entry[string]) Ledger[string] {
		return Ledger[string]{Sent: sent, Outbox: outbox}
	}
	a, b := Entry[string]{Matter: "a", Notice: "text"}, Entry[string]{Matter: "b", Notice: "text"}
	failed := func(e Entry[string], tries int) Entry[string] {
		e.Tries, e.Tried = tries, noon
		return e
	}
	for name, c := range map[string]struct {
		got, want Ledger[string]
		harm      string
	}{
		"a new matter":             {ledger(nil).Add("a", "text"), ledger(nil, a), "operators are not notified"},
		"a matter that is sent":    {ledger([]string{"a"}).Add("a", "text"), ledger([]string{"a"}), "operators are notified with each reconcile"},
		"a matter in the outbox":   {ledger(nil, failed(a, 3)).Add("a", "later"), ledger(nil, failed(a, 3)), "operators are notified twice, or without an end"},
		"delivered":                {ledger([]string{"b"}, a).Delivered("a"), ledger([]string{"b", "a"}), "operators are notified with each reconcile"},
		"delivered beside another": {ledger(nil, a, b).Delivered("a"), ledger([]string{"a"}, b), "another notification is lost"},
		"delivered once more":      {ledger([]string{"a", "b"}, a).Delivered("a"), ledger([]string{"b", "a"}), "the ledger grows"},
		"failed":                   {ledger(nil, a, b).Failed("b", noon), ledger(nil, a, failed(b, 1)), "a failing notification is tried with each reconcile for ever"},
		"a matter that lasts":      {ledger([]string{"a", "b"}).Keep(func(m string) bool { return m == "b" }), ledger([]string{"b"}), "it is notified again while it lasts, or not when it comes back"},
		"over before it was sent":  {ledger(nil, a).Keep(none), ledger(nil, a), "operators are never notified"},
		"all are over":             {ledger([]string{"a"}).Keep(none).Add("a", "text"), ledger([]string{}, a), "what comes back is not notified"},
	} {
		if !gocmp.Equal(c.got, c.want, cmpopts.EquateEmpty()) {
			t.Errorf("%s: %+v, want %+v: %s", name, c.got, c.want, c.harm)
		}
	}
	if l := ledger(nil); !l.Empty() || l.Add("a", "").Empty() || l.Delivered("a").Empty() || l.Knows("a") || !l.Add("a", "").Knows("a") || !l.Delivered("a").Knows("a") {
		t.Error("a ledger is not empty when it should be, or does not know its matters")
	}
}

// TestTwoResultsOfOneLedger holds that they share nothing.
func TestTwoResultsOfOneLedger(t *testing.T) {
	l := Ledger[string]{Sent: make([]string, 1, 8), Outbox: make([]Entry[string], 1, 8)}
	for name, result := range map[string]func(string) Ledger[string]{
		"added":     func(m string) Ledger[string] { return l.Add(m, "") },
		"delivered": l.Delivered,
	} {
		a := result("a")
		before := fmt.Sprint(a)
		result("b")
		if fmt.Sprint(a) != before {
			t.Errorf("%s, what was %s is %v: one notification goes out for another", name, before, a)
		}
	}
}

// TestDue holds that a notification that fails is due quickly at first and then once
// an hour.
func TestDue(t *testing.T) {
	l := Ledger[string]{}.Add("a", "text").Add("b", "text").Delivered("b")
	now, attempts := noon, []time.Duration{}
	for ; now.Before(noon.Add(3 * time.Hour)); now = now.Add(time.Minute) {
		for _, e := range l.Due(now) {
			if e.Matter != "a" || e.Notice != "text" {
				t.Fatalf("%+v is due", e)
			}
			attempts = append(attempts, now.Sub(noon))
			l = l.Failed(e.Matter, now)
		}
	}
	m := time.Minute
	if want := []time.Duration{0, 1 * m, 2 * m, 3 * m, 4 * m, 64 * m, 124 * m}; !slices.Equal(attempts, want) {
		t.Errorf("a failing notification is sent after %v, want %v: operators get copies, or get it late", attempts, want)
	}
}

func TestLedgerIsBounded(t *testing.T) {
	var l Ledger[string]
	for n := range 2 * sentLimit {
		l = l.Add(fmt.Sprint(n), "").Delivered(fmt.Sprint(n))
	}
	if newest := fmt.Sprint(2*sentLimit - 1); len(l.Sent) != sentLimit || !l.Knows(newest) || l.Knows("0") {
		t.Errorf("%d matters are remembered, the newest %t: the item outgrows its table, or the newest is notified again", len(l.Sent), l.Knows(newest))
	}
}

// TestLedgerProperties runs reconciles of one subject whose matters come and go, on a
// topic that fails, in a function that may die between any two steps and then continues
// with what it had stored last.
//
//   - No matter that lasts for a reconcile is lost, once the topic works again.
//   - Each is notified once while it lasts, but for one copy with each death.
//   - No method changes the ledger that it is called on.
func TestLedgerProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		type subject struct {
			sent   map[string]int // deliveries since the matter began to last
			deaths map[string]int // deaths after a delivery that was not stored
		}
		s := subject{map[string]int{}, map[string]int{}}
		var stored Ledger[string]
		store := func(l Ledger[string]) { stored = copied(t, l) }
		now := noon
		lasting := map[string]bool{}
		steps := rapid.IntRange(1, 30).Draw(t, "reconciles")
		for range steps {
			for _, m := range []string{"a", "b", "c"} {
				if rapid.IntRange(0, 3).Draw(t, m) == 0 {
					lasting[m] = !lasting[m]
				}
			}
			l := unchanged(t, stored, func(l Ledger[string]) Ledger[string] { return l.Keep(func(m string) bool { return lasting[m] }) })
			for _, m := range []string{"a", "b", "c"} {
				if lasting[m] && !l.Knows(m) {
					s.sent[m], s.deaths[m] = 0, 0 // it begins to last
					l = unchanged(t, l, func(l Ledger[string]) Ledger[string] { return l.Add(m, m) })
				}
			}
			store(l) // before anything is sent
			for _, e := range l.Due(now) {
				works := rapid.Bool().Draw(t, "works")
				if works {
					s.sent[e.Matter]++
					l = unchanged(t, l, func(l Ledger[string]) Ledger[string] { return l.Delivered(e.Matter) })
				} else {
					l = unchanged(t, l, func(l Ledger[string]) Ledger[string] { return l.Failed(e.Matter, now) })
				}
				if rapid.IntRange(0, 4).Draw(t, "dies") == 0 {
					if works {
						s.deaths[e.Matter]++
					}
					break // what is stored is where it continues
				}
				store(l)
			}
			now = now.Add(time.Duration(rapid.IntRange(1, 120).Draw(t, "minutes")) * time.Minute)
			for m, n := range s.sent {
				if n > 1+s.deaths[m] {
					t.Fatalf("matter %s is notified %d times although the function died %d times", m, n, s.deaths[m])
				}
			}
		}
		for _, e := range stored.Due(now.Add(retryEvery)) { // the topic works again
			s.sent[e.Matter]++
			stored = stored.Delivered(e.Matter)
		}
		for m, lasts := range lasting {
			if lasts && s.sent[m] == 0 {
				t.Fatalf("matter %s lasts and was never notified", m)
			}
		}
		if len(stored.Outbox) > 0 {
			t.Fatalf("%v stay unsent", stored.Outbox)
		}
	})
}

// unchanged calls a method and sees that its receiver stays as it was.
func unchanged(t *rapid.T, l Ledger[string], method func(Ledger[string]) Ledger[string]) Ledger[string] {
	before := copied(t, l)
	after := method(l)
	result := copied(t, after)
	if !gocmp.Equal(copied(t, l), before) {
		t.Fatalf("the receiver was %+v and is %+v: what was observed is altered", before, l)
	}
	// Nor do two results of one ledger share what they hold.
	_ = l.Add("another", "").Failed("another", noon).Delivered("another")
	_ = after.Add("another", "").Failed("another", noon).Delivered("another")
	if !gocmp.Equal(copied(t, after), result) || !gocmp.Equal(copied(t, l), before) {
		t.Fatalf("two ledgers share what they hold")
	}
	return after
}

// copied is a ledger as it is read back from its table.
func copied(t *rapid.T, l Ledger[string]) (again Ledger[string]) {
	text, err := json.Marshal(l)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &again); err != nil {
		t.Fatal(err)
	}
	return again
}
