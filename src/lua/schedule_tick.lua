#!lua
-- schedule_tick.lua: remember up to which tick a type is dealt with. Whoever comes second changes nothing.
-- keys: the schedules' hash, then the hash of the tick's job where it was fired
-- args: type, "line|zone", "line|zone" and tick that the caller had read ("": none), the tick in ms ("": forget the
--       type)
-- result: 1 remembered; 0 another worker was faster; -1 the job is not there
local name, line, line_read, tick_read, tick = unpack(ARGV)
local stored = redis.call('HMGET', KEYS[1], name, name .. ':line')
local now_tick, now_line = stored[1] or '', stored[2] or ''

if now_line ~= line_read then
  return 0
end
-- A tick before the one that another worker wrote comes too late; one before the one that was read means that the
-- clock went back.
if now_tick ~= tick_read and (tick == '' or (tonumber(now_tick) or 0) >= tonumber(tick)) then
  return 0
end
if tick == '' then
  redis.call('HDEL', KEYS[1], name, name .. ':line', name .. ':fired', name .. ':run')
  return 1
end
if KEYS[2] and redis.call('EXISTS', KEYS[2]) == 0 then
  return -1
end
redis.call('HSET', KEYS[1], name, tick, name .. ':line', line)
if KEYS[2] then
  redis.call('HSET', KEYS[1], name .. ':fired', tick)
end
return 1
