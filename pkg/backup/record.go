package backup

import (
	"strings"
	"time"

	"deployhooks/pkg/store"
)

// Schema is the version of [Record].
const Schema = 1

// Record is what is known of an environment's backups beside RDS.
type Record struct {
	// Since is when the record began: before the first proof, its age counts from then.
	Since time.Time `json:"since"`
	// Proof is the last one that was passed.
	Proof *Proof `json:"proof,omitempty"`
	// Run is the one in progress, Last the one before.
	Run  *Run `json:"run,omitempty"`
	Last *End `json:"last,omitempty"`
	// Postponed means that a proof was asked for before the instance could have a backup: the
	// sweep begins it.
	Postponed bool `json:"postponed,omitempty"`
	// Notified is the last reason for which something could not be put right, of which
	// operators were notified.
	Notified string `json:"notified,omitempty"`
}

// Proof is a backup that was restored and passed the checks.
type Proof struct {
	At       time.Time     `json:"at"`
	Snapshot string        `json:"snapshot"`
	Taken    time.Time     `json:"taken"`
	Seconds  int           `json:"seconds"` // from the request to restore until the checks were passed
	Checks   []CheckResult `json:"checks"`
}

// Run is a proof or a fill in progress.
type Run struct {
	ID     string `json:"id"`
	Action Action `json:"action"`
	// Execution drives the run. Seen is when it last did.
	Execution string    `json:"execution"`
	Started   time.Time `json:"started"`
	Seen      time.Time `json:"seen"`
	// Snapshot is what is restored, and Taken when it was.
	Snapshot string    `json:"snapshot,omitempty"`
	Taken    time.Time `json:"taken,omitzero"`
	// Former is the resource ID of the instance that a fill replaces, which stays when it
	// is renamed.
	Former string `json:"former,omitempty"`
	// Restored is when RDS was first asked to restore.
	Restored time.Time `json:"restored,omitzero"`
	// Settled means that the settings that a restore does not take were changed, the
	// password among them.
	Settled bool `json:"settled,omitempty"`
	// Silent is since when the database does not answer, though it is available.
	Silent time.Time `json:"silent,omitzero"`
	// Passed are the results of the checks, when all were passed. Seconds is how long it
	// took until then.
	Passed  []CheckResult `json:"passed,omitempty"`
	Seconds int           `json:"seconds,omitempty"`
	// Accepted means that the new instance answers under the environment's name: from then
	// on a fill is not undone any more.
	Accepted bool `json:"accepted,omitempty"`
	// Changed is when RDS last took a change.
	Changed time.Time `json:"changed,omitzero"`
	// Trouble is why the last change could not be made yet.
	Trouble string `json:"trouble,omitempty"`
	// Failure is why the run has failed, and is being undone.
	Failure string `json:"failure,omitempty"`
}

// because is why a run fails: with what has kept it from going on, if anything has.
func (r *Run) because(why string) string {
	if r.Trouble == "" || strings.Contains(why, r.Trouble) {
		return why
	}
	return why + ": " + r.Trouble
}

// served reports whether a run has done what it was for: only deletions are left of it.
func (r *Run) served() bool { return r.Accepted || r.Action == Prove && r.Passed != nil }

// End is what became of a run.
type End struct {
	ID      string    `json:"id"`
	Action  Action    `json:"action"`
	At      time.Time `json:"at"`
	Failure string    `json:"failure,omitempty"`
	Text    string    `json:"text"`
}

// Layout is how a table holds records.
func Layout(table string) store.Layout {
	return store.Layout{Table: table, Partition: "instance", Schema: Schema}
}

func (b *Backups) key() store.Key { return store.Key{Partition: b.Config.Instance} }

// ageOfProof is since when no proof was passed.
func (r Record) ageOfProof(now time.Time) time.Duration {
	if r.Proof != nil {
		return now.Sub(r.Proof.At)
	}
	return now.Sub(r.Since)
}
