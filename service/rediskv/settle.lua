-- Ends a flight: journals its row, if it has one, and stores its answer where the lock is still the holder's own, or where
-- neither a lock nor an answer is (Redis was away when the flight began). Whoever lost the lock stores nothing.
-- KEYS: lock, answer, journal. ARGV: token, answer, its lifetime in milliseconds, call id, row or ''.
local mark = ''
if ARGV[5] ~= '' then
  mark = redis.call('XADD', KEYS[3], '*', 'call', ARGV[4], 'row', ARGV[5])
end
local holder = redis.call('GET', KEYS[1])
if holder == ARGV[1] or (not holder and redis.call('EXISTS', KEYS[2]) == 0) then
  redis.call('SET', KEYS[2], ARGV[2], 'PX', ARGV[3])
end
if holder == ARGV[1] then
  redis.call('DEL', KEYS[1])
end
return mark
