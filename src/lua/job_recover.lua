#!lua flags=allow-oom
-- job_recover.lua: jobs whose lease ran out go back to the head of where they were; their worker is taken for dead.
-- keys: the queue's list, priority, delayed, active
-- args: 1-5 as in core/job_part.h, 6 most entries to look at
-- result: number of jobs put back (an entry whose job has ended or is gone is only removed), number of entries looked at
local call = redis.call
local list, priority, delayed, active = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local base, prefix, channel = ARGV[1], ARGV[2], ARGV[3]
local ended = {completed = true, failed = true, cancelled = true}
local time = call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local now_text = string.format('%.0f', now)

-- include part_tell.lua
-- include part_history.lua
-- include part_number.lua
-- include part_back.lua
-- include part_room.lua

local back = 0
local ids = call('ZRANGEBYSCORE', active, '-inf', now, 'LIMIT', 0, ARGV[6])
for i = #ids, 1, -1 do
  local id = ids[i]
  local data = prefix .. id
  local had = redis.pcall('HMGET', data, 'run', 'status', 'type', 'user_id', 'worker_id', 'history', 'from_score', 'deaths')
  call('ZREM', active, id)
  call('ZREM', base .. 'running:' .. (had[3] or 'default'), id)
  if had[1] and not ended[had[2]] then
    call('HSET', data, 'deaths', string.format('%.0f', whole(had[8], 0) + 1), 'status', 'pending', 'history', noted(had[6], had[1], had[5], 'the worker died'))
    call('HDEL', data, 'worker_id')
    to_head(id, had[7])
    tell(id, had[4], 'pending', 'pending')
    back = back + 1
  else
    room_in_type(had[3] or 'default')
  end
end
if #ids > back then room_in_queue() end
return {back, #ids}
