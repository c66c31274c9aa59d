-- An entry of the cache: its value, and beside it a hash with when it was put (at), until when it is fresh, what it is revalidated with, and
-- the stamps of its tags. Redis may evict each key by itself at any time; what is not whole counts as not there. Needs: call, base (P:cache:).
local MOST = 1000 -- fields of the counters
local time = call('TIME')
local now_us = time[1] * 1000000 + time[2]
local now = math.floor(now_us / 1000)
local function digits(n) return string.format('%.0f', n) end

-- Counted by what stands before the first _ or : of a key, up to MOST of them; the others together. Not worth a line of the append-only file.
local function count(stats, value_key, what)
  local field = string.match(value_key, '^[^_:]*', #base + 1) .. ':' .. what
  redis.set_repl(redis.REPL_NONE)
  if call('HEXISTS', stats, field) == 0 and call('HLEN', stats) >= MOST then field = '*:' .. what end
  call('HINCRBY', stats, field, 1)
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

-- The value and what lies beside it, as a table; no value: there is none that is valid. Also: was a part of it evicted?
local function read_entry(value_key, beside_key)
  local value, beside, list = call('GET', value_key), {}, call('HGETALL', beside_key)
  for i = 1, #list, 2 do beside[list[i]] = list[i + 1] end
  if not value or not beside.fresh then return false, beside, value ~= (beside.fresh or false) end
  for field, was in pairs(beside) do
    if string.sub(field, 1, 4) == 'tag:' then
      local is = call('GET', base .. field)
      if is ~= was then return false, beside, not is end
    end
  end
  return value, beside, false
end

-- The claim ends, and whoever waits for it wakes up. For the note of a failure nobody waits.
local function wake(claim)
  if string.sub(claim, 1, 1) == '!' then return end
  local key = base .. 'done:' .. claim
  call('XADD', key, 'MAXLEN', 1, '*', 'done', 1)
  call('PEXPIRE', key, 10000)
end
