-- Takes a token out of every bucket, reads the answer and journals the row of the hit. The answer starts with the name
-- of its call, which the row needs. If a bucket is empty, nothing is taken and nothing is read: the reply is which one it is, counted from
-- 0, and the milliseconds until it holds a token.
-- A bucket is kept as its tokens and the microsecond, by the clock of Redis, at which it held them, until it is full again.
-- After a failover the clock may be another one: if it is behind, nothing flows in until the bucket is used again.
-- KEYS: answer, journal, buckets. ARGV: row, then each bucket's rate in tokens per second and its size.
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local tokens, empty, wait = {}, 0, 0
for i = 3, #KEYS do
  local rate, size = tonumber(ARGV[2 * i - 4]), tonumber(ARGV[2 * i - 3])
  local had, at = string.match(redis.call('GET', KEYS[i]) or '', '^(%S+) (%S+)$')
  tokens[i] = had and math.min(size, had + math.max(0, now - at) / 1000000 * rate) or size
  local missing = math.ceil((1 - tokens[i]) / rate * 1000)
  if missing > wait then
    empty, wait = i - 3, missing
  end
end
if wait > 0 then
  return {'limited', empty, wait}
end
for i = 3, #KEYS do
  local rate, size = tonumber(ARGV[2 * i - 4]), tonumber(ARGV[2 * i - 3])
  local full = math.ceil((size - tokens[i] + 1) / rate * 1000)
  redis.call('SET', KEYS[i], string.format('%.17g %.0f', tokens[i] - 1, now), 'PX', string.format('%.0f', full))
end
local answer = redis.call('GET', KEYS[1])
if not answer then
  return false
end
local call = string.match(answer, '^[^\n]*')
return {answer, redis.call('XADD', KEYS[2], '*', 'call', call, 'row', ARGV[1])}
