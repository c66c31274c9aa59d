#!lua flags=allow-oom
-- session_clean.lua: forget the sessions of a user that are gone or were idle for too long, and note when to look again.
-- keys: the user's set, the index of users
-- args: the user, prefix of session keys, idle time in ms
-- result: how many were forgotten
local call = redis.call
local time = call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

-- include part_sessions.lua

local before = call('SCARD', KEYS[1])
local idle = tonumber(ARGV[3])
local found = living(KEYS[1], ARGV[2], idle)
local next_look
for _, session in ipairs(found) do
  local at = (session[3] > 0 and session[3] or now) + idle + 1
  if not next_look or at < next_look then next_look = at end
end
if next_look then
  call('ZADD', KEYS[2], next_look, ARGV[1])
else
  call('ZREM', KEYS[2], ARGV[1])
end
return before - #found
