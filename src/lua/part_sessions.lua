-- The sessions of a user: a set of their names, and an index of users by the time to look at their set again. Needs: call, now.

-- A number among the session's own members: metadata, which may hold anything, stand behind them.
local function time_in(text, name)
  return tonumber(string.match(text, '"' .. name .. '"%s*:%s*(%d+)'))
end

-- Those of the set that live, oldest first: {name, made, used}. The names of others are taken away, and sessions idle for too long.
local function living(set, prefix, idle)
  local found = {}
  for _, name in ipairs(call('SMEMBERS', set)) do
    local text = redis.pcall('GET', prefix .. name)
    local exists = type(text) == 'string'
    local made = exists and time_in(text, 'created_at') or 0
    local used = exists and time_in(text, 'last_activity') or made
    if exists and (used == 0 or now - used <= idle) then
      found[#found + 1] = {name, made, used}
    else
      call('SREM', set, name)
      if exists then call('DEL', prefix .. name) end
    end
  end
  table.sort(found, function(a, b)
    if a[2] ~= b[2] then return a[2] < b[2] end
    return a[1] < b[1]
  end)
  return found
end

-- A session joins the set, which outlives it; the oldest go when there are too many.
local function join(set, index, user, name, prefix, ttl, idle, most)
  call('SADD', set, name)
  local found = living(set, prefix, idle)
  local over = #found - most
  for _, session in ipairs(found) do
    if over > 0 and session[1] ~= name then
      call('SREM', set, session[1])
      call('DEL', prefix .. session[1])
      over = over - 1
    end
  end
  if call('PTTL', set) < ttl then call('PEXPIRE', set, ttl) end
  call('ZADD', index, 'LT', now + idle, user)
end
