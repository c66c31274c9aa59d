#!lua
-- session_create.lua: store the session of a user, and count it among theirs; the oldest go when there are too many.
-- keys: the session, the user's set, the index of users
-- args: its text, its name in the set, the user, prefix of session keys, TTL in ms, idle time in ms, most sessions of one user
-- result: 1
local call = redis.call
local time = call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

-- include part_sessions.lua

call('SET', KEYS[1], ARGV[1], 'PX', ARGV[5])
join(KEYS[2], KEYS[3], ARGV[3], ARGV[2], ARGV[4], tonumber(ARGV[5]), tonumber(ARGV[6]), tonumber(ARGV[7]))
return 1
