#!lua
-- session_adopt.lua: give a session that others wrote its owner, unless it was changed meanwhile; a user's is counted among theirs.
-- keys: the session; of a user also: the user's set, the index of users
-- args: its text as it was read, its text with the owner; of a user also: its name in the set, the user, prefix of session keys, TTL
--       in ms, idle time in ms, most sessions of one user
-- result: 1 written; 0 it was changed or is gone
local call = redis.call
local time = call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

-- include part_sessions.lua

if call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
call('SET', KEYS[1], ARGV[2], 'KEEPTTL')
if KEYS[2] then
  join(KEYS[2], KEYS[3], ARGV[4], ARGV[3], ARGV[5], tonumber(ARGV[6]), tonumber(ARGV[7]), tonumber(ARGV[8]))
end
return 1
