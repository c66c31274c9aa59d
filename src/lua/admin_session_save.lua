#!lua flags=allow-oom
-- admin_session_save.lua: begin an administrator's session, or count a look of a person as activity: it lives for the idle time from now, and
-- never longer than its whole life.
-- keys: the session
-- args: idle time in ms, whole life in ms, then, to begin one: name, era
-- result: 1 it lives; 0 there is none, or its life is over
local idle, life = tonumber(ARGV[1]), tonumber(ARGV[2])
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

if ARGV[3] then
  redis.call('HSET', KEYS[1], 'name', ARGV[3], 'era', ARGV[4], 'created_at', string.format('%.0f', now))
end
local created = tonumber(redis.call('HGET', KEYS[1], 'created_at'))
local left = created and math.min(idle, created + life - now) or 0
if left <= 0 then
  redis.call('DEL', KEYS[1])
  return 0
end
redis.call('HSET', KEYS[1], 'last_activity', string.format('%.0f', now))
redis.call('PEXPIRE', KEYS[1], string.format('%.0f', left))
return 1
