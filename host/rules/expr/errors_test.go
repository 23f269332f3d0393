package expr_test

import (
	"strings"
	"testing"

	"github.com/seed-6a2d649b/pharos/host/rules/expr"
)

// TestCaret: the caret stands under the fault, whatever is before it in its line.
func TestCaret(t *testing.T) {
	long := strings.Repeat("a || ", 40)
	for _, test := range []struct{ source, want string }{
		{`a.endsWidth("x")`, "a.endsWidth(\"x\")\n  ^"},
		{"a &&\n  b.endsWidth(\"x\")", "  b.endsWidth(\"x\")\n    ^"},
		{"a &&\r\n\t\tb.endsWidth(\"x\") ||\r\n c", "\t\tb.endsWidth(\"x\") ||\n\t\t  ^"},
		{`a == "日本" || foo(b)`, "a == \"日本\" || foo(b)\n               ^"},
		{"a == \"e\u0301\" || foo(b)", "a == \"e\u0301\" || foo(b)\n            ^"},
		{`a ==`, "a ==\n    ^"},
		{long + "foo(b)" + strings.Repeat(" || a", 40), "…" + long[len(long)-60:] + "foo(b)" + strings.Repeat(" || a", 40)[:54] + "…\n" + strings.Repeat(" ", 61) + "^"},
	} {
		_, errs := (&expr.Scope{}).Parse(test.source)
		if len(errs) != 1 {
			t.Fatalf("%q: %v", test.source, errs)
		}
		if got := errs[0].Caret(test.source); got != test.want {
			t.Errorf("%q:\n%s\nwant\n%s", test.source, got, test.want)
		}
	}
	if got := (&expr.Error{Message: "x"}).Caret("a"); got != "" {
		t.Errorf("a fault of the whole expression: %q", got)
	}
}
