#!lua flags=allow-oom
-- job_take.lua: delayed jobs that are due come back, then the oldest jobs of the queue are leased.
-- keys: the queue's list, its sets `delayed` and `active`
-- args: key of a job's hash without the id, most jobs to take, lease in ms, id of the worker
-- result: a list of {id, fields and values of its hash}
local queue, delayed, active = KEYS[1], KEYS[2], KEYS[3]
local prefix, max, lease, worker = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]), ARGV[4]
local ended = {completed = true, failed = true, cancelled = true}
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

local due = redis.call('ZRANGEBYSCORE', delayed, '-inf', now, 'LIMIT', 0, 100)
if #due > 0 then
  redis.call('ZREM', delayed, unpack(due))
  redis.call('LPUSH', queue, unpack(due))
end

-- What has ended, is carried out already (listed twice), or is no hash is not to be run.
local function wanted(id, status)
  if type(status) == 'table' or ended[status] then return false end
  return status ~= 'processing' or not redis.call('ZSCORE', active, id)
end

-- At most 1,000 unwanted ones are dropped a call, so that a list full of them does not hold Redis up.
local taken, looks = {}, max + 1000
while #taken < max and looks > 0 do
  looks = looks - 1
  local id = redis.call('RPOP', queue)
  if not id then break end
  local data = prefix .. id
  local status = redis.pcall('HGET', data, 'status')
  if wanted(id, status) then
    if not status then
      redis.call('HSETNX', data, 'type', 'default')
      redis.call('HSETNX', data, 'created_at', now)
    end
    redis.call('ZADD', active, now + lease, id)
    redis.call('HINCRBY', data, 'run', 1)
    redis.call('HSET', data, 'status', 'processing', 'started_at', now, 'worker_id', worker)
    taken[#taken + 1] = {id, redis.call('HGETALL', data)}
  end
end
return taken
