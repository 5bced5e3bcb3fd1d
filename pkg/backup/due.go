package backup

import "time"

// Limits of proofs that the sweep begins, and of those of a new database.
const (
	retryAfter  = 24 * time.Hour     // since a proof failed: its cause may pass, and the schedule's next may be a week away
	firstBackup = 36 * time.Hour     // since the instance was created: as the alarm on the newest backup's age
	setUp       = 7 * 24 * time.Hour // since the instance was created, until a service has made its tables
)

// early reports whether an instance is too new to have a backup.
func (r *reconcile) early() bool {
	t := r.seen.Target
	return r.seen.Newest == nil && t != nil && r.now.Sub(t.Created) <= firstBackup
}

// due reports whether the sweep is to begin a proof: one that was postponed, or another after
// one that has failed.
func (r *reconcile) due() bool {
	last := r.rec.Last
	failed := last != nil && last.Action == Prove && last.Failure != ""
	return r.rec.Run == nil && !r.early() && (r.rec.Postponed || failed && r.now.Sub(last.At) >= retryAfter)
}

// mayBeEmpty reports whether a backup may have no table: of a new database, in which no proof
// has found any yet. A fill never takes one.
func (r *reconcile) mayBeEmpty() bool {
	run, t := r.rec.Run, r.seen.Target
	return run.Action == Prove && t != nil && run.Taken.Sub(t.Created) <= setUp && (r.rec.Proof == nil || r.rec.Proof.empty())
}

// empty reports whether the backup had no table.
func (p Proof) empty() bool { return len(p.Checks) == 1 && p.Checks[0] == CheckResult{Table: anyTable} }
