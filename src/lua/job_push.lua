#!lua
-- job_push.lua: a new job at the tail of its queue. Refused when Redis is full.
-- keys: the queue's list, its set `active`, the job's hash, the counter of all jobs
-- args: id, key of the day's statistics, then fields and values of the hash
-- result: 1 pushed; 0 there is a job of that id (one that was taken and whose lease is lost goes back to the head)
local queue, active, data, total = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local id, daily = ARGV[1], ARGV[2]

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
if redis.call('HINCRBY', daily, 'tasks_total', 1) == 1 then
  redis.call('EXPIRE', daily, 90 * 86400)
end
return 1
