#!lua
-- job_push.lua: a new job at the tail of its queue. Refused when Redis is full.
-- keys: the queue's list, its set `active`, the job's hash, the counter of all jobs
-- args: id, key of the daily statistics without the day, then fields and values of the hash
-- result: 1 pushed; 0 there is a job of that id (one that was taken and whose lease is lost goes back to the head)
local queue, active, data, total = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local id, days = ARGV[1], ARGV[2]

local function day(ms)
  local left, year = math.floor(ms / 86400000), 1970
  local function length(y)
    return (y % 4 == 0 and (y % 100 ~= 0 or y % 400 == 0)) and 366 or 365
  end
  while left >= length(year) do
    left, year = left - length(year), year + 1
  end
  local month = 1
  for m, days_of in ipairs({31, length(year) - 337, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31}) do
    month = m
    if left < days_of then break end
    left = left - days_of
  end
  return string.format('%04d-%02d-%02d', year, month, left + 1)
end

if redis.call('EXISTS', data) == 1 then
  if redis.call('HGET', data, 'status') == 'processing' and not redis.call('ZSCORE', active, id) then
    redis.call('HSET', data, 'status', 'pending')
    redis.call('RPUSH', queue, id)
  end
  return 0
end
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
redis.call('HSET', data, 'status', 'pending', 'created_at', now, unpack(ARGV, 3))
redis.call('LPUSH', queue, id)
redis.call('INCR', total)
local daily = days .. day(now)
if redis.call('HINCRBY', daily, 'tasks_total', 1) == 1 then
  redis.call('EXPIRE', daily, 90 * 86400)
end
return 1
