package probe

// Exits watches.
func Exits() Probe { return Probe{Name: "exits"} }
