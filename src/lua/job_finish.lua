#!lua flags=allow-oom
-- job_finish.lua: a run ends its job: completed, failed or cancelled; counted; its hash expires later.
-- keys: the queue's sets `active` and `failed`, the job's hash, the counter of jobs that ended so
-- args: id, run, outcome, error ("": none), key of the day's statistics
-- result: 1 ended; 0 this run is over, nothing changed
local active, failed, data, counter = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local id, run, outcome, error_text, daily = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5]
local DAY_S = 86400

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
