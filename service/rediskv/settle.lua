-- Ends a flight: journals its row, if it has one, and stores its answer where the lock is still the holder's own, or where
-- neither a lock nor an answer is (Redis was away when the flight began). Whoever lost the lock stores nothing. It returns
-- the row's place, and whether the answer is there now, which it is as well if it was there before.
-- KEYS: lock, answer, journal. ARGV: token, answer, its lifetime in milliseconds, name of its call, row or ''.
local mark = ''
if ARGV[5] ~= '' then
  mark = redis.call('XADD', KEYS[3], '*', 'call', ARGV[4], 'row', ARGV[5])
end
local holder, answer = redis.call('GET', KEYS[1]), redis.call('GET', KEYS[2])
if holder == ARGV[1] or (not holder and not answer) then
  redis.call('SET', KEYS[2], ARGV[2], 'PX', ARGV[3])
  answer = ARGV[2]
end
if holder == ARGV[1] then
  redis.call('DEL', KEYS[1])
end
return {mark, answer == ARGV[2] and 1 or 0}
