#!lua flags=allow-oom
-- sign_in_begin.lua: count an attempt to sign in as a failed one, if it is not too soon; sign_in_end.lua takes it back. So of many at once one
-- gets through.
-- keys: the counters
-- args: how long a counter is kept in ms, then for each counter: attempts that are free, longest delay in ms
-- result: 0 counted; more: too soon, for so many ms
local keep = tonumber(ARGV[1])
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local wait = 0

for i, key in ipairs(KEYS) do
  local open = tonumber(redis.call('HGET', key, 'open_at') or 0)
  -- Never longer than the longest delay, even if the clock was set back.
  wait = math.max(wait, math.min(open - now, tonumber(ARGV[2 * i + 1])))
end
if wait > 0 then
  return wait
end
for i, key in ipairs(KEYS) do
  local free, cap = tonumber(ARGV[2 * i]), tonumber(ARGV[2 * i + 1])
  local over = redis.call('HINCRBY', key, 'count', 1) - free
  local delay = over > 0 and math.min(cap, 1000 * 2 ^ math.min(over - 1, 30)) or 0
  redis.call('HSET', key, 'open_at', string.format('%.0f', now + delay))
  redis.call('PEXPIRE', key, keep)
end
return 0
