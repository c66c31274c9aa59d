-- A job comes back to where it waits (core/job_part.h). Needs: call, list, priority, base,
-- part_number.lua.

local function to_head(id, from_score)
  if score_of(from_score) then
    call('ZADD', priority, from_score, id)
  else
    call('RPUSH', list, id)
  end
end

-- The score of a push with priority p: first in, first out within it. 2^44 pushes can be told apart.
local function ranked(p)
  return string.format('%.17g', p + 1 - call('INCR', base .. 'sequence') / 2 ^ 44)
end

local function to_tail(id, p)
  p = tonumber(p)
  if p and p >= 0 and p <= 10 and p % 1 == 0 and p ~= 5 then
    call('ZADD', priority, ranked(p), id)
  else
    call('LPUSH', list, id)
  end
end
