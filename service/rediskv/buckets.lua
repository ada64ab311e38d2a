-- take takes a token out of every bucket. If one is empty, nothing is taken: it returns the reply that says which one it is, counted from
-- 0, and the milliseconds until it holds a token.
-- A bucket is kept as its tokens and the microsecond, by the clock of Redis, at which it held them, until it is full again.
-- After a failover the clock may be another one: if it is behind, nothing flows in until the bucket is used again.
-- The buckets are KEYS from first on, and ARGV after skip have each bucket's rate in tokens per second and its size.
local function take(first, skip)
  local time = redis.call('TIME')
  local now = time[1] * 1000000 + time[2]
  local tokens, empty, wait = {}, 0, 0
  local function measure(i)
    local at = skip + 2 * (i - first)
    return tonumber(ARGV[at + 1]), tonumber(ARGV[at + 2])
  end
  for i = first, #KEYS do
    local rate, size = measure(i)
    local had, at = string.match(redis.call('GET', KEYS[i]) or '', '^(%S+) (%S+)$')
    tokens[i] = had and math.min(size, had + math.max(0, now - at) / 1000000 * rate) or size
    local missing = math.ceil((1 - tokens[i]) / rate * 1000)
    if missing > wait then
      empty, wait = i - first, missing
    end
  end
  if wait > 0 then
    return {'limited', empty, wait}
  end
  for i = first, #KEYS do
    local rate, size = measure(i)
    local full = math.ceil((size - tokens[i] + 1) / rate * 1000)
    redis.call('SET', KEYS[i], string.format('%.17g %.0f', tokens[i] - 1, now), 'PX', string.format('%.0f', full))
  end
  return nil
end
