#!lua flags=allow-oom
-- job_clear.lua: the oldest waiting jobs of a queue are thrown away: they end cancelled.
-- keys: the queue's list, its sets `priority`, `delayed`, `active`, `failed`
-- args: prefix of the queue's keys, prefix of its jobs' hashes, channel of notifications, prefix of the counters, key of the day's
--       statistics; how many at most
-- result: how many were taken off, how many jobs were thrown away (the others had ended or run), then the requests whose jobs they were
local call = redis.call
local queue, priority, delayed, active = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local base, prefix, channel, counters, daily, max = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5], tonumber(ARGV[6])
local DAY_S = 86400
local time = call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local now_text = string.format('%.0f', now)
local ended = {completed = true, failed = true, cancelled = true}

local ids = call('RPOP', queue, max) or {}
for _, set in ipairs({priority, delayed}) do
  if #ids < max then
    local popped = call('ZPOPMIN', set, max - #ids)
    for i = 1, #popped, 2 do ids[#ids + 1] = popped[i] end
  end
end

-- include part_tell.lua

local function throw_away(id, data, unique_key, type)
  if call('EXISTS', data) == 1 then
    call('HDEL', data, 'payload', 'worker_id', 'backoff', 'timeout', 'max_attempts', 'from_score', 'held_score')
    call('HSET', data, 'status', 'cancelled', 'completed_at', now, 'error', 'cleared')
    call('EXPIRE', data, DAY_S)
  end
  call('ZREM', base .. 'limited:' .. (type or 'default'), id)
  local key = unique_key and base .. 'unique:' .. unique_key
  if key and call('GET', key) == id and call('PTTL', key) == -1 then call('DEL', key) end
end

local thrown, requests = 0, {}
for _, id in ipairs(ids) do
  local data = prefix .. id
  local had = redis.pcall('HMGET', data, 'status', 'request_hash', 'call', 'unique_key', 'user_id', 'type')
  if not had.err and ended[had[1]] then
    if call('TTL', data) < 0 then call('EXPIRE', data, DAY_S) end -- cancelled while it was listed
  elseif not had.err and not call('ZSCORE', active, id) then
    thrown = thrown + 1
    throw_away(id, data, had[4], had[6])
    if had[2] and not had[3] then requests[#requests + 1] = had[2] end
    tell(id, had[5], 'cancelled', 'cancelled')
  end
end
if thrown > 0 then
  call('INCRBY', counters .. 'cancelled', thrown)
  if call('HINCRBY', daily, 'tasks_cancelled', thrown) == thrown then call('EXPIRE', daily, 90 * DAY_S) end
end
return {#ids, thrown, unpack(requests)}
