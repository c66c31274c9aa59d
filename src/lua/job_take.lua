#!lua flags=allow-oom
-- job_take.lua: delayed jobs that are due come back, then the first ready jobs are leased. The order is drawn in core/job.h; what a
-- limit of a type holds back waits in `delayed`, and in limited:{type} by the order in which it would have been taken.
-- keys: the queue's list, priority, delayed, active, failed
-- args: 1-5 as in core/job_part.h, 6 worker, 7 most jobs, 8 lease in ms, then for each limited type: its name, how many at once,
--       how many per period, the period in ms (0: no such limit)
-- result: 1: paused, ms until something comes by itself (-1: nothing will), then of each job its id, its run, and its fields and values
local call, format = redis.call, string.format
local base, prefix, channel = ARGV[1], ARGV[2], ARGV[3]
local list, priority, delayed, active, failed = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local ID_MAX = 128
local DAY_S = 86400
local time = call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local now_text, lease_end = format('%d', now), format('%d', now + ARGV[8])
-- How many may be taken, how many were, and how many wait in the priority set.
local max, count, ranks = tonumber(ARGV[7]), 0, 0
local taken, leases = {0, -1}, {}

-- Mostly there is nothing but the list, and one look tells so. What sees to the rest (limits by type, and the functions of part_order.lua) is
-- made only when there is some: every call makes each function anew, and each local that one uses, which adds up to as much as three commands.
local limited, room, hold, pick, settle
local further = call('EXISTS', base .. 'paused', base .. 'limits', priority, delayed) > 0
if further and call('EXISTS', base .. 'paused') == 1 then return {1, -1} end

-- include part_number.lua
-- include part_tell.lua

-- In a list of scores and members, as ZADD takes it.
local function has(list_of, member)
  for i = 2, #list_of, 2 do
    if list_of[i] == member then return true end
  end
end

local function is_limited(name)
  for i = 9, #ARGV, 4 do
    if ARGV[i] == name then return true end
  end
end

-- So many that are not taken are looked at in one call, so that a list full of them does not hold Redis up.
local looks, emptied = max + 300, false
repeat
  if further then
-- include part_back.lua
-- include part_order.lua
  end
  further = false
  while not further and count < max and looks > 0 and not emptied do
    -- The next candidates, taken off where they waited: ids, and the score of the only one when it comes from the priority set.
    local wanted, ids, from_score = 1
    if ranks > 0 then
      ids, from_score = pick()
    else
      wanted = max - count
      ids = call('RPOP', list, format('%d', wanted)) or {}
    end
    emptied = #ids < wanted
    for at = 1, #ids do
      local id = ids[at]
      local data, had = prefix .. id, {}
      local flat = redis.pcall('HGETALL', data)
      for i = 1, #flat, 2 do had[flat[i]] = flat[i + 1] end
      local status, kind, run = had.status, had.type or 'default', whole(had.run, 0)
      -- What has ended, is being carried out (listed twice), or is no hash is dropped.
      local ended = status == 'completed' or status == 'failed' or status == 'cancelled'
      local begun = not ended and (run > 0 or status == 'processing') and (has(leases, id) or call('ZSCORE', active, id))
      looks = looks - 1
      if ended and call('TTL', data) < 0 then call('EXPIRE', data, DAY_S) end
      if not (ended or begun or flat.err) then
        local l = limited and limited[kind]
        if #id > ID_MAX or string.find(id, '%c') then -- it fits into no key and no C string, and would be taken again and again
          call('HSET', data, 'status', 'failed', 'completed_at', now_text, 'error', 'its id is too long or has control characters')
          call('EXPIRE', data, 7 * DAY_S)
          call('ZADD', failed, now_text, id)
          call('INCR', ARGV[4] .. 'failed')
          if call('HINCRBY', ARGV[5], 'tasks_failed', 1) == 1 then call('EXPIRE', ARGV[5], 90 * DAY_S) end
          tell(id, nil, 'failed', 'failed')
        elseif not limited and is_limited(kind) then -- from here on once more, with all that there is to see to
          for i = #ids, at, -1 do call('RPUSH', list, ids[i]) end
          emptied, further = false, true
          break
        elseif l and room(l) <= 0 then
          hold(l, id, data, had, from_score)
        else
          if l then
            l.room = l.room - 1
            l.begun[#l.begun + 1] = now
            l.begun[#l.begun + 1] = id
            if had.held_score then call('HDEL', data, 'held_score') end
          end
          run = run + 1
          if had.type and had.created_at then
            call('HSET', data, 'run', format('%d', run), 'status', 'processing', 'started_at', now_text, 'worker_id', ARGV[6])
          else
            local created = had.created_at or now_text
            call('HSET', data, 'run', format('%d', run), 'status', 'processing', 'started_at', now_text, 'worker_id', ARGV[6],
              'type', kind, 'created_at', created)
            flat[#flat + 1] = 'created_at'
            flat[#flat + 1] = created
          end
          if from_score then call('HSET', data, 'from_score', from_score) end
          if had.completed_at then -- an outsider gave it once more under the same id
            call('HDEL', data, 'completed_at')
            call('PERSIST', data)
            call('ZREM', failed, id)
          end
          tell(id, had.user_id, 'processing', 'processing')
          leases[2 * count + 1], leases[2 * count + 2] = lease_end, id
          taken[3 * count + 3], taken[3 * count + 4], taken[3 * count + 5] = id, run, flat
          count = count + 1
        end
      end
    end
  end
until not further

if count > 0 then
  call('ZADD', active, unpack(leases))
  call('INCRBY', base .. 'takes', format('%d', count))
end

local next_ms = limited and settle() or math.huge
if looks <= 0 then next_ms = 0 end
if next_ms < math.huge then taken[2] = math.max(0, math.ceil(next_ms)) end
return taken
