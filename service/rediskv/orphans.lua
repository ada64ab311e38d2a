-- Reads the length of the journal, and its rows older than an age by the clock of Redis, which also gave them their places.
-- KEYS: journal. ARGV: age in milliseconds, most rows.
local now = redis.call('TIME')
local bound = now[1] * 1000 + math.floor(now[2] / 1000) - ARGV[1]
return {redis.call('XLEN', KEYS[1]), redis.call('XRANGE', KEYS[1], '-', string.format('%.0f', bound), 'COUNT', ARGV[2])}
