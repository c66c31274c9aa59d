#!lua flags=allow-oom
-- job_finish.lua: a run ends its job: completed, failed or cancelled; counted; its hash expires later.
-- keys: the queue's sets `active` and `failed`, the job's hash, the counter of jobs that ended so
-- args: id, run, outcome, error ("": none), key of the daily statistics without the day
-- result: 1 ended; 0 this run is over, nothing changed
local active, failed, data, counter = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local id, run, outcome, error_text, days = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5]
local DAY_S = 86400

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

local had = redis.call('HMGET', data, 'run', 'status', 'started_at')
if had[1] ~= run or had[2] ~= 'processing' then
  return 0
end
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
redis.call('ZREM', active, id)
if outcome == 'failed' then
  redis.call('ZADD', failed, now, id)
  redis.call('ZREMRANGEBYSCORE', failed, '-inf', now - 7 * DAY_S * 1000)
  redis.call('EXPIRE', data, 7 * DAY_S)
else
  redis.call('HDEL', data, 'payload', 'worker_id', 'backoff', 'timeout', 'max_attempts')
  redis.call('EXPIRE', data, DAY_S)
end
redis.call('HSET', data, 'status', outcome, 'completed_at', now)
if error_text ~= '' then
  redis.call('HSET', data, 'error', error_text)
end

redis.call('INCR', counter)
local daily = days .. day(now)
local count = redis.call('HINCRBY', daily, 'tasks_' .. outcome, 1)
if count == 1 then
  redis.call('EXPIRE', daily, 90 * DAY_S)
end
if outcome == 'completed' then
  local took = math.max(0, now - (tonumber(had[3]) or now))
  local sum = redis.call('HINCRBY', daily, 'processing_ms_sum', took)
  redis.call('HSET', daily, 'avg_processing_time', math.floor(sum / count))
end
return 1
