#!lua flags=allow-oom
-- cache_release.lua: whoever claimed an entry cannot make it: what is there stays. For a while nobody tries again, and all are told why.
-- keys: claim
-- args: P:cache:, the claim, why, how long nobody tries in ms (0: the next may at once)
-- result: 1; 0 the claim is over
local call = redis.call
local base = ARGV[1]

-- include part_cache.lua

if call('GET', KEYS[1]) ~= ARGV[2] then return 0 end
if tonumber(ARGV[4]) > 0 then
  call('SET', KEYS[1], '!' .. ARGV[3], 'PX', ARGV[4])
else
  call('DEL', KEYS[1])
end
wake(ARGV[2])
return 1
