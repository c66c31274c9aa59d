#!lua flags=allow-oom
-- job_renew.lua: lease running jobs of one queue again. A lease entry that vanished is made anew.
-- keys: the queue's set `active`
-- args: key of a job's hash without the id, lease in ms, then id and run of each job
-- result: for each job 1: leased; 0: this run is over
local active = KEYS[1]
local prefix, lease = ARGV[1], tonumber(ARGV[2])
local time = redis.call('TIME')
local until_ms = time[1] * 1000 + math.floor(time[2] / 1000) + lease

local result = {}
for i = 3, #ARGV, 2 do
  local id, run = ARGV[i], ARGV[i + 1]
  local now = redis.call('HMGET', prefix .. id, 'run', 'status')
  local ours = now[1] == run and now[2] == 'processing'
  if ours then
    redis.call('ZADD', active, until_ms, id)
  end
  result[#result + 1] = ours and 1 or 0
end
return result
