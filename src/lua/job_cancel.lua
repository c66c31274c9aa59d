#!lua flags=allow-oom
-- job_cancel.lua: end a job that waits or runs; a running one's worker is told.
-- keys: the queue's list, priority, delayed, active
-- args: 1-5 as in core/job_part.h, 6 id, 7 prefix of the workers' keys, 8 longest list in which its entry is looked for (in a longer
--       one a take drops it)
-- result: 1 cancelled; 0 it had ended already; -1 there is none
local call = redis.call
local list, priority, delayed, active = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local base, channel, stats, daily = ARGV[1], ARGV[3], ARGV[4], ARGV[5]
local id, data = ARGV[6], ARGV[2] .. ARGV[6]
local DAY_S = 86400
local ended = {completed = true, failed = true, cancelled = true}
local time = call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local now_text = string.format('%.0f', now)

local exists = call('EXISTS', data) == 1
local had = call('HMGET', data, 'status', 'type', 'user_id', 'worker_id', 'unique_key')
if ended[had[1]] then return 0 end

-- include part_room.lua
-- include part_tell.lua

local found = call('ZREM', priority, id) + call('ZREM', delayed, id)
local ran = call('ZREM', active, id) == 1 or had[1] == 'processing'
local listed_long = false
if found == 0 and not ran then
  listed_long = call('LLEN', list) > tonumber(ARGV[8])
  if not listed_long then found = call('LREM', list, -1, id) end
end
if not exists and found == 0 then return -1 end

local type_name = had[2] or 'default'
call('ZREM', base .. 'limited:' .. type_name, id)
call('ZREM', base .. 'running:' .. type_name, id)
call('HSET', data, 'status', 'cancelled', 'completed_at', now)
call('HDEL', data, 'payload', 'worker_id', 'backoff', 'timeout', 'max_attempts', 'from_score', 'held_score')
if listed_long then
  call('PERSIST', data) -- as long as it is listed
else
  call('EXPIRE', data, DAY_S)
end
if had[5] then
  local key = base .. 'unique:' .. had[5]
  if call('GET', key) == id and call('PTTL', key) == -1 then call('DEL', key) end
end
call('INCR', stats .. 'cancelled')
if call('HINCRBY', daily, 'tasks_cancelled', 1) == 1 then call('EXPIRE', daily, 90 * DAY_S) end

if ran then
  room_in_type(type_name)
  room_in_queue()
end
if ran and had[4] then
  call('PUBLISH', ARGV[7] .. had[4] .. ':orders', '{"cancel":' .. cjson.encode(id) .. '}')
end
tell(id, had[3], 'cancelled', 'cancelled')
return 1
