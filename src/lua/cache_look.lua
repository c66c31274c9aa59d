#!lua flags=allow-oom
-- cache_look.lua: read an entry of the cache, and claim it for the caller where it is to be made anew; also when Redis is full.
-- keys: value, beside it, claim, counters
-- args: P:cache:, 1 to count it as hit or miss ('': do not), when to claim it (''; 'stale': unless it is fresh; 'always'), what to call the
--       claim, how long it lasts in ms, tags that the new value will bear
-- result: value or nil, its age, ms that it stays fresh (0 or less: it is stale), ms until it is gone, etag, last-modified, content type,
--         the caller's claim or '', somebody's else or '', ms that this lasts, why making it failed a moment ago or ''
local call = redis.call
local base = ARGV[1]

-- include part_cache.lua

local value, beside, evicted = read_entry(KEYS[1], KEYS[2])
local fresh = value and beside.fresh - now or 0
if ARGV[2] ~= '' then
  count(KEYS[4], KEYS[1], value and 'hits' or 'misses')
  if evicted then count(KEYS[4], KEYS[1], 'evictions') end
end

-- A claim is named by its moment, which lies behind every stamp of its tags: what is invalidated from then on makes its value void.
local function claim()
  local moment = now_us
  for i = 6, #ARGV do moment = math.max(moment, stamp(ARGV[i], ARGV[5]) + 1) end
  local name = digits(moment) .. '-' .. ARGV[4]
  call('SET', KEYS[3], name, 'PX', ARGV[5])
  return name
end

local held, mine, failed, lasts = call('GET', KEYS[3]), '', '', 0
if held then
  lasts = call('PTTL', KEYS[3])
  if string.sub(held, 1, 1) == '!' then held, failed = '', string.sub(held, 2) end
elseif ARGV[3] == 'always' or (ARGV[3] == 'stale' and fresh <= 0) then
  mine = claim()
end
return {value, value and now - beside.at or 0, fresh, value and call('PTTL', KEYS[1]) or 0, beside.etag or '', beside.modified or '',
  beside.type or '', mine, held or '', lasts, failed}
