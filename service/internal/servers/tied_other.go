//go:build !linux

package servers

import "syscall"

// Tied has a process run as that user; nil is the present one. Here nothing ends it when this one is killed.
func Tied(who *syscall.Credential) *syscall.SysProcAttr { return &syscall.SysProcAttr{Credential: who} }
