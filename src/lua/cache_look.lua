#!lua flags=allow-oom
-- cache_look.lua: say whether there is a valid entry in the cache, whose value is read by the command behind this one, and claim it for the caller
-- where it is to be made anew; also when Redis is full.
-- keys: value, beside it, claim, counters
-- args: P:cache:, under which prefix it is counted as hit or miss ('': it is not), when to claim it (''; 'stale': unless it is fresh;
--       'always', and what somebody else holds lasts that long again), what to call the claim, how long it lasts in ms, tags that the new value will bear
-- result: 1 or 0, its age, ms that it stays fresh (0 or less: it is stale), ms until it is gone, etag, last-modified, content type,
--         the caller's claim or '', somebody's else or '', ms that this lasts, why making it failed a moment ago or ''
local call = redis.call
local base = ARGV[1]

-- include part_cache.lua

local ends, beside, evicted = read_entry(KEYS[1], KEYS[2])
local fresh = ends and beside.fresh - now or 0
if ARGV[2] ~= '' then
  count(KEYS[4], ARGV[2], ends and 'hits' or 'misses')
  if evicted then count(KEYS[4], ARGV[2], 'evictions') end
end

-- Whoever is to make it in any case takes over somebody's claim, and has all of its time for that; the stamps last as long.
local function take_over()
  call('PEXPIRE', KEYS[3], ARGV[5], 'GT')
  for i = 6, #ARGV do stamp(ARGV[i], ARGV[5]) end
end

local mine, held, lasts, failed = '', '', 0, ''
local claim = (fresh <= 0 or ARGV[3] == 'always') and call('GET', KEYS[3])
if claim then
  if string.sub(claim, 1, 1) == '!' then
    failed = string.sub(claim, 2)
  else
    held = claim
    if ARGV[3] == 'always' then take_over() end
  end
  lasts = call('PTTL', KEYS[3])
elseif ARGV[3] == 'always' or (ARGV[3] == 'stale' and fresh <= 0) then
  -- It is named by its moment, which lies behind every stamp of its tags: what is invalidated from then on makes its value void.
  local moment = now_us
  for i = 6, #ARGV do moment = math.max(moment, stamp(ARGV[i], ARGV[5]) + 1) end
  mine = digits(moment) .. '-' .. ARGV[4]
  call('SET', KEYS[3], mine, 'PX', ARGV[5])
end
return {ends and 1 or 0, ends and now - beside.at or 0, fresh, ends or 0, beside.etag or '', beside.modified or '', beside.type or '',
  mine, held, lasts, failed}
