#!lua flags=allow-oom
-- token_use.lua: note that a token was used, unless it was revoked meanwhile.
-- keys: the token
-- args: time in ms
-- result: 1 noted; 0 there is no such token
if redis.call('EXISTS', KEYS[1]) == 0 then
  return 0
end
redis.call('HSET', KEYS[1], 'last_used', ARGV[1])
return 1
