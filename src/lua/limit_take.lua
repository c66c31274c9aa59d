#!lua flags=allow-oom
-- Count one thing in several buckets, in all of them or in none, by Redis's clock (GCRA: a bucket is the moment at which it will be empty).
-- KEYS  1... the buckets
-- ARGV  three for each: 1 microseconds that one thing stays in it  2 things that it holds  3 what the thing is called, to count it
--       once however often it comes ('': each time)
-- Result: {0, 0, room left in the first bucket}; {n, microseconds until bucket n has room, 0}
local NAMES = 640 -- bytes of names that a bucket remembers, behind its number, each between two blanks
local call, floor, ceil = redis.call, math.floor, math.ceil

local time = call('TIME')
local now = time[1] * 1000000 + time[2]
local fuller, names, left = {}, {}, 0

for i, key in ipairs(KEYS) do
  local each, name = tonumber(ARGV[3 * i - 2]), ARGV[3 * i]
  local room, value = each * ARGV[3 * i - 1], call('GET', key)
  local empty = tonumber(value)
  if value and not empty then
    empty, names[i] = string.match(value, '^(%d+)(.*)$')
    empty = tonumber(empty)
  end
  if not empty or empty < now then
    empty = now
  elseif empty > now + room then
    empty = now + room -- the clock was set back
  end
  if name == '' or not string.find(names[i] or '', ' ' .. name .. ' ', 1, true) then
    empty = empty + each
    if empty - room > now then return {i, ceil(empty - room - now), 0} end
    fuller[i] = empty
    if name ~= '' then -- the oldest goes whole: what is left of it would be read as digits of the number
      names[i] = string.gsub(string.sub((names[i] or ' ') .. name .. ' ', -NAMES), '^%S+', '')
    end
  end
  if i == 1 then left = floor((now + room - empty) / each + 1e-6) end -- a whole number but for rounding
end

-- What is counted each time is forgotten soon, and not worth a line of the append-only file at every look of a visitor.
if not next(names) then redis.set_repl(redis.REPL_NONE) end
for i, empty in pairs(fuller) do
  call('SET', KEYS[i], string.format('%.0f', empty) .. (names[i] or ''), 'PX', math.max(1, ceil((empty - now) / 1000)))
end
return {0, 0, left}
