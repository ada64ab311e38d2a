-- Takes a token out of every bucket. KEYS: buckets. ARGV: each bucket's rate in tokens per second and its size.
return take(1, 0) or false
