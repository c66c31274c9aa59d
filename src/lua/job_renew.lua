#!lua flags=allow-oom
-- job_renew.lua: lease running jobs of one queue again. A lease entry that vanished is made anew.
-- keys: the queue's list, priority, delayed, active
-- args: 1-5 as in core/job_part.h, lease in ms, then id and run of each job
-- result: for each job 1: leased; 0: this run is over
local active = KEYS[4]
local prefix, lease = ARGV[2], tonumber(ARGV[6])
local ended = {completed = true, failed = true, cancelled = true}
local time = redis.call('TIME')
local until_ms = time[1] * 1000 + math.floor(time[2] / 1000) + lease

local result = {}
for i = 7, #ARGV, 2 do
  local id, run = ARGV[i], ARGV[i + 1]
  local had = redis.pcall('HMGET', prefix .. id, 'run', 'status')
  local ours = had[1] == run and not ended[had[2]]
  if ours and had[2] ~= 'processing' then
    ours = redis.call('ZSCORE', active, id)
    if ours then redis.call('HSET', prefix .. id, 'status', 'processing') end
  end
  if ours then
    redis.call('ZADD', active, until_ms, id)
  end
  result[#result + 1] = ours and 1 or 0
end
return result
