package pipeline

import (
	"fmt"
	"slices"
	"strings"
)

// Role is a stage that a host runs.
type Role string

// The roles.
const (
	Dispatch Role = "dispatch"
	Session  Role = "session"
	Ship     Role = "ship"
	Query    Role = "query"
)

// AllRoles are all roles, in the order of a beacon's way.
var AllRoles = []Role{Dispatch, Session, Ship, Query}

// ParseRoles reads names of roles; none is all of them.
func ParseRoles(names []string) ([]Role, error) {
	if len(names) == 0 {
		return AllRoles, nil
	}
	var roles []Role
	for _, name := range names {
		r := Role(strings.TrimSpace(name))
		if !slices.Contains(AllRoles, r) {
			return nil, fmt.Errorf("there is no role %q: they are dispatch, session, ship and query", name)
		}
		if !slices.Contains(roles, r) {
			roles = append(roles, r)
		}
	}
	return roles, nil
}
