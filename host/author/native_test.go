package author

import (
	"path/filepath"
	"strings"
	"testing"
)

// What a module gets away with in its own memory is found natively.
func TestNatively(t *testing.T) {
	const loop = "for (ph_u32 row = 0; row < b->rows; row++) {"
	for name, wild := range map[string]string{
		"behind the batch": "static volatile ph_u32 sum; sum += *(const volatile ph_u32 *)ph_at(b, b->size); ",
		"overflow":         "static volatile int many = 0x7fffffff; many = many + 1; ",
	} {
		t.Run(name, func(t *testing.T) {
			dir := begin(t, "c", "filter")
			write(t, filepath.Join(dir, "mine.c"), strings.Replace(filterSource, loop, wild+loop, 1))
			built, err := Build(t.Context(), dir, "")
			if err != nil {
				t.Fatal(err)
			}
			tested, err := Test(t.Context(), built.Path, TestOptions{Native: dir})
			if err != nil {
				t.Fatal(err)
			}
			if tested.Held != tested.Vectors || tested.Natively != 0 || len(tested.Findings) != tested.Vectors {
				t.Fatalf("%+v", tested)
			}
			if f := tested.Findings[0]; f.What != "natively, golden vector, line 1" || !strings.Contains(f.Why, "it died") {
				t.Errorf("%+v", f)
			}
		})
	}
}

// A project in another language has native tests of its own.
func TestNativelyOfC(t *testing.T) {
	_, err := buildNative(t.Context(), begin(t, "zig", "filter"), t.TempDir())
	if err == nil || !strings.Contains(err.Error(), "zig test") {
		t.Error(err)
	}
}
