package probe

// MetricsOver and ReadyOver are Metrics and Ready over connections that a test opens.
var (
	MetricsOver = metricsOver
	ReadyOver   = readyOver
)
