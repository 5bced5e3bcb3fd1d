package constructs

import (
	"debug/elf"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
)

// checkProgram refuses a folder without a program, or with one for another
// architecture, which would otherwise show at the first event in production.
func checkProgram(folder, architecture string) error {
	program := filepath.Join(folder, "bootstrap")
	remedy := "build it with `make build ARCH=" + architecture + "`"
	binary, err := elf.Open(program)
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%s is missing: %s", program, remedy)
	}
	if err != nil {
		return fmt.Errorf("%s is not a Linux program: %s: %w", program, remedy, err)
	}
	defer func() { _ = binary.Close() }()

	wanted := elf.EM_AARCH64
	if architecture == "x86_64" {
		wanted = elf.EM_X86_64
	}
	if binary.Machine != wanted {
		return fmt.Errorf("%s is built for %v and not for %s: %s", program, binary.Machine, architecture, remedy)
	}
	return nil
}
