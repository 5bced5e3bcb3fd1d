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
func bootstrap(cfg config.Hooks, function string) (string, error) {
	dir := filepath.Join(cfg.BuildDirectory, function)
	program := filepath.Join(dir, "bootstrap")
	remedy := fmt.Sprintf("run `make build ARCH=%s` first", cfg.Architecture.GOARCH())

	binary, err := elf.Open(program)
	if errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("%s is missing: %s", program, remedy)
	}
	if err != nil {
		return "", fmt.Errorf("%s is not a Linux program: %s: %w", program, remedy, err)
	}
	defer binary.Close()

	wanted := map[config.Architecture]elf.Machine{config.ARM64: elf.EM_AARCH64, config.X86_64: elf.EM_X86_64}
	if binary.Machine != wanted[cfg.Architecture] {
		return "", fmt.Errorf("%s is built for %v, but %sarchitecture is %s: %s, or set the other architecture",
			program, binary.Machine, config.Prefix, cfg.Architecture, remedy)
	}
	return dir, nil
}
