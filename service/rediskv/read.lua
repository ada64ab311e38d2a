-- Takes a token out of every bucket, reads the answer and journals the row of the hit. The answer starts with the name
-- of its call, which the row needs. If a bucket is empty, nothing is read either.
-- KEYS: answer, journal, buckets. ARGV: row, then each bucket's rate in tokens per second and its size.
local refusal = take(3, 1)
if refusal then
  return refusal
end
local answer = redis.call('GET', KEYS[1])
if not answer then
  return false
end
local call = string.match(answer, '^[^\n]*')
return {answer, redis.call('XADD', KEYS[2], '*', 'call', call, 'row', ARGV[1])}
