package interest

import (
	"fmt"
	"strconv"
	"strings"
	"unicode"
)

// reserved are the names that CEL keeps for itself.
var reserved = map[string]bool{}

func init() {
	for _, word := range strings.Fields("as break const continue else false for function if import in let loop package namespace null return true var void while") {
		reserved[word] = true
	}
}

// path is a field's name as a rule writes it; not ok: a rule can not name it.
func path(name string) (text string, ok bool) {
	for i, part := range strings.Split(name, ".") {
		switch {
		case part == "":
			return "", false
		case i == 0 && (!isName(part) || reserved[part]):
			return "", false
		case i == 0:
			text = part
		case isName(part) && !reserved[part]:
			text += "." + part
		case isIndex(part):
			text += "[" + part + "]"
		default:
			text += "[" + quote(part) + "]"
		}
	}
	return text, text != ""
}

func isName(s string) bool {
	for i := range len(s) {
		if c := s[i]; c != '_' && (!isAlphanumeric(c) || i == 0 && c <= '9') {
			return false
		}
	}
	return s != ""
}

// isIndex tells whether a part is a whole number that reads as it was written.
func isIndex(s string) bool {
	n, err := strconv.ParseUint(s, 10, 31)
	return err == nil && strconv.FormatUint(n, 10) == s
}

// quote writes a text as CEL reads it: whatever may not stand in a file as it is
// is escaped.
func quote(text string) string {
	var b strings.Builder
	b.WriteByte('"')
	for _, r := range text {
		switch {
		case r == '"' || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case r < unicode.MaxASCII && unicode.IsPrint(r) || r > unicode.MaxASCII && (unicode.IsLetter(r) || unicode.IsDigit(r)):
			b.WriteRune(r)
		case r > 0xffff:
			fmt.Fprintf(&b, `\U%08x`, r)
		default:
			fmt.Fprintf(&b, `\u%04x`, r)
		}
	}
	b.WriteByte('"')
	return b.String()
}

// CanWrite tells whether conditions can be written of the field.
func (f Field) CanWrite() bool {
	_, ok := path(f.Name)
	return ok
}

// condition holds of the beacons that have one of some values in the field: it
// says so just as value does. untyped tells that there are sources whose texts
// compare as numbers, too.
func (f Field) condition(values []Value, untyped bool) string {
	name, _ := path(f.Name)
	if f.Extension {
		return extensionCondition(name, values)
	}
	var texts, all []string
	for _, v := range values {
		switch v.Sort {
		case Missing:
			all = append(all, fmt.Sprintf("!has(%s) && !(%s == null)", name, name))
		case Null:
			all = append(all, name+" == null")
		case Text:
			texts = append(texts, quote(v.Text))
		case Number:
			if number := name + " == " + v.Text; untyped {
				all = append(all, fmt.Sprintf("%s && !(%s >= \"\")", number, name)) // only texts compare with one
			} else {
				all = append(all, number)
			}
		default:
			all = append(all, name+" == "+v.Text)
		}
	}
	if len(texts) > 0 {
		all = append([]string{oneOf(name, texts)}, all...)
	}
	return anyOf(all)
}

func oneOf(name string, texts []string) string {
	if len(texts) == 1 {
		return name + " == " + texts[0]
	}
	return name + " in [" + strings.Join(texts, ", ") + "]"
}

func anyOf(conditions []string) string {
	if len(conditions) == 1 {
		return conditions[0]
	}
	for i, c := range conditions {
		if strings.Contains(c, " && ") {
			conditions[i] = "(" + c + ")"
		}
	}
	return strings.Join(conditions, " || ")
}

func extensionCondition(name string, values []Value) string {
	var texts, all []string
	for _, v := range values {
		if v.Sort == Missing {
			all = append(all, fmt.Sprintf("!%s.matches(%s)", name, quote(anyExtension)))
			continue
		}
		texts = append(texts, v.Text) // letters and digits
	}
	if len(texts) > 0 {
		pattern := texts[0]
		if len(texts) > 1 {
			pattern = "(" + strings.Join(texts, "|") + ")"
		}
		all = append([]string{fmt.Sprintf("%s.matches(%s)", name, quote(extensionBegin+pattern+extensionEnd))}, all...)
	}
	return anyOf(all)
}
