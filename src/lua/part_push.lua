-- A new job, as job_push.lua tells it; a plain one of a new id is written by a transaction of core/job.c instead. Needs: nothing.
local function push(keys, args)
  local call = redis.call
  local id, data = args[1], keys[3]

  if call('EXISTS', data) == 1 then
    local had = call('HMGET', data, 'status', 'from_score')
    if had[1] == 'processing' and not call('ZSCORE', keys[2], id) then
      call('HSET', data, 'status', 'pending')
      local score = tonumber(had[2])
      if score and math.abs(score) < 1e300 then
        call('ZADD', string.sub(keys[2], 1, -7) .. 'priority', had[2], id)
      else
        call('RPUSH', keys[1], id)
      end
    end
    return 0
  end

  local time = call('TIME')
  local now = time[1] .. string.sub('00000' .. time[2], -6, -4)
  local first_field = 6
  if #keys > 5 then
    local priority, delay, unique_ms = tonumber(args[6]), tonumber(args[7]), tonumber(args[8])
    first_field = 9
    if keys[9] then
      -- Whoever has the key and is gone, or has ended without freeing it, gives it up; one with a time keeps it that long.
      local other = call('GET', keys[9])
      local held = other and call('PTTL', keys[9]) >= 0
      if other and not held then
        local status = call('HGET', string.sub(data, 1, #data - #id) .. other, 'status')
        held = status == 'pending' or status == 'processing'
      end
      if held then return other end
      if unique_ms > 0 then
        call('SET', keys[9], id, 'PX', unique_ms)
      else
        call('SET', keys[9], id)
      end
    end
    if delay > 0 then
      call('ZADD', keys[6], now + delay, id)
    elseif priority >= 0 then
      call('ZADD', keys[7], string.format('%.17g', priority + 1 - call('INCR', keys[8]) / 17592186044416), id)
    else
      call('LPUSH', keys[1], id)
    end
  else
    call('LPUSH', keys[1], id)
  end
  call('HSET', data, 'status', 'pending', 'created_at', now, unpack(args, first_field))
  call('INCR', keys[4])
  if call('HINCRBY', keys[5], 'tasks_total', '1') == 1 then
    call('EXPIRE', keys[5], 90 * 86400)
  end
  local message = args[2] .. now .. '}'
  call('PUBLISH', args[3], message)
  call('PUBLISH', args[4], message)
  if args[5] ~= '' then
    call('PUBLISH', args[5], message)
  end
  return 1
end
