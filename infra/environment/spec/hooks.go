package spec

import (
	"fmt"
	"maps"
	"strings"

	"go.yaml.in/yaml/v3"

	"deployhooks/infra/config"
)

// Tag is on every Auto Scaling group of an environment, with the environment's name. It is
// the scope of the environment's hooks.
const Tag = "deployhooks:environment"

// hooks are the settings of the deployment hooks, which package config checks.
func hooks(e *Environment) value {
	const allowed = "a mapping of settings"
	return value{allowed: allowed, read: func(r *reader, n *yaml.Node, path string) {
		e.Hooks = map[string]any{}
		r.each(n, path, allowed, func(key string, line int, value *yaml.Node) {
			var held any
			if err := value.Decode(&held); err != nil {
				r.fault(line, join(path, key), "got %s: %v", shown(value), err)
			}
			if bare, prefixed := strings.CutPrefix(key, config.Prefix); prefixed {
				r.fault(line, join(path, key), "has its prefix already: write %s", bare)
				return
			}
			if key == config.EnvironmentKey {
				r.fault(line, join(path, key), "says which file is read, so it cannot be in one: leave it out")
				return
			}
			e.Hooks[key] = held
		})
		if r.bad[path] || r.bad["name"] {
			return
		}
		cfg, err := config.ParseOwn(e.Configuration(nil))
		if err != nil {
			r.settings(path, err)
		}
		if topic := strings.Split(cfg.AlarmTopicARN, ":"); cfg.AlarmTopicARN != "" && topic[3] != e.Region {
			r.conflict([]string{path + ".alarmTopicArn", "region"}, "is a topic in %s, and alarms in %s need one of their own region", topic[3], e.Region)
		}
	}}
}

// settings reports the faults of settings where they are.
func (r *reader) settings(path string, err error) {
	all := []error{err}
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		all = joined.Unwrap()
	}
	short := strings.NewReplacer("context keys ", "", "context key ", "", config.Prefix, "")
	for _, err := range all {
		line := r.lines[path]
		for of, at := range r.lines {
			if key, below := strings.CutPrefix(of, path+"."); below && strings.Contains(err.Error(), config.Prefix+key) {
				line = at
			}
		}
		r.fault(line, path, "%s", short.Replace(err.Error()))
	}
}

// Configuration are the settings of the hooks and tenants stacks: those of a CDK context,
// or else those of the file, or else the environment's own scope.
func (e *Environment) Configuration(context map[string]any) map[string]any {
	scope := fmt.Sprintf("%s=%s", Tag, e.Name)
	settings := map[string]any{config.Prefix + "repairTag": scope, config.Prefix + "drainTag": scope}
	for key, value := range e.Hooks {
		settings[config.Prefix+key] = value
	}
	maps.Copy(settings, config.Own(context))
	delete(settings, config.Prefix+config.EnvironmentKey)
	return settings
}
