-- What a take sees to beyond the plain list: delayed jobs that are due, limits of types and of the queue, priorities. Needs: what
-- job_take.lua has around it; fills its locals.

local HELD_MS = 300000 -- a held back job looks after itself that much later, should its limit be gone

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
limited = {}
local limits = {}
for i = 9, #ARGV, 4 do
  local name = ARGV[i]
  limits[#limits + 1] = {name = name, at_once = tonumber(ARGV[i + 1]), count = ARGV[i + 2], per = ARGV[i + 3],
    waits = base .. 'limited:' .. name, runs = base .. 'running:' .. name, period = base .. 'period:' .. name, begun = {}}
  limited[name] = limits[#limits]
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
function room(l)
  if not l.room then
    l.room = l.at_once > 0 and math.max(0, l.at_once - running(l)) or max
    l.rate = rate(l.count, l.per, call('GET', l.period))
    if l.rate then l.room = math.min(l.room, permits(l.rate)) end
  end
  return l.room
end

function hold(l, id, data, had, from_score)
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
  elseif limited[had[2]] then
    call('ZADD', limited[had[2]].waits, score, id)
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
ranks = max > 0 and call('ZCARD', priority) or 0
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

local takes = ranks > 0 and tonumber(call('GET', base .. 'takes')) or 0

-- The next candidate of both, taken off where it waited: its id, and its score when it comes from the priority set.
function pick()
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

-- What was taken counts for the limits. Milliseconds until something comes by itself.
function settle()
  local next_ms = math.huge
  if own_rate and count > 0 then
    own_rate.tat = own_rate.tat + count * own_rate.step
    call('HSET', base .. 'limits', 'tat', exact(own_rate.tat))
  end
  local first = call('ZRANGE', delayed, 0, 0, 'WITHSCORES')
  if first[2] then next_ms = first[2] - now end
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
  return next_ms
end
