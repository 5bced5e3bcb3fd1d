package stack

import (
	"debug/elf"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"

	"deployhooks/infra/config"
)

// bootstrap returns the directory that holds a function's built program, which
// is what Lambda gets. A missing program, or one for another architecture,
// would otherwise show at the first event in production.
func bootstrap(build, function string, architecture config.Architecture) (string, error) {
	dir := filepath.Join(build, string(architecture), function)
	program := filepath.Join(dir, "bootstrap")
	remedy := "run `make build` first"
	if architecture != config.ARM64 {
		remedy = fmt.Sprintf("run `make build ARCH=%s` first", architecture)
	}

	binary, err := elf.Open(program)
	if errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("%s is missing: %s", program, remedy)
	}
	if err != nil {
		return "", fmt.Errorf("%s is not a Linux program: %s: %w", program, remedy, err)
	}
	defer func() { _ = binary.Close() }()

	wanted := elf.EM_AARCH64
	if architecture == config.X86_64 {
		wanted = elf.EM_X86_64
	}
	if binary.Machine != wanted {
		return "", fmt.Errorf("%s is built for %v and not for %s: %s", program, binary.Machine, architecture, remedy)
	}
	return dir, nil
}
