-- An entry of the cache: its value, and beside it a hash with when it was put (at), until when it is fresh, what it is revalidated with, and
-- the stamps of its tags. Redis may evict each key by itself at any time; what is not whole counts as not there. Needs: call, base (P:cache:).
local MOST = 1000 -- fields of the counters
local time = call('TIME')
local now_us = time[1] * 1000000 + time[2]
local now = math.floor(now_us / 1000)
local function digits(n) return string.format('%.0f', n) end

-- Up to MOST are counted by prefix, the others together. Not worth a line of the append-only file.
local function count(stats, prefix, what)
  local field = prefix .. ':' .. what
  redis.set_repl(redis.REPL_NONE)
  if call('HINCRBY', stats, field, 1) == 1 and call('HLEN', stats) > MOST and prefix ~= '*' then
    call('HDEL', stats, field)
    call('HINCRBY', stats, '*:' .. what, 1)
  end
  redis.set_repl(redis.REPL_ALL)
end

-- A tag's stamp: when it was last invalidated, in microseconds. One that is not there is made, and everything that bore an earlier one is void.
local function stamp(name, keep)
  local key = base .. 'tag:' .. name
  local found = call('GET', key)
  if not found then
    found = digits(now_us)
    call('SET', key, found, 'PX', keep)
  end
  call('PEXPIRE', key, keep, 'GT')
  return found
end

-- Until when a valid value stays, in ms, or false; and what lies beside it, as a table. Also: was a part of it evicted? The value itself is not
-- touched: it would be copied again and again on its way through a script.
local function read_entry(value_key, beside_key)
  local ends, beside, list = call('PTTL', value_key), {}, call('HGETALL', beside_key)
  for i = 1, #list, 2 do beside[list[i]] = list[i + 1] end
  if ends == -2 or not beside.fresh then return false, beside, ends ~= -2 or beside.fresh ~= nil end
  for field, was in pairs(beside) do
    if string.sub(field, 1, 4) == 'tag:' then
      local is = call('GET', base .. field)
      if is ~= was then return false, beside, not is end
    end
  end
  return ends, beside, false
end

-- The claim ends, and whoever waits for it wakes up. For the note of a failure nobody waits.
local function wake(claim)
  if string.sub(claim, 1, 1) == '!' then return end
  local key = base .. 'done:' .. claim
  call('XADD', key, 'MAXLEN', 1, '*', 'done', 1)
  call('PEXPIRE', key, 10000)
end
