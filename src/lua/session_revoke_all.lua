#!lua flags=allow-oom
-- session_revoke_all.lua: end all sessions of a user, or all but one, also when Redis is full.
-- keys: the user's set, the index of users
-- args: the user, prefix of session keys, name of the one that stays ('': none)
-- result: how many were ended
local ended = 0
for _, name in ipairs(redis.call('SMEMBERS', KEYS[1])) do
  if name ~= ARGV[3] then
    ended = ended + redis.call('DEL', ARGV[2] .. name)
    redis.call('SREM', KEYS[1], name)
  end
end
if redis.call('EXISTS', KEYS[1]) == 0 then redis.call('ZREM', KEYS[2], ARGV[1]) end
return ended
