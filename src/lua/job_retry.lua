#!lua flags=allow-oom
-- job_retry.lua: a run gives its job back: to be tried again later (an attempt is counted), or at once from the head of
-- the queue (nothing is counted).
-- keys: the queue's list, its sets `delayed` and `active`, the job's hash, the counter of retries
-- args: id, run, delay in ms (-1: give back, counting nothing), error ("": none)
-- result: 1 given back; 0 this run is over, nothing changed
local queue, delayed, active, data, counter = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local id, run, delay, error_text = ARGV[1], ARGV[2], tonumber(ARGV[3]), ARGV[4]

local had = redis.call('HMGET', data, 'run', 'status')
if had[1] ~= run or had[2] ~= 'processing' then
  return 0
end
redis.call('ZREM', active, id)
redis.call('HSET', data, 'status', 'pending')
redis.call('HDEL', data, 'worker_id')
if delay < 0 then
  redis.call('RPUSH', queue, id)
  return 1
end
if delay == 0 then
  redis.call('LPUSH', queue, id)
else
  local time = redis.call('TIME')
  redis.call('ZADD', delayed, time[1] * 1000 + math.floor(time[2] / 1000) + delay, id)
end
redis.call('HINCRBY', data, 'attempts', 1)
if error_text ~= '' then
  redis.call('HSET', data, 'error', error_text)
end
redis.call('INCR', counter)
return 1
