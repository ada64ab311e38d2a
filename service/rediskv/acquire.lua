-- Takes or renews the lock of a key, unless the key has its answer. Looking for the answer and taking the lock are one
-- step, so that nobody calls for what the last holder has just stored.
-- A grant tells how many replicas should have it, and whether the lock was free before.
-- KEYS: lock, answer. ARGV: token, lease in milliseconds, largest lag of a replica that counts as online, in seconds.
local answer = redis.call('GET', KEYS[2])
if answer then
  return {'answered', answer, redis.call('PTTL', KEYS[2])}
end
local holder = redis.call('GET', KEYS[1])
if holder and holder ~= ARGV[1] then
  return {'refused'}
end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
local online = 0
for lag in string.gmatch(redis.call('INFO', 'replication'), 'state=online,[^\r\n]*lag=(%d+)') do
  if tonumber(lag) <= tonumber(ARGV[3]) then
    online = online + 1
  end
end
return {'granted', online, holder and 0 or 1}
