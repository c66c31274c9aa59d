#!lua
-- job_push.lua: a new job: at the tail of its queue, in the priority set, or delayed. Refused when Redis is full.
-- keys: the queue's list, its set `active`, the job's hash, the counter of all jobs, the day's statistics; with a place of its own
--       also its sets `delayed` and `priority`, its counter `sequence`; with a unique key also that key
-- args: id, notification up to its timestamp, channels: of all, of the job, of the user ('': none); with a place of its own:
--       priority (-1: none), delay in ms, ms for which the key is unique (0: until the end); then fields and values of the hash
-- result: 1 pushed; 0 there is a job of that id (one that was taken and whose lease is lost goes back to the head);
--         text: id of the job that has the same unique key
local call = redis.call
local id, data = ARGV[1], KEYS[3]

if call('EXISTS', data) == 1 then
  local had = call('HMGET', data, 'status', 'from_score')
  if had[1] == 'processing' and not call('ZSCORE', KEYS[2], id) then
    call('HSET', data, 'status', 'pending')
    local score = tonumber(had[2])
    if score and math.abs(score) < 1e300 then
      call('ZADD', string.sub(KEYS[2], 1, -7) .. 'priority', had[2], id)
    else
      call('RPUSH', KEYS[1], id)
    end
  end
  return 0
end

local time = call('TIME')
local now = time[1] .. string.sub('00000' .. time[2], -6, -4)
local first_field = 6
if #KEYS > 5 then
  local priority, delay, unique_ms = tonumber(ARGV[6]), tonumber(ARGV[7]), tonumber(ARGV[8])
  first_field = 9
  if KEYS[9] then
    -- Whoever has the key and is gone, or has ended without freeing it, gives it up; one with a time keeps it that long.
    local other = call('GET', KEYS[9])
    local held = other and call('PTTL', KEYS[9]) >= 0
    if other and not held then
      local status = call('HGET', string.sub(data, 1, #data - #id) .. other, 'status')
      held = status == 'pending' or status == 'processing'
    end
    if held then return other end
    if unique_ms > 0 then
      call('SET', KEYS[9], id, 'PX', unique_ms)
    else
      call('SET', KEYS[9], id)
    end
  end
  if delay > 0 then
    call('ZADD', KEYS[6], now + delay, id)
  elseif priority >= 0 then
    call('ZADD', KEYS[7], string.format('%.17g', priority + 1 - call('INCR', KEYS[8]) / 17592186044416), id)
  else
    call('LPUSH', KEYS[1], id)
  end
else
  call('LPUSH', KEYS[1], id)
end
call('HSET', data, 'status', 'pending', 'created_at', now, unpack(ARGV, first_field))
call('INCR', KEYS[4])
if call('HINCRBY', KEYS[5], 'tasks_total', 1) == 1 then
  call('EXPIRE', KEYS[5], 90 * 86400)
end
local message = ARGV[2] .. now .. '}'
call('PUBLISH', ARGV[3], message)
call('PUBLISH', ARGV[4], message)
if ARGV[5] ~= '' then
  call('PUBLISH', ARGV[5], message)
end
return 1
