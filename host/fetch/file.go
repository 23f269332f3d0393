package fetch

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
)

// readPackage reads a module and what lies beside it.
func readPackage(path string, want Want) (*Package, error) {
	p := &Package{}
	var err error
	if p.Module, err = ReadPart(path, maxModule); err != nil {
		return nil, err
	}
	if p.Golden, err = readBeside(GoldenPath(path), maxGolden); err != nil {
		return nil, err
	}
	if want.Signature {
		p.Signature, err = readBeside(path+SignatureSuffix, MaxSignatureBytes)
	}
	return p, err
}

// readBeside reads a file that need not be there.
func readBeside(path string, limit int) (Part, error) {
	p, err := ReadPart(path, limit)
	if errors.Is(err, fs.ErrNotExist) {
		return Part{}, nil
	}
	return p, err
}

// ReadFile reads a file that must not be longer than limit, in bytes.
func ReadFile(path string, limit int) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	content, err := readAll(f, limit)
	if err = errors.Join(err, f.Close()); err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	return content, nil
}

// tooLarge is an error that trying again does not mend.
type tooLarge struct{ limit int }

func (e tooLarge) Error() string {
	return fmt.Sprintf("it has more than the %d bytes that are allowed", e.limit)
}

// readAll reads what must not be longer than limit; of nothing it is not nil.
func readAll(r io.Reader, limit int) ([]byte, error) {
	content, err := io.ReadAll(io.LimitReader(r, int64(limit)+1))
	if err == nil && len(content) > limit {
		err = tooLarge{limit}
	}
	return content, err
}
