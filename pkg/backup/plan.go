package backup

import (
	"fmt"
	"slices"
	"time"
)

// Do is a change in RDS, or a check.
type Do string

// What a plan may do.
const (
	Nothing   Do = ""
	Restore   Do = "restore"   // the run's snapshot to the instance
	Settle    Do = "settle"    // set what a restore does not take, the password among them
	Verify    Do = "verify"    // check the instance by SQL
	Unprotect Do = "unprotect" // turn deletion protection off
	Rename    Do = "rename"    // the instance to To
	Delete    Do = "delete"    // the instance
)

// Step is what a reconcile does next: one change, or a change of the record, or nothing
// but wait. Each step needs the ones before it, so there is one at a time.
type Step struct {
	Do       Do
	Instance *Instance // nil for Restore
	ID, To   string    // the identifier that is restored to, or renamed to
	// Wait says what is waited for.
	Wait string
	// Fail is why the run fails: it is undone from now on.
	Fail string
	// Accept means that the new instance has taken the former one's place.
	Accept bool
	// End means that nothing is left to do.
	End bool
}

func wait(format string, args ...any) Step { return Step{Wait: fmt.Sprintf(format, args...)} }
func fail(format string, args ...any) Step { return Step{Fail: fmt.Sprintf(format, args...)} }

// Plan is the next step of a run, or without one the next that puts right what was left
// behind.
func Plan(cfg Config, run *Run, o Observed, now time.Time) Step {
	switch {
	case run == nil:
		return planLeftovers(cfg, o)
	case run.Failure == "" && now.Sub(run.Started) > runLimit && !run.served():
		return fail("the run takes longer than %s", runLimit)
	case run.Action == Fill && run.Failure != "":
		return planUndo(cfg, run, o)
	case run.Action == Fill:
		return planFill(cfg, run, o)
	}
	return planProof(cfg, run, o)
}

// planLeftovers deletes restored instances without a run, and gives the environment its
// instance back if a fill has left it without. What may be the last of some data is for
// operators: a former instance beside the environment's own, and what a fill has restored
// where there is no other.
func planLeftovers(cfg Config, o Observed) Step {
	switch {
	case o.Target == nil && o.Former != nil:
		return rename(o.Former, cfg.Instance)
	case o.Proof != nil:
		return remove(cfg, o.Proof)
	case o.Fill != nil && o.Target != nil:
		return remove(cfg, o.Fill)
	case o.Former != nil:
		return fail("there is a DB instance %s, of an earlier fill, beside %s: keep what is needed of it, and delete it", o.Former.ID, cfg.Instance)
	case o.Fill != nil:
		return fail("there is no DB instance %s, only %s, which a fill has restored: rename it, or delete it", cfg.Instance, o.Fill.ID)
	}
	return Step{End: true}
}

func planProof(cfg Config, run *Run, o Observed) Step {
	i := o.Proof
	switch {
	case run.Failure != "" || run.Passed != nil:
		if i != nil && i.For == cfg.Instance {
			return dispose(i)
		}
		return Step{End: true}
	case i == nil:
		return Step{Do: Restore, ID: proofPrefix + cfg.Instance}
	case i.Run != run.ID:
		return remove(cfg, i)
	case broken(i):
		return fail("the restored instance %s is in status %s", i.ID, i.Status)
	case i.ready() && !run.Settled:
		return Step{Do: Settle, Instance: i}
	case !i.ready() || !i.SecretReady:
		return wait("%s is %s", i.ID, i.Status)
	}
	return Step{Do: Verify, Instance: i}
}

// planFill swaps the instances. Until the new one is accepted the former one is there.
func planFill(cfg Config, run *Run, o Observed) Step {
	former, fresh := o.Replaced, o.Fill
	swapped := o.Target != nil && o.Target.Run == run.ID
	switch {
	case run.Accepted && (former == nil || former.ID != formerPrefix+cfg.Instance): // renamed by somebody: theirs
		return Step{End: true}
	case run.Accepted && !swapped:
		return fail("the new instance %s does not exist any more, and %s is kept, which has the former data: rename it to %s, or delete it", cfg.Instance, former.ID, cfg.Instance)
	case run.Accepted:
		return dispose(former)
	case former == nil:
		return fail("the former instance of %s does not exist any more", cfg.Instance)
	case swapped && !o.Target.ready():
		return waitFor(o.Target)
	case swapped:
		return Step{Do: Verify, Instance: o.Target, Accept: true}
	case fresh == nil && former.ID == cfg.Instance:
		return Step{Do: Restore, ID: fillPrefix + cfg.Instance}
	case fresh == nil:
		return fail("the restored instance %s does not exist any more", fillPrefix+cfg.Instance)
	case fresh.Run != run.ID:
		return remove(cfg, fresh)
	case !fresh.ready():
		return waitFor(fresh)
	case !run.Settled:
		return Step{Do: Settle, Instance: fresh}
	case run.Passed == nil:
		return Step{Do: Verify, Instance: fresh}
	case !former.ready():
		return waitFor(former)
	case former.ID == cfg.Instance:
		return rename(former, formerPrefix+cfg.Instance)
	case former.ID != formerPrefix+cfg.Instance:
		return fail("the former instance was renamed to %s by somebody", former.ID)
	}
	return rename(fresh, cfg.Instance)
}

// planUndo gives the former instance its name back, and deletes the new one.
func planUndo(cfg Config, run *Run, o Observed) Step {
	former := o.Replaced
	switch {
	case former == nil && o.Target == nil && o.Fill != nil && o.Fill.For == cfg.Instance: // somebody has deleted it; rather the backup than nothing
		return rename(o.Fill, cfg.Instance)
	case o.Target != nil && o.Target.Run == run.ID && former != nil:
		return rename(o.Target, fillPrefix+cfg.Instance)
	case former != nil && (former.Pending || former.Status == "renaming"):
		return wait("%s is being renamed", former.ID)
	case former != nil && former.ID != cfg.Instance && o.Fill != nil && o.Fill.Pending:
		return wait("%s is being renamed", o.Fill.ID)
	case former != nil && former.ID != cfg.Instance && o.Target == nil:
		return rename(former, cfg.Instance)
	case o.Fill != nil && o.Fill.For == cfg.Instance:
		return dispose(o.Fill)
	}
	return Step{End: true}
}

// rename renames an instance as soon as that is possible. A full storage does not hinder
// it (assumed).
func rename(i *Instance, to string) Step {
	switch {
	case i.Status != "storage-full" && broken(i):
		return fail("%s is %s, and cannot be renamed to %s", i.ID, i.Status, to)
	case i.Pending || i.Status != "available" && i.Status != "storage-full":
		return wait("%s is %s, and is to be renamed to %s", i.ID, i.Status, to)
	}
	return Step{Do: Rename, Instance: i, To: to}
}

// remove deletes an instance that we have restored, and no other.
func remove(cfg Config, i *Instance) Step {
	if i.For != cfg.Instance {
		return fail("the instance %s was not created by this function: it has no tag %s=%s. Rename or delete it", i.ID, tagFor, cfg.Instance)
	}
	return dispose(i)
}

// dispose deletes an instance as soon as that is possible.
func dispose(i *Instance) Step {
	switch {
	case i.Pending || slices.Contains([]string{"creating", "renaming", "modifying", "deleting", "backing-up", "resetting-master-credentials"}, i.Status):
		return wait("%s is %s, and is to be deleted", i.ID, i.Status)
	case i.Protected:
		return Step{Do: Unprotect, Instance: i}
	}
	return Step{Do: Delete, Instance: i}
}

func waitFor(i *Instance) Step {
	if broken(i) {
		return fail("the instance %s is in status %s", i.ID, i.Status)
	}
	return wait("%s is %s", i.ID, i.Status)
}

// broken reports whether an instance is in a status that does not pass by itself ("Viewing
// Amazon RDS DB instance status", Amazon RDS User Guide).
func broken(i *Instance) bool {
	return slices.Contains([]string{
		"failed", "inaccessible-encryption-credentials", "inaccessible-encryption-credentials-recoverable", "incompatible-create", "incompatible-network", "incompatible-option-group", "incompatible-parameters",
		"incompatible-restore", "insufficient-capacity", "restore-error", "storage-full", "stopped", "stopping", "deleting",
	}, i.Status)
}

// Blocked is why a run cannot begin; empty if it can.
func Blocked(cfg Config, action Action, o Observed) string {
	t, s := o.Target, o.Source
	switch {
	case action == Prove && o.Newest == nil:
		return fmt.Sprintf("there is no snapshot of %s that is available: check the instance's backup retention", cfg.Instance)
	case action == Prove:
		return ""
	case t == nil:
		return fmt.Sprintf("there is no DB instance %s", cfg.Instance)
	case !t.ready():
		return fmt.Sprintf("the DB instance %s is in status %s", cfg.Instance, t.Status)
	case o.Former != nil:
		return fmt.Sprintf("there is a DB instance %s, of an earlier fill: save what you need of it, and delete it", o.Former.ID)
	case len(t.settings.ReadReplicaDBInstanceIdentifiers) > 0:
		return fmt.Sprintf("the DB instance %s has read replicas, which would stay attached to the former instance", cfg.Instance)
	case t.settings.MasterUserSecret != nil:
		return fmt.Sprintf("RDS manages the master password of %s, so the new instance would have another secret: give the environment a secret of its own", cfg.Instance)
	case s == nil:
		return fmt.Sprintf("there is no snapshot of %s in this account and region that is available, and of the present instance", cfg.FillFrom)
	}
	return mismatch(cfg, t, s)
}

// mismatch is why a snapshot cannot replace an instance.
func mismatch(cfg Config, t *Instance, s *Snapshot) string {
	engine, version, user := deref(t.settings.Engine), deref(t.settings.EngineVersion), deref(t.settings.MasterUsername)
	switch {
	case s.Engine != engine || major(s.Version) != major(version):
		return fmt.Sprintf("the snapshot %s is of %s %s, and %s runs %s %s: both environments need the same engine and major version", s.ID, s.Engine, s.Version, cfg.Instance, engine, version)
	case s.User != user:
		return fmt.Sprintf("the master user is %s in the snapshot %s and %s in %s; it cannot be changed", s.User, s.ID, user, cfg.Instance)
	case deref(t.settings.MaxAllocatedStorage) > 0 && s.Storage+s.Storage/10 > deref(t.settings.MaxAllocatedStorage):
		return fmt.Sprintf("the snapshot %s needs %d GiB, and 10 %% more to grow, but %s may have %d GiB: raise maxStorageGiB", s.ID, s.Storage, cfg.Instance, deref(t.settings.MaxAllocatedStorage))
	case deref(t.settings.StorageEncrypted) && !s.Encrypted:
		return fmt.Sprintf("the snapshot %s is not encrypted, and %s is", s.ID, cfg.Instance)
	}
	return ""
}

func deref[T any](p *T) (v T) {
	if p != nil {
		v = *p
	}
	return v
}
