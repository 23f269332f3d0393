package config

import (
	"fmt"
	"reflect"
	"strings"
	"time"
)

const docsHead = `# The config file

<!-- Written by 'pharos config docs' from the structs of host/config: change them, not this page. -->

One YAML file describes a whole pipeline. 'pharos check -c FILE' says what it means in plain words. Everything that is wrong is reported in one go, as 'file:line:column: message'.

## Rules of the file

- **Keys**: an unknown key is refused, with the nearest known one; a key may be given once. Anchors and aliases may be used; merge keys ('<<') and tags may not. A key without a value is as if it were absent; an element of a mapping of names, such as a layer, is then all defaults.
- **Includes**: an included file has the form of the whole file. Mappings merge; any other value may be set in one file only. A file is read once. At most 4 MiB a file and 1000 files.
- **Paths** ('file://' URLs too) are relative to the file that names them.
- **Environment**: '${NAME}' in a value is the environment variable NAME, which must be set; '$${' is a plain '${'. Expressions ('when', 'value', 'expr') and keys are taken as they stand.
- **Secrets**: a value of type secret takes '${NAME}' and '${file:PATH}', the content of a file without a newline at its end. Secrets are never printed or published; all other values are, so a credential belongs into a secret only.
- **Durations**: '30d', '1h30m', '10s', '500ms'; a day is 24 hours. **Sizes**: '16MiB', '64KiB', plain bytes. **Times**: RFC 3339, '2026-01-31T00:00:00Z'.
- **Paths into a beacon**: names joined by dots, an element of an array by its index: 'product.price', 'exp.0.id'. A **locator** is such a path, a list of paths whose texts are joined by '|', or '{const: value}'.
- **Changes**: what stands below a section marked *live* can change while Pharos runs: 'pharos reload' publishes the file as the next generation, whole or not at all. Everything else needs a restart. As long as a group lives, some of it stays as it is: 'group', 'topics', 'session.gap' and 'session.lateness', where beacons of a source hold their fields, the variants, weights, salt, unit, layer, buckets and qualifying point of an experiment under its id (phases change shares), routes and their topics. 'pharos repartition' gives a route another number of partitions.
- **Not yet**: keys so marked are known and refused.

In the tables NAME stands for a name of your choice, and [] for each element of a list.
`

// Docs is the reference of every key, as Markdown.
func Docs() string {
	var b strings.Builder
	b.WriteString(strings.ReplaceAll(docsHead, "'", "`"))
	t := reflect.TypeFor[Config]()
	for _, f := range fieldsOf(t) {
		key := f.Tag.Get("key")
		fmt.Fprintf(&b, "\n## %s\n\n", key)
		change := "A change needs a restart."
		if f.Tag.Get("reload") == "live" {
			change = "*Live*: may change while Pharos runs."
		}
		if why := f.Tag.Get("notyet"); why != "" {
			fmt.Fprintf(&b, "%s **Not yet**: %s.\n", f.Tag.Get("doc"), why)
			continue
		}
		if isSection(f.Type) && defaultText(f.Tag) != "" {
			change = "Left out: " + defaultText(f.Tag) + ". " + change
		}
		if isSection(f.Type) {
			change = f.Tag.Get("doc") + " " + change
		}
		fmt.Fprintf(&b, "%s\n\n| key | type | default | meaning | example |\n|---|---|---|---|---|\n", change)
		writeRows(&b, key, f)
	}
	return b.String()
}

// writeRows writes the row of a key, and those of the keys below it.
func writeRows(b *strings.Builder, key string, f reflect.StructField) {
	meaning := f.Tag.Get("doc")
	if why := f.Tag.Get("notyet"); why != "" {
		meaning = fmt.Sprintf("**Not yet**: %s. %s", why, meaning)
	}
	if strings.Contains(key, ".") || !isSection(f.Type) { // the heading stands for a section at the top
		fmt.Fprintf(b, "| `%s` | %s | %s | %s | %s |\n", cell(key), cell(typeName(f.Type, f.Tag)),
			cell(defaultText(f.Tag)), cell(meaning), cell(code(f.Tag.Get("example"))))
	}
	if f.Tag.Get("notyet") != "" {
		return
	}
	t := f.Type
	for below(t) != nil {
		var step string
		step, t = inner(t)
		key += step
	}
	if !isSection(t) {
		return
	}
	for _, sub := range fieldsOf(t) {
		name := sub.Tag.Get("key")
		if name == "*" {
			name = "NAME"
		}
		writeRows(b, key+"."+name, sub)
	}
}

// isSection tells of a type whose values have keys of their own below them.
func isSection(t reflect.Type) bool {
	for below(t) != nil {
		t = below(t)
	}
	return t.Kind() == reflect.Struct && typeWord(t) == ""
}

// below is the type that a section, list or mapping of sections holds; nil for
// a value.
func below(t reflect.Type) reflect.Type {
	if step, next := inner(t); step != "" || next != t {
		return next
	}
	return nil
}

// inner takes one step into a type, and says what it adds to the key.
func inner(t reflect.Type) (step string, next reflect.Type) {
	if m, ok := reflect.Zero(t).Interface().(interface{ element() reflect.Type }); ok {
		return ".NAME", m.element()
	}
	switch {
	case t.Kind() == reflect.Pointer:
		return "", t.Elem()
	case t.Kind() == reflect.Slice && typeWord(t) == "":
		return "[]", t.Elem()
	}
	return "", t
}

func defaultText(tag spec) string {
	switch value, ok := tag.Lookup("default"); {
	case ok:
		return code(value)
	case tag.Get("required") != "":
		return "required"
	}
	return tag.Get("absent")
}

// typeWord names the types that have a form of their own.
func typeWord(t reflect.Type) string {
	switch t {
	case reflect.TypeFor[time.Duration]():
		return "duration"
	case reflect.TypeFor[Size]():
		return "size"
	case reflect.TypeFor[Percent]():
		return "percentage"
	case reflect.TypeFor[Time]():
		return "time"
	case reflect.TypeFor[Secret]():
		return "secret"
	case reflect.TypeFor[Path]():
		return "path"
	case reflect.TypeFor[URL](), reflect.TypeFor[Bucket]():
		return "URL"
	case reflect.TypeFor[Expr]():
		return "expression"
	case reflect.TypeFor[Locator]():
		return "locator"
	case reflect.TypeFor[Range]():
		return "[from, to]"
	case reflect.TypeFor[Shares]():
		return "mapping of names to weights"
	case reflect.TypeFor[Pair]():
		return "[point, point]"
	case reflect.TypeFor[Free]():
		return "anything"
	}
	return ""
}

func typeName(t reflect.Type, tag spec) string {
	if word := typeWord(t); word != "" {
		return word
	}
	if m, ok := reflect.Zero(t).Interface().(interface{ element() reflect.Type }); ok {
		return "mapping of names to " + many(typeName(m.element(), ""))
	}
	switch t.Kind() {
	case reflect.Pointer:
		return typeName(t.Elem(), tag)
	case reflect.Slice:
		return "list of " + many(typeName(t.Elem(), ""))
	case reflect.Bool:
		return "true or false"
	case reflect.Int, reflect.Int32, reflect.Int64:
		return "whole number"
	case reflect.Float64:
		return "number"
	case reflect.String:
		if words := tag.Get("enum"); words != "" {
			return code(strings.Join(strings.Split(words, "|"), "`, `"))
		}
		return "text"
	}
	return "section"
}

func many(word string) string {
	if word == "text" || strings.Contains(word, "[") {
		return word
	}
	return word + "s"
}

func code(text string) string {
	if text == "" {
		return ""
	}
	return "`" + text + "`"
}

// cell keeps a text from ending its cell.
func cell(text string) string { return strings.ReplaceAll(text, "|", `\|`) }
