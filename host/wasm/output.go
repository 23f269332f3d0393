package wasm

import "context"

// output is the context of all calls of one instance, through which host functions
// find where what the guest writes is kept: no call makes a context of its own.
type output struct {
	context.Context
	text []byte // the first that the guest wrote to stdout and stderr in this call
}

type outputKey struct{}

// outputBytes is how much of what a guest writes in a call is kept: the first,
// since language runtimes say what is wrong before they dump their stacks.
const outputBytes = 2 << 10

func newOutput() *output { return &output{Context: context.Background()} }

func (o *output) keep(b []byte) {
	o.text = append(o.text, b[:min(len(b), outputBytes-len(o.text))]...)
}

// Value implements context.Context.
func (o *output) Value(key any) any {
	if key == (outputKey{}) {
		return o
	}
	return o.Context.Value(key)
}
