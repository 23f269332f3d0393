package cloud

import "regexp"

// hidden is an error without the queries of the addresses in its text: those of
// Azure may hold a signature that is as good as a log-in.
type hidden struct {
	error
}

var query = regexp.MustCompile(`(\w+://[^\s"'?]*)\?[^\s"']*`)

func (h hidden) Error() string { return query.ReplaceAllString(h.error.Error(), "$1?(hidden)") }

func (h hidden) Unwrap() error { return h.error }

func hide(err error) error {
	if err == nil {
		return nil
	}
	return hidden{err}
}
