#!lua flags=allow-oom
-- token_revoke.lua: forget a token, also when Redis is full.
-- keys: the names, the token
-- args: name, digest
-- result: 1 forgotten; 0 the name belongs to another token or to none
if redis.call('HGET', KEYS[1], ARGV[1]) ~= ARGV[2] then
  return 0
end
redis.call('DEL', KEYS[2])
redis.call('HDEL', KEYS[1], ARGV[1])
return 1
