#!lua flags=allow-oom
-- cache_forget.lua: forget an entry of the cache; whoever is making it is too late.
-- keys: value, beside it, claim
-- args: P:cache:
-- result: 1; 0 there was none
local call = redis.call
local base = ARGV[1]

-- include part_cache.lua

local held = call('GET', KEYS[3])
local gone = call('DEL', KEYS[1])
call('DEL', KEYS[2], KEYS[3])
if held then wake(held) end
return gone
