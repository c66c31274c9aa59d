#!lua flags=allow-oom
-- cache_renew.lua: a value was found to be as good as when it was put: it is fresh again, and its claim ends; also when Redis is full.
-- keys: value, beside it, claim
-- args: P:cache:, the claim or '', ms to stay fresh, ms until it is gone, etag, last-modified ('': they stay)
-- result: 1; 0 there is no such value any more, and the claim goes on; -1 the claim is over
local call = redis.call
local base = ARGV[1]

-- include part_cache.lua

local held = call('GET', KEYS[3])
if ARGV[2] ~= '' and held ~= ARGV[2] then return -1 end
local found, beside = read_entry(KEYS[1], KEYS[2])
if not found then return 0 end
local ends = digits(now + ARGV[4])
call('HSET', KEYS[2], 'at', digits(now), 'fresh', digits(now + ARGV[3]))
if ARGV[5] ~= '' then call('HSET', KEYS[2], 'etag', ARGV[5]) end
if ARGV[6] ~= '' then call('HSET', KEYS[2], 'modified', ARGV[6]) end
for field in pairs(beside) do
  if string.sub(field, 1, 4) == 'tag:' then stamp(string.sub(field, 5), ARGV[4]) end
end
call('PEXPIREAT', KEYS[1], ends)
call('PEXPIREAT', KEYS[2], ends)
if ARGV[2] ~= '' then
  call('DEL', KEYS[3])
  wake(held)
end
return 1
