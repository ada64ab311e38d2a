package service_test

import (
	"testing"

	"go.uber.org/goleak"

	"github.com/sentinel-chaos/sentinel/service/internal/settling"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(settling.M{M: m}) }
