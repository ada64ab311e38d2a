-- Reads an answer and journals the row of the hit. The answer starts with its call id, which the row needs.
-- KEYS: answer, journal. ARGV: row.
local answer = redis.call('GET', KEYS[1])
if not answer then
  return false
end
local call = string.match(answer, '^[^\n]*')
return {answer, redis.call('XADD', KEYS[2], '*', 'call', call, 'row', ARGV[1])}
