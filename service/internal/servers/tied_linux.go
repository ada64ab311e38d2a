package servers

import "syscall"

// Tied has a process end when this one does, however that ends. It runs as that user; nil is the present one.
func Tied(who *syscall.Credential) *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Credential: who, Pdeathsig: syscall.SIGKILL}
}
