package postgres

import (
	"cmp"
	"regexp"
	"slices"
	"strings"
)

// settingName is the form of a custom setting's name, after its prefix.
var settingName = regexp.MustCompile(`^[a-z][a-z0-9_]*$`)

// identifierLimit is how many bytes PostgreSQL keeps of an identifier: it cuts a longer one
// off without an error, and two tenants might get one database (NAMEDATALEN - 1,
// "Identifiers and Key Words", PostgreSQL documentation).
const identifierLimit = 63

// reserved are names of databases and roles that are there from the start, and those that cannot be
// ("CREATE ROLE" and "Template Databases", PostgreSQL documentation; "Common DBA tasks for Amazon
// RDS for PostgreSQL", Amazon RDS User Guide).
func reserved() []string {
	return []string{"postgres", "public", "none", "template0", "template1", "rdsadmin", "rdsproxyadmin", "rdsrepladmin", "rdstopmgr", "rdswriteforwarduser"}
}

// nameFault says what is wrong with the name of a database or role, empty for nothing.
func nameFault(name string) string {
	switch {
	case strings.Contains(name, "${"): // known when the step runs
		return ""
	case name == "":
		return "is empty"
	case len(name) > identifierLimit:
		return "is longer than 63 bytes"
	case strings.HasPrefix(name, "pg_"), strings.HasPrefix(name, "rds_"), slices.Contains(reserved(), name):
		return "is reserved by PostgreSQL or Amazon RDS"
	case strings.ContainsFunc(name, func(r rune) bool { return r < ' ' || r == 0x7f }):
		return "has control characters"
	}
	return ""
}

func (p Parameters) role() string { return cmp.Or(p.Role, p.Database) }
