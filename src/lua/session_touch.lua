#!lua flags=allow-oom
-- session_touch.lua: set last_activity of a session to now; everything else stays as it is.
-- keys: the session
-- args: TTL to give it, in ms ("": the TTL stays too)
-- result: 1 written; 0 there is no such session
local text = redis.call('GET', KEYS[1])
if not text then
  return 0
end
local time = redis.call('TIME')
local member = string.format('"last_activity":%.0f', time[1] * 1000 + math.floor(time[2] / 1000))
local changed, count = string.gsub(text, '"last_activity"%s*:%s*[^%s,}]+', member, 1)
if count == 0 then
  changed = string.gsub(text, '}%s*$', ',' .. member .. '}')
end
redis.call('SET', KEYS[1], changed, 'KEEPTTL')
if ARGV[1] ~= '' then
  redis.call('PEXPIRE', KEYS[1], ARGV[1])
end
return 1
