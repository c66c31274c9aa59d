#!lua flags=allow-oom
-- Count things in buckets by Redis's clock (GCRA: a bucket is the moment at which it will be empty). Each thing counts in all of its buckets
-- or in none, one thing after the other.
-- KEYS  the buckets of the first thing, of the second...
-- ARGV  1 number of things, then for each: how many buckets it has; then for each bucket: microseconds that one thing stays in it, things
--       that it holds, what the thing is called, to count it once however often it comes ('': each time)
-- Result: for each thing {0, 0, room left in its first bucket}, or {n, microseconds until its bucket n has room, 0}
local NAMES = 640 -- bytes of names that a bucket remembers, behind its number, each between two blanks
local call, floor, ceil = redis.call, math.floor, math.ceil

local time = call('TIME')
local now = time[1] * 1000000 + time[2]
local things = tonumber(ARGV[1])
local known, names, named = {}, {}, false -- by key: when it is empty, and what it remembers

local function read(key)
  local value = call('GET', key)
  local empty = tonumber(value)
  if value and not empty then
    empty, names[key] = string.match(value, '^(%d+)(.*)$')
    empty = tonumber(empty)
  end
  return empty
end

-- The bucket after one thing more, at most `room` microseconds from now; nothing: it is full.
local function fill(key, each, room, name)
  local empty = known[key] or read(key)
  if not empty or empty < now then
    empty = now
  elseif empty > now + room then
    empty = now + room -- the clock was set back
  end
  if name ~= '' and string.find(names[key] or '', ' ' .. name .. ' ', 1, true) then return empty end
  empty = empty + each
  return empty, empty - room - now
end

local function remember(key, name)
  named = true -- the oldest goes whole: what is left of it would be read as digits of the number
  names[key] = string.gsub(string.sub((names[key] or ' ') .. name .. ' ', -NAMES), '^%S+', '')
end

local result, changed = {}, {}
local bucket, arg = 0, 1 + things
for i = 1, things do
  local answer, filled = {0, 0, 0}, {}
  local count = tonumber(ARGV[1 + i])
  for k = 1, count do
    local key, each, name = KEYS[bucket + k], tonumber(ARGV[arg + 1]), ARGV[arg + 3]
    local room = each * ARGV[arg + 2]
    local empty, wait = fill(key, each, room, name)
    arg = arg + 3
    if wait and wait > 0 and answer[1] == 0 then answer = {k, ceil(wait), 0} end
    if wait then filled[k] = {key, empty, name} end
    if k == 1 then answer[3] = floor((now + room - empty) / each + 1e-6) end -- a whole number but for rounding
  end
  for _, f in pairs(answer[1] == 0 and filled or {}) do
    known[f[1]], changed[f[1]] = f[2], true
    if f[3] ~= '' then remember(f[1], f[3]) end
  end
  if answer[1] > 0 then answer[3] = 0 end
  bucket = bucket + count
  result[i] = answer
end

-- What is counted each time is forgotten soon, and not worth a line of the append-only file at every look of a visitor.
if not named then redis.set_repl(redis.REPL_NONE) end
for key in pairs(changed) do
  call('SET', key, string.format('%.0f', known[key]) .. (names[key] or ''), 'PX', math.max(1, ceil((known[key] - now) / 1000)))
end
return result
