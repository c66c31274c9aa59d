#!lua flags=allow-oom
-- job_take.lua: delayed jobs that are due come back, then the first ready jobs are leased. The order is drawn in core/job.h; what a
-- limit of a type holds back waits in `delayed`, and in limited:{type} by the order in which it would have been taken.
-- keys: the queue's list, priority, delayed, active, failed
-- args: 1-5 as in core/job_part.h, 6 worker, 7 most jobs, 8 lease in ms, then for each limited type: its name, how many at once,
--       how many per period, the period in ms (0: no such limit)
-- result: {1: paused, ms until something comes by itself (-1: nothing will), then for each job {id, run, fields and values}}
local call = redis.call
local list, priority, delayed, active = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local base, prefix, channel = ARGV[1], ARGV[2], ARGV[3]
local worker, max, lease = ARGV[6], tonumber(ARGV[7]), tonumber(ARGV[8])
local HELD_MS = 300000     -- a held back job looks after itself that much later, should its limit be gone
local ID_MAX = 128
local DAY_S = 86400
local ended = {completed = true, failed = true, cancelled = true}
local time = call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local now_text, lease_end = string.format('%.0f', now), string.format('%.0f', now + lease)

if call('EXISTS', base .. 'paused') == 1 then return {1, -1} end

-- include part_tell.lua
-- include part_back.lua

local function exact(score) return string.format('%.17g', score) end

-- Begun in any `per`, spread evenly with a burst of `count` (GCRA). nil: no such limit.
local function rate(count, per, tat)
  count, per = tonumber(count) or 0, tonumber(per) or 0
  if count < 1 or per < 1 then return nil end
  tat = tonumber(tat) or 0
  return {step = per / count, per = per, tat = math.min(math.max(tat, now), now + per)}
end

local function permits(r) return math.max(0, math.floor((now + r.per - r.tat) / r.step + 1e-6)) end

local function next_permit(r) return r.tat + r.step - r.per - now end

-- The types' limits.
local types, limits = {}, {}
for i = 9, #ARGV, 4 do
  local name = ARGV[i]
  limits[#limits + 1] = {name = name, at_once = tonumber(ARGV[i + 1]), count = ARGV[i + 2], per = ARGV[i + 3],
    waits = base .. 'limited:' .. name, runs = base .. 'running:' .. name, period = base .. 'period:' .. name, begun = {}}
  types[name] = limits[#limits]
end

-- A member without a lease does not count; the ones that were not looked at for longest are looked at.
local function running(l)
  local n = call('ZCARD', l.runs)
  if n < l.at_once then return n end
  local ids = call('ZRANGE', l.runs, 0, 99)
  local leases, looked = call('ZMSCORE', active, unpack(ids)), {}
  for i, id in ipairs(ids) do
    if leases[i] then
      looked[#looked + 1] = now
      looked[#looked + 1] = id
    else
      n = n - call('ZREM', l.runs, id)
    end
  end
  if #looked > 0 then call('ZADD', l.runs, 'XX', unpack(looked)) end
  return n
end

-- How many jobs of the type may begin now.
local function room(l)
  if not l.room then
    l.room = l.at_once > 0 and math.max(0, l.at_once - running(l)) or max
    l.rate = rate(l.count, l.per, call('GET', l.period))
    if l.rate then l.room = math.min(l.room, permits(l.rate)) end
  end
  return l.room
end

local function hold(l, id, data, had, from_score)
  local score = score_of(had.held_score) or from_score or ranked(5)
  call('ZADD', l.waits, score, id)
  call('ZADD', delayed, now + HELD_MS + 10 * l.held, id)
  call('HSET', data, 'held_score', score)
  if from_score then call('HSET', data, 'from_score', from_score) end
  l.held = l.held + 1
end

-- Due ones.
local due = call('ZRANGEBYSCORE', delayed, '-inf', now, 'LIMIT', 0, 100)
if #due > 0 then call('ZREM', delayed, unpack(due)) end
for _, id in ipairs(due) do
  local had = redis.pcall('HMGET', prefix .. id, 'priority', 'type', 'held_score', 'from_score')
  local score = score_of(had[3])
  if not score then
    to_tail(id, had[1])
  elseif types[had[2]] then
    call('ZADD', types[had[2]].waits, score, id)
    call('ZADD', delayed, now + HELD_MS, id)
  else
    call('ZREM', base .. 'limited:' .. (had[2] or 'default'), id)
    call('HDEL', prefix .. id, 'held_score')
    to_head(id, had[4])
  end
end

-- The queue's own limits.
local own = call('HMGET', base .. 'limits', 'at_once', 'per_count', 'per_ms', 'tat')
local own_rate = rate(own[2], own[3], own[4])
if (tonumber(own[1]) or 0) > 0 then max = math.min(max, own[1] - call('ZCARD', active)) end
if own_rate then max = math.min(max, permits(own_rate)) end

-- Of those at the head of the list, how many were let through before and not taken since.
local function let_through_before(l, most)
  local n = 0
  for _, id in ipairs(call('LRANGE', list, -most, -1)) do
    local had = redis.pcall('HMGET', prefix .. id, 'held_score', 'type')
    if had[1] and had[2] == l.name then n = n + 1 end
  end
  return n
end

-- What the types' limits let through goes to the head of where it was.
for _, l in ipairs(limits) do
  l.held = call('ZCARD', l.waits)
  local n = l.held > 0 and max > 0 and math.min(room(l), max) or 0
  if n > 0 then n = n - let_through_before(l, n) end
  local through = n > 0 and call('ZPOPMAX', l.waits, n) or {}
  for i = #through - 1, 1, -2 do
    local id = through[i]
    l.held = l.held - 1
    if call('ZREM', delayed, id) == 1 then
      local from_score = redis.pcall('HGET', prefix .. id, 'from_score')
      to_head(id, type(from_score) == 'string' and from_score)
    end
  end
end

-- A bare whole number in the priority set gets its fraction.
local ranks = max > 0 and call('ZCARD', priority) or 0
for p = 0, ranks > 0 and 10 or -1 do
  for _, id in ipairs(call('ZRANGEBYSCORE', priority, p, p, 'LIMIT', 0, 100)) do
    call('ZADD', priority, ranked(p), id)
  end
end

-- When the job began to wait. One of which that is not known begins now.
local function waits_since(id)
  local since = redis.pcall('HGET', prefix .. id, 'created_at')
  since = type(since) == 'string' and whole(since)
  if not since then redis.pcall('HSET', prefix .. id, 'created_at', now_text) end
  return since or now
end

-- The longest waiting; of equals the one that stands further back, so that nothing starves. Its id, and its score if it has one.
local function longest_waiting()
  local best, best_score, best_since
  local function consider(id, score)
    local since = id and waits_since(id)
    if since and (not best or since < best_since) then best, best_score, best_since = id, score, since end
  end
  for p = 0, 10 do
    local first = call('ZREVRANGEBYSCORE', priority, '(' .. p + 1, p, 'WITHSCORES', 'LIMIT', 0, 1)
    consider(first[1], first[2])
    if p == 5 then consider(call('LINDEX', list, -1)) end
  end
  return best, best_score
end

local function first_in_order()
  local top = call('ZREVRANGE', priority, 0, 0, 'WITHSCORES')
  if top[1] and tonumber(top[2]) < 6 and call('EXISTS', list) == 1 then return call('LINDEX', list, -1) end
  return top[1], top[2]
end

local taken, leases, began = {0, -1}, {}, {}
local count = 0
local takes = ranks > 0 and tonumber(call('GET', base .. 'takes')) or 0

-- The next candidates, taken off where they waited: ids, and the score of the only one when it comes from the priority set.
local function pick()
  if ranks == 0 then return call('RPOP', list, max - count) or {} end
  local id, score
  if (takes + count + 1) % 8 == 0 then id, score = longest_waiting() end
  if not id then id, score = first_in_order() end
  if not id then return {} end
  if score then
    ranks = ranks - call('ZREM', priority, id)
  else
    call('RPOP', list)
  end
  return {id}, score
end

-- Such an id fits into no key and no C string: it would be taken again and again.
local function refuse(id, data)
  call('HSET', data, 'status', 'failed', 'completed_at', now_text, 'error', 'its id is too long or has control characters')
  call('EXPIRE', data, 7 * DAY_S)
  call('ZADD', KEYS[5], now, id)
  call('INCR', ARGV[4] .. 'failed')
  if call('HINCRBY', ARGV[5], 'tasks_failed', 1) == 1 then call('EXPIRE', ARGV[5], 90 * DAY_S) end
  tell(id, nil, 'failed', 'failed')
end

-- What has ended, is being carried out (listed twice), or is no hash is dropped.
local function begin(id, from_score)
  local data = prefix .. id
  local flat, had = redis.pcall('HGETALL', data), {}
  if flat.err or began[id] then return end
  for i = 1, #flat, 2 do had[flat[i]] = flat[i + 1] end
  if ended[had.status] then
    if call('TTL', data) < 0 then call('EXPIRE', data, DAY_S) end
    return
  end
  if #id > ID_MAX or string.find(id, '%c') then return refuse(id, data) end
  local run = whole(had.run, 0)
  if (run > 0 or had.status == 'processing') and call('ZSCORE', active, id) then return end
  local l = types[had.type or 'default']
  if l then
    if room(l) <= 0 then return hold(l, id, data, had, from_score) end
    l.room = l.room - 1
    l.begun[#l.begun + 1] = now
    l.begun[#l.begun + 1] = id
    if had.held_score then call('HDEL', data, 'held_score') end
  end
  local set = {'run', string.format('%.0f', run + 1), 'status', 'processing', 'started_at', now_text, 'worker_id', worker}
  local function also(name, value)
    set[#set + 1] = name
    set[#set + 1] = value
  end
  if not had.type then also('type', 'default') end
  if not had.created_at then
    also('created_at', now_text)
    flat[#flat + 1] = 'created_at'
    flat[#flat + 1] = now_text
  end
  if from_score then also('from_score', from_score) end
  call('HSET', data, unpack(set))
  if had.completed_at then -- an outsider gave it once more under the same id
    call('HDEL', data, 'completed_at')
    call('PERSIST', data)
    call('ZREM', KEYS[5], id)
  end
  tell(id, had.user_id, 'processing', 'processing')
  began[id] = true
  count = count + 1
  leases[#leases + 1] = lease_end
  leases[#leases + 1] = id
  taken[#taken + 1] = {id, run + 1, flat}
end

-- So many that are not taken are looked at in one call, so that a list full of them does not hold Redis up.
local looks = max + 300
while count < max and looks > 0 do
  local ids, score = pick()
  if #ids == 0 then break end
  looks = looks - #ids
  for _, id in ipairs(ids) do begin(id, score) end
end

if count > 0 then
  call('ZADD', active, unpack(leases))
  call('INCRBY', base .. 'takes', count)
  if own_rate then
    own_rate.tat = own_rate.tat + count * own_rate.step
    call('HSET', base .. 'limits', 'tat', exact(own_rate.tat))
  end
end

local next_ms = looks <= 0 and 0 or math.huge
local first = call('ZRANGE', delayed, 0, 0, 'WITHSCORES')
if first[2] then next_ms = math.min(next_ms, first[2] - now) end
if own_rate and permits(own_rate) == 0 and call('EXISTS', list, priority) > 0 then
  next_ms = math.min(next_ms, next_permit(own_rate))
end
for _, l in ipairs(limits) do
  local n = #l.begun / 2
  if n > 0 and l.at_once > 0 then call('ZADD', l.runs, unpack(l.begun)) end
  if n > 0 and l.rate then
    l.rate.tat = l.rate.tat + n * l.rate.step
    call('SET', l.period, exact(l.rate.tat), 'PX', math.ceil(l.rate.tat - now) + 1000)
  end
  if l.held > 0 and l.rate and permits(l.rate) == 0 then next_ms = math.min(next_ms, next_permit(l.rate)) end
end
if next_ms < math.huge then taken[2] = math.max(0, math.ceil(next_ms)) end
return taken
