package config

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Parse reads the configuration from a CDK context, which may hold keys of
// others. The error names every faulty key at once, with what it holds and the
// remedy. Only a key that is absent or null means the default: an empty string is
// what an unset shell variable leaves, and would widen the scope to everything.
func Parse(context map[string]any) (Hooks, error) { return parse(context, looksLikeOurs) }

// Own are the keys of a CDK context that are ours.
func Own(context map[string]any) map[string]any {
	own := map[string]any{}
	for key, value := range context {
		if strings.HasPrefix(key, Prefix) {
			own[key] = value
		}
	}
	return own
}

// ParseOwn is [Parse] for a map that holds nothing but keys of ours.
func ParseOwn(settings map[string]any) (Hooks, error) {
	return parse(settings, func(string) bool { return true })
}

// parse refuses unknown keys that ours reports true for.
func parse(given map[string]any, ours func(key string) bool) (Hooks, error) {
	var (
		hooks  Hooks
		faults []error
		known  = map[string]bool{}
	)
	for _, s := range settings(&hooks) {
		key := Prefix + s.key
		known[key] = true
		value := given[key]
		if value == nil {
			if s.initial == "" {
				continue
			}
			value = s.initial
		}
		if err := s.take(value); err != nil {
			faults = append(faults, fmt.Errorf("context key %s: got %s: %w; allowed: %s", key, quote(value), err, s.allowed))
		}
	}
	for _, key := range slices.Sorted(maps.Keys(given)) {
		if !known[key] && ours(key) {
			faults = append(faults, fmt.Errorf("context key %q: unknown, so it would have no effect (it holds %s); %s", key, quote(given[key]), remedy(key)))
		}
	}
	if len(faults) == 0 {
		// What does not fit together shows only where each value is right.
		faults = slices.Concat(conflicts(hooks), stackConflicts(hooks), excesses(hooks))
	}
	if len(faults) > 0 {
		return Hooks{}, errors.Join(faults...)
	}
	return hooks, nil
}

// take reads a value, after what no setting can have has been refused.
func (v value) take(given any) error {
	text, isText := given.(string)
	switch {
	case isText && strings.TrimSpace(text) == "":
		return errEmpty
	case isText && strings.TrimSpace(text) != text:
		return errSpaces
	case isText && strings.ContainsAny(text[:1], "[{") && json.Valid([]byte(text)): // as a shell leaves it of -c key='["a","b"]'
		return errors.New("JSON inside a string; write a list in cdk.json, or names separated by commas on the command line")
	}
	return v.read(given)
}

// conflicts are the combinations of settings that cannot work.
func conflicts(h Hooks) []error {
	var faults []error
	conflict := func(format string, args ...any) { faults = append(faults, fmt.Errorf(format, args...)) }
	d := h.Drain
	if d.Command != "" && d.Document != "" {
		conflict("context keys %[1]sdrainCommand (%[2]q) and %[1]sdrainDocument (%[3]q): an instance runs one command; give one of them", Prefix, d.Command, d.Document)
	}
	if 2*60*d.SweepMinutes > d.ShortestHookSeconds {
		conflict("context keys %[1]sdrainSweepMinutes (%[2]d) and %[1]sdrainShortestHookSeconds (%[3]d): a lifecycle hook of %[3]d s times out before a missed event is noticed; "+
			"sweep at least twice in the shortest hook: give the hooks a heartbeat timeout of %[4]d s or more, or sweep more often", Prefix, d.SweepMinutes, d.ShortestHookSeconds, 2*60*d.SweepMinutes)
	}
	runs := d.Command != "" || d.Document != "" || len(d.TagDocuments) > 0
	if runs && d.DeadlineMinutes > 0 && d.DeadlineMinutes < d.CommandTimeoutMinutes {
		conflict("context keys %[1]sdrainDeadlineMinutes (%[2]d) and %[1]sdrainCommandTimeoutMinutes (%[3]d): the instance would terminate while its command still runs; "+
			"make the deadline longer or the timeout shorter", Prefix, d.DeadlineMinutes, d.CommandTimeoutMinutes)
	}
	t := h.Tenants
	if len(t.DatabaseSubnets) == 0 != (len(t.DatabaseSecurityGroups) == 0) {
		conflict("context keys %[1]sdatabaseSubnets (%[2]v) and %[1]sdatabaseSecurityGroups (%[3]v): a function in a VPC needs both; give both or none",
			Prefix, t.DatabaseSubnets, t.DatabaseSecurityGroups)
	}
	if t.Blueprint == "" && (len(t.DatabaseSubnets) > 0 || t.RemovalDelayHours != 24) {
		conflict("context keys %[1]sremovalDelayHours and %[1]sdatabase…: without %[1]sblueprint there is no tenants stack, and they would have no effect; give the blueprint's directory", Prefix)
	}
	return faults
}

// stackConflicts are the combinations of stacks, and of ways to deploy them, that cannot work.
func stackConflicts(h Hooks) []error {
	var faults []error
	for _, with := range []struct{ key, value string }{{"assetBucket", h.AssetBucket}, {"blueprint", h.Tenants.Blueprint}, {EnvironmentKey, h.Environment}} {
		if len(h.Central) > 0 && with.value != "" {
			faults = append(faults, fmt.Errorf("context keys %[1]scentral (%[2]s) and %[1]s%[3]s (%[4]q): the central stack is deployed instead of the others, and has no programs; leave one of them out",
				Prefix, strings.Join(h.Central, ", "), with.key, with.value))
		}
	}
	if h.Environment != "" && h.AssetBucket != "" {
		faults = append(faults, fmt.Errorf("context keys %[1]s%[2]s (%[3]q) and %[1]sassetBucket (%[4]q): an environment is in one account and region, and buckets of programs are for templates that go to many; leave one of them out",
			Prefix, EnvironmentKey, h.Environment, h.AssetBucket))
	}
	return faults
}
