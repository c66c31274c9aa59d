#!lua flags=allow-oom
-- job_recover.lua: jobs whose lease ran out go back to the head of the queue; their worker is taken for dead.
-- keys: the queue's list, its set `active`
-- args: key of a job's hash without the id, most entries to look at
-- result: number of jobs put back (an entry whose job has ended or is gone is only removed)
local queue, active = KEYS[1], KEYS[2]
local prefix, max = ARGV[1], ARGV[2]
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

local back = 0
for _, id in ipairs(redis.call('ZRANGEBYSCORE', active, '-inf', now, 'LIMIT', 0, max)) do
  local data = prefix .. id
  redis.call('ZREM', active, id)
  if redis.call('HGET', data, 'status') == 'processing' then
    redis.call('HINCRBY', data, 'deaths', 1)
    redis.call('HSET', data, 'status', 'pending')
    redis.call('HDEL', data, 'worker_id')
    redis.call('RPUSH', queue, id)
    back = back + 1
  end
end
return back
