package notice

import (
	"slices"
	"time"
)

// Ledger remembers what operators were notified of about one subject (a
// deployment group, a draining instance), so that each matter is notified once
// while it lasts, and what is still to be sent. N is what a domain needs to
// compose the notification; it is stored with the subject.
//
// A notification is stored in the ledger's outbox before it is sent, and leaves it
// afterwards. So a function that dies in between sends it again, and none is lost.
//
// A Ledger is a value: its methods return the changed one and leave the receiver
// as it was.
type Ledger[N any] struct {
	// Sent are the matters that operators know of, oldest first.
	Sent []string `json:"sent,omitempty"`
	// Outbox are the notifications that are to be sent, or may not have been.
	Outbox []Entry[N] `json:"outbox,omitempty"`
}

// Entry is a notification that is to be sent.
type Entry[N any] struct {
	// Matter identifies what the notification is about, without figures that
	// change while it lasts.
	Matter string    `json:"matter"`
	Notice N         `json:"notice"`
	Tries  int       `json:"tries,omitempty"`
	Tried  time.Time `json:"tried,omitzero"`
}

// sentLimit bounds how many matters a ledger remembers, and with them the size of
// what it is stored in. The oldest is forgotten first, and notified again if it
// still lasts; subjects have a few matters at a time.
const sentLimit = 100

// A notification that fails is due at each reconcile at first, and then every hour:
// it may have gone out although the call failed.
const (
	quickTries = 5
	retryEvery = time.Hour
)

// Knows reports whether a matter was notified, or is about to be.
func (l Ledger[N]) Knows(matter string) bool {
	return slices.Contains(l.Sent, matter) ||
		slices.ContainsFunc(l.Outbox, func(e Entry[N]) bool { return e.Matter == matter })
}

// Add puts a notification into the outbox, unless its matter is known.
func (l Ledger[N]) Add(matter string, n N) Ledger[N] {
	if l.Knows(matter) {
		return l
	}
	l.Outbox = append(slices.Clone(l.Outbox), Entry[N]{Matter: matter, Notice: n})
	return l
}

// Keep forgets the sent matters that keep does not report: they are over, and are
// notified anew if they come back. What is in the outbox stays: it happened.
func (l Ledger[N]) Keep(keep func(matter string) bool) Ledger[N] {
	l.Sent = slices.DeleteFunc(slices.Clone(l.Sent), func(m string) bool { return !keep(m) })
	return l
}

// Due are the notifications to send now.
func (l Ledger[N]) Due(now time.Time) []Entry[N] {
	return slices.DeleteFunc(slices.Clone(l.Outbox), func(e Entry[N]) bool {
		return e.Tries >= quickTries && now.Sub(e.Tried) < retryEvery
	})
}

// Delivered moves a matter from the outbox to those that operators know of.
func (l Ledger[N]) Delivered(matter string) Ledger[N] {
	l.Outbox = slices.DeleteFunc(slices.Clone(l.Outbox), func(e Entry[N]) bool { return e.Matter == matter })
	l.Sent = append(slices.DeleteFunc(slices.Clone(l.Sent), func(m string) bool { return m == matter }), matter)
	l.Sent = l.Sent[max(0, len(l.Sent)-sentLimit):]
	return l
}

// Failed counts a failed attempt to send.
func (l Ledger[N]) Failed(matter string, now time.Time) Ledger[N] {
	l.Outbox = slices.Clone(l.Outbox)
	for i := range l.Outbox {
		if e := &l.Outbox[i]; e.Matter == matter {
			e.Tries, e.Tried = e.Tries+1, now
		}
	}
	return l
}

// Empty reports whether the ledger holds nothing.
func (l Ledger[N]) Empty() bool { return len(l.Sent) == 0 && len(l.Outbox) == 0 }
