#!lua flags=no-writes
-- job_look.lua: one job as it is stored, and where it is, at one moment.
-- keys: the job's hash, the queue's list, its sets `priority`, `delayed`, `active` and `failed`
-- args: id, how many of the list's oldest to look through
-- result: its fields and values, its TTL in ms, the time in ms, its score in each of the four sets (nil: not there), its index in the
--         list (nil: not there), the list's length
local data, list = KEYS[1], KEYS[2]
local id, most = ARGV[1], ARGV[2]
local time = redis.call('TIME')

local fields = redis.pcall('HGETALL', data)
local result = {fields.err and {} or fields, redis.call('PTTL', data), time[1] * 1000 + math.floor(time[2] / 1000)}
local elsewhere = false
for i = 3, 6 do
  local score = redis.call('ZSCORE', KEYS[i], id)
  elsewhere = elsewhere or score
  result[#result + 1] = score
end
local status = redis.pcall('HGET', data, 'status')
local may_be_listed = not elsewhere and (not status or status == 'pending') -- else a search would be in vain
result[#result + 1] = may_be_listed and redis.call('LPOS', list, id, 'RANK', -1, 'MAXLEN', most)
result[#result + 1] = redis.call('LLEN', list)
return result
