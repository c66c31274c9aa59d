#!lua flags=allow-oom
-- job_take.lua: delayed jobs that are due come back, then the first ready jobs are leased. The order is drawn in core/job.h; what a
-- limit of a type holds back waits in `delayed`, and in limited:{type} by the order in which it would have been taken.
-- keys: the queue's list, priority, delayed, active, failed
-- args: 1-5 as in core/job_part.h, 6 worker, 7 most jobs, 8 lease in ms, then for each limited type: its name, how many at once,
--       how many per period, the period in ms (0: no such limit)
-- result: 1: paused, ms until something comes by itself (-1: nothing will), then of each job its id, its run, how many fields and values
--         follow, and these
local call, format = redis.call, string.format
local base, prefix, channel = ARGV[1], ARGV[2], ARGV[3]
local ID_MAX = 128
local DAY_S = 86400
local time = call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local now_text, lease_end = format('%d', now), format('%d', now + tonumber(ARGV[8]))
-- The take: how many may be taken, how many were, how many wait in the priority set, and (nil: not looked at) limits by type.
local t = {max = tonumber(ARGV[7]), count = 0, ranks = 0, limited = nil}

-- include part_number.lua
-- include part_tell.lua

-- Mostly there is nothing but the list, and one look tells so. The functions for the rest are made only when there is some: making them
-- all costs Redis as much as four commands.
local function see_to_order()
  local list, priority, delayed, active = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
-- include part_back.lua
-- include part_order.lua
end

local taken, leases, began = {0, -1}, {}, {}

-- What has ended, is being carried out (listed twice), or is no hash is dropped.
local function begin(id, from_score)
  local data = prefix .. id
  local flat, had = redis.pcall('HGETALL', data), {}
  if flat.err or began[id] then return end
  for i = 1, #flat, 2 do had[flat[i]] = flat[i + 1] end
  if had.status == 'completed' or had.status == 'failed' or had.status == 'cancelled' then
    if call('TTL', data) < 0 then call('EXPIRE', data, DAY_S) end
    return
  end
  if #id > ID_MAX or string.find(id, '%c') then -- it fits into no key and no C string, and would be taken again and again
    call('HSET', data, 'status', 'failed', 'completed_at', now_text, 'error', 'its id is too long or has control characters')
    call('EXPIRE', data, 7 * DAY_S)
    call('ZADD', KEYS[5], now_text, id)
    call('INCR', ARGV[4] .. 'failed')
    if call('HINCRBY', ARGV[5], 'tasks_failed', 1) == 1 then call('EXPIRE', ARGV[5], 90 * DAY_S) end
    return tell(id, nil, 'failed', 'failed')
  end
  local run = whole(had.run, 0)
  if (run > 0 or had.status == 'processing') and call('ZSCORE', KEYS[4], id) then return end
  for i = 9, #ARGV, 4 do
    if not t.limited and ARGV[i] == (had.type or 'default') then see_to_order() end
  end
  local l = t.limited and t.limited[had.type or 'default']
  if l then
    if t.room(l) <= 0 then return t.hold(l, id, data, had, from_score) end
    l.room = l.room - 1
    l.begun[#l.begun + 1] = now
    l.begun[#l.begun + 1] = id
    if had.held_score then call('HDEL', data, 'held_score') end
  end
  if had.type and had.created_at then
    call('HSET', data, 'run', format('%d', run + 1), 'status', 'processing', 'started_at', now_text, 'worker_id', ARGV[6])
  else
    local created = had.created_at or now_text
    call('HSET', data, 'run', format('%d', run + 1), 'status', 'processing', 'started_at', now_text, 'worker_id', ARGV[6],
      'type', had.type or 'default', 'created_at', created)
    flat[#flat + 1] = 'created_at'
    flat[#flat + 1] = created
  end
  if from_score then call('HSET', data, 'from_score', from_score) end
  if had.completed_at then -- an outsider gave it once more under the same id
    call('HDEL', data, 'completed_at')
    call('PERSIST', data)
    call('ZREM', KEYS[5], id)
  end
  tell(id, had.user_id, 'processing', 'processing')
  began[id] = true
  t.count = t.count + 1
  leases[#leases + 1] = lease_end
  leases[#leases + 1] = id
  local n = #taken
  taken[n + 1], taken[n + 2], taken[n + 3] = id, run + 1, #flat
  for i = 1, #flat do taken[n + 3 + i] = flat[i] end
end

if call('EXISTS', base .. 'paused', base .. 'limits', KEYS[2], KEYS[3]) > 0 then
  if call('EXISTS', base .. 'paused') == 1 then return {1, -1} end
  see_to_order()
end

-- The next candidates, taken off where they waited: ids, and the score of the only one when it comes from the priority set. So many that
-- are not taken are looked at in one call, so that a list full of them does not hold Redis up.
local looks = t.max + 300
while t.count < t.max and looks > 0 do
  local ids, score
  if t.ranks > 0 then
    ids, score = t.pick()
  else
    ids = call('RPOP', KEYS[1], format('%d', t.max - t.count)) or {}
  end
  if #ids == 0 then break end
  looks = looks - #ids
  for _, id in ipairs(ids) do begin(id, score) end
end

if t.count > 0 then
  call('ZADD', KEYS[4], unpack(leases))
  call('INCRBY', base .. 'takes', format('%d', t.count))
end

local next_ms = math.min(looks <= 0 and 0 or math.huge, t.limited and t.settle() or math.huge)
if next_ms < math.huge then taken[2] = math.max(0, math.ceil(next_ms)) end
return taken
