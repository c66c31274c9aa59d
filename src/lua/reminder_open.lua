#!lua
-- reminder_open.lua: a message waits for an answer, unless it was answered. Refused when Redis is full.
-- keys: its state
-- args: the state of one that waits, how long it is kept in ms
-- result: {1: so from now on; 0: it waited already; -2: it was answered, the state as it is}
local call = redis.call
local had = call('GET', KEYS[1])

if not had then
  call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
  return {1, ARGV[1]}
end
return {string.sub(had, 1, 7) == 'waiting' and 0 or -2, had}
