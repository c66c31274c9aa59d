#!lua
-- queue_floor.lua: the least that carrying out jobs costs Redis: take up to 32 of the list and finish them at once, with every
-- write and every message of contract 4.2, and without order, limits, fences, leases that are looked at, or anything unusual.
-- keys: the list, its set `active`, its counter of takes, the counters of completed jobs, the day's statistics
-- args: key of a job's hash without the id, most jobs, lease in ms, id of the worker, the channel of notifications
-- result: how many
local queue, active, takes, completed, daily = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local prefix, max, lease, worker, channel = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]), ARGV[4], ARGV[5]
local DAY_S = 86400
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

local function tell(id, user, status)
  local said = '{"type":"task_' .. status .. '","task_id":"' .. id .. '","user_id":' .. (user and '"' .. user .. '"' or 'null') ..
    ',"status":"' .. status .. '","timestamp":' .. now .. '}'
  redis.call('PUBLISH', channel, said)
  redis.call('PUBLISH', channel .. ':task:' .. id, said)
  if user then redis.call('PUBLISH', channel .. ':user:' .. user, said) end
end

local ids = redis.call('RPOP', queue, max)
if not ids then return 0 end
redis.call('INCRBY', takes, #ids)
local users = {}
for _, id in ipairs(ids) do
  local data = prefix .. id
  redis.call('ZADD', active, now + lease, id)
  redis.call('HINCRBY', data, 'run', 1)
  redis.call('HSET', data, 'status', 'processing', 'started_at', now, 'worker_id', worker)
  local job = redis.call('HGETALL', data)
  for i = 1, #job, 2 do
    if job[i] == 'user_id' then users[id] = job[i + 1] end
  end
  tell(id, users[id], 'processing')
end
for _, id in ipairs(ids) do
  local data = prefix .. id
  local had = redis.call('HMGET', data, 'run', 'status', 'started_at')
  redis.call('ZREM', active, id)
  redis.call('HDEL', data, 'payload', 'worker_id')
  redis.call('HSET', data, 'status', 'completed', 'completed_at', now)
  redis.call('EXPIRE', data, DAY_S)
  redis.call('INCR', completed)
  local count = redis.call('HINCRBY', daily, 'tasks_completed', 1)
  local sum = redis.call('HINCRBY', daily, 'processing_ms_sum', now - tonumber(had[3]))
  redis.call('HSET', daily, 'avg_processing_time', math.floor(sum / count))
  tell(id, users[id], 'completed')
end
redis.call('EXPIRE', daily, 90 * DAY_S)
return #ids
