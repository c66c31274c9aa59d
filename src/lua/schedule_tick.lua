#!lua
-- schedule_tick.lua: a type is dealt with up to a tick: its job, where it is due, is pushed, and the tick is remembered. Whoever comes
-- second changes nothing.
-- keys: the schedules' hash; where a job is due also the keys of job_push.lua
-- args: type, "line|zone", "line|zone" and tick that the caller had read ("": none), the tick in ms ("": forget the
--       type); where a job is due also the args of job_push.lua
-- result: -1 another worker was faster, nothing is changed; else what job_push.lua says, or 1 where no job is due
local name, line, line_read, tick_read, tick = unpack(ARGV, 1, 5)
local stored = redis.call('HMGET', KEYS[1], name, name .. ':line')
local now_tick, now_line = stored[1] or '', stored[2] or ''

-- include part_push.lua

if now_line ~= line_read or now_tick ~= tick_read then
  return -1
end
if tick == '' then
  redis.call('HDEL', KEYS[1], name, name .. ':line', name .. ':fired', name .. ':run')
  return 1
end
local pushed = 1
if KEYS[2] then
  pushed = push({unpack(KEYS, 2)}, {unpack(ARGV, 6)})
  redis.call('HSET', KEYS[1], name .. ':fired', tick)
end
redis.call('HSET', KEYS[1], name, tick, name .. ':line', line)
return pushed
