#!lua flags=allow-oom
-- reminder_close.lua: a message was answered. That is remembered for as long as it would have waited.
-- keys: its state
-- args: none
-- result: {1, or 0: it waits for nothing; the state as it was}
local call = redis.call
local had = call('GET', KEYS[1])

if not had then return {0, ''} end
if string.sub(had, 1, 7) == 'waiting' then call('SET', KEYS[1], 'answered' .. string.sub(had, 8), 'KEEPTTL') end
return {1, had}
