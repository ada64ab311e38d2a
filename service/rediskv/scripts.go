package rediskv

import (
	_ "embed"

	"github.com/redis/go-redis/v9"
)

var (
	//go:embed acquire.lua
	acquireLua string
	//go:embed settle.lua
	settleLua string
	//go:embed release.lua
	releaseLua string
	//go:embed buckets.lua
	bucketsLua string
	//go:embed take.lua
	takeLua string
	//go:embed read.lua
	readLua string
	//go:embed orphans.lua
	orphansLua string
)

// scripts run inside Redis, each in one step that nothing interrupts. They are called by their hash, and sent again to a
// server that does not know it, as after a failover.
type scripts struct {
	acquire, settle, release, read, take, orphans *redis.Script
}

func loadScripts() scripts {
	return scripts{
		acquire: redis.NewScript(acquireLua),
		settle:  redis.NewScript(settleLua),
		release: redis.NewScript(releaseLua),
		read:    redis.NewScript(bucketsLua + readLua),
		take:    redis.NewScript(bucketsLua + takeLua),
		orphans: redis.NewScript(orphansLua),
	}
}
