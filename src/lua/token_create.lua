#!lua
-- token_create.lua: store a token, once a name.
-- keys: the names, the token
-- args: name, digest, role, slugs of services ('': all), addresses where its holder may be called ('': none)
-- result: 1 made; 0 the name is taken
if redis.call('HSETNX', KEYS[1], ARGV[1], ARGV[2]) == 0 then
  return 0
end
local time = redis.call('TIME')
local now = string.format('%.0f', time[1] * 1000 + math.floor(time[2] / 1000))
redis.call('HSET', KEYS[2], 'name', ARGV[1], 'role', ARGV[3], 'services', ARGV[4], 'created_at', now)
if ARGV[5] ~= '' then
  redis.call('HSET', KEYS[2], 'callbacks', ARGV[5])
end
return 1
