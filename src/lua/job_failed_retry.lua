#!lua flags=allow-oom
-- job_failed_retry.lua: a failed job waits once more, as if it had never been tried; its history stays. (It is stored already, so that it
-- may wait also when Redis is full.)
-- keys: the queue's list, its sets `priority`, `delayed`, `active`, `failed`
-- args: prefix of the queue's keys, prefix of its jobs' hashes, channel of notifications, prefix of the counters, key of the day's
--       statistics; id of the failed job, id of the job that waits instead (the same, or its request's first leg), the run before its
--       next one ('': as it is), then ids that are forgotten where they are among the failed
-- result: 1 it waits; 0 it is not among the failed
local call = redis.call
local list, priority, failed = KEYS[1], KEYS[2], KEYS[5]
local base, prefix, channel, counters = ARGV[1], ARGV[2], ARGV[3], ARGV[4]
local from, id, run = ARGV[6], ARGV[7], ARGV[8]
local data = prefix .. id
local time = call('TIME')
local now_text = string.format('%.0f', time[1] * 1000 + math.floor(time[2] / 1000))

-- include part_tell.lua
-- include part_number.lua
-- include part_back.lua

local function forget(other)
  if other ~= id and call('ZREM', failed, other) == 1 then call('DEL', prefix .. other) end
end

if not call('ZSCORE', failed, from) then return 0 end
if run == '' and call('EXISTS', data) == 0 then -- what it was to do is forgotten after 7 days
  call('ZREM', failed, id)
  return 0
end
forget(from)
for i = 9, #ARGV do forget(ARGV[i]) end
local had = call('HMGET', data, 'status', 'priority', 'unique_key', 'user_id', 'type')
if had[1] == 'pending' or had[1] == 'processing' then -- somebody was faster
  call('ZREM', failed, id)
  return 1
end
call('ZREM', failed, id)
call('PERSIST', data)
call('HDEL', data, 'error', 'started_at', 'completed_at', 'worker_id', 'result', 'progress', 'message', 'from_score', 'held_score')
call('HSET', data, 'status', 'pending', 'attempts', 0, 'deaths', 0)
if run ~= '' then call('HSET', data, 'run', run, 'request_hash', id, 'type', had[5] or 'service') end

-- Whoever took its unique key meanwhile keeps it, unless that one has ended.
local function take_key(key)
  local other = call('GET', key)
  local status = other and (call('PTTL', key) >= 0 and 'pending' or call('HGET', prefix .. other, 'status'))
  if status ~= 'pending' and status ~= 'processing' then call('SET', key, id) end
end
if had[3] then take_key(base .. 'unique:' .. had[3]) end

to_tail(id, had[2])
call('INCR', counters .. 'retried')

tell(id, had[4], 'pending', 'pending')
return 1
