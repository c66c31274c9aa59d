#!lua flags=allow-oom
-- cache_invalidate.lua: all that bears a tag is void from now on. A tag that is not there is borne by nothing.
-- keys: tags
-- result: how many of them there are
-- args: none
local call = redis.call
local time = call('TIME')
local now_us = time[1] * 1000000 + time[2]
local found = 0
for _, key in ipairs(KEYS) do
  local was = call('GET', key)
  if was then
    call('SET', key, string.format('%.0f', math.max(now_us, was + 1)), 'KEEPTTL')
    found = found + 1
  end
end
return found
