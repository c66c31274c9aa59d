#!lua flags=allow-oom
-- job_progress.lua: a run tells how far its job is: stored and published.
-- keys: the queue's list, priority, delayed, active
-- args: 1-5 as in core/job_part.h, 6 id, 7 run, 8 progress ('': as it is), 9 message ('': as it is), 10 the message as JSON
-- result: 1; 0 this run is over, nothing changed
local call = redis.call
local active, data, channel = KEYS[4], ARGV[2] .. ARGV[6], ARGV[3]
local id, run, progress, text = ARGV[6], ARGV[7], ARGV[8], ARGV[9]
local time = call('TIME')
local now_text = string.format('%.0f', time[1] * 1000 + math.floor(time[2] / 1000))
local ended = {completed = true, failed = true, cancelled = true}

-- include part_tell.lua

local had = call('HMGET', data, 'run', 'status', 'user_id')
if had[1] ~= run or ended[had[2]] or (had[2] ~= 'processing' and not call('ZSCORE', active, id)) then
  return 0
end
local more = ''
if progress ~= '' then
  call('HSET', data, 'progress', progress)
  more = ',"progress":' .. progress
end
if text ~= '' then
  call('HSET', data, 'message', text)
  more = more .. ',"message":' .. ARGV[10]
end

tell(id, had[3], 'progress', 'processing', more)
return 1
