#!lua
-- user_save.lua: keep an administrator's password, if the account is as expected.
-- keys: the accounts
-- args: name, hash of the password, era of the sessions ("": those there are go on), what must stand there now: "none", "any", or the hash whose
--       place it takes
-- result: 1 written; 0 the account is not so
local name, hash, era, expected = ARGV[1], ARGV[2], ARGV[3], ARGV[4]
local found = redis.call('HGET', KEYS[1], name)
if expected == 'none' and found or expected ~= 'none' and not found then
  return 0
end
if expected ~= 'none' and expected ~= 'any' and found ~= expected then
  return 0
end
local time = redis.call('TIME')
local now = string.format('%.0f', time[1] * 1000 + math.floor(time[2] / 1000))
redis.call('HSET', KEYS[1], name, hash)
if not found then
  redis.call('HSET', KEYS[1], name .. ':created', now)
end
if era ~= '' then
  redis.call('HSET', KEYS[1], name .. ':era', era, name .. ':changed', now)
end
return 1
