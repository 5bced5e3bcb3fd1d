package config

import (
	"encoding/json"
	"strconv"
	"strings"
)

// RepairEnvironment are the environment variables that the repair function gets
// of its configuration, besides the names of resources (QUEUE_URL, TABLE,
// TOPIC_ARN, ALARM_TOPIC_ARN) and ACCOUNT.
func (h Hooks) RepairEnvironment() map[string]string {
	r := h.Repair
	return h.with(map[string]string{
		"MODE":                           string(r.Mode),
		"APPLICATIONS":                   jsonList(r.Applications),
		"DEPLOYMENT_GROUPS":              r.DeploymentGroups,
		"TAG":                            r.Tag.String(),
		"PARAMETER_PREFIX":               r.ParameterPrefix,
		"ATTACH_DURING_TERMINATION_WAIT": strconv.FormatBool(r.AttachDuringTerminationWait),
		"INSTANCES_WITHOUT_REVISION":     string(r.InstancesWithoutRevision),
		"BLUE_GROUP_THAT_STAYS":          string(r.BlueGroupThatStays),
	})
}

// DrainEnvironment are the same for the drain function. Durations are written as
// Go has them.
func (h Hooks) DrainEnvironment() map[string]string {
	d := h.Drain
	return h.with(map[string]string{
		"MODE":                 string(d.Mode),
		"SWEEP_INTERVAL":       minutes(d.SweepMinutes),
		"HOOKS":                d.Hooks,
		"TAG":                  d.Tag.String(),
		"DEADLINE":             minutes(d.DeadlineMinutes),
		"TARGET_GROUPS":        strings.Join(d.TargetGroups, ","),
		"FIND_TARGET_GROUPS":   strconv.FormatBool(d.FindTargetGroups),
		"NETWORK_TARGET_WAIT":  strconv.Itoa(d.NetworkTargetWaitSeconds) + "s",
		"COMMAND":              d.Command,
		"DOCUMENT":             d.Document,
		"TAG_DOCUMENTS":        strings.Join(d.TagDocuments, ","),
		"COMMAND_TIMEOUT":      minutes(d.CommandTimeoutMinutes),
		"ON_SPOT_INTERRUPTION": string(d.OnSpotInterruption),
		"ON_STATE_CHANGE":      string(d.OnStateChange),
		"ON_REBALANCE":         string(d.OnRebalance),
		"ON_MAINTENANCE":       string(d.OnMaintenance),
		"RELEASES_PER_SECOND":  strconv.Itoa(d.ReleasesPerSecond),
	})
}

// TenantEnvironment are the same for the intake function.
func (h Hooks) TenantEnvironment() map[string]string {
	return h.with(map[string]string{"REMOVAL_DELAY": strconv.Itoa(h.Tenants.RemovalDelayHours) + "h"})
}

// with adds what both functions get.
func (h Hooks) with(environment map[string]string) map[string]string {
	environment["EVENT_BUS"] = h.EventBus
	environment["LOG_LEVEL"] = h.LogLevel
	environment["ACCEPT_EVENTS_FROM"] = strings.Join(h.AcceptEventsFrom, ",")
	return environment
}

func minutes(n int) string { return strconv.Itoa(n) + "m" }

// jsonList is a list whose elements may hold commas.
func jsonList(list []string) string {
	b, _ := json.Marshal(append([]string{}, list...)) // strings always marshal
	return string(b)
}
