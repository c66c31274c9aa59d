#!lua flags=allow-oom
-- job_end.lua: runs end their jobs, each in its way. Written, counted and told together.
-- keys: the queue's list, priority, delayed, active, failed
-- args: 1-5 as in core/job_part.h, then for each job: id, run, outcome (completed, failed, cancelled, again, back), delay in ms,
--       error ('': none), result as JSON ('': none), its type when that has a limit at once ('': none)
-- result: for each job 1: ended so; 0: this run is over, nothing changed
local call = redis.call
local list, priority, delayed, active, failed = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local base, prefix, channel, stats, daily = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5]
local DAY_S = 86400
local DAY, WEEK = '86400', '604800' -- in seconds, as text: Redis need not print them
local ended = {completed = true, failed = true, cancelled = true}
local time = call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local now_text = string.format('%.0f', now)

-- include part_tell.lua
-- include part_history.lua
-- include part_number.lua
-- include part_back.lua
-- include part_room.lua

local function free_key(id, key)
  key = base .. 'unique:' .. key
  if call('GET', key) == id and call('PTTL', key) == -1 then call('DEL', key) end
end

local counted = {completed = 0, failed = 0, cancelled = 0, again = 0}
local took_ms = 0

local function finish(id, data, had, outcome, error_text, value)
  if outcome == 'failed' then
    call('ZADD', failed, now, id)
    call('HSET', data, 'status', outcome, 'completed_at', now_text, 'history', noted(had[6], had[1], had[5], error_text))
    call('HDEL', data, 'from_score')
    call('EXPIRE', data, WEEK)
  else
    call('HSET', data, 'status', outcome, 'completed_at', now_text)
    call('HDEL', data, 'payload', 'worker_id', 'backoff', 'timeout', 'max_attempts', 'from_score')
    call('EXPIRE', data, DAY)
    if value ~= '' then call('HSET', data, 'result', value) end
  end
  if error_text ~= '' then call('HSET', data, 'error', error_text) end
  if had[7] then free_key(id, had[7]) end
  if outcome == 'completed' then took_ms = took_ms + math.max(0, now - whole(had[3], now)) end
  tell(id, had[4], outcome, outcome)
end

local function again(id, data, had, delay, error_text)
  call('HSET', data, 'attempts', string.format('%.0f', whole(had[10], 0) + 1), 'status', 'pending',
    'history', noted(had[6], had[1], had[5], error_text))
  if error_text ~= '' then call('HSET', data, 'error', error_text) end
  call('HDEL', data, 'worker_id', 'from_score')
  if delay > 0 then
    call('ZADD', delayed, now + delay, id)
  else
    to_tail(id, had[9])
  end
  tell(id, had[4], 'pending', 'pending')
end

local function back(id, data, had, delay)
  call('HSET', data, 'status', 'pending')
  call('HDEL', data, 'worker_id')
  if delay > 0 then
    call('ZADD', delayed, now + delay, id)
  else
    to_head(id, had[8])
  end
  tell(id, had[4], 'pending', 'pending')
end

local result, over = {}, {}
for i = 6, #ARGV, 7 do
  local id, run, outcome, type_name = ARGV[i], ARGV[i + 1], ARGV[i + 2], ARGV[i + 6]
  local data = prefix .. id
  local had = redis.pcall('HMGET', data, 'run', 'status', 'started_at', 'user_id', 'worker_id', 'history', 'unique_key',
    'from_score', 'priority', 'attempts')
  local ours = had[1] == run and not ended[had[2]] and (had[2] == 'processing' or call('ZSCORE', active, id))
  result[#result + 1] = ours and 1 or 0
  if ours then
    over[#over + 1] = id
    if type_name ~= '' then
      call('ZREM', base .. 'running:' .. type_name, id)
      if outcome ~= 'back' then room_in_type(type_name) end
    end
    if outcome == 'again' then
      again(id, data, had, tonumber(ARGV[i + 3]), ARGV[i + 4])
    elseif outcome == 'back' then
      back(id, data, had, tonumber(ARGV[i + 3]))
    else
      finish(id, data, had, outcome, ARGV[i + 4], ARGV[i + 5])
    end
    if counted[outcome] then counted[outcome] = counted[outcome] + 1 end
  end
end
if #over == 0 then return result end
call('ZREM', active, unpack(over))
room_in_queue()

if counted.failed > 0 then
  call('ZREMRANGEBYSCORE', failed, '-inf', now - 7 * DAY_S * 1000)
end
if counted.again > 0 then
  call('INCRBY', stats .. 'retried', counted.again)
end
for outcome in pairs(ended) do
  local n = counted[outcome]
  if n > 0 then
    call('INCRBY', stats .. outcome, n)
    local today = call('HINCRBY', daily, 'tasks_' .. outcome, n)
    if today == n then call('EXPIRE', daily, 90 * DAY_S) end
    if outcome == 'completed' then
      local sum = call('HINCRBY', daily, 'processing_ms_sum', took_ms)
      call('HSET', daily, 'avg_processing_time', math.floor(sum / today))
    end
  end
end
return result
