#!lua
-- cache_put.lua: put a value into the cache. For a claim only while that is held and nothing that it bears was invalidated meanwhile; without
-- one whoever is making a value is too late.
-- keys: value, beside it, claim, counters
-- args: P:cache:, the claim or '', ms to stay fresh, ms until it is gone, etag, last-modified, content type ('': none), under which prefix it is
--       counted, the value, tags
-- result: 1; 0 the claim is over, or a tag was invalidated
local call = redis.call
local base = ARGV[1]

-- include part_cache.lua

local mine, keep = ARGV[2], ARGV[4]
local held = call('GET', KEYS[3])
if mine ~= '' and held ~= mine then return 0 end
if held then
  call('DEL', KEYS[3])
  wake(held)
end

local fields = {'at', digits(now), 'fresh', digits(now + ARGV[3])}
for i, name in ipairs({'etag', 'modified', 'type'}) do
  if ARGV[4 + i] ~= '' then
    fields[#fields + 1] = name
    fields[#fields + 1] = ARGV[4 + i]
  end
end
for i = 10, #ARGV do
  if mine ~= '' then
    local is = call('GET', base .. 'tag:' .. ARGV[i])
    if not is or tonumber(is) >= tonumber(string.match(mine, '^%d+')) then return 0 end
  end
  fields[#fields + 1] = 'tag:' .. ARGV[i]
  fields[#fields + 1] = stamp(ARGV[i], keep)
end

call('SET', KEYS[1], ARGV[9], 'PXAT', digits(now + keep))
call('DEL', KEYS[2])
call('HSET', KEYS[2], unpack(fields))
call('PEXPIREAT', KEYS[2], digits(now + keep))
count(KEYS[4], ARGV[8], 'sets')
return 1
