package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/caarlos0/env/v11"
)

// remark finds variables whose names are no settings. One that is near to a setting's is taken for it, misspelt, which would otherwise
// keep its default in silence. Any other may be a platform's: beside a service called sentinel, Kubernetes sets SENTINEL_PORT.
func (c *Config) remark(vars map[string]string, p *problems) {
	known := settingNames()
	for _, name := range slices.Sorted(maps.Keys(vars)) {
		if slices.Contains(known, name) {
			continue
		}
		meant := slices.IndexFunc(known, func(k string) bool { return near(strings.ToUpper(name), k) })
		switch {
		case meant >= 0: // said in any case: what was meant may be missed as well
			p.texts = append(p.texts, fmt.Sprintf("%s is no setting; %s is", name, known[meant]))
		case strings.HasPrefix(strings.ToUpper(name), settingPrefix):
			c.Remarks = append(c.Remarks, name+" is no setting")
		}
	}
	if c.RateIP > 0 && len(c.RateIPProxies) == 0 {
		c.Remarks = append(c.Remarks, "SENTINEL_RATE_IP without SENTINEL_RATE_IP_PROXIES takes a load balancer for the client")
	}
}

// settingNames are the names of all settings.
func settingNames() (names []string) {
	params, _ := env.GetFieldParams(&Config{}) // fails for tags that are no tags only
	for _, p := range params {
		names = append(names, p.Key)
	}
	for _, name := range secretNames() {
		names = append(names, name+fileSuffix)
	}
	return names
}

// typos is how many letters may be added, lost or changed in a name before nobody can tell what was meant. Two that changed places are two.
const typos = 2

// near reports whether two words differ by a few typos. It fills one row after another of the table of edit distances of their beginnings.
func near(a, b string) bool {
	if max(len(a), len(b))-min(len(a), len(b)) > typos {
		return false
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			changed := diagonal
			if a[i] != b[j] {
				changed++
			}
			diagonal = row[j+1]
			row[j+1] = min(changed, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)] <= typos
}
